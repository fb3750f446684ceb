import { type Random, random } from '../random.ts'
import { foresee, type Seen } from '../sizing/foresee.ts'
import type { Forecast } from '../sizing/predict.ts'
import { type Constants, firstConstants, type Profile, type Workload } from '../sizing/types.ts'
import { type History, profilesOf } from './history.ts'
import { type Days, type Outcome, replay } from './replay.ts'

/**
 * The rehearsal: the last days once more, through the rule itself, with one set of constants after
 * the other. The cheapest that keeps the promise is taken.
 */

export type Rehearsed = {
  readonly constants: Constants
  readonly outcome: Outcome
  /** How many sets were tried. */
  readonly tried: number
}

// Yesterday alone may be a Sunday; a week would take too long, and be out of date.
const rehearsedDays = 3
const daySeconds = 86_400
// The group finds its size before anything is judged.
const warmUpSeconds = 3_600
// Rather more than the 99.5 % that are promised: tomorrow is not today.
export const keptLeast = 0.998

// As many tasks as a replay gets through in some 30 ms; of more, each stands for several.
const unitsMax = 60_000
// Work that a search may take, in tasks and ticks: a second and a half on one core.
const workMax = 2_500_000

/** What each constant may be. */
const choices: { readonly [Name in keyof Constants]: readonly number[] } = {
  spend: [0.1, 0.2, 0.35, 0.5, 0.6, 0.7, 0.8, 0.9, 1],
  margin: [0, 0.7, 1.4, 2.2, 3, 4.5],
  release: [0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1],
  holdSeconds: [0, 60, 120, 240, 360, 720],
  grace: [0.5, 0.65, 0.8, 1, 1.2],
}
const names = ['spend', 'margin', 'release', 'holdSeconds', 'grace'] as const

// Where a search begins: careful, and at the limit. Between them lie hills that one alone misses.
const starts: readonly Constants[] = [
  firstConstants,
  { spend: 1, margin: 0.7, release: 0.9, holdSeconds: 120, grace: 1 },
]

export function rehearse(
  workload: Workload,
  history: History,
  cv2: number,
  seed: number,
): Rehearsed | null {
  const known = history.counts.length * 60
  const spanSeconds = Math.min(rehearsedDays * daySeconds, known - daySeconds)
  if (spanSeconds < daySeconds) return null
  const begin = history.from + known - spanSeconds - warmUpSeconds
  const first = daysOf(workload, history, begin, cv2, seed)
  const copies = Math.max(1, Math.min(copiesMax, Math.floor(unitsMax / first.arrivals.length)))
  const all = [first]
  while (all.length < copies) all.push(daysOf(workload, history, begin, cv2, seed + all.length))
  const cost = all.reduce((sum, days) => sum + costOf(days), 0)
  return search((constants) => pooled(all.map((days) => replay(workload, days, constants))), cost)
}

// Where tasks are few, chance decides what a single copy of the days says.
const copiesMax = 4

const pooled = (outcomes: readonly Outcome[]): Outcome => ({
  kept: Math.min(...outcomes.map(({ kept }) => kept)),
  instanceHours: outcomes.reduce((sum, one) => sum + one.instanceHours, 0) / outcomes.length,
})

const costOf = ({ arrivals, foreseen }: Days) => arrivals.length + 2 * foreseen.length

type Try = { readonly constants: Constants; readonly outcome: Outcome }

// As careful as it gets without waste: what this does not keep, no constants will.
const careful: Constants = { spend: 0.35, margin: 3, release: 0.6, holdSeconds: 360, grace: 0.65 }

/** The cheapest constants that keep the promise, or as much of it as can be kept. */
export function search(run: (constants: Constants) => Outcome, cost: number): Rehearsed {
  const triesMax = Math.max(16, Math.min(120, Math.floor(workMax / cost)))
  const tried = new Map<string, Try>()
  const attempt = (constants: Constants): Try => {
    const key = names.map((name) => constants[name]).join(' ')
    const known = tried.get(key)
    if (known) return known
    const made = { constants, outcome: run(constants) }
    tried.set(key, made)
    return made
  }
  const most = attempt(careful).outcome.kept
  const isBetter = (a: Outcome, b: Outcome) => priceOf(a, most) < priceOf(b, most)
  let best: Try | null = null
  for (const start of starts) {
    const found = descend(attempt, isBetter, attempt(start), () => tried.size >= triesMax)
    if (best === null || isBetter(found.outcome, best.outcome)) best = found
  }
  const chosen = best ?? attempt(firstConstants)
  return { ...chosen, tried: tried.size }
}

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
const lateCosts = 10
// Beyond what may be late it is worth three times as much again; more would buy the last task at
// any price on days that nothing could have kept.
const tooLateCosts = 30

// Where the days were beyond the group's max, the last thousandths are not bought at any price.
const roomBelowBest = 0.002

const priceOf = ({ kept, instanceHours }: Outcome, most: number) => {
  const late = Math.max(0, most - kept)
  const tooLate = Math.max(0, Math.min(keptLeast, most - roomBelowBest) - kept)
  return instanceHours * (1 + lateCosts * late + tooLateCosts * tooLate)
}

// A bundle of instances must stay a small part of the group.
const bundlesLeast = 30

/** Tasks that one stands for: a part of an instance's slots, or those of several instances. */
function weightOf({ slots, taskSeconds }: Workload, tasks: number, seconds: number): number {
  const wanted = Math.ceil(tasks / unitsMax)
  if (wanted <= slots) {
    for (let weight = wanted; weight < slots; weight++) if (slots % weight === 0) return weight
    return slots
  }
  const instances = (tasks * taskSeconds) / seconds / slots
  const bundle = Math.ceil(wanted / slots)
  return slots * Math.max(1, Math.min(bundle, Math.floor(instances / bundlesLeast)))
}

function daysOf(
  workload: Workload,
  history: History,
  begin: number,
  cv2: number,
  seed: number,
): Days {
  const draw = random(seed, 'rehearsal')
  const minutes = history.counts.length - (begin - history.from) / 60
  const counts = shaken(history, begin, minutes, draw)
  const total = counts.reduce((sum, count) => sum + count, 0)
  const weight = weightOf(workload, total, minutes * 60)
  const arrivals = new Float64Array(Math.floor(total / weight))
  let [index, rest] = [0, 0]
  counts.forEach((count, minute) => {
    for (rest += count; rest >= weight && index < arrivals.length; rest -= weight) {
      arrivals[index++] = (minute + draw.next()) * 60
    }
  })
  arrivals.sort()
  const draws = (length: number, one: () => number) => Float32Array.from({ length }, one)
  const mean = workload.taskSeconds
  return {
    arrivals,
    durations: draws(8_191, () =>
      cv2 === 1 ? draw.exponential(mean) : draw.logNormal(mean, Math.sqrt(cv2)),
    ),
    foreseen: foreseenOf(workload, history, begin, minutes, arrivals, weight),
    boots: draws(1_021, () => draw.logNormal(workload.bootSeconds, bootVariation)),
    choices: draws(4_093, draw.next),
    endSeconds: minutes * 60,
    weight,
    judgedFromSeconds: warmUpSeconds,
  }
}

// The standard deviation of a boot's time, of its mean.
const bootVariation = 0.2

/** Each hour as it could have been: its minutes, by as much more or less as days differ. */
function shaken({ from, counts }: History, begin: number, minutes: number, draw: Random): number[] {
  const first = (begin - from) / 60
  const restless = restlessness(counts)
  const out: number[] = []
  let factor = 1
  for (let minute = 0; minute < minutes; minute++) {
    if (minute % 60 === 0) factor = draw.logNormal(1, Math.sqrt(Math.exp(restless ** 2) - 1))
    const count = counts[first + minute] ?? 0
    const more = factor < 1 ? 0 : draw.poisson(count * (factor - 1))
    out.push(factor < 1 ? draw.binomial(count, factor) : count + more)
  }
  return out
}

// Days differ by this much even where the last ones did not, and by no more than that.
const restlessnessLeast = 0.1
const restlessnessMax = 0.5

/** How much an hour differs from the same one of the day before, of its logarithm. */
export function restlessness(counts: ArrayLike<number>): number {
  const hours = Math.floor(counts.length / 60)
  const sums = Array.from({ length: hours }, (_, hour) => {
    let sum = 0
    for (let minute = 0; minute < 60; minute++) sum += counts[hour * 60 + minute] ?? 0
    return sum
  })
  const ratios: number[] = []
  for (let hour = 24; hour < hours; hour++) {
    const [a, b] = [sums[hour] ?? 0, sums[hour - 24] ?? 0]
    if (a + b >= 20) ratios.push(Math.abs(Math.log((a + 1) / (b + 1))))
  }
  if (ratios.length === 0) return 0
  ratios.sort((a, b) => a - b)
  // The median of what differs is 0.67 deviations; two days' difference is the root of two of one.
  const median = ratios[Math.floor(ratios.length / 2)] ?? 0
  return Math.min(restlessnessMax, restlessnessLeast + median / 0.67 / Math.SQRT2)
}

function foreseenOf(
  workload: Workload,
  history: History,
  begin: number,
  minutes: number,
  arrivals: Float64Array,
  weight: number,
): Forecast[] {
  const { tickSeconds } = workload
  const out: Forecast[] = []
  let seen: Seen | null = null
  let profiles: Record<string, Profile> = {}
  let index = 0
  for (let second = 0; second < minutes * 60; second += tickSeconds) {
    const now = begin + second
    if (second % 3_600 === 0) profiles = profilesOf(history, now)
    const before = index
    while (index < arrivals.length && (arrivals[index] ?? 0) <= second) index++
    const came = (index - before) * weight
    const told = foresee(workload, profiles, seen, { from: now - tickSeconds, now, came })
    seen = told.seen
    out.push(told.foreseen)
  }
  return out
}
