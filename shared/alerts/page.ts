import type { RuleName, Severity, Unit } from './rules.ts'

/** One alert of a page: a rule that fires, or fired, for a queue. Times are epoch seconds. */
export type PagedAlert = {
  readonly queue: string
  readonly rule: RuleName
  readonly severity: Severity
  readonly unit: Unit
  /** The latest number, its threshold, and the worst since it began. */
  readonly value: number
  readonly threshold: number
  readonly peak: number
  /** Since when it breaches. */
  readonly since: number
}

/**
 * What people are told of one cause: which alerts, since when, how bad it is, why it may be, what
 * the control plane does about it and where to read on. Texts are single lines.
 */
export type Page = {
  /** The same for a trigger, what is added to it, its repeats and its resolve; of no other cause. */
  readonly key: string
  readonly kind: 'trigger' | 'update' | 'repeat' | 'resolve'
  readonly fleet: string
  /** The worst of its alerts. */
  readonly severity: Severity
  readonly title: string
  /** When it is told. */
  readonly at: number
  /** When the first of its alerts began. */
  readonly since: number
  /** Of a resolve: when the last of them ended. */
  readonly until: number | null
  readonly impact: string
  readonly cause: string
  readonly action: string
  readonly alerts: readonly PagedAlert[]
  /** Alerts that this one explains and that therefore nobody is told of by themselves. */
  readonly silenced: readonly string[]
  readonly link: string | null
}
