import * as z from 'zod/mini'
import { ruleNames, severities, units } from './rules.ts'

/** One alert of a page: a rule that fires, or fired, for a queue. Times are epoch seconds. */
const pagedAlert = z.object({
  queue: z.string(),
  rule: z.enum(ruleNames),
  severity: z.enum(severities),
  unit: z.enum(units),
  /** The latest number, its threshold, and the worst since it began. */
  ...{ value: z.number(), threshold: z.number(), peak: z.number() },
  /** Since when it breaches. */
  since: z.number(),
})
export type PagedAlert = Readonly<z.output<typeof pagedAlert>>

export const pageKinds = ['trigger', 'update', 'resolve', 'repeat'] as const

/**
 * What people are told of one cause: which alerts, since when, how bad it is, why it may be, what
 * the control plane does about it and where to read on. Texts are single lines.
 */
export const pageSchema = z.object({
  /** The same for a trigger, its updates, its repeats and its resolve, and for no other cause. */
  key: z.string(),
  kind: z.enum(pageKinds),
  fleet: z.string(),
  /** The worst of its alerts. */
  severity: z.enum(severities),
  title: z.string(),
  /** When it is told. */
  at: z.number(),
  /** When the first of its alerts began. */
  since: z.number(),
  /** Of a resolve: when the last of them ended. */
  until: z.nullable(z.number()),
  ...{ impact: z.string(), cause: z.string(), action: z.string() },
  alerts: z.readonly(z.array(pagedAlert)),
  /** Alerts that this one explains and that therefore nobody is told of by themselves. */
  silenced: z.readonly(z.array(z.string())),
  link: z.nullable(z.string()),
})
export type Page = Readonly<z.output<typeof pageSchema>>
