import { countsSettleSeconds } from '../timing.ts'
import type { Group } from './capacity.ts'
import { isSeasonal } from './predict.ts'
import { type Picture, type Size, size } from './size.ts'
import type { Constants, Sensed, Workload } from './types.ts'

/** What follows from a size, within its bounds and with its reason. */

export type Reason =
  /** The capacity is what it should be. */
  | 'steady'
  /** More is needed for what waits and runs. */
  | 'backlog'
  /** More is needed for what comes, as the last minutes have it. */
  | 'rate'
  /** More is needed for what comes, as earlier hours and days have it. */
  | 'forecast'
  /** More is wanted than max allows. */
  | 'capped-by-max'
  /** Fewer than min were desired. */
  | 'below-min'
  /** Fewer would do, but were not enough within the last minutes. */
  | 'busy'
  /** Fewer do, and did for a while. */
  | 'surplus'
  /** It looks empty, or no longer so, but not yet for as long as the counts take to settle. */
  | 'settling'
  /** It is empty. */
  | 'idle'
  /** Messages wait while slots are free and nothing is done: more of those would not help. */
  | 'broken-workers'
  /** What was launched does not arrive: more would not either. */
  | 'no-capacity'

export type Verdict = {
  /** The group's desired capacity, the doomed included. */
  readonly desired: number
  readonly reason: Reason
  /** Instances that are wanted, before min and max. */
  readonly wanted: number
  /** Instances wanted beyond max. */
  readonly shortfall: number
}

type Seen = {
  readonly workload: Workload
  readonly constants: Constants
  readonly sensed: Sensed
  readonly picture: Picture
  readonly sized: Size
  readonly memory: {
    readonly at: number
    readonly since: number
    readonly emptySince: number | null
    readonly filledSince: number | null
    readonly stuckSince: number | null
    readonly group: Group
  }
}

// Readings a minute apart must do for two, though a schedule is some seconds early or late.
const settledSeconds = countsSettleSeconds - 10
// Counts of an empty queue show a message or two that are not there, for a minute.
const phantomsMax = 2
// A second look may take this share of a promise.
const secondLookShare = 0.2

export function verdictOf(seen: Seen): Verdict {
  const { workload, sensed, sized } = seen
  const { min, max } = workload
  const wanted = sized.instances
  const shortfall = Math.max(0, sized.least - max)
  const answer = (reason: Reason, desired: number): Verdict => {
    const bounded = Math.min(max, Math.max(min, desired) + sensed.doomed)
    return { desired: bounded, reason, wanted, shortfall }
  }
  const present = Math.max(0, sensed.desired - sensed.doomed)
  if (present < min && wanted <= min) return answer('below-min', min)
  const bounded = Math.max(min, Math.min(wanted, max))
  if (bounded > present) {
    const held = whyNotMore(seen, present)
    return held ? answer(held, present) : answer(whyMore(seen), bounded)
  }
  if (bounded < present) {
    if (isNew(seen)) return answer('settling', present)
    return isSettling(seen)
      ? answer('settling', Math.max(1, bounded))
      : answer(whyLess(seen), bounded)
  }
  if (shortfall > 0) return answer('capped-by-max', bounded)
  return answer(sized.least < bounded && bounded > min ? 'busy' : 'steady', bounded)
}

/** What waits, unless what comes would ask for as much by itself. */
function whyMore({ workload, constants, picture, sized, sensed }: Seen): Reason {
  if (sized.least > workload.max) return 'capped-by-max'
  const without = { ...picture, visible: 0 }
  const { least } = size(workload, constants, without, [], sensed.now)
  if (least < sized.least) return 'backlog'
  return isSeasonal(picture.foreseen.predictor) ? 'forecast' : 'rate'
}

const whyLess = ({ sensed }: Seen): Reason =>
  sensed.visible + sensed.notVisible === 0 ? 'idle' : 'surplus'

// What was needed before the first look is not known: nothing goes until some looks have been.
const newSeconds = 300

const isNew = ({ constants, memory }: Seen) =>
  memory.at - memory.since < Math.max(newSeconds, constants.holdSeconds)

/** Whether the last instance would go on a single look that found nothing. */
function isSettling({ sensed, memory, sized, workload }: Seen): boolean {
  if (Math.max(sized.instances, workload.min) > 0) return false
  return memory.emptySince === null || sensed.now - memory.emptySince < settledSeconds
}

// What was launched may take this many boots before it is said not to come.
const bootsMax = 3
// Workers that do nothing for so long while messages wait and slots are free are broken.
const stuckSecondsLeast = 300
const stuckTasks = 6

function whyNotMore(seen: Seen, present: number): Reason | null {
  const { workload, sensed, picture, memory } = seen
  const tasks = sensed.visible + sensed.notVisible
  const canLookAgain = workload.tickSeconds <= secondLookShare * workload.startWithinSeconds
  const isFirst = sensed.now - (memory.filledSince ?? sensed.now) < workload.tickSeconds / 2
  if (present === 0 && tasks <= phantomsMax && isFirst && canLookAgain) return 'settling'
  const stuckSeconds = Math.max(stuckSecondsLeast, stuckTasks * picture.serviceSeconds)
  if (memory.stuckSince !== null && sensed.now - memory.stuckSince > stuckSeconds) {
    return 'broken-workers'
  }
  const oldest = memory.group.launches[0]
  const isLost = oldest && sensed.now - oldest.at > bootsMax * workload.bootSeconds
  return isLost ? 'no-capacity' : null
}
