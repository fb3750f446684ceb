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

// The standard deviation by which an hour could have had more or less. Days mostly differ by more;
// but shaken by a fifth, a burst becomes one that only the dearest constants keep, for days.
const hourVariation = 0.1

/** Each hour as it could have been. */
function shaken({ from, counts }: History, begin: number, minutes: number, draw: Random): number[] {
  const first = (begin - from) / 60
  const out: number[] = []
  let factor = 1
  for (let minute = 0; minute < minutes; minute++) {
    if (minute % 60 === 0) factor = draw.logNormal(1, hourVariation)
    const count = counts[first + minute] ?? 0
    const more = factor < 1 ? 0 : draw.poisson(count * (factor - 1))
    out.push(factor < 1 ? draw.binomial(count, factor) : count + more)
  }
  return out
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
