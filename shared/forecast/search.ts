import { type Constants, firstConstants } from '../sizing/types.ts'

/** The search for the cheapest constants that keep the promise. */

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

/** What comes of a set on one copy of the days. */
export type Run = (constants: Constants) => Outcome

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

type Try = { readonly constants: Constants; readonly outcomes: Outcome[] }

/**
 * The cheapest constants that keep the promise on every copy, or as much of it as can be kept. From
 * the best place to begin first: where replays are dear, there is no time for the others. `cost` is
 * that of a replay of all copies.
 */
export function search(runs: readonly Run[], cost: number, last: Constants): Rehearsed {
  const tries = Math.max(triesLeast, Math.min(triesMost, Math.floor(workMax / cost)))
  const tried = new Map<string, Try>()
  let left = tries * runs.length
  const attempt = (constants: Constants, best: Try | null): Try => {
    const key = names.map((name) => constants[name]).join(' ')
    const made = tried.get(key) ?? { constants, outcomes: [] }
    tried.set(key, made)
    for (const run of runs.slice(made.outcomes.length)) {
      if (best && isHopeless(made, best)) break
      made.outcomes.push(run(constants))
      left--
    }
    return made
  }
  const isBetter = (a: Try, b: Try) =>
    a.outcomes.length === runs.length && priceOf(a.outcomes) < priceOf(b.outcomes)
  const places = (areChoices(last) ? [last, ...starts] : starts).map((one) => attempt(one, null))
  places.sort((a, b) => priceOf(a.outcomes) - priceOf(b.outcomes))
  const found = places.map((place) => descend(attempt, isBetter, place, () => left <= 0))
  const best = found.reduce((a, b) => (isBetter(b, a) ? b : a))
  return { constants: best.constants, outcome: pooled(best.outcomes), tried: tried.size }
}

/** An older version's may be none of today's. */
const areChoices = (constants: Constants) =>
  names.every((name) => choices[name].includes(constants[name]))

// Of two sets one is dearer on a copy by this much, and cheaper on all of them: that is rare.
const hopelessFactor = 1.02

/** Whether the copies that were run say that the others need not be. */
const isHopeless = ({ outcomes }: Try, best: Try) =>
  outcomes.length > 0 &&
  priceOf(outcomes) > hopelessFactor * priceOf(best.outcomes.slice(0, outcomes.length))

/** Goes one constant after the other, step by step, as long as it gets better. */
function descend(
  attempt: (constants: Constants, best: Try) => Try,
  isBetter: (a: Try, b: Try) => boolean,
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
          const next = attempt({ ...best.constants, [name]: value }, best)
          if (!isBetter(next, best)) break
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
const lateCosts = 10
// Beyond what may be late it is worth three times as much again; more would buy the last task at
// any price on days that nothing could have kept.
const tooLateCosts = 30

const pooled = (outcomes: readonly Outcome[]): Outcome => ({
  kept: Math.min(...outcomes.map(({ kept }) => kept)),
  instanceHours: outcomes.reduce((sum, one) => sum + one.instanceHours, 0) / outcomes.length,
})

function priceOf(outcomes: readonly Outcome[]): number {
  const { kept, instanceHours } = pooled(outcomes)
  const tooLate = Math.max(0, keptLeast - kept)
  return instanceHours * (1 + lateCosts * (1 - kept) + tooLateCosts * tooLate)
}
