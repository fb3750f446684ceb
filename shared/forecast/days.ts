import { type Random, random } from '../random.ts'
import { foresee, type Seen } from '../sizing/foresee.ts'
import type { Forecast } from '../sizing/predict.ts'
import type { Profile, Workload } from '../sizing/types.ts'
import { type History, profilesOf } from './history.ts'
import type { Days } from './miniature.ts'

/** The last days made anew for a rehearsal: their tasks, and what was foreseen of them. */

// As many tasks as a replay gets through in some 15 ms; of more, each stands for several.
export const unitsMax = 30_000
// The group finds its size before anything is judged.
export const warmUpSeconds = 3_600

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

export function daysOf(
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
  return {
    arrivals,
    durations: draws(8_191, durationOf(draw, workload.taskSeconds, cv2)),
    foreseen: foreseenOf(workload, history, begin, minutes, arrivals, weight),
    boots: draws(1_021, () => draw.logNormal(workload.bootSeconds, bootVariation)),
    choices: draws(4_093, draw.next),
    endSeconds: minutes * 60,
    weight,
    judgedFromSeconds: warmUpSeconds,
  }
}

/**
 * Draws how long a task runs, by mean and squared coefficient of variation. Where that is above
 * one, many are short and a few are long, half of the work each: it holds slots for longer than a
 * log-normal of the same spread would, as real ones do (a check that ends at once, a whole job).
 */
function durationOf(draw: Random, mean: number, cv2: number): () => number {
  if (cv2 < 1) return () => draw.logNormal(mean, Math.sqrt(cv2))
  const shorts = (1 + Math.sqrt((cv2 - 1) / (cv2 + 1))) / 2
  return () => {
    const share = draw.chance(shorts) ? shorts : 1 - shorts
    return draw.exponential(mean / (2 * share))
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
const restlessnessMax = 0.2

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
