import type { Random } from '../../shared/random.ts'
import type { Engine } from '../engine.ts'
import type { AutoScaling } from './autoscaling.ts'
import { type CloudWatch, vendedKey } from './cloudwatch.ts'
import type { Sqs } from './sqs.ts'
import { createActivity } from './sqs-activity.ts'
import type { Queue } from './sqs-queue.ts'

const minuteMs = 60_000
// A message received that often and not deleted is at the back of its queue, and its age is told
// no more: one that nobody can work off would hide how long the others wait.
const receivesMax = 3

type Metric = {
  readonly name: string
  /** Whether it is read at the end of a minute, or counted in the course of it. */
  readonly kind: 'gauge' | 'counter'
  readonly read: (queue: Queue<unknown>, now: number) => number
}

/** What SQS publishes of a queue. */
const metrics: readonly Metric[] = [
  { name: 'NumberOfMessagesSent', kind: 'counter', read: ({ sent }) => sent },
  { name: 'NumberOfMessagesReceived', kind: 'counter', read: ({ received }) => received },
  { name: 'NumberOfMessagesDeleted', kind: 'counter', read: ({ deleted }) => deleted },
  { name: 'ApproximateNumberOfMessagesVisible', kind: 'gauge', read: ({ visible }) => visible },
  { name: 'ApproximateNumberOfMessagesNotVisible', kind: 'gauge', read: (queue) => queue.inFlight },
  { name: 'ApproximateAgeOfOldestMessage', kind: 'gauge', read: oldestSeconds },
]

type Parts<T> = {
  readonly engine: Engine
  readonly random: Random
  readonly sqs: Sqs<T>
  readonly autoscaling: AutoScaling
  readonly cloudwatch: CloudWatch
}

/** What SQS and Auto Scaling publish of a minute that is over. */
export function startVending<T>(parts: Parts<T>): void {
  const { engine, random, sqs, autoscaling, cloudwatch } = parts
  const activity = createActivity(random)
  const series = new WeakMap<object, Series[]>()
  const publish = () => {
    const minute = Math.floor(engine.now / minuteMs) - 1
    for (const queue of sqs.tasks.values()) {
      const known = series.get(queue) ?? seriesOf(queue)
      series.set(queue, known)
      const values = readAll(queue, known, engine.now)
      if (!activity.isPublished(queue, engine.now)) continue
      for (const { key, value } of values) cloudwatch.vended.add(key, minute, value)
    }
    for (const group of autoscaling.groups.values()) {
      if (!group.publishes) continue
      // In service, pending and terminating: what is on standby has a metric of its own.
      const count = [...group.instances.values()].filter(
        ({ state }) => !state.includes('Standby'),
      ).length
      cloudwatch.vended.add(totalKey(group.name), minute, count)
    }
    engine.at(engine.now + minuteMs, publish)
  }
  engine.at(Math.ceil((engine.now + 1) / minuteMs) * minuteMs, publish)
}

/** One metric of one queue, and what a counter had come to when it was read last. */
type Series = Metric & { readonly key: string; before: number }

const seriesOf = ({ name }: Queue<unknown>): Series[] =>
  metrics.map((metric) => ({ ...metric, key: sqsKey(metric.name, name), before: 0 }))

const readAll = (queue: Queue<unknown>, all: readonly Series[], now: number) =>
  all.map((series) => {
    const read = series.read(queue, now)
    const value = series.kind === 'counter' ? read - series.before : read
    series.before = read
    return { key: series.key, value }
  })

/** How long the oldest message is here, of those that were not received too often; 0 for none. */
function oldestSeconds({ messages }: Queue<unknown>, now: number): number {
  // A map keeps the order in which they came: the first that fits is the oldest.
  for (const { receipt, cameAt } of messages.values()) {
    if (receipt < receivesMax) return (now - cameAt) / 1_000
  }
  return 0
}

export const sqsKey = (metric: string, queue: string) =>
  vendedKey('AWS/SQS', metric, 'QueueName', queue)

export const totalKey = (group: string) =>
  vendedKey('AWS/AutoScaling', 'GroupTotalInstances', 'AutoScalingGroupName', group)
