import { assignGroups } from '../../shared/assign.ts'
import type { Deps } from '../../shared/aws.ts'
import type { Outcome } from '../../shared/each.ts'
import { describeGroups } from '../../shared/fleet.ts'
import type { Tick } from '../../shared/looks.ts'
import { readOutlooks } from '../../shared/outlook.ts'
import type { Fleet } from '../../shared/queue-config.ts'
import { queueName, readSeries, type Series, type Span, type Wanted } from '../../shared/series.ts'
import { shardOf } from '../../shared/shards.ts'
import type { Known, Seen, Task } from './decide.ts'

/** What a run of forecast reads: who is there, and what CloudWatch has of them. */

/** Each queue of the shard with its group and its outlook, or why one of them is not known. */
export async function gatherQueues(
  deps: Pick<Deps, 'autoscaling' | 'dynamodb' | 'stateTable' | 'signal'>,
  fleet: Fleet,
  tick: Tick,
) {
  const groups = await describeGroups(deps, fleet)
  const mine = assignGroups(fleet, groups, (name) => shardOf(name, tick.of) === tick.shard)
  const names = mine.map(({ queue }) => queue.name)
  const { found, failed } = await readOutlooks(deps, names)
  return mine.map((item): Outcome<typeof item, Known> => {
    if ('problem' in item) return { item, error: new Error(item.problem) }
    const error = failed.get(item.queue.name)
    if (error !== undefined) return { item, error }
    return { item, value: { ...item, reading: found.get(item.queue.name) ?? null } }
  })
}

const daySeconds = 86_400
// What the longest of the seasonal predictors looks back.
const historyDays = 14
const stepSeconds = 300
// What a rehearsal needs, for within five minutes a burst comes and goes. Kept for 15 days.
const rehearsedStepSeconds = 60
// A service time changes with a release, so that what was a day ago counts no more.
const serviceDays = 1
// SQS publishes a minute within two or three of its end: what is nearer may still be half of it.
const lagSeconds = 300

/** What was sent to each, and what says how long its tasks take. */
export async function gatherHistories(
  deps: Pick<Deps, 'cloudwatch' | 'signal'>,
  tasks: readonly Task[],
  now: number,
): Promise<Outcome<Task, Seen>[]> {
  const to = Math.floor(now / stepSeconds) * stepSeconds - lagSeconds
  const span = (days: number, step: number): Span => ({
    ...{ from: to - days * daySeconds, to, stepSeconds: step },
  })
  const read = (some: readonly Task[], wantedOf: (task: Task) => Wanted, over: Span) =>
    readSeries(deps, some, wantedOf, over)
  const rehearsed = tasks.filter(({ kind }) => kind === 'rehearse')
  const others = tasks.filter(({ kind }) => kind === 'forecast')
  const day = span(serviceDays, stepSeconds)
  const parts = [
    ...(await read(others, ofQueue('NumberOfMessagesSent', 'Sum'), span(historyDays, stepSeconds))),
    ...(await read(
      rehearsed,
      ofQueue('NumberOfMessagesSent', 'Sum'),
      span(historyDays, rehearsedStepSeconds),
    )),
  ]
  const asked = parts.map(({ item }) => item)
  const deleted = await read(asked, ofQueue('NumberOfMessagesDeleted', 'Sum'), day)
  const flying = await read(asked, ofQueue('ApproximateNumberOfMessagesNotVisible', 'Average'), day)
  const inService = await read(asked, ofGroup('GroupTotalInstances'), day)
  return asked.map((item, index) =>
    together(item, [parts[index], deleted[index], flying[index], inService[index]]),
  )
}

const ofQueue =
  (metric: string, statistic: Wanted['statistic']) =>
  ({ queue }: Task): Wanted => ({
    ...{ namespace: 'AWS/SQS', metric, statistic },
    dimension: { name: 'QueueName', value: queueName(queue.sqs) },
  })

/** There where the group publishes its metrics, which costs nothing and is off unless asked for. */
const ofGroup =
  (metric: string) =>
  ({ group }: Task): Wanted => ({
    ...{ namespace: 'AWS/AutoScaling', metric, statistic: 'Average' },
    dimension: { name: 'AutoScalingGroupName', value: group.name },
  })

type Part = Outcome<Task, Series> | undefined

/** All that was read of a queue, or the first error. */
function together(item: Task, parts: readonly Part[]): Outcome<Task, Seen> {
  const series: Series[] = []
  for (const part of parts) {
    if (!part) return { item, error: new Error('CloudWatch was not asked') }
    if ('error' in part) return { item, error: part.error }
    series.push(part.value)
  }
  const [sent, deleted, notVisible, inService] = series
  if (!sent || !deleted || !notVisible || !inService) {
    return { item, error: new Error('CloudWatch was not asked') }
  }
  return { item, value: { ...item, sent, service: { deleted, notVisible, inService } } }
}
