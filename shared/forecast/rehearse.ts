import { type Constants, firstConstants, type Workload } from '../sizing/types.ts'
import { daysOf, unitsMax, warmUpSeconds } from './days.ts'
import type { History } from './history.ts'
import type { Days } from './miniature.ts'
import { type Hours, type Replayed, replay } from './replay.ts'

/**
 * The rehearsal: the last days once more, through the rule itself, with one set of constants after
 * the other. The cheapest that keeps the promise is taken.
 */

export type Outcome = {
  /** Of the tasks that could have started in time, the share that did. */
  readonly kept: number
  readonly instanceHours: number
}

export type Rehearsed = {
  readonly constants: Constants
  readonly outcome: Outcome
  /** How many sets were tried. */
  readonly tried: number
}

// Yesterday alone may be a Sunday; a week would take too long, and be out of date.
const rehearsedDays = 3
const daySeconds = 86_400
// Rather more than the 99.5 % that are promised: tomorrow is not today.
export const keptLeast = 0.998

// Work that a search may take, in tasks and ticks: half a second on one core. Fewer tries than the
// least do not leave the place where they begin.
const workMax = 1_200_000
const triesLeast = 24
const triesMost = 120

/** What each constant may be. */
const choices: { readonly [Name in keyof Constants]: readonly number[] } = {
  spend: [0.1, 0.2, 0.35, 0.5, 0.6, 0.7, 0.8, 0.9, 1],
  margin: [0, 0.7, 1.4, 2.2, 3, 4.5],
  release: [0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1],
  holdSeconds: [0, 60, 120, 240, 360, 720],
  grace: [0.5, 0.65, 0.8, 1, 1.2],
}
const names = ['spend', 'margin', 'release', 'holdSeconds', 'grace'] as const

// Where a search begins beside the constants in use: careful, and at the limit. Between them lie
// hills that one alone misses.
const starts: readonly Constants[] = [
  firstConstants,
  { spend: 1, margin: 0.7, release: 0.9, holdSeconds: 120, grace: 1 },
]

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
  return search((constants) => pooled(runs.map((run) => run(constants))), cost, last)
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

const pooled = (outcomes: readonly Outcome[]): Outcome => ({
  kept: Math.min(...outcomes.map(({ kept }) => kept)),
  instanceHours: outcomes.reduce((sum, one) => sum + one.instanceHours, 0) / outcomes.length,
})

const costOf = ({ arrivals, foreseen }: Days) => arrivals.length + 2 * foreseen.length

type Try = { readonly constants: Constants; readonly outcome: Outcome }

/** The cheapest constants that keep the promise, or as much of it as can be kept. */
export function search(
  run: (constants: Constants) => Outcome,
  cost: number,
  last: Constants,
): Rehearsed {
  const triesMax = Math.max(triesLeast, Math.min(triesMost, Math.floor(workMax / cost)))
  const tried = new Map<string, Try>()
  const attempt = (constants: Constants): Try => {
    const key = names.map((name) => constants[name]).join(' ')
    const known = tried.get(key)
    if (known) return known
    const made = { constants, outcome: run(constants) }
    tried.set(key, made)
    return made
  }
  const isBetter = (a: Outcome, b: Outcome) => priceOf(a) < priceOf(b)
  let best: Try | null = null
  for (const start of areChoices(last) ? [last, ...starts] : starts) {
    const found = descend(attempt, isBetter, attempt(start), () => tried.size >= triesMax)
    if (best === null || isBetter(found.outcome, best.outcome)) best = found
  }
  const chosen = best ?? attempt(firstConstants)
  return { ...chosen, tried: tried.size }
}

/** An older version's may be none of today's. */
const areChoices = (constants: Constants) =>
  names.every((name) => choices[name].includes(constants[name]))

/** Goes one constant after the other, step by step, as long as it gets better. */
function descend(
  attempt: (constants: Constants) => Try,
  isBetter: (a: Outcome, b: Outcome) => boolean,
  start: Try,
  isOver: () => boolean,
): Try {
  let best = start
  for (let moved = true; moved; ) {
    moved = false
    for (const name of names) {
      for (const direction of [1, -1]) {
        for (;;) {
          if (isOver()) return best
          const value = neighbour(choices[name], best.constants[name], direction)
          if (value === undefined) break
          const next = attempt({ ...best.constants, [name]: value })
          if (!isBetter(next.outcome, best.outcome)) break
          best = next
          moved = true
        }
      }
    }
  }
  return best
}

function neighbour(list: readonly number[], value: number, direction: number): number | undefined {
  return list[list.indexOf(value) + direction]
}

// A task late in a thousand is worth this many thousandths of the price: what is kept with room to
// spare is kept on other days too.
const lateCosts = 15
// Beyond what may be late it is worth three times as much again; more would buy the last task at
// any price on days that nothing could have kept.
const tooLateCosts = 30

const priceOf = ({ kept, instanceHours }: Outcome) => {
  const tooLate = Math.max(0, keptLeast - kept)
  return instanceHours * (1 + lateCosts * (1 - kept) + tooLateCosts * tooLate)
}
