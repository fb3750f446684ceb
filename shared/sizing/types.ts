/**
 * The words of the sizing rule, which backlog, forecast and the command line share. Times are
 * seconds since the epoch and spans are seconds, for every formula here is in seconds.
 */

/** What is known of a queue and its group at a moment. */
export type Sensed = {
  readonly now: number
  readonly visible: number
  /** Running, prefetched, held for a countdown or orphaned. */
  readonly notVisible: number
  readonly delayed: number
  /** Messages sent and deleted since the last look; null where they were not read. */
  readonly sent: number | null
  readonly deleted: number | null
  readonly inService: number
  /** Launched, and not in service yet. */
  readonly pending: number
  /** Asked to leave, and working on what they had. */
  readonly draining: number
  /** Given notice by Spot. */
  readonly doomed: number
  readonly desired: number
}

/** What a queue promises and what its group is made of. */
export type Workload = {
  readonly startWithinSeconds: number
  readonly bootSeconds: number
  /** How often the rule is asked. */
  readonly tickSeconds: number
  readonly slots: number
  readonly min: number
  readonly max: number
  /** Mean service time where nothing has been measured. */
  readonly taskSeconds: number
}

/** The few constants that a rehearsal chooses for each queue. */
export type Constants = {
  /** The share of the promise that the rule spends on waiting. */
  readonly spend: number
  /** Standard deviations of the forecast's error that the rule provides for. */
  readonly margin: number
  /** What is removed must not be wanted with this share of `spend` either. */
  readonly release: number
  /** For how long nothing is removed that was wanted. */
  readonly holdSeconds: number
  /** The share of the promise within which every waiting task must have a slot. */
  readonly grace: number
}

/**
 * What a queue has before anything was rehearsed. Measured on thirteen real workloads: the one set
 * with which all but one keep their promise at little more than what a rehearsal finds.
 */
export const firstConstants: Constants = {
  spend: 0.8,
  margin: 1.4,
  release: 0.6,
  holdSeconds: 120,
  grace: 1,
}

/** Arrivals to come by one predictor: how many in each step from a moment on. */
export type Profile = {
  readonly from: number
  readonly stepSeconds: number
  readonly counts: ArrayLike<number>
}

/** What is known of a queue beyond the moment; renewed each hour, its constants each day. */
export type Outlook = {
  /** By the name of the seasonal predictor. */
  readonly profiles: Readonly<Record<string, Profile>>
  readonly constants: Constants
  /** Mean service time, measured; null where it could not be. */
  readonly serviceSeconds: number | null
}

export const noOutlook: Outlook = {
  profiles: {},
  constants: firstConstants,
  serviceSeconds: null,
}
