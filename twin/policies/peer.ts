import type { ReplaySettings } from '../scenarios/replay.ts'

/**
 * How another autoscaler sizes a group: a pure function of what it sees and of a state that goes in
 * and comes out, run at its own published cadence. What it sees is what it would see in production:
 * SQS's approximate counts, its group, and what its workers report where it has such workers.
 */
export type Policy<S, P extends string> = {
  readonly name: string
  /** What it is, in a few words. */
  readonly about: string
  readonly cadenceSeconds: number
  readonly params: Readonly<Record<P, Param>>
  /** The parameter that says how long a new instance is left out of `warm`. */
  readonly warmup?: NoInfer<P>
  /** Throws where the setting is not enough to begin with. */
  readonly begin: (setting: Setting, params: Params<P>) => S
  readonly decide: (view: View, state: S, params: Params<P>, setting: Setting) => Step<S>
}

export type Param = {
  readonly about: string
  /** What it is where nobody says: as published, or what a user would work out from the setting. */
  readonly usual: (setting: Setting) => number
}

export type Params<P extends string = string> = Readonly<Record<P, number>>

/** What a user of the policy knows beforehand. */
export type Setting = ReplaySettings & {
  /** Mean time of a task. */
  readonly serviceSeconds: number
  /** Arrivals of each minute before `daysFrom`, oldest first. */
  readonly historyPerMinute: Float64Array
  /** Epoch milliseconds. */
  readonly daysFrom: number
}

/** What a policy sees at one moment. */
export type View = {
  /** Epoch milliseconds. */
  readonly now: number
  /** GetQueueAttributes, approximate as it is. */
  readonly visible: number
  readonly notVisible: number
  readonly desired: number
  readonly min: number
  readonly max: number
  readonly inService: number
  /** In service and past the policy's warm-up; the other live instances are `warming`. */
  readonly warm: number
  readonly warming: number
  /** Workers that poll. */
  readonly online: number
  /** How long the oldest visible message has waited; 0 where there is none. */
  readonly oldestSeconds: number
  /** Messages sent since the last look. */
  readonly sent: number
  /** Tasks completed since the last look, and how long they ran in all. */
  readonly completed: number
  readonly completedSeconds: number
}

/** The capacity asked for, and why; the bounds of the group are the caller's to keep. */
export type Step<S> = { readonly state: S; readonly desired: number; readonly reason: string }

/** A policy with its state kept inside: what a driver needs of it. */
export type Peer = Pick<Policy<unknown, string>, 'name' | 'about' | 'cadenceSeconds' | 'params'> & {
  readonly start: (setting: Setting, params: Params) => Running
}

export type Running = {
  readonly warmupSeconds: number
  readonly look: (view: View) => Omit<Step<unknown>, 'state'>
}

export const peer = <S, P extends string>(policy: Policy<S, P>): Peer => ({
  name: policy.name,
  about: policy.about,
  cadenceSeconds: policy.cadenceSeconds,
  params: policy.params,
  start(setting, params) {
    let state = policy.begin(setting, params)
    return {
      warmupSeconds: policy.warmup === undefined ? 0 : (params[policy.warmup] ?? 0),
      look(view) {
        const { state: next, ...decided } = policy.decide(view, state, params, setting)
        state = next
        return decided
      },
    }
  },
})

/** Instances for that many tasks at once, rounded up; what is a hair above a whole is that. */
export const instancesFor = (tasks: number, perInstance: number) =>
  Math.max(0, Math.ceil(tasks / perInstance - 1e-9))

// Hand-tuned targets end up near this share of the promise, for boots and readings take the rest.
const promiseShare = 0.5

/** Tasks an instance may have, running and waiting, for the last of them to start in time. */
export const tasksPerInstance = ({ slots, promiseSeconds, serviceSeconds }: Setting) =>
  slots * (1 + (promiseShare * promiseSeconds) / serviceSeconds)
