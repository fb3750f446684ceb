import type { Constants, Workload } from '../sizing/types.ts'
import { daysOf, unitsMax, warmUpSeconds } from './days.ts'
import type { History } from './history.ts'
import type { Days } from './miniature.ts'
import { type Hours, type Replayed, replay } from './replay.ts'
import { type Outcome, type Rehearsed, search } from './search.ts'

/**
 * The rehearsal: the last days once more, through the rule itself, with one set of constants after
 * the other. The cheapest that keeps the promise is taken.
 */

// Yesterday alone may be a Sunday; a week would take too long, and be out of date.
const rehearsedDays = 3
const daySeconds = 86_400
// Squared coefficients of variation: nearly alike, as of jobs of one kind, and many short ones that
// a few long ones hide behind. Real ones go up to 4; what that teaches is learnt at 1.5 for less.
const spreads: readonly number[] = [0.5, 1.5]

// Where tasks are few, chance decides what one copy of the days says, and half of what two say.
const copiesMax = 4

type Options = {
  /** Squared coefficient of variation of the service time; null: it is kept with either of two. */
  readonly cv2: number | null
  /** Those in use: the search goes on from there. */
  readonly last: Constants
  readonly seed: number
}

/** Null where the history is shorter than two days. */
export function rehearse(
  workload: Workload,
  history: History,
  { cv2, last, seed }: Options,
): Rehearsed | null {
  const known = history.counts.length * 60
  const spanSeconds = Math.min(rehearsedDays * daySeconds, known - daySeconds)
  if (spanSeconds < daySeconds) return null
  const begin = history.from + known - spanSeconds - warmUpSeconds
  const either = cv2 === null ? spreads : [cv2]
  const all: Days[] = []
  let copies: number = copiesMax
  while (all.length < copies) {
    const spread = either[all.length % either.length] ?? 1
    const days = daysOf(workload, history, begin, spread, seed + all.length)
    copies = Math.min(copiesMax, Math.max(either.length, unitsMax / days.arrivals.length))
    all.push(days)
  }
  const cost = all.reduce((sum, days) => sum + costOf(days), 0)
  const runs = all.map((days) => {
    const servable = servableHours(replay(workload, days, utmost).hours)
    return (constants: Constants) => outcomeOf(replay(workload, days, constants), servable)
  })
  return search(runs, cost, last)
}

// As careful as it gets: what this does not keep, no constants will.
const utmost: Constants = { spend: 0.1, margin: 4.5, release: 0.4, holdSeconds: 720, grace: 0.5 }
// Of an hour that can be kept, utmost care keeps nearly all.
const servableLate = 0.005

/**
 * Which hours say something of the constants. A crowd beyond the group's max, or one that came
 * faster than anything boots, is late whatever they are: judged by it, the rule would become dear
 * for days and keep hardly more of it. What it leaves behind is late in the hour after, too.
 */
function servableHours({ started, late }: Hours): boolean[] {
  const crowded = Array.from(started, (count, hour) => (late[hour] ?? 0) > servableLate * count)
  return crowded.map((is, hour) => !is && !crowded[hour - 1])
}

function outcomeOf({ hours, instanceHours }: Replayed, servable: readonly boolean[]): Outcome {
  let [started, late] = [0, 0]
  servable.forEach((is, hour) => {
    if (!is) return
    started += hours.started[hour] ?? 0
    late += hours.late[hour] ?? 0
  })
  return { kept: started === 0 ? 1 : 1 - late / started, instanceHours }
}

const costOf = ({ arrivals, foreseen }: Days) => arrivals.length + 2 * foreseen.length
