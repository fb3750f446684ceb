import { backlog } from '../functions/backlog/handler.ts'
import { tickSeconds } from '../shared/timing.ts'
import { createWatch, type Watch } from './invariants.ts'
import { type Summary, summarise } from './summary.ts'
import { createWorld, type Scenario, type World } from './world/world.ts'

export type Run = { readonly summary: Summary; readonly breaches: readonly string[] }

export type Progress = { readonly world: World; readonly hours: number }

type Options = {
  readonly scenario: Scenario
  readonly seed: number
  readonly hours: number
  /** Called after every simulated minute. */
  readonly onMinute?: (progress: Progress) => void
}

// Alarms evaluate some seconds after the values of a minute have been published.
const alarmsAfterSeconds = 20

/** Lets the world run with the real handlers on their schedules, and judges it. */
export async function simulate({ scenario, seed, hours, onMinute }: Options): Promise<Run> {
  const world = createWorld(scenario, seed)
  const watch = createWatch(world)
  for (let tick = 0; tick < Math.round((hours * 3_600) / tickSeconds); tick++) {
    await runMinute(world, watch, tick)
    onMinute?.({ world, hours: (tick * tickSeconds) / 3_600 })
  }
  world.twin.engine.runUntil(scenario.startAt + hours * 3_600_000)
  watch.world()
  return { summary: summarise(world, seed), breaches: watch.breaches }
}

/** A world that has run for some minutes, ready for the next sweep. */
export async function warmUp(scenario: Scenario, seed: number, minutes: number): Promise<World> {
  const world = createWorld(scenario, seed)
  await runMinutes(world, minutes)
  return world
}

/** Lets a world go on for some whole minutes, from wherever it is. */
export async function runMinutes(
  world: World,
  minutes: number,
  onMinute: () => void = () => {},
): Promise<void> {
  const watch = createWatch(world)
  const first = Math.round((world.twin.engine.now - world.scenario.startAt) / 60_000)
  for (let tick = first; tick < first + minutes; tick++) {
    await runMinute(world, watch, tick)
    onMinute()
  }
  world.twin.engine.runUntil(world.scenario.startAt + (first + minutes) * 60_000)
  if (watch.breaches.length > 0) throw new Error(watch.breaches.join('\n'))
}

async function runMinute(world: World, watch: Watch, tick: number): Promise<void> {
  const { twin, scenario } = world
  const { engine } = twin
  engine.runUntil(scenario.startAt + tick * tickSeconds * 1_000)
  await runBacklog(world, watch)
  engine.runUntil(engine.now + alarmsAfterSeconds * 1_000)
  twin.emit(twin.autoscaling.evaluatePolicies(engine.now, twin.cloudwatch))
  watch.world()
}

/** What the schedule does each minute: every shard's part of the sweep. */
async function runBacklog({ twin, scenario }: World, watch: Watch) {
  const run = backlog(scenario.fleet)
  const of = scenario.fleet.shards
  for (let shard = 0; shard < of; shard++) {
    await watch.handler('backlog', () => run({ shard, of }, twin.deps))
  }
}
