import { countAgain } from '../../shared/again.ts'
import { type Assigned, assignGroups } from '../../shared/assign.ts'
import type { Deps } from '../../shared/aws.ts'
import { type Drain, listDrains, listEnded } from '../../shared/drains.ts'
import { each, type Outcome } from '../../shared/each.ts'
import { type Failure, failuresOf } from '../../shared/failures.ts'
import { describeGroups, type Group } from '../../shared/fleet.ts'
import { laneOf, lanesOf } from '../../shared/lanes.ts'
import type { Tick } from '../../shared/looks.ts'
import { readOutlooks } from '../../shared/outlook.ts'
import type { Fleet, QueueConfig } from '../../shared/queue-config.ts'
import { type QueueReading, queueUrl, readCounts, readQueue } from '../../shared/queues.ts'
import { queueName, readSeries, type Wanted } from '../../shared/series.ts'
import { shardOf } from '../../shared/shards.ts'
import { readMemory } from '../../shared/state.ts'
import { type Asks, asksHandedBack, asksOf, spanOf } from './decide.ts'
import type { Facts, Minutes, Watched } from './facts.ts'
import { recalled, returnedSeconds } from './observe.ts'
import { sweptOf } from './swept.ts'

/** What a run of alerts reads: the groups, the queues, and of CloudWatch what may matter. */

type Reader = Pick<
  Deps,
  'autoscaling' | 'sqs' | 'cloudwatch' | 'dynamodb' | 'stateTable' | 'signal'
>

/** How many series CloudWatch was asked for, by metric: each is paid for. */
export type MetricsRead = Readonly<Record<keyof typeof metrics, number>>

/** A queue as it was seen, with what was remembered of it. */
export type Gathered = { readonly facts: Facts; readonly before: Watched }
export type Gathering = {
  readonly gathered: readonly Gathered[]
  readonly failures: readonly Failure[]
  readonly metricsRead: MetricsRead
}

type Look = {
  readonly tick: Tick
  readonly remembered: Readonly<Record<string, Watched>>
  readonly now: number
  /** What is to be asked of CloudWatch; only where it may matter, unless told otherwise. */
  readonly asks?: (facts: Facts, before: Watched, now: number) => Asks
}

export async function gather(
  deps: Reader,
  fleet: Fleet,
  { tick, remembered, now, asks = asksOf }: Look,
): Promise<Gathering> {
  const [groups, sweeps, going, again] = await Promise.all([
    describeGroups(deps, fleet),
    readSweeps(deps, fleet, tick),
    drainsOf(deps),
    countAgain(deps, now - returnedSeconds, now),
  ])
  const rolling = new Set(going.flatMap(({ queue, causes }) => (causes.rollout ? queue : [])))
  const mine = assignGroups(fleet, groups, (name) => shardOf(name, tick.of) === tick.shard)
  const outlooks = await readOutlooks(
    deps,
    mine.map(({ queue }) => queue.name),
  )
  const looks = await each(mine, async (assigned) => {
    if ('problem' in assigned) throw new Error(assigned.problem)
    return look(deps, assigned.queue, assigned.group)
  })
  const first = looks.map(({ item: { queue }, ...outcome }): Gathered => {
    const outlook = outlooks.found.get(queue.name)
    const memory = sweeps.get(queue.name)
    const facts: Facts = {
      ...{ queue, ages: null, rates: null, sent: null, handedBack: null },
      rollout: rolling.has(queue.name),
      again: again.get(queueName(queue.sqs)) ?? 0,
      ...('value' in outcome ? outcome.value.look : unread(outcome.error)),
      swept: memory ? sweptOf(memory, now) : null,
      profiles: outlook && outlook !== 'unreadable' ? outlook.profiles : {},
    }
    return { facts, before: recalled(remembered[queue.name] ?? null, now) }
  })
  const asked = await readMetrics(deps, first, asks, now)
  return {
    gathered: await addHandedBack(deps, asked.seen, going, now),
    failures: [
      ...failuresOf(looks, 'look'),
      ...failuresOf(looks.flatMap(deadLetterFailure), 'read dead letters'),
      ...failuresOf(asked.outcomes, 'read metrics'),
    ],
    metricsRead: countOf(asked.outcomes.map(({ item }) => item.what)),
  }
}

type Looked = Outcome<Assigned, { readonly look: LookOf; readonly error: unknown }>

const deadLetterFailure = (outcome: Looked): Outcome<Assigned, never>[] =>
  'value' in outcome && outcome.value.error !== null
    ? [{ item: outcome.item, error: outcome.value.error }]
    : []

type LookOf = Pick<Facts, 'group' | 'problem' | 'counts' | 'deadLetters'>

const unread = (error: unknown): LookOf => ({
  ...{ group: null, counts: null, deadLetters: null },
  problem: error instanceof Error ? error.message : String(error),
})

async function look(deps: Reader, queue: QueueConfig, group: Group) {
  const counts = await readQueue(deps, queueUrl(queue.sqs, group.arn))
  const [read] = await Promise.allSettled([deadLettersOf(deps, counts)])
  // One that may not be read is told of, and no reason to know nothing of the queue.
  const deadLetters = read.status === 'fulfilled' ? read.value : null
  const error = read.status === 'rejected' ? read.reason : null
  return { look: { group, problem: null, counts, deadLetters }, error }
}

async function deadLettersOf(
  deps: Reader,
  { deadLetterArn }: QueueReading,
): Promise<number | null> {
  if (deadLetterArn === null) return null
  const name = deadLetterArn.slice(deadLetterArn.lastIndexOf(':') + 1)
  const counts = await readCounts(deps, queueUrl(name, deadLetterArn))
  return 'visible' in counts ? counts.visible : null
}

/** What backlog's last sweep of each queue remembers. */
async function readSweeps(deps: Reader, fleet: Fleet, tick: Tick) {
  const lanes = await Promise.all(
    lanesOf(fleet).map(async (lane) => {
      const { queues } = await readMemory(deps, tick, lane)
      return Object.entries(queues).map(([name, memory]) => ({ name, memory, lane }))
    }),
  )
  const laneBy = new Map(fleet.queues.map((queue) => [queue.name, laneOf(queue)]))
  const current = lanes.flat().filter(({ name, lane }) => (laneBy.get(name) ?? lane) === lane)
  return new Map(current.map(({ name, memory }) => [name, memory]))
}

type Asked = { readonly queue: QueueConfig; readonly what: keyof typeof metrics }

const metrics = {
  ages: { metric: 'ApproximateAgeOfOldestMessage', statistic: 'Maximum' },
  received: { metric: 'NumberOfMessagesReceived', statistic: 'Sum' },
  deleted: { metric: 'NumberOfMessagesDeleted', statistic: 'Sum' },
  sent: { metric: 'NumberOfMessagesSent', statistic: 'Sum' },
} as const

/** Ages and rates of those that ask, 500 metrics a call. */
async function readMetrics(
  deps: Reader,
  seen: readonly Gathered[],
  asksOfOne: NonNullable<Look['asks']>,
  now: number,
) {
  const asked = seen.flatMap(({ facts, before }): Asked[] => {
    const asks = asksOfOne(facts, before, now)
    const { queue } = facts
    const rates = ['received', 'deleted'] as const
    return [
      ...(asks.ages ? [{ queue, what: 'ages' } as const] : []),
      ...(asks.sent ? [{ queue, what: 'sent' } as const] : []),
      ...(asks.rates ? rates.map((what) => ({ queue, what })) : []),
    ]
  })
  const outcomes = await readSeries(deps, asked, wantedOf, spanOf(now))
  const { from } = spanOf(now)
  const read = new Map(
    outcomes.map((outcome): [string, Minutes] => [
      keyOf(outcome.item),
      // What could not be read is missing, which is another thing than not asked for.
      'value' in outcome ? outcome.value : { from, values: [] },
    ]),
  )
  const find = (queue: QueueConfig, what: Asked['what']) => read.get(keyOf({ queue, what })) ?? null
  return {
    outcomes,
    seen: seen.map(({ facts, before }): Gathered => {
      const received = find(facts.queue, 'received')
      const deleted = find(facts.queue, 'deleted')
      const isRead = received && deleted && received.values.length * deleted.values.length > 0
      const rates = isRead ? { received, deleted } : null
      const [ages, sent] = [find(facts.queue, 'ages'), find(facts.queue, 'sent')]
      return { facts: { ...facts, ages, rates, sent }, before }
    }),
  }
}

const countOf = (asked: readonly Asked['what'][]): MetricsRead => {
  const of = (what: Asked['what']) => asked.filter((one) => one === what).length
  return { ages: of('ages'), received: of('received'), deleted: of('deleted'), sent: of('sent') }
}

const keyOf = ({ queue, what }: Asked) => `${queue.name}/${what}`

const wantedOf = ({ queue, what }: Asked): Wanted => ({
  ...{ namespace: 'AWS/SQS', ...metrics[what] },
  dimension: { name: 'QueueName', value: queueName(queue.sqs) },
})

/** Those that go on. */
const drainsOf = async (deps: Reader) =>
  (await listDrains(deps)).flatMap(({ drain }) => drain ?? [])

/** What our own drains gave back, where messages seem to come back at all. */
async function addHandedBack(
  deps: Reader,
  seen: readonly Gathered[],
  going: readonly Drain[],
  now: number,
) {
  const asking = seen.map((one) => ({
    ...one,
    since: asksHandedBack(one.facts, one.before, now),
  }))
  const since = asking.flatMap((one) => one.since ?? [])
  if (since.length === 0) return seen
  const ended = await listEnded(deps, Math.min(...since) * 1_000, now * 1_000)
  const drains = [...going, ...ended.flatMap(({ drain }) => drain ?? [])]
  return asking.map(({ facts, before, since: from }): Gathered => {
    if (from === null) return { facts, before }
    const own = drains.filter(
      ({ queue, worker }) => queue === facts.queue.name && worker && worker.at >= from * 1_000,
    )
    const handedBack = own.reduce(
      (sum, { worker }) => sum + (worker ? worker.handedBack + worker.forced : 0),
      0,
    )
    return { facts: { ...facts, handedBack }, before }
  })
}
