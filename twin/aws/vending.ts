import type { Random } from '../../shared/random.ts'
import type { Engine } from '../engine.ts'
import type { AutoScaling } from './autoscaling.ts'
import { type CloudWatch, vendedKey } from './cloudwatch.ts'
import type { Group } from './groups.ts'
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
  const groups = new WeakMap<object, ReturnType<typeof groupKeys>>()
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
      const known = groups.get(group) ?? groupKeys(group.name)
      groups.set(group, known)
      const [total, inService] = countsOf(group)
      cloudwatch.vended.add(known.total, minute, total)
      cloudwatch.vended.add(known.inService, minute, inService)
      cloudwatch.vended.add(known.desired, minute, group.desired)
      cloudwatch.vended.add(known.max, minute, group.maxSize)
    }
    engine.at(engine.now + minuteMs, publish)
  }
  engine.at(Math.ceil((engine.now + 1) / minuteMs) * minuteMs, publish)
}

/** In service, pending and terminating; what is on standby has a metric of its own. */
function countsOf({ instances }: Group): [total: number, inService: number] {
  let [total, inService] = [0, 0]
  for (const { state } of instances.values()) {
    if (!state.includes('Standby')) total++
    if (state === 'InService') inService++
  }
  return [total, inService]
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

const groupKey = (metric: string, group: string) =>
  vendedKey('AWS/AutoScaling', metric, 'AutoScalingGroupName', group)

export const totalKey = (group: string) => groupKey('GroupTotalInstances', group)

const groupKeys = (group: string) => ({
  total: totalKey(group),
  inService: groupKey('GroupInServiceInstances', group),
  desired: groupKey('GroupDesiredCapacity', group),
  max: groupKey('GroupMaxSize', group),
})
