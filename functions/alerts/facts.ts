import type { AlertState } from '../../shared/alerts/machine.ts'
import type { RuleName } from '../../shared/alerts/rules.ts'
import type { Group } from '../../shared/fleet.ts'
import type { QueueConfig } from '../../shared/queue-config.ts'
import type { Counts } from '../../shared/queues.ts'
import type { Profile } from '../../shared/sizing/types.ts'

/** What a run sees of a queue, and what is remembered of it. Times are epoch seconds. */

/** Whole minutes that CloudWatch has published; no number where it has none. */
export type Minutes = { readonly from: number; readonly values: ArrayLike<number> }

export type Rates = { readonly received: Minutes; readonly deleted: Minutes }

/** What the sweep of backlog last found. */
export type Swept = {
  readonly at: number
  /** Instances that are needed beyond max. */
  readonly shortfall: number
  readonly serviceSeconds: number
  /** For how long the oldest that waits has waited, as the arrivals have it. */
  readonly waitedSeconds: number
  /** The last minute in which anything came, as the counts have it; null: in none of an hour. */
  readonly cameAt: number | null
}

export type Facts = {
  readonly queue: QueueConfig
  /** Null where nobody knows which it is. */
  readonly group: Group | null
  /** Why the queue or its group could not be read; null where both were. */
  readonly problem: string | null
  readonly counts: (Counts & { readonly visibilitySeconds: number | null }) | null
  /** What waits in its dead-letter queue; null where it has none, or it could not be read. */
  readonly deadLetters: number | null
  /** Ages of the oldest message; null where nobody asked, for it cannot matter. */
  readonly ages: Minutes | null
  readonly rates: Rates | null
  /** Messages sent; null where nobody asked. */
  readonly sent: Minutes | null
  /** Messages that our own drains gave back since the moment that was asked for; or null. */
  readonly handedBack: number | null
  /** Messages that its workers have received for the third time and more, within a while. */
  readonly again: number
  readonly swept: Swept | null
  /** Whether instances of it drain for a rollout. */
  readonly rollout: boolean
  /** What is foreseen, by predictor. */
  readonly profiles: Readonly<Record<string, Profile>>
}

/** One look at a queue and its group. */
export type Look = {
  readonly at: number
  readonly visible: number
  readonly notVisible: number
  readonly desired: number
  readonly inService: number
}

/** Per minute, the oldest first; null where CloudWatch had nothing. */
export type Flow = {
  readonly from: number
  readonly received: readonly (number | null)[]
  readonly deleted: readonly (number | null)[]
}

/** What is remembered of a queue from run to run. */
export type Watched = {
  /** The looks of the last half hour, the oldest first. */
  readonly looks: readonly Look[]
  /** Since when the queue is watched without a long pause. */
  readonly since: number
  /** When it was last found empty. */
  readonly emptyAt: number | null
  /** When its counts and its group were last read. */
  readonly measuredAt: number
  /** The newest minute of which its age is known; null where it was never asked for. */
  readonly ageAt: number | null
  /** When its rates were last read, and what they were. */
  readonly ratesAt: number | null
  readonly flow: Flow | null
  /** When something was last done, or nothing was to be done. */
  readonly progressAt: number
  /** When something last came. */
  readonly cameAt: number
  /** When instances last drained for a rollout; null: not since it is watched. */
  readonly rolloutAt: number | null
  readonly states: Readonly<Partial<Record<RuleName, AlertState>>>
}
