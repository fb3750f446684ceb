import * as z from 'zod/mini'
import { ruleNames, severities, units } from '../../shared/alerts/rules.ts'

/** What fires, as it is kept for whoever tells people. Seconds since the epoch. */

const known = z.nullable(z.number())

/** The queue and its group at that moment; null where it is not known. */
const context = z.object({
  promiseSeconds: z.number(),
  mode: z.string(),
  ...{ visible: known, notVisible: known, desired: known, inService: known, max: known },
  /** For how long a message that comes now waits, as the rates have it. */
  waitSeconds: known,
  /** Instances with which all that waits would start within the promise. */
  holding: known,
  /** Messages that workers say came back. */
  again: z._default(z.number(), 0),
  /** Whether a rollout replaces instances, or has done so within a boot. */
  rollout: z._default(z.boolean(), false),
  /** Why it cannot be measured. */
  problem: z.nullable(z.string()),
})
export type Context = z.output<typeof context>

/** A rule that fires for a queue, with what a person asks next. */
export const alertSchema = z.object({
  queue: z.string(),
  rule: z.enum(ruleNames),
  severity: z.enum(severities),
  unit: z.enum(units),
  ...{ value: z.number(), threshold: z.number(), peak: z.number(), since: z.number() },
  runbook: z.nullable(z.string()),
  context,
})
export type Alert = z.output<typeof alertSchema>
