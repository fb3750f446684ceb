import { type Random, random } from '../../shared/random.ts'
import { type Memory, type Step, step } from '../../shared/sizing/step.ts'
import { noOutlook, type Outlook, type Workload } from '../../shared/sizing/types.ts'
import { sensedOf } from './looks.ts'

/** A queue and its group, second by second, sized by the rule: enough of them to see it learn. */
export type Run = {
  readonly workload: Workload
  /** Tasks a second that come, at that moment. */
  readonly rate: (second: number) => number
  /** What a task really takes, exponentially distributed. */
  readonly serviceSeconds: number
  readonly hours: number
  /** Whether what was sent and deleted is read. */
  readonly readsRates: boolean
  readonly outlook?: Outlook
  /** What becomes of the memory between two looks. */
  readonly keep?: (memory: Memory) => Memory | Promise<Memory>
}

export type Ran = {
  readonly steps: readonly Step[]
  /** The share of the tasks that started within the promise. */
  readonly kept: number
}

type World = {
  readonly random: Random
  readonly waiting: number[]
  /** When each running task ends. */
  running: number[]
  readonly slots: number
  /** When each instance is ready; the oldest first. */
  instances: number[]
  sent: number
  deleted: number
  started: number
  late: number
}

export async function runQueue(run: Run): Promise<Ran> {
  const { workload, outlook = noOutlook, keep = (memory: Memory) => memory } = run
  const world: World = {
    ...{ random: random(1, 'queue'), waiting: [], running: [], slots: workload.slots },
    ...{ instances: [], sent: 0, deleted: 0, started: 0, late: 0 },
  }
  const steps: Step[] = []
  let memory: Memory | null = null
  for (let now = 0; now < run.hours * 3_600; now++) {
    pass(world, run, now)
    if (now % workload.tickSeconds !== 0) continue
    const told = step(workload, outlook, look(world, run, now), memory)
    memory = await keep(told.memory)
    resize(world, told.desired, now + workload.bootSeconds, now)
    steps.push(told)
  }
  return { steps, kept: 1 - world.late / Math.max(1, world.started) }
}

const readyOf = ({ instances }: World, now: number) =>
  instances.filter((ready) => ready <= now).length

/** A second: tasks end, others come, and those that waited longest start. */
function pass(world: World, { workload, rate, serviceSeconds }: Run, now: number): void {
  const before = world.running.length
  world.running = world.running.filter((end) => end > now)
  world.deleted += before - world.running.length
  const came = world.random.poisson(rate(now))
  world.sent += came
  for (let task = 0; task < came; task++) world.waiting.push(now)
  let free = readyOf(world, now) * world.slots - world.running.length
  for (; free > 0 && world.waiting.length > 0; free--) {
    const since = world.waiting.shift() ?? now
    world.started++
    if (now - since > workload.startWithinSeconds) world.late++
    world.running.push(now + world.random.exponential(serviceSeconds))
  }
}

function look(world: World, { readsRates }: Run, now: number) {
  const inService = readyOf(world, now)
  const rates = readsRates ? { sent: world.sent, deleted: world.deleted } : {}
  world.sent = 0
  world.deleted = 0
  const desired = world.instances.length
  return sensedOf({
    ...{ now, visible: world.waiting.length, notVisible: world.running.length, ...rates },
    ...{ inService, pending: desired - inService, desired },
  })
}

/** The youngest go first; what runs on those that go ends in time, for it is no more than they. */
function resize(world: World, desired: number, ready: number, now: number): void {
  while (world.instances.length < desired) world.instances.push(ready)
  const busy = Math.ceil(world.running.length / world.slots)
  const least = Math.max(desired, Math.min(busy, readyOf(world, now)))
  world.instances = world.instances.slice(0, least)
}
