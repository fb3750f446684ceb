import { asksOf, type Decision, decide, spanOf } from '../../functions/alerts/decide.ts'
import type { Facts, Minutes, Watched } from '../../functions/alerts/facts.ts'
import { publishedUntil } from '../../functions/alerts/measures.ts'
import { recalled } from '../../functions/alerts/observe.ts'
import { type Open, pagesOf } from '../../functions/alerts/pages.ts'
import { sweptOf } from '../../functions/alerts/swept.ts'
import { pageOf } from '../../functions/alerts/words.ts'
import type { Page } from '../../shared/alerts/page.ts'
import { type RuleName, ruleNames } from '../../shared/alerts/rules.ts'
import type { Group } from '../../shared/fleet.ts'
import { profilesOf } from '../../shared/forecast/history.ts'
import type { Fleet, QueueConfig } from '../../shared/queue-config.ts'
import { type Memory, step } from '../../shared/sizing/step.ts'
import { noOutlook, type Outlook, type Sensed } from '../../shared/sizing/types.ts'
import { workloadOf } from '../../shared/sizing/workload.ts'
import type { Column, Recorded } from './recorded.ts'

/**
 * The rules of alerts, minute by minute, over what CloudWatch has of a queue: what the function
 * would have seen at each moment, late metrics included. Pure; epoch seconds.
 */

export type Spell = { readonly from: number; readonly until: number }

export type Replayed = {
  readonly from: number
  readonly until: number
  /** When each rule would have fired. */
  readonly fired: ReadonlyMap<RuleName, readonly Spell[]>
  readonly pages: readonly Page[]
  /** Rules that the recording says nothing of. */
  readonly notJudged: readonly RuleName[]
}

const minuteSeconds = 60
const hourSeconds = 3_600

// What is judged by how many instances there are.
const ofGroup = ['no-capacity', 'at-max', 'orphaned', 'stalled', 'time-to-breach'] as const

export function replay(fleet: Fleet, config: QueueConfig, recorded: Recorded): Replayed {
  const notJudged = rulesWithout(recorded, config)
  const off = Object.fromEntries(notJudged.map((rule) => [rule, null]))
  const queue = { ...config, alerts: { ...config.alerts, ...off } }
  const fired = new Map<RuleName, Spell[]>()
  const pages: Page[] = []
  let watched: Watched | null = null
  let swept: Sweep = { memory: null, outlook: noOutlook }
  let open: readonly Open[] = []
  const manners = { repeatSeconds: fleet.notify.repeatSeconds, isMuted: () => false }
  for (let minute = 0; minute < recorded.minutes; minute++) {
    const now = recorded.from + (minute + 1) * minuteSeconds
    const group = groupAt(queue, recorded, minute)
    swept = sweep(queue, group, recorded, minute, swept)
    const before: Watched = recalled(watched, now)
    const seen = { queue, group, recorded, minute, before, swept }
    const facts = factsAt(seen)
    const decision: Decision = decide(facts, before, now)
    const { alerts } = decision
    watched = decision.watched
    for (const { rule } of alerts) extend(fired, rule, now)
    const told = pagesOf(alerts, open, manners, now)
    open = told.open
    pages.push(...told.tellings.map((telling) => pageOf(telling, fleet.name, now)))
  }
  const until = recorded.from + recorded.minutes * minuteSeconds
  return { from: recorded.from, until, fired, pages, notJudged }
}

/** The rules that the recording has nothing for. */
function rulesWithout({ values }: Recorded, { max, alerts }: QueueConfig): RuleName[] {
  const isThere = (...names: readonly Column[]) =>
    names.every((name) => values[name].some((value) => !Number.isNaN(value)))
  const isMax = max !== null || isThere('max')
  const without: readonly (RuleName | false)[] = [
    'blind',
    !isThere('age') && 'oldest-age',
    !isThere('deadLetters') && 'dead-letter',
    !isThere('sent') && 'producer-silent',
    !isThere('received', 'deleted') && 'redelivery',
    !isThere('received', 'deleted') && 'stalled',
    !isMax && 'at-max',
    !isMax && !alerts.depth?.threshold && 'depth',
    ...ofGroup.map((rule) => !isThere('desired', 'inService') && rule),
  ]
  return ruleNames.filter((rule) => without.includes(rule))
}

function extend(fired: Map<RuleName, Spell[]>, rule: RuleName, now: number): void {
  const spells = fired.get(rule) ?? []
  const last = spells.at(-1)
  const from = now - minuteSeconds
  if (last?.until === from) spells[spells.length - 1] = { ...last, until: now }
  else spells.push({ from, until: now })
  fired.set(rule, spells)
}

/** The group of that minute; where nothing was recorded, as large as its work. */
function groupAt(queue: QueueConfig, { values }: Recorded, minute: number): Group {
  const at = (name: Column) => values[name][minute] ?? Number.NaN
  const slots = Math.max(1, Math.round(orElse(at('slots'), queue.slotsPerInstance)))
  const working = Math.ceil((at('notVisible') || 0) / slots)
  const inService = Math.round(orElse(at('inService'), working))
  return {
    ...{ name: queue.name, arn: '', queue: queue.name, fleet: null, slotsPerInstance: slots },
    ...{ minSize: 0, maxSize: Math.round(orElse(at('max'), queue.max ?? Number.MAX_SAFE_INTEGER)) },
    desired: Math.round(orElse(at('desired'), inService)),
    instances: { inService, pending: 0, leaving: 0, standby: 0, unhealthy: 0 },
    ...{ members: [], capacityRebalance: false },
  }
}

const orNull = (value = Number.NaN) => (Number.isNaN(value) ? null : value)
const orElse = (value: number, other: number) => (Number.isNaN(value) ? other : value)

type Sweep = { readonly memory: Memory | null; readonly outlook: Outlook }

/** What backlog would have found, which alerts builds on. It reads counts alone. */
function sweep(
  queue: QueueConfig,
  group: Group,
  { from, values }: Recorded,
  minute: number,
  { memory, outlook }: Sweep,
): Sweep {
  const now = from + (minute + 1) * minuteSeconds
  const known =
    now % hourSeconds === 0
      ? { ...outlook, profiles: profilesOf(historyUntil({ from, values }, minute), now) }
      : outlook
  const { desired, instances } = group
  const sensed: Sensed = {
    ...{ now, ...countsAt(values, minute), sent: null, deleted: null },
    ...{ inService: instances.inService, desired, pending: 0, draining: 0, doomed: 0 },
  }
  return { outlook: known, memory: step(workloadOf(queue, group), known, sensed, memory).memory }
}

const historyUntil = ({ from, values }: Pick<Recorded, 'from' | 'values'>, minute: number) => ({
  ...{ from, counts: values.sent.subarray(0, minute + 1).map((sent) => sent || 0) },
})

/** A queue without a value has had none for hours, or is in the minutes before its first. */
const countsAt = (values: Recorded['values'], minute: number) => ({
  visible: values.visible[minute] || 0,
  notVisible: values.notVisible[minute] || 0,
  delayed: values.delayed[minute] || 0,
})

type Moment = {
  readonly queue: QueueConfig
  readonly group: Group
  readonly recorded: Recorded
  readonly minute: number
  readonly before: Watched
  readonly swept: Sweep
}

function factsAt(moment: Moment): Facts {
  const { queue, group, recorded, minute, before, swept } = moment
  const { from, values } = recorded
  const now = from + (minute + 1) * minuteSeconds
  const looked: Facts = {
    ...{ queue, group, problem: null, rollout: false, again: 0, handedBack: null },
    counts: { ...countsAt(values, minute), visibilitySeconds: orNull(values.visibility[minute]) },
    deadLetters: orNull(values.deadLetters[minute]),
    ...{ ages: null, rates: null, sent: null },
    swept: swept.memory ? sweptOf(swept.memory, now) : null,
    profiles: swept.outlook.profiles,
  }
  // Of CloudWatch only what the function would have paid for, and only what was published.
  const asks = asksOf(looked, before, now)
  const read = (name: Column) => publishedAt(recorded, name, now)
  return {
    ...looked,
    ages: asks.ages ? read('age') : null,
    rates: asks.rates ? { received: read('received'), deleted: read('deleted') } : null,
    sent: asks.sent ? read('sent') : null,
  }
}

/** The minutes that a run reads at that moment. */
function publishedAt({ from, values }: Recorded, name: Column, now: number): Minutes {
  const span = spanOf(now)
  const until = publishedUntil(now)
  const steps = (span.to - span.from) / minuteSeconds
  return {
    from: span.from,
    values: Array.from({ length: steps }, (_, step) => {
      const at = span.from + step * minuteSeconds
      return at + minuteSeconds > until
        ? Number.NaN
        : (values[name][(at - from) / minuteSeconds] ?? Number.NaN)
    }),
  }
}
