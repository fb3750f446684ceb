import { type Recent, recentMinutesMax } from './predict.ts'
import type { Sensed } from './types.ts'

/** What the counts of a look say of what came and went since the last. */

/** Adds what came between two looks to the minutes in which it came. */
export function addArrivals(
  last: Recent | null,
  from: number,
  until: number,
  arrivals: number,
): Recent {
  const minute = Math.floor(until / 60) * 60
  const passed = last ? Math.max(0, (minute - last.minute) / 60) : 0
  const fresh = Math.min(passed, recentMinutesMax)
  const counts = last ? last.counts.slice() : [0]
  for (let more = fresh; more > 0; more--) counts.push(0)
  const span = until - from
  for (let index = counts.length - 1; index >= 0; index--) {
    const start = minute - (counts.length - 1 - index) * 60
    const overlap = Math.min(start + 60, until) - Math.max(start, from)
    if (overlap > 0) counts[index] = (counts[index] ?? 0) + (arrivals * overlap) / span
    if (start <= from) break
  }
  const isLong = counts.length > recentMinutesMax
  return { minute, counts: isLong ? counts.slice(-recentMinutesMax) : counts }
}

/** For how long the oldest of the waiting tasks has waited: the newest arrivals are those left. */
export function ageOfOldest({ minute, counts }: Recent, now: number, waiting: number): number {
  if (waiting <= 0) return 0
  let left = waiting
  for (let index = counts.length - 1; index >= 0; index--) {
    const start = minute - (counts.length - 1 - index) * 60
    const end = index === counts.length - 1 ? now : start + 60
    const count = counts[index] ?? 0
    if (count >= left) return now - end + ((end - start) * left) / count
    left -= count
  }
  return now - minute + (counts.length - 1) * 60
}

/** What was run and what was done of late: mean service time is the one over the other. */
export type Service = { readonly busySeconds: number; readonly done: number }

export const nothingDone: Service = { busySeconds: 0, done: 0 }

// Weight of what was known before, in tasks: a handful of long ones says little.
const priorTasks = 30
// What was measured counts half after this long, but not before enough of it is there.
const serviceHalfLifeSeconds = 6 * 3_600
const doneLeast = 200

export function learnService(
  { busySeconds, done }: Service,
  running: number,
  seconds: number,
  deleted: number,
): Service {
  const fade = done > doneLeast ? 0.5 ** (seconds / serviceHalfLifeSeconds) : 1
  return { busySeconds: busySeconds * fade + running * seconds, done: done * fade + deleted }
}

/** By Little's law, with what was known before where little was seen. */
export const serviceSeconds = (service: Service, prior: number) =>
  (service.busySeconds + priorTasks * prior) / (service.done + priorTasks)

/** Arrivals since the last look: read, or what the counts and what was done since say. */
export function arrivalsSince(
  sensed: Sensed,
  before: Pick<Sensed, 'visible' | 'notVisible' | 'delayed'>,
  running: number,
  seconds: number,
  service: number,
): number {
  if (sensed.sent !== null) return sensed.sent
  const done = sensed.deleted ?? (running * seconds) / service
  const grown = sensed.visible - before.visible + sensed.notVisible - before.notVisible
  return Math.max(0, grown + sensed.delayed - before.delayed + done)
}
