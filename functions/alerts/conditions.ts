import type { Condition } from '../../shared/alerts/machine.ts'
import type { RuleName } from '../../shared/alerts/rules.ts'
import { type RuleSettings, ruleTable } from '../../shared/alerts/settings.ts'
import type { Workload } from '../../shared/sizing/types.ts'
import { workloadOf } from '../../shared/sizing/workload.ts'
import type { Facts, Flow, Watched } from './facts.ts'
import { flowUntil, returnedSeconds } from './observe.ts'

/**
 * When each rule's number is bad: as configured, else derived from the promise and from how long
 * tasks take. Pure; seconds throughout.
 */

export type Picture = {
  /** Null where the group is not known. */
  readonly workload: Workload | null
  readonly promiseSeconds: number
  readonly bootSeconds: number
  /** How long a task takes: measured, else as configured. */
  readonly serviceSeconds: number
  readonly visibilitySeconds: number | null
  /** Tasks done a second. */
  readonly throughput: number
  /** For how long a message that comes now waits, as the throughput has it. */
  readonly waitSeconds: number
  /** For how long the oldest that waits has waited: by the sweep's arrivals, else the same. */
  readonly waitedSeconds: number
  /** Messages that workers say came back, beyond what our own drains gave back; 0: none. */
  readonly again: number
  /** Messages received within the time in which those that come back are counted. */
  readonly received: number
}

// Of task times P99 is about three times the mean (the talk's own rule), and no task of a thousand
// is ten times as long.
const p99Tasks = 3
const longestTasks = 10

export function pictureOf(facts: Facts, watched: Watched, now: number): Picture {
  const { queue, group, counts, swept } = facts
  const workload = group ? workloadOf(queue, group) : null
  const serviceSeconds = swept?.serviceSeconds ?? queue.taskSeconds
  const last = watched.looks.at(-1)
  const slots = (last?.inService ?? 0) * (workload?.slots ?? 0)
  const busy = Math.min(slots, last?.notVisible ?? 0)
  const flow = isFlowFresh(watched, now, freshSeconds) ? watched.flow : null
  const throughput = doneASecond(flow, queue.taskSeconds) ?? busy / serviceSeconds
  const visible = last?.visible ?? 0
  const waitSeconds =
    visible === 0 ? 0 : throughput === 0 ? Number.POSITIVE_INFINITY : visible / throughput
  return {
    workload,
    promiseSeconds: queue.startWithinSeconds,
    bootSeconds: queue.bootSeconds,
    serviceSeconds,
    visibilitySeconds: counts?.visibilitySeconds ?? null,
    throughput,
    waitSeconds,
    waitedSeconds: swept?.waitedSeconds ?? waitSeconds,
    again: receivedAgain(facts),
    received: sumOf(watched.flow?.received.slice(-returnedSeconds / 60) ?? []),
  }
}

/** Some of what drains gave back was received for the second time only: it is left out too. */
const receivedAgain = ({ again, handedBack }: Facts) => Math.max(0, again - (handedBack ?? 0))

export const sumOf = (values: readonly (number | null)[]) =>
  values.reduce<number>((sum, value) => sum + (value ?? 0), 0)

// Read every five minutes, of which SQS publishes the last two or three late.
const freshSeconds = 600
// Long enough for chance to even out, short enough to be the present.
const rateMinutes = 5

/** What was deleted a second in the last minutes that are known; null where they are not. */
function doneASecond(flow: Flow | null, taskSeconds: number): number | null {
  if (!flow) return null
  const known = flow.deleted.filter((value) => value !== null)
  const minutes = Math.max(rateMinutes, Math.ceil((2 * taskSeconds) / 60))
  if (known.length < minutes) return null
  return sumOf(known.slice(-minutes)) / (minutes * 60)
}

/** The threshold of the rule, and what is good again. */
type Limits = { readonly threshold: number; readonly recovery: number }

export function conditionOf(rule: RuleName, settings: RuleSettings, picture: Picture): Condition {
  const { breaching, looks, forSeconds, missing, threshold } = settings
  const recoverSeconds = settings.recoverSeconds ?? roundSeconds(picture)
  const { bad } = ruleTable[rule]
  const limits =
    threshold === null
      ? derived[rule](picture)
      : { threshold, recovery: settings.recovery ?? usualRecovery(rule, threshold) }
  return { bad, ...limits, breaching, looks, forSeconds, recoverSeconds, missing }
}

// What came back is received again at once, and shows in the counts and rates of some minutes.
const againSeconds = 600

/** How long it takes to be sure that messages which came back do so no more. */
const roundSeconds = ({ visibilitySeconds }: Picture) => (visibilitySeconds ?? 0) + againSeconds

// A fifth back from a threshold is more than noise, and near enough to be reached.
const recoveryShare = 0.8
const exact: readonly RuleName[] = ['dead-letter', 'no-capacity', 'at-max', 'orphaned']

function usualRecovery(rule: RuleName, threshold: number): number {
  if (exact.includes(rule)) return threshold
  return ruleTable[rule].bad === 'above' ? threshold * recoveryShare : threshold / recoveryShare
}

const above = (threshold: number): Limits => ({ threshold, recovery: threshold * recoveryShare })
const anything: Limits = { threshold: 0, recovery: 0 }

// Nobody is told of a handful.
const depthLeast = 10
// One answer of SQS has up to ten messages: one more receive than its worker can hold.
const receiveMost = 10
// The sweep and this run each look once a minute, and a run may fail.
const blindSeconds = 300
// Where workers count: a deploy or two that kills them makes three receives of a message.
const againMost = 3
// Of what is received, so much comes back where deliveries are merely at least once.
const redeliveredShare = 0.03
// Five minutes without any progress are no pause between two tasks.
const stalledSecondsLeast = 300
const silentSecondsLeast = 300

/** Threshold and recovery where the file gives none. */
const derived: Readonly<Record<RuleName, (picture: Picture) => Limits>> = {
  'oldest-age': ageLimits,
  depth: ({ workload, promiseSeconds, serviceSeconds }) =>
    // What max can start within the promise.
    above(
      Math.max(
        depthLeast,
        ((workload?.max ?? 0) * (workload?.slots ?? 0) * promiseSeconds) / serviceSeconds,
      ),
    ),
  // What is launched any later comes too late.
  'time-to-breach': ({ bootSeconds }) => ({ threshold: bootSeconds, recovery: 2 * bootSeconds }),
  stalled: ({ serviceSeconds }) =>
    above(Math.max(stalledSecondsLeast, 2 * p99Tasks * serviceSeconds)),
  orphaned: () => ({ threshold: receiveMost, recovery: 0 }),
  redelivery: ({ received, again }) => {
    if (again > 0) return { threshold: againMost, recovery: 0 }
    const threshold = Math.max(receiveMost, redeliveredShare * received)
    // What is received varies by half within minutes, and the threshold with it.
    return { threshold, recovery: threshold / 2 }
  },
  'dead-letter': () => anything,
  'no-capacity': () => anything,
  'at-max': () => anything,
  'producer-silent': () => above(silentSecondsLeast),
  blind: () => above(blindSeconds),
}

// Arrivals are estimated from counts: so near to the promise, it may be broken.
const nearlyShare = 0.9

/**
 * With acks_late a message grows old while its task runs. Where those that wait have waited for as
 * long as promised, as the arrivals have it, the oldest is one of them, or runs for P99 at most.
 * Where they have not, it is one that runs, and may do so until its visibility timeout.
 */
function ageLimits(picture: Picture): Limits {
  const { promiseSeconds, serviceSeconds, visibilitySeconds, waitedSeconds } = picture
  const isWaiting = waitedSeconds > nearlyShare * promiseSeconds
  const longest = Math.max(longestTasks * serviceSeconds, visibilitySeconds ?? 0)
  const runs = isWaiting ? p99Tasks * serviceSeconds : longest
  return { threshold: promiseSeconds + runs, recovery: recoveryShare * promiseSeconds + runs }
}

/** Whether the rates that are remembered are those of now. */
export const isFlowFresh = ({ flow }: Watched, now: number, withinSeconds: number) =>
  flow !== null && now - flowUntil(flow) <= withinSeconds
