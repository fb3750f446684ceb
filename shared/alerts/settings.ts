import { parseDuration } from '../duration.ts'
import type { Missing } from './machine.ts'
import type { Maintenance } from './maintenance.ts'
import { byRule, type RuleName, type Severity, severities, type Unit } from './rules.ts'
import { type AlertsInput, channelKinds, type NotifyInput } from './schema.ts'

/** The alerts' part of a queue's configuration, with every default filled in. */

export type RuleSettings = {
  /** Null: derived from the promise and from how long tasks take (conditions.ts). */
  readonly threshold: number | null
  readonly recovery: number | null
  readonly breaching: number
  readonly looks: number
  readonly forSeconds: number
  /** Null: derived as well. */
  readonly recoverSeconds: number | null
  readonly missing: Missing
  readonly severity: Severity
  readonly runbook: string | null
}

/** By rule; null: not watched. */
export type AlertSettings = Readonly<Record<RuleName, RuleSettings | null>>

export type Channel = {
  readonly name: string
  readonly kind: (typeof channelKinds)[number]
  /** The SSM SecureString parameter that holds its URL or its key. */
  readonly secret: string
  readonly severities: readonly Severity[]
}

export type Notify = {
  readonly channels: readonly Channel[]
  readonly repeatSeconds: number
  readonly maintenance: readonly Maintenance[]
}

type Kind = {
  readonly unit: Unit
  /** Which side of the threshold is bad. */
  readonly bad: 'above' | 'below'
}
type Defaults = Kind & Omit<RuleSettings, 'threshold' | 'recovery' | 'runbook'>

// A second look is a minute later: what is over by then has been noise, or has mended itself.
const secondLook = { breaching: 1, looks: 1, forSeconds: 60, recoverSeconds: 120 }
// Counts of empty queues show a message or two that are not there, for a minute; a count that is
// stale is so for a minute as well. Three in a row are neither.
const thirdLook = { ...secondLook, forSeconds: 120 }
// The number itself is a time or spans one.
const atOnce = { ...secondLook, forSeconds: 0 }

export const ruleTable: Readonly<Record<RuleName, Defaults>> = {
  'oldest-age': {
    ...{ unit: 'seconds', bad: 'above', missing: 'idle', severity: 'critical' },
    ...secondLook,
  },
  depth: {
    ...{ unit: 'messages', bad: 'above', missing: 'missing', severity: 'critical' },
    ...thirdLook,
  },
  'time-to-breach': {
    ...{ unit: 'seconds', bad: 'below', missing: 'missing', severity: 'critical' },
    ...thirdLook,
  },
  // Minutes between two readings of CloudWatch are no news.
  stalled: {
    ...{ unit: 'seconds', bad: 'above', missing: 'ignore', severity: 'critical' },
    ...atOnce,
  },
  orphaned: {
    ...{ unit: 'messages', bad: 'above', missing: 'missing', severity: 'warning' },
    ...thirdLook,
    // Of a group that shrinks, workers end a minute or more before the count says so.
    forSeconds: 300,
    // They are given to others when their visibility timeout ends, and may be orphaned again.
    recoverSeconds: null,
  },
  redelivery: {
    ...{ unit: 'messages', bad: 'above', missing: 'ignore', severity: 'warning' },
    ...atOnce,
    // Those that came back come back again a visibility timeout later.
    recoverSeconds: null,
  },
  'dead-letter': {
    ...{ unit: 'messages', bad: 'above', missing: 'missing', severity: 'warning' },
    ...thirdLook,
  },
  'no-capacity': {
    ...{ unit: 'instances', bad: 'above', missing: 'missing', severity: 'critical' },
    ...atOnce,
  },
  'at-max': {
    ...{ unit: 'instances', bad: 'above', missing: 'missing', severity: 'warning' },
    ...secondLook,
    // A burst that max clears within some minutes is what a max is for.
    forSeconds: 300,
  },
  'producer-silent': {
    ...{ unit: 'seconds', bad: 'above', missing: 'ignore', severity: 'warning' },
    ...atOnce,
  },
  blind: {
    ...{ unit: 'seconds', bad: 'above', missing: 'missing', severity: 'warning' },
    ...atOnce,
  },
}

export const alertDefaults = {
  /** Twice in a shift: often enough not to be forgotten, and no noise. */
  repeatEvery: '4h',
} as const

type Threshold = number | string | undefined
type RuleInput = Omit<NonNullable<AlertsInput['depth']>, 'threshold' | 'recovery'> & {
  readonly threshold?: Threshold
  readonly recovery?: Threshold
}

/** A rule's own settings win over those of the defaults, setting by setting. */
export function resolveAlerts(shared: AlertsInput = {}, own: AlertsInput = {}): AlertSettings {
  return byRule((rule) => {
    // Whoever writes something of a rule for this queue wants it watched.
    const isOff = own.off?.includes(rule) || (shared.off?.includes(rule) && !own[rule])
    if (isOff) return null
    const input: RuleInput = { ...shared[rule], ...own[rule] }
    const usual = ruleTable[rule]
    return {
      threshold: numberOf(input.threshold),
      recovery: numberOf(input.recovery),
      breaching: input.breaching ?? usual.breaching,
      looks: input.looks ?? Math.max(usual.looks, input.breaching ?? 1),
      forSeconds: numberOf(input.for) ?? usual.forSeconds,
      recoverSeconds: numberOf(input.recoverFor) ?? usual.recoverSeconds,
      missing: input.missing ?? usual.missing,
      severity: input.severity ?? usual.severity,
      runbook: input.runbook ?? own.runbook ?? shared.runbook ?? null,
    }
  })
}

/** A count, or a time in seconds; null where nothing is written. */
function numberOf(setting: Threshold): number | null {
  if (setting === undefined || typeof setting === 'number') return setting ?? null
  return parseDuration(setting) ?? 0
}

export function resolveNotify(input: NotifyInput = {}): Notify {
  const channels = Object.entries(input.channels ?? {}).flatMap(([name, channel]) =>
    channelKinds.flatMap((kind): Channel[] => {
      const secret = channel[kind]
      if (secret === undefined) return []
      return [{ name, kind, secret, severities: channel.severities ?? severities }]
    }),
  )
  const repeatSeconds = parseDuration(input.repeatEvery ?? alertDefaults.repeatEvery) ?? 0
  const maintenance = (input.maintenance ?? []).map(
    ({ cron, timezone = 'UTC', for: length, reason, queues = ['*'], rules = [] }) => ({
      ...{ cron, timezone, forSeconds: parseDuration(length) ?? 0, reason, queues, rules },
    }),
  )
  return { channels, repeatSeconds, maintenance }
}
