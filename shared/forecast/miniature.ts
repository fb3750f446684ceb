import type { Forecast } from '../sizing/predict.ts'
import type { Workload } from '../sizing/types.ts'
import {
  addTimer,
  createTimers,
  firstTimer,
  nextTimer,
  putFirst,
  type Timers,
  takeTimer,
} from './timers.ts'

/**
 * A queue and its group in miniature: tasks wait in turn, run on any free slot, instances boot, and
 * idle ones are removed first. A rehearsal lets three days pass some fifty times, with up to thirty
 * thousand tasks each: nothing is allocated for a task, nor counted that can be known at the end.
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

export type Instance = {
  readonly launchedAt: number
  ready: boolean
  busy: number
  leaving: boolean
  /** Its place among those with a free slot, or -1. */
  place: number
  readonly order: number
}

export type World = {
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
  /** The next choice to be taken, and the next duration. */
  taken: number
  drawn: number
  readonly late: Int32Array
  paidSeconds: number
}

// One that goes is paid for until it is found idle, has drained and is shut down, which takes about
// this long. With less, constants are chosen that launch more for no fewer hours.
const leavingSeconds = 45

export const createWorld = (workload: Workload, days: Days): World => ({
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
    drawn: 0,
    paidSeconds: 0,
  },
  late: perHour(days),
})

export const perHour = ({ endSeconds }: Days) => new Int32Array(Math.ceil(endSeconds / 3_600) + 1)

/** Lets tasks come, start and end, and instances boot, until that moment. */
export function runUntil(world: World, end: number): void {
  const { timers } = world
  const { arrivals } = world.days
  for (;;) {
    const arrival = world.next < arrivals.length ? (arrivals[world.next] ?? 0) : Infinity
    const timer = nextTimer(timers)
    if (arrival > end && timer > end) return
    if (arrival < timer) {
      world.next++
      if (world.free.length > 0) startWaiting(world, arrival)
      continue
    }
    const instance = firstTimer(timers)
    if (!instance) return
    if (instance.ready && goesOn(world, instance)) {
      putFirst(timers, timer + begin(world, timer), instance)
      continue
    }
    takeTimer(timers)
    if (instance.ready) finish(world, instance, timer)
    else boot(world, instance, timer)
  }
}

/**
 * Whether the task that follows the one that ends can only be run by the same instance: that is
 * how it mostly is, for tasks wait as long as they may.
 */
function goesOn(world: World, { leaving, place }: Instance): boolean {
  if (leaving || place >= 0 || world.free.length > 0 || world.head >= world.next) return false
  choose(world)
  return true
}

function startWaiting(world: World, now: number): void {
  const { free } = world
  while (world.head < world.next && free.length > 0) {
    const instance = free[Math.floor(choose(world) * free.length)]
    if (!instance) return
    world.running++
    instance.busy++
    if (instance.busy >= world.slots) setFull(world, instance)
    addTimer(world.timers, now + begin(world, now), instance)
  }
}

function choose(world: World): number {
  const { choices } = world.days
  const choice = choices[world.taken] ?? 0
  // Around and around, without the division of a remainder.
  world.taken = world.taken + 1 === choices.length ? 0 : world.taken + 1
  return choice
}

/** The first of those that wait starts; for how long it runs. */
function begin(world: World, now: number): number {
  const { days } = world
  const came = days.arrivals[world.head] ?? 0
  if (now - came > world.promiseSeconds && came >= days.judgedFromSeconds) {
    count(world.late, Math.floor(came / 3_600))
  }
  const duration = days.durations[world.drawn] ?? 0
  world.drawn = world.drawn + 1 === days.durations.length ? 0 : world.drawn + 1
  world.head++
  return duration
}

export function count(counts: Int32Array, index: number): void {
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

export function resize(world: World, desired: number, now: number): void {
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
  pay(world, instance.launchedAt, now + leavingSeconds)
}

export function pay(world: World, from: number, until: number): void {
  const { judgedFromSeconds, endSeconds } = world.days
  world.paidSeconds += Math.max(0, Math.min(until, endSeconds) - Math.max(from, judgedFromSeconds))
}
