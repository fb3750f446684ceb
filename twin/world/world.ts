import {
  CreateAutoScalingGroupCommand,
  EnableMetricsCollectionCommand,
  PutScalingPolicyCommand,
} from '@aws-sdk/client-auto-scaling'
import { CreateQueueCommand } from '@aws-sdk/client-sqs'
import { backlogTarget } from '../../functions/backlog/sizing.ts'
import { againSource, againType } from '../../shared/again.ts'
import { namespace } from '../../shared/metrics.ts'
import type { Fleet, QueueConfig } from '../../shared/queue-config.ts'
import { random } from '../../shared/random.ts'
import type { Span } from '../engine.ts'
import type { Recorded } from '../traces/traffic.ts'
import { createTwin, type Twin, twinRegion } from '../twin.ts'
import { createRecounts, type Recounts } from './again.ts'
import { type Rate, startArrivals, startRecorded } from './arrivals.ts'
import { type BoxFaults, createBoxes } from './boxes.ts'
import { type Bus, type BusFaults, createBus } from './bus.ts'
import { type Depths, watchDepths } from './depths.ts'
import { attributesOf, type QueueIncidents, sendPoison, startIncidents } from './incidents.ts'
import { type Instances, type Machines, type SpotMarket, startInstances } from './instances.ts'
import { createKeeper } from './keeper.ts'
import { addPast } from './past.ts'
import { addTerminateHook, createStack, type Stack } from './stack.ts'
import { createTally, type Tally } from './tally.ts'
import type { Task } from './task.ts'
import { createWorkers } from './workers.ts'

/** What is true of a queue and its group in the world, whatever the configuration believes. */
export type QueueWorld = QueueIncidents & {
  readonly rate: Rate
  /** Tasks one by one; where they are given, nothing is drawn from rate and task time. */
  readonly recorded?: Recorded
  /** Arrivals of the minutes before the first moment, oldest first. */
  readonly recordedPast?: Float64Array
  /** How long a task runs: mean and coefficient of variation, log-normal. */
  readonly taskSeconds: number
  readonly taskVariation: number
  readonly visibilitySeconds: number
  readonly slots: number
  /** Celery's `worker_prefetch_multiplier`. */
  readonly prefetchMultiplier: number
  readonly bootSeconds: number
  readonly minSize: number
  readonly maxSize: number
}

export type Scenario = {
  readonly name: string
  readonly startAt: number
  /** What is before is a warm-up, and no part of the summary; without it everything counts. */
  readonly countedFrom?: number
  readonly fleet: Fleet
  readonly queue: (queue: QueueConfig) => QueueWorld
  /** Days before the first moment of which AWS has metrics; without it there were none. */
  readonly pastDays?: number
  readonly market: SpotMarket
  readonly faults?: Partial<WorldFaults>
  /** When CloudWatch has nothing of AWS/SQS. */
  readonly metricsLost?: Span
}

/** What may go wrong, as shares from 0 to 1; nothing does unless a scenario says so. */
export type WorldFaults = BusFaults & BoxFaults
const noFaults: WorldFaults = {
  ...{ lost: 0, doubled: 0, late: 0 },
  ...{ deadAgents: 0, withoutWatcher: 0, mute: 0 },
}

export type World = {
  readonly twin: Twin<Task>
  readonly scenario: Scenario
  /** By queue. */
  readonly tallies: ReadonlyMap<string, Tally>
  readonly instances: Instances
  readonly machines: ReadonlyMap<string, Machines>
  readonly stack: Stack
  readonly bus: Bus
  /** Messages visible over all queues: now, and the most there ever were. */
  readonly depths: { now(): number; readonly peak: number }
}

export const groupName = (queue: string) => `${queue}-workers`

const zones = ['a', 'b', 'c'].map((zone) => twinRegion + zone)

/**
 * Who looks after instances that leave: our own functions, or a keeper that does the same without
 * them, for comparisons in which they are not the subject.
 */
export type Drains = 'functions' | 'keeper'

/** The scenario's queues, groups, workers and tasks on a fresh twin, at its first moment. */
export function createWorld(scenario: Scenario, seed: number, drains: Drains = 'functions'): World {
  const makers = new Map<string, (now: number) => Task>()
  const twin = createTwin<Task>({
    seed,
    startAt: scenario.startAt,
    makeTask: (queue, _body, now) => {
      const make = makers.get(queue)
      if (!make) throw new Error(`The scenario has no queue ${queue}`)
      return make(now)
    },
  })
  startIncidents(twin, scenario)
  const faults = { ...noFaults, ...scenario.faults }
  const stack = createStack(twin)
  const bus = drains === 'keeper' ? createKeeper(twin) : createBus(twin, stack, faults)
  const boxes = createBoxes(twin, bus, faults)
  const countedFrom = scenario.countedFrom ?? scenario.startAt
  const depths = watchDepths()
  const tallies = new Map<string, Tally>()
  const machines = new Map<string, Machines>()
  const worlds = scenario.fleet.queues.map((queue) => ({ queue, world: scenario.queue(queue) }))
  for (const { queue, world } of worlds) {
    const promiseMs = queue.startWithinSeconds * 1_000
    const tally = createTally({ promiseMs, slots: world.slots, countedFrom })
    const draw = random(seed, `tasks/${queue.name}`)
    makers.set(queue.sqs, (now) => tally.enqueued(makeTask(now, world, draw)))
    tallies.set(queue.name, tally)
    const recounts = createRecounts(twin.engine, (instance, messages) =>
      boxes.tell(instance, receivedAgain(queue.sqs, messages)),
    )
    machines.set(queue.name, createQueue(twin, queue, world, { tally, depths, recounts }))
  }
  const byGroup = new Map([...machines.values()].map((machine) => [machine.group, machine]))
  const { market } = scenario
  const instances = startInstances(twin, { countedFrom, machines: byGroup, market, bus, boxes })
  for (const { queue, world } of worlds) {
    createGroup(twin, scenario.fleet, queue, world)
    addPast(twin, { queue, world, group: groupName(queue.name) }, scenario.pastDays ?? 0)
    const make = makers.get(queue.sqs)
    const tally = tallies.get(queue.name)
    const draw = random(seed, `arrivals/${queue.name}`)
    if (!make || !tally) continue
    if (world.recorded) startRecorded(twin, queue.sqs, world.recorded, tally.enqueued)
    else startArrivals(twin, queue.sqs, world.rate, draw, make)
    if (world.poison) sendPoison(twin, queue.sqs, world.poison)
  }
  return { twin, scenario, tallies, instances, machines, stack, bus, depths }
}

const receivedAgain = (queue: string, messages: number) => ({
  ...{ source: againSource, type: againType, detail: { queue, messages } },
})

type Watchers = { readonly tally: Tally; readonly depths: Depths; readonly recounts: Recounts }

/** A queue with its workers, who are as many as its group will have instances. */
function createQueue(
  twin: Twin<Task>,
  queue: QueueConfig,
  world: QueueWorld,
  { tally, depths, recounts }: Watchers,
): Machines {
  const { engine, sqs, seed } = twin
  const Attributes = attributesOf(twin, queue.sqs, world)
  sqs.apply(engine.now, new CreateQueueCommand({ QueueName: queue.sqs, Attributes }))
  const sqsQueue = sqs.queue(queue.sqs)
  const polls = random(seed, `polls/${queue.name}`)
  const workers = createWorkers({
    ...{ engine, queue: sqsQueue, random: polls, spells: world },
    events: { ...tally, received: recounts.note },
  })
  depths.add(sqsQueue)
  tally.watch(sqsQueue, depths.look)
  return {
    group: groupName(queue.name),
    workers,
    slots: world.slots,
    prefetch: world.slots * world.prefetchMultiplier,
    bootSeconds: world.bootSeconds,
  }
}

function makeTask(
  now: number,
  { taskSeconds, taskVariation }: QueueWorld,
  draw: { logNormal(mean: number, cv: number): number },
): Task {
  const durationMs = Math.max(1, Math.round(draw.logNormal(taskSeconds, taskVariation) * 1_000))
  return { enqueuedAt: now, durationMs, firstStartAt: null, starts: 0, completedAt: null }
}

/** The group as a user would have made it: tagged, and with a policy where the mode wants one. */
function createGroup(twin: Twin<Task>, fleet: Fleet, queue: QueueConfig, world: QueueWorld): void {
  const AutoScalingGroupName = groupName(queue.name)
  const tag = (Key: string, Value: string) => ({ Key, Value, PropagateAtLaunch: true })
  const create = new CreateAutoScalingGroupCommand({
    AutoScalingGroupName,
    MinSize: world.minSize,
    MaxSize: world.maxSize,
    DesiredCapacity: Math.max(world.minSize, Math.min(queue.min, world.maxSize)),
    AvailabilityZones: zones,
    DefaultInstanceWarmup: Math.round(world.bootSeconds),
    Tags: [
      tag(fleet.tags.queue, queue.name),
      tag(fleet.tags.concurrency, String(world.slots)),
      ...(fleet.tags.fleet ? [tag(fleet.tags.fleet, fleet.name)] : []),
    ],
  })
  twin.emit(twin.autoscaling.apply(twin.engine.now, create).changes)
  addTerminateHook(twin, AutoScalingGroupName)
  const metrics = new EnableMetricsCollectionCommand({
    ...{ AutoScalingGroupName, Granularity: '1Minute' },
    Metrics: ['GroupTotalInstances'],
  })
  twin.emit(twin.autoscaling.apply(twin.engine.now, metrics).changes)
  if (queue.mode !== 'target-tracking') return
  const policy = new PutScalingPolicyCommand({
    AutoScalingGroupName,
    PolicyName: 'backlog-per-instance',
    PolicyType: 'TargetTrackingScaling',
    TargetTrackingConfiguration: {
      TargetValue: backlogTarget(queue, world.slots),
      CustomizedMetricSpecification: {
        Namespace: namespace,
        MetricName: 'BacklogPerInstance',
        Dimensions: [
          { Name: 'Fleet', Value: fleet.name },
          { Name: 'Queue', Value: queue.name },
        ],
        Statistic: 'Average',
      },
    },
  })
  twin.emit(twin.autoscaling.apply(twin.engine.now, policy).changes)
}
