import type { Sensed, Workload } from './types.ts'

/** What a look says of the group: which of its instances can take work, and when the others can. */

/** Instances that can take work, now or soon. */
export type Capacity = {
  /** Up, and staying. */
  readonly working: number
  /** Asked for, and not up yet. */
  readonly booting: number
  /** For how long those have been booting, on average. */
  readonly bootedSeconds: number
  /** And the one that has been for longest. */
  readonly oldestSeconds: number
  /** Tasks that run on instances that stay: never more than these have slots. */
  readonly running: number
}

/** Launches that are not up yet, the oldest first. */
export type Launches = readonly { readonly at: number; readonly count: number }[]

/** What is remembered of the group from look to look. */
export type Group = { readonly at: number; readonly present: number; readonly launches: Launches }

type Staying = { readonly inService: number; readonly pending: number }

/**
 * The instances that stay. A source may count those that drain or are doomed as in service or
 * apart from it; the desired capacity tells which, for what is in service or pending exceeds it by
 * none but those that leave. What is desired and not there is on its way.
 */
export function staying(sensed: Sensed): Staying {
  const { draining, doomed, desired, pending } = sensed
  const wanted = Math.max(0, desired - doomed)
  const leaving = Math.max(0, Math.min(draining + doomed, sensed.inService + pending - wanted))
  const inService = Math.max(0, sensed.inService - leaving)
  return { inService, pending: Math.max(pending, wanted - inService) }
}

/** Where the group is, and what is to be remembered of it. */
export function capacityOf(
  workload: Workload,
  sensed: Sensed,
  before: Group | null,
): { readonly capacity: Capacity; readonly group: Group } {
  const { now } = sensed
  const { slots, bootSeconds } = workload
  const { inService, pending } = staying(sensed)
  const launches = stillBooting(before, { inService, pending }, now, bootSeconds)
  const launched = launches.reduce((sum, { count }) => sum + count, 0)
  // A draining instance runs at least one task, or it would have left; on average half its slots.
  const elsewhere = sensed.draining * ((slots + 1) / 2) + sensed.doomed * slots
  const running = Math.max(0, Math.min(inService * slots, sensed.notVisible - elsewhere))
  const working = Math.min(inService, inService + pending - launched)
  const booting = inService + pending - working
  const oldestSeconds = launches[0] ? now - launches[0].at : 0
  return {
    capacity: {
      ...{ working, booting, running, oldestSeconds },
      bootedSeconds: bootedSeconds(launches, now),
    },
    group: { at: now, present: inService + pending, launches },
  }
}

/**
 * What was launched since is up when a boot has passed: Auto Scaling calls an instance in service
 * as soon as it runs, which may be long before its worker does. One that is pending is not up
 * however old it is; the oldest arrive first.
 */
export function stillBooting(
  before: Group | null,
  { inService, pending }: Staying,
  now: number,
  bootSeconds: number,
): Launches {
  const known = before?.launches ?? []
  const counted = known.reduce((sum, { count }) => sum + count, 0)
  const appeared = before ? inService + pending - before.present : 0
  const fresh = Math.max(0, appeared, pending - counted)
  const all = fresh > 0 ? [...known, { at: before?.at ?? now, count: fresh }] : known
  let [left, leftPending] = [inService + pending, pending]
  const kept: { at: number; count: number }[] = []
  for (const { at, count } of all.toReversed()) {
    const still = Math.min(count, now - at < bootSeconds ? left : leftPending)
    if (still <= 0) continue
    kept.unshift({ at, count: still })
    left -= still
    leftPending = Math.max(0, leftPending - still)
  }
  return kept
}

export function bootedSeconds(launches: Launches, now: number): number {
  let [sum, count] = [0, 0]
  for (const launch of launches) {
    sum += (now - launch.at) * launch.count
    count += launch.count
  }
  return count === 0 ? 0 : sum / count
}
