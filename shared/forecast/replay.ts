import { type Needs, type Picture, size } from '../sizing/size.ts'
import type { Constants, Workload } from '../sizing/types.ts'
import { type Counts, see, unseen } from './counts.ts'
import {
  count,
  createWorld,
  type Days,
  pay,
  perHour,
  resize,
  runUntil,
  type World,
} from './miniature.ts'

/** Constants tried on days that were. It is the rule itself that sizes the group in miniature. */

/** How many tasks of each hour were judged, and how many of those started late. */
export type Hours = { readonly started: Int32Array; readonly late: Int32Array }

export type Replayed = { readonly hours: Hours; readonly instanceHours: number }

// SQS's counts are approximate: of ten readings three are that old, as in the twin.
const staleSeconds = 30
const staleShare = 0.3

/** How the days would have gone with these constants. */
export function replay(workload: Workload, days: Days, constants: Constants): Replayed {
  const world = createWorld(workload, days)
  const { tickSeconds } = workload
  let needs: Needs = []
  const seen = unseen(days.foreseen.length)
  for (let tick = 0; tick < days.foreseen.length; tick++) {
    const now = tick * tickSeconds
    runUntil(world, now - staleSeconds)
    const old = countsOf(world)
    runUntil(world, now)
    const foreseen = days.foreseen[tick]
    if (!foreseen) break
    const isStale = (days.choices[(tick * 7) % days.choices.length] ?? 1) < staleShare
    const counts = isStale ? old : countsOf(world)
    const ageSeconds = see(seen, counts, workload)
    const picture: Picture = {
      visible: counts.visible,
      running: counts.running,
      capacity: capacityOf(world, now),
      ageSeconds,
      serviceSeconds: workload.taskSeconds,
      foreseen,
    }
    const sized = size(workload, constants, picture, needs, now)
    needs = sized.needs
    const desired = Math.min(workload.max, Math.max(workload.min, sized.instances))
    resize(world, Math.ceil(desired / world.bundle), now)
  }
  runUntil(world, days.endSeconds)
  for (const { launchedAt } of world.instances) pay(world, launchedAt, days.endSeconds)
  const hours = { started: startedOf(world), late: world.late }
  return { hours, instanceHours: (world.paidSeconds * world.bundle) / 3_600 }
}

const countsOf = ({ next, head, running, days: { weight } }: World): Counts => ({
  visible: (next - head) * weight,
  running: running * weight,
})

/** Tasks start in turn: those judged that have started are all up to the last one. */
function startedOf({ days, head }: World): Int32Array {
  const started = perHour(days)
  let [hour, next] = [0, 3_600]
  for (let index = 0; index < head; index++) {
    const came = days.arrivals[index] ?? 0
    if (came < days.judgedFromSeconds) continue
    for (; came >= next; next += 3_600) hour++
    count(started, hour)
  }
  return started
}

function capacityOf(world: World, now: number): Picture['capacity'] {
  const { bundle, bootingSince } = world
  const working = world.working * bundle
  const booting = world.booting.size
  if (booting === 0) return { working, booting, bootedSeconds: 0, oldestSeconds: 0 }
  // A set keeps the order in which they were launched.
  const [oldest] = world.booting
  return {
    working,
    booting: booting * bundle,
    bootedSeconds: now - bootingSince / booting,
    oldestSeconds: oldest ? now - oldest.launchedAt : 0,
  }
}
