import { alerts as watchAlerts } from '../functions/alerts/handler.ts'
import { parseStart } from '../functions/alerts/start.ts'
import { backlog } from '../functions/backlog/handler.ts'
import { drain } from '../functions/drain/handler.ts'
import { forecast } from '../functions/forecast/handler.ts'
import { putAgain } from '../shared/again.ts'
import { parseLook } from '../shared/looks.ts'
import { tickSeconds } from '../shared/timing.ts'
import { runUntil } from './aws/event-source.ts'
import { createWatch, type Repeats, type Watch } from './invariants.ts'
import { type Summary, summarise } from './summary.ts'
import { createWorld, type Scenario, type World } from './world/world.ts'

export type Run = { readonly summary: Summary; readonly breaches: readonly string[] }

export type Progress = { readonly world: World; readonly hours: number }

type Options = {
  readonly scenario: Scenario
  readonly seed: number
  readonly hours: number
  /** Whether handlers run twice, as they do unless a comparison must be quick. */
  readonly repeats?: Repeats
  /** Whether alerts run, as they do unless a comparison must be quick. */
  readonly alerts?: boolean
  /** Called after the handlers of every simulated minute. */
  readonly onMinute?: (progress: Progress) => unknown
  /** Called at the moment at which the schedules have run. */
  readonly onLook?: (world: World) => unknown
}

// Alarms evaluate some seconds after the values of a minute have been published.
const alarmsAfterSeconds = 20

/** Lets the world run with the real handlers on their schedules, and judges it. */
export async function simulate(options: Options): Promise<Run> {
  const { scenario, seed, hours, repeats, onMinute } = options
  const world = createWorld(scenario, seed)
  const watch = createWatch(world, repeats)
  for (let tick = 0; tick < Math.round((hours * 3_600) / tickSeconds); tick++) {
    await runMinute(world, watch, tick, options)
    await onMinute?.({ world, hours: (tick * tickSeconds) / 3_600 })
  }
  await runUntil(world.twin.engine, scenario.startAt + hours * 3_600_000, world.stack.sources)
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
  const end = world.scenario.startAt + (first + minutes) * 60_000
  await runUntil(world.twin.engine, end, world.stack.sources)
  if (watch.breaches.length > 0) throw new Error(watch.breaches.join('\n'))
}

async function runMinute(
  world: World,
  watch: Watch,
  tick: number,
  { alerts = true, onLook = () => {} }: Pick<Options, 'alerts' | 'onLook'> = {},
): Promise<void> {
  const { twin, scenario, stack } = world
  const { engine } = twin
  // One after the other: whoever judges a run must see its changes alone.
  let last: Promise<unknown> = Promise.resolve()
  const inTurn = (name: string, work: () => Promise<unknown>) => {
    const run = () => watch.handler(name, work)
    const next = last.then(run, run)
    last = next
    return next
  }
  stack.drain = (event) => inTurn('drain', () => drain(scenario.fleet)(event, twin.deps))
  stack.report = ({ Records }) =>
    inTurn('a report', async () => {
      const starts = Records.map(({ body }) => parseStart(JSON.parse(body)))
      for (const start of starts) if ('again' in start) await putAgain(twin.deps, start.again)
    })
  stack.fastLook = (event) => {
    const look = inTurn('a fast look', () => backlog(scenario.fleet)(parseLook(event), twin.deps))
    // Its message would come back late and be dropped: nobody would know.
    return look.catch((error) => {
      if (!twin.isFailing()) watch.breaches.push(`a fast look failed: ${error}`)
      throw error
    })
  }
  await runUntil(engine, scenario.startAt + tick * tickSeconds * 1_000, stack.sources)
  if ((tick * tickSeconds) % 3_600 === 0) await runForecasts(world, watch)
  await runSweeps(world, watch)
  if (alerts) await runAlerts(world, watch)
  await onLook(world)
  await runUntil(engine, engine.now + alarmsAfterSeconds * 1_000, stack.sources)
  twin.emit(twin.autoscaling.evaluatePolicies(engine.now, twin.cloudwatch))
  watch.world()
}

/** What the schedules do each minute: every shard's part of both sweeps. */
async function runSweeps({ twin, scenario, stack }: World, watch: Watch) {
  const run = backlog(scenario.fleet)
  const of = scenario.fleet.shards
  for (let shard = 0; shard < of; shard++) {
    stack.send(JSON.stringify({ shard, of }))
    const sweep = watch.handler('backlog', () => run({ shard, of }, twin.deps))
    await mayFail(twin, stack, sweep)
  }
}

/** And of the alerts. */
async function runAlerts({ twin, scenario, stack }: World, watch: Watch) {
  const look = watchAlerts(scenario.fleet)
  const of = scenario.fleet.shards
  for (let shard = 0; shard < of; shard++) {
    const watched = watch.handler('alerts', () => look({ shard, of }, twin.deps))
    await mayFail(twin, stack, watched)
  }
}

/** And each hour. */
async function runForecasts({ twin, scenario, stack }: World, watch: Watch) {
  const run = forecast(scenario.fleet)
  const of = scenario.fleet.shards
  for (let shard = 0; shard < of; shard++) {
    const work = watch.handler('forecast', () => run({ shard, of }, twin.deps))
    await mayFail(twin, stack, work)
  }
}

/** A run may end in error while its calls fail, as Lambda would count it; else nothing may. */
async function mayFail(twin: World['twin'], stack: World['stack'], work: Promise<unknown>) {
  const [outcome] = await Promise.allSettled([work])
  if (outcome.status === 'fulfilled') return
  if (!twin.isFailing()) throw outcome.reason
  stack.errors.push(outcome.reason)
}
