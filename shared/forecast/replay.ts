import type { Forecast } from '../sizing/predict.ts'
import { type Needs, type Picture, size } from '../sizing/size.ts'
import type { Constants, Workload } from '../sizing/types.ts'
import { type Counts, see, unseen } from './counts.ts'
import { addTimer, createTimers, nextTimer, type Timers, takeTimer } from './timers.ts'

/**
 * A queue and its group in miniature, to try constants on days that were: tasks wait in turn, run
 * on any free slot, instances boot, and idle ones are removed first. It is the rule itself that
 * sizes the group.
 */

/** Days that were, as tasks: when each came and how long it runs, seconds from the beginning. */
export type Days = {
  readonly arrivals: Float64Array
  readonly durations: Float32Array
  /** What was foreseen at each tick; the same whatever the constants. */
  readonly foreseen: readonly Forecast[]
  /** How long the boot of each launch takes, in turn. */
  readonly boots: Float32Array
  /** Which of the free instances takes a task, in turn: uniform in [0, 1). */
  readonly choices: Float32Array
  readonly endSeconds: number
  /** How many tasks each of these stands for: busy queues take no longer than others. */
  readonly weight: number
  /** What is judged begins here: before it the group finds its size. */
  readonly judgedFromSeconds: number
}

/** How many tasks of each hour were judged, and how many of those started late. */
export type Hours = { readonly started: Int32Array; readonly late: Int32Array }

export type Replayed = { readonly hours: Hours; readonly instanceHours: number }

type Instance = {
  readonly launchedAt: number
  ready: boolean
  busy: number
  leaving: boolean
  /** Its place among those with a free slot, or -1. */
  place: number
  readonly order: number
}

type World = {
  readonly days: Days
  /** Instances that one stands for where a task stands for more than an instance has slots. */
  readonly bundle: number
  readonly slots: number
  readonly promiseSeconds: number
  readonly timers: Timers<Instance>
  readonly instances: Set<Instance>
  readonly free: Instance[]
  /** The next task to come, and the next to start. */
  next: number
  head: number
  running: number
  launches: number
  /** Instances that stay: those that are up, and those that boot. */
  working: number
  readonly booting: Set<Instance>
  /** When those were launched, summed. */
  bootingSince: number
  taken: number
  readonly hours: { readonly started: Int32Array; readonly late: Int32Array }
  paidSeconds: number
}

// A terminated instance shuts down, and is paid for, for about this long.
const shutdownSeconds = 30

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
    const { taskSeconds: serviceSeconds } = workload
    const picture = pictureOf(world, now, { ...counts, ageSeconds, serviceSeconds, foreseen })
    const sized = size(workload, constants, picture, needs, now)
    needs = sized.needs
    const desired = Math.min(workload.max, Math.max(workload.min, sized.instances))
    resize(world, Math.ceil(desired / world.bundle), now)
  }
  runUntil(world, days.endSeconds)
  for (const { launchedAt } of world.instances) pay(world, launchedAt, days.endSeconds)
  return { hours: world.hours, instanceHours: (world.paidSeconds * world.bundle) / 3_600 }
}

const countsOf = ({ next, head, running, days: { weight } }: World): Counts => ({
  visible: (next - head) * weight,
  running: running * weight,
})

const createWorld = (workload: Workload, days: Days): World => ({
  days,
  bundle: Math.max(1, days.weight / workload.slots),
  slots: Math.max(1, workload.slots / days.weight),
  promiseSeconds: workload.startWithinSeconds,
  timers: createTimers(),
  instances: new Set(),
  free: [],
  booting: new Set(),
  ...{
    next: 0,
    head: 0,
    running: 0,
    launches: 0,
    working: 0,
    bootingSince: 0,
    taken: 0,
    paidSeconds: 0,
  },
  hours: {
    started: new Int32Array(Math.ceil(days.endSeconds / 3_600) + 1),
    late: new Int32Array(Math.ceil(days.endSeconds / 3_600) + 1),
  },
})

function pictureOf(world: World, now: number, seen: Omit<Picture, 'capacity'>): Picture {
  const { bundle, working, bootingSince } = world
  const booting = world.booting.size
  const bootedSeconds = booting === 0 ? 0 : now - bootingSince / booting
  // A set keeps the order in which they were launched.
  const [oldest] = world.booting
  const oldestSeconds = oldest ? now - oldest.launchedAt : 0
  return {
    ...seen,
    capacity: {
      working: working * bundle,
      booting: booting * bundle,
      ...{ bootedSeconds, oldestSeconds },
    },
  }
}

/** Lets tasks come, start and end, and instances boot, until that moment. */
function runUntil(world: World, end: number): void {
  const { arrivals } = world.days
  for (;;) {
    const arrival = world.next < arrivals.length ? (arrivals[world.next] ?? 0) : Infinity
    const timer = nextTimer(world.timers)
    if (Math.min(arrival, timer) > end) return
    if (arrival < timer) {
      world.next++
      startWaiting(world, arrival)
    } else {
      const instance = takeTimer(world.timers)
      if (!instance) return
      if (instance.ready) finish(world, instance, timer)
      else boot(world, instance, timer)
    }
  }
}

function startWaiting(world: World, now: number): void {
  const { free, days } = world
  while (world.head < world.next && free.length > 0) {
    const choice = days.choices[world.taken++ % days.choices.length] ?? 0
    const instance = free[Math.floor(choice * free.length)]
    if (!instance) return
    const came = days.arrivals[world.head] ?? 0
    if (came >= days.judgedFromSeconds) {
      const hour = Math.floor(came / 3_600)
      count(world.hours.started, hour)
      if (now - came > world.promiseSeconds) count(world.hours.late, hour)
    }
    const duration = days.durations[world.head % days.durations.length] ?? 0
    world.head++
    world.running++
    instance.busy++
    if (instance.busy >= world.slots) setFull(world, instance)
    addTimer(world.timers, now + duration, instance)
  }
}

function count(counts: Int32Array, index: number): void {
  counts[index] = (counts[index] ?? 0) + 1
}

function finish(world: World, instance: Instance, now: number): void {
  instance.busy--
  world.running--
  if (!instance.leaving) {
    setFree(world, instance)
    startWaiting(world, now)
  } else if (instance.busy === 0) end(world, instance, now)
}

function boot(world: World, instance: Instance, now: number): void {
  instance.ready = true
  if (instance.leaving) return
  noLongerBoots(world, instance)
  world.working++
  setFree(world, instance)
  startWaiting(world, now)
}

function setFree(world: World, instance: Instance): void {
  if (instance.place >= 0) return
  instance.place = world.free.length
  world.free.push(instance)
}

function setFull(world: World, instance: Instance): void {
  if (instance.place < 0) return
  const last = world.free.pop()
  if (last && last !== instance) {
    world.free[instance.place] = last
    last.place = instance.place
  }
  instance.place = -1
}

function noLongerBoots(world: World, instance: Instance): void {
  world.booting.delete(instance)
  world.bootingSince -= instance.launchedAt
}

function resize(world: World, desired: number, now: number): void {
  const have = world.working + world.booting.size
  for (let more = desired - have; more > 0; more--) launch(world, now)
  if (desired >= have) return
  const staying = [...world.instances].filter(({ leaving }) => !leaving)
  // Idle ones first, then those that boot, then those with the least to finish.
  const rank = ({ ready, busy }: Instance) => (ready ? busy : 0.5)
  staying.sort((a, b) => rank(a) - rank(b) || a.order - b.order)
  for (const instance of staying.slice(0, have - desired)) {
    instance.leaving = true
    if (instance.ready) world.working--
    else noLongerBoots(world, instance)
    setFull(world, instance)
    if (instance.busy === 0) end(world, instance, now)
  }
}

function launch(world: World, now: number): void {
  const { boots } = world.days
  const instance = {
    ...{ launchedAt: now, ready: false, busy: 0, leaving: false, place: -1 },
    order: world.launches,
  }
  world.instances.add(instance)
  world.booting.add(instance)
  world.bootingSince += now
  addTimer(world.timers, now + (boots[world.launches++ % boots.length] ?? 0), instance)
}

function end(world: World, instance: Instance, now: number): void {
  world.instances.delete(instance)
  pay(world, instance.launchedAt, now + shutdownSeconds)
}

function pay(world: World, from: number, until: number): void {
  const { judgedFromSeconds, endSeconds } = world.days
  world.paidSeconds += Math.max(0, Math.min(until, endSeconds) - Math.max(from, judgedFromSeconds))
}
