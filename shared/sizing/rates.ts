import { type Recent, recentMinutesMax } from './predict.ts'
import type { Sensed, Workload } from './types.ts'

/** What the counts of a look say: where the tasks are, and what came and went since the last. */

/** Instances that can take work now or soon. */
export type Capacity = {
  /** In service and staying. */
  readonly working: number
  /** Launched and not in service yet. */
  readonly booting: number
  /** For how long those have been booting, on average. */
  readonly bootedSeconds: number
}

/** Launches that have not arrived yet, the oldest first. */
export type Launches = readonly { readonly at: number; readonly count: number }[]

/** Those that still boot: the oldest arrive first; more than were known have just been launched. */
export function stillBooting(known: Launches, booting: number, now: number): Launches {
  let left = booting
  const kept: { at: number; count: number }[] = []
  for (let index = known.length - 1; index >= 0 && left > 0; index--) {
    const launch = known[index]
    if (!launch) break
    kept.unshift({ at: launch.at, count: Math.min(launch.count, left) })
    left -= launch.count
  }
  return left > 0 ? [...kept, { at: now, count: left }] : kept
}

export function bootedSeconds(launches: Launches, now: number): number {
  let [sum, count] = [0, 0]
  for (const launch of launches) {
    sum += (now - launch.at) * launch.count
    count += launch.count
  }
  return count === 0 ? 0 : sum / count
}

/**
 * The instances that stay. A source may count those that drain or are doomed as in service or
 * apart from it; the group's desired capacity tells which, for in service and pending never exceed
 * it but by those that leave.
 */
export function capacityOf(sensed: Sensed): Omit<Capacity, 'bootedSeconds'> {
  const { inService, pending, draining, doomed, desired } = sensed
  const leaving = draining + doomed
  const beyond = inService + pending - (desired - doomed)
  const counted = Math.max(0, Math.min(leaving, beyond))
  return { working: Math.max(0, inService - counted), booting: pending }
}

/** Tasks that run on instances that stay: never more than these have slots. */
export function runningOf(sensed: Sensed, capacity: Pick<Capacity, 'working'>, slots: number): number {
  // A draining instance runs at least one task, or it would have left; on average half its slots.
  const elsewhere = sensed.draining * ((slots + 1) / 2) + sensed.doomed * slots
  const most = capacity.working * slots
  return Math.max(0, Math.min(most, sensed.notVisible - elsewhere))
}

/** Adds what came between two looks to the minutes in which it came. */
export function addArrivals(
  last: Recent | null,
  fromSeconds: number,
  untilSeconds: number,
  arrivals: number,
): Recent {
  const minute = Math.floor(untilSeconds / 60) * 60
  const counts = last ? [...last.counts] : [0]
  const before = last?.minute ?? minute
  for (let start = before; start < minute; start += 60) {
    counts.push(0)
    // A pause of hours leaves nothing to keep.
    if (minute - start > recentMinutesMax * 60) start = minute - recentMinutesMax * 60
  }
  const span = untilSeconds - fromSeconds
  for (let index = counts.length - 1; index >= 0; index--) {
    const start = minute - (counts.length - 1 - index) * 60
    const overlap = Math.min(start + 60, untilSeconds) - Math.max(start, fromSeconds)
    if (overlap > 0) counts[index] = (counts[index] ?? 0) + (arrivals * overlap) / span
    if (start <= fromSeconds) break
  }
  if (span <= 0) counts[counts.length - 1] = (counts.at(-1) ?? 0) + arrivals
  return { minute, counts: counts.slice(-recentMinutesMax) }
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

/** What was run and what was done, of late: mean service time is the one over the other. */
export type Service = { readonly busySeconds: number; readonly done: number }

// Weight of the configured or forecast service time, in tasks: a handful of long ones says little.
const priorTasks = 30
// What was measured counts half after this long, or after so many tasks where they are few.
const serviceHalfLifeSeconds = 6 * 3_600
const serviceHalfLifeTasks = 200

export function learnService(
  { busySeconds, done }: Service,
  running: number,
  seconds: number,
  deleted: number,
): Service {
  const fade = done > serviceHalfLifeTasks ? 0.5 ** (seconds / serviceHalfLifeSeconds) : 1
  return { busySeconds: busySeconds * fade + running * seconds, done: done * fade + deleted }
}

/** By Little's law, with the prior where little was seen. */
export const serviceSeconds = (service: Service, prior: number) =>
  (service.busySeconds + priorTasks * prior) / (service.done + priorTasks)

/** Arrivals since the last look: read, or what the counts and what was done say. */
export function arrivalsSince(
  sensed: Sensed,
  before: { readonly visible: number; readonly notVisible: number; readonly delayed: number },
  seconds: number,
  runningMean: number,
  service: number,
): number {
  if (sensed.sent !== null) return sensed.sent
  const done = sensed.deleted ?? (runningMean * seconds) / service
  const grown =
    sensed.visible - before.visible + sensed.notVisible - before.notVisible
  return Math.max(0, grown + done)
}

export const tasksOf = (workload: Workload, instances: number) => instances * workload.slots
