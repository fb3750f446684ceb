import * as z from 'zod/mini'
import { parseDuration } from '../duration.ts'
import { duration, oneOf, text, whole } from '../schema-parts.ts'
import { missingModes } from './machine.ts'
import { ruleNames, severities } from './rules.ts'

/** What `fleet.config.ts` may say of alerts, and of who is told. */

const pauseRemedy = "write '0s', or a number and a unit, such as '90s' or '3m'"
/** As a duration, and nothing at all. */
const pause = z.custom<string>((value) => value === '0s' || parseDuration(value) !== null, {
  error: pauseRemedy,
})
const count = z
  .number({ error: 'write a number, 0 or more' })
  .check(z.gte(0, { error: 'write a number, 0 or more' }))
const link = text(/^https:\/\/\S{1,500}$/, 'write an address that begins with https://')

const common = {
  /** For how long it must be so before anybody is told. */
  for: z.optional(pause),
  /** For how long it must be good again before it counts as over. */
  recoverFor: z.optional(pause),
  /** So many of the last `looks` minutes must be beyond the threshold. */
  breaching: z.optional(whole(1)),
  looks: z.optional(whole(1)),
  /** What a minute without a value counts as. */
  missing: z.optional(oneOf(missingModes)),
  severity: z.optional(oneOf(severities)),
  runbook: z.optional(link),
}
const aRule = (example: string) => ({ error: `write an object such as ${example}` })
const ofSeconds = z.strictObject(
  { threshold: z.optional(duration), recovery: z.optional(pause), ...common },
  aRule("{ threshold: '3m', for: '1m' }"),
)
const ofCounts = z.strictObject(
  { threshold: z.optional(count), recovery: z.optional(count), ...common },
  aRule("{ threshold: 500, for: '2m' }"),
)

export const alertsSchema = z.strictObject(
  {
    /** Rules that are not watched. */
    off: z.optional(z.array(oneOf(ruleNames), { error: 'write a list of rules' })),
    /** Where to read on, for every rule that has no runbook of its own. */
    runbook: z.optional(link),
    'oldest-age': z.optional(ofSeconds),
    depth: z.optional(ofCounts),
    'time-to-breach': z.optional(ofSeconds),
    stalled: z.optional(ofSeconds),
    orphaned: z.optional(ofCounts),
    redelivery: z.optional(ofCounts),
    'dead-letter': z.optional(ofCounts),
    'no-capacity': z.optional(ofCounts),
    'at-max': z.optional(ofCounts),
    'producer-silent': z.optional(ofSeconds),
    blind: z.optional(ofSeconds),
  },
  aRule("{ 'oldest-age': { threshold: '3m' } }"),
)
export type AlertsInput = z.output<typeof alertsSchema>

export const channelKinds = ['slack', 'pagerduty', 'webhook'] as const

// What Systems Manager takes for a parameter's name.
const parameter = z.optional(
  text(
    /^\/?[\w.-]+(\/[\w.-]+){0,14}$/,
    "name an SSM SecureString parameter, such as '/talk/pager'",
  ),
)
const oneChannel =
  "name one of slack, pagerduty and webhook with its parameter, such as { slack: '/talk/slack' }"
const channelSchema = z
  .strictObject(
    {
      ...{ slack: parameter, pagerduty: parameter, webhook: parameter },
      /** Which pages it gets; without it all. */
      severities: z.optional(
        z
          .array(oneOf(severities), { error: 'write a list of severities' })
          .check(z.minLength(1, { error: 'write at least one severity, or leave it out' })),
      ),
    },
    { error: oneChannel },
  )
  .check(
    z.refine((channel) => channelKinds.filter((kind) => channel[kind] !== undefined).length === 1, {
      error: oneChannel,
    }),
  )

// What a name of a queue may have, and `*` for anything.
const queuePattern = text(/^[\w.*-]{1,100}$/, "name a queue, or several with '*', such as 'mail-*'")

/** The same is said of fields that are no times. */
export const fiveFields = "write the five fields of cron, such as '0 2 * * SUN'"

const maintenanceSchema = z.strictObject(
  {
    /** When it begins: the five fields of cron. */
    cron: text(/^[\w*,/#?-]+( +[\w*,/#?-]+){4}$/, fiveFields),
    timezone: z.optional(z.string({ error: "name a time zone, such as 'Europe/Berlin'" })),
    for: duration,
    reason: text(/^[^\n]{3,200}$/, 'say why in a line of 3 to 200 characters'),
    /** Without them every queue, and every rule. */
    queues: z.optional(
      z
        .array(queuePattern, { error: 'write a list of queues' })
        .check(z.minLength(1, { error: 'name at least one queue, or leave it out' })),
    ),
    rules: z.optional(z.array(oneOf(ruleNames), { error: 'write a list of rules' })),
  },
  aRule("{ cron: '0 2 * * SUN', timezone: 'Europe/Berlin', for: '2h', reason: 'reindexing' }"),
)

export const notifySchema = z.strictObject(
  {
    /** Beside the SNS topic, which always gets every page. */
    channels: z.optional(
      z.record(
        text(/^[\w-]{1,40}$/, 'name a channel with 1 to 40 letters, digits and hyphens'),
        channelSchema,
        { error: 'write a map of channels' },
      ),
    ),
    /** How often people are told again of what goes on. */
    repeatEvery: z.optional(duration),
    /** When nobody is told of what was to be expected. */
    maintenance: z.optional(
      z.array(maintenanceSchema, { error: 'write a list of maintenance windows' }),
    ),
  },
  aRule("{ channels: { oncall: { pagerduty: '/talk/pagerduty' } } }"),
)
export type NotifyInput = z.output<typeof notifySchema>
