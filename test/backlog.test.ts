import { GetMetricDataCommand } from '@aws-sdk/client-cloudwatch'
import { describe, expect, it } from 'vitest'
import { backlog } from '../functions/backlog/handler.ts'
import type { Fleet } from '../shared/queue-config.ts'
import { awsError } from '../twin/aws/service.ts'
import { createTwin } from '../twin/twin.ts'
import { fleetOf } from './fixtures.ts'
import { addGroup, addQueue, desiredOf, startAt, type TestTwin, twinOf } from './sweeps.ts'

const tick = { shard: 0, of: 1 }
// With tasks of half a day each waiting one needs a slot of its own, whatever the rule's constants.
const defaults = { startWithin: '270s', taskTime: '12h', scaling: { mode: 'direct' } }

const run = (twin: TestTwin, fleet: Fleet, at = tick) => backlog(fleet)(at, twin.deps)

const errorOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'no error',
    (error: unknown) => (error instanceof Error ? error.message : String(error)),
  )

async function metricsOf(twin: TestTwin, name: string, queue?: string): Promise<number[]> {
  const Dimensions = [{ Name: 'Fleet', Value: 'test' }]
  if (queue) Dimensions.push({ Name: 'Queue', Value: queue })
  const Metric = { Namespace: 'Celeriac', MetricName: name, Dimensions }
  const { MetricDataResults } = await twin.deps.cloudwatch.send(
    new GetMetricDataCommand({
      StartTime: new Date(startAt - 60_000),
      EndTime: new Date(startAt + 3_600_000),
      MetricDataQueries: [{ Id: 'q', MetricStat: { Metric, Period: 60, Stat: 'Sum' } }],
    }),
  )
  return MetricDataResults?.[0]?.Values ?? []
}

describe('a sweep', () => {
  const fleet = fleetOf({ defaults, defaultQueues: ['a', 'b'] })

  it('sets the capacity that each backlog needs', async () => {
    const twin = await twinOf({ a: 10, b: 0 })
    await run(twin, fleet)
    expect(desiredOf(twin)).toEqual({ 'a-workers': 10, 'b-workers': 0 })
  })

  it('publishes the backlog of every queue, and the run itself', async () => {
    const twin = await twinOf({ a: 10, b: 0 })
    await run(twin, fleet)
    expect(await metricsOf(twin, 'BacklogPerInstance', 'a')).toEqual([10])
    expect(await metricsOf(twin, 'BacklogPerInstance', 'b')).toEqual([0])
    expect(await metricsOf(twin, 'QueuesMeasured')).toEqual([2])
    expect(await metricsOf(twin, 'QueuesFailed')).toEqual([0])
    expect(await metricsOf(twin, 'WantedCapacity', 'a')).toEqual([])
  })

  it('publishes the metrics that cost extra only where the file asks', async () => {
    const asking = { ...defaults, metrics: ['WantedCapacity', 'Shortfall', 'BacklogSeconds'] }
    const twin = await twinOf({ a: 30 })
    await run(twin, fleetOf({ queues: { a: asking } }))
    expect(await metricsOf(twin, 'WantedCapacity', 'a')).toEqual([30])
    expect(await metricsOf(twin, 'Shortfall', 'a')).toEqual([10])
    expect(await metricsOf(twin, 'BacklogSeconds', 'a')).toEqual([120 + 30 * 43_200])
  })

  it.each(['observe', 'target-tracking'])(
    'in mode %s publishes and resizes nothing',
    async (mode) => {
      const twin = await twinOf({ a: 10 })
      await run(
        twin,
        fleetOf({ defaults: { ...defaults, scaling: { mode } }, defaultQueues: ['a'] }),
      )
      expect(desiredOf(twin)).toEqual({ 'a-workers': 0 })
      expect(await metricsOf(twin, 'BacklogPerInstance', 'a')).toEqual([10])
    },
  )

  it('run again changes no capacity, and has no call in flight when it ends', async () => {
    const twin = await twinOf({ a: 10, b: 0 }, 3)
    await run(twin, fleet)
    expect(twin.inFlight()).toBe(0)
    const kinds: string[] = []
    twin.onChange(({ kind }) => kinds.push(kind))
    await run(twin, fleet)
    expect(kinds.filter((kind) => kind.startsWith('autoscaling'))).toEqual([])
  })

  it('scales in an empty queue after five minutes of looks that found nothing', async () => {
    const twin = await twinOf({ a: 0, b: 0 }, 3)
    for (let minute = 0; minute < 5; minute++) {
      twin.engine.runUntil(startAt + minute * 60_000)
      await run(twin, fleet)
      expect(desiredOf(twin)).toEqual({ 'a-workers': 3, 'b-workers': 3 })
    }
    twin.engine.runUntil(startAt + 5 * 60_000)
    await run(twin, fleet)
    // A phantom count may postpone one of them; the seed has none.
    expect(desiredOf(twin)).toEqual({ 'a-workers': 0, 'b-workers': 0 })
  })

  it('of two at once, one acts and publishes', async () => {
    const twin = await twinOf({ a: 10, b: 0 })
    const reports = await Promise.all([run(twin, fleet), run(twin, fleet)])
    expect(reports.map(({ superseded }) => superseded).sort()).toEqual([false, true])
    expect(await metricsOf(twin, 'QueuesMeasured')).toEqual([2])
    expect(desiredOf(twin)).toEqual({ 'a-workers': 10, 'b-workers': 0 })
  })

  it('shards share the queues, each in exactly one', async () => {
    const names = Array.from({ length: 30 }, (_, index) => `q${index}`)
    const twin = await twinOf(Object.fromEntries(names.map((name) => [name, 0])))
    const whole = fleetOf({ defaults, defaultQueues: names })
    const reports = [0, 1, 2].map(async (shard) => await run(twin, whole, { shard, of: 3 }))
    const parts = (await Promise.all(reports)).map(({ queues }) => queues.map((q) => q['queue']))
    expect(parts.flat().sort()).toEqual([...names].sort())
    expect(parts.every((part) => part.length > 0)).toBe(true)
  })

  it('adopts a tagged group that the file does not name, with the defaults', async () => {
    const twin = await twinOf({ a: 0, b: 0, stranger: 5 })
    await run(twin, fleet)
    expect(desiredOf(twin)).toMatchObject({ 'stranger-workers': 5 })
  })
})

describe('one bad queue is named, and the others are done', () => {
  const fleet = fleetOf({ defaults, defaultQueues: ['a', 'b'] })
  const failing = async (twin: TestTwin, message: string) => {
    expect(await errorOf(run(twin, fleet))).toBe(message)
    expect(desiredOf(twin)).toMatchObject({ 'b-workers': 10 })
    expect(await metricsOf(twin, 'BacklogPerInstance', 'b')).toEqual([10])
    expect(await metricsOf(twin, 'QueuesFailed')).toEqual([1])
  }

  it('its queue is gone', async () => {
    const twin = await twinOf({ b: 10 })
    await addGroup(twin, 'a-workers', { 'celery:queue': 'a' })
    await failing(
      twin,
      'backlog: 1 of 2 queues failed: a: measure: QueueDoesNotExist: ' +
        'The specified queue does not exist.',
    )
  })

  it('access to it is denied', async () => {
    const twin = await twinOf({ a: 10, b: 10 })
    const error = awsError('AccessDenied', 'Not authorized.', 403)
    twin.inject([{ command: 'GetQueueAttributesCommand', about: '/a"', error }])
    await failing(twin, 'backlog: 1 of 2 queues failed: a: measure: AccessDenied: Not authorized.')
    expect(desiredOf(twin)).toMatchObject({ 'a-workers': 0 })
  })

  it('it has no group', async () => {
    const twin = await twinOf({ b: 10 })
    await failing(
      twin,
      'backlog: 1 of 2 queues failed: a: measure: Error: there is no Auto Scaling group with the ' +
        'tag celery:queue=a',
    )
  })

  it('it has two groups', async () => {
    const twin = await twinOf({ a: 10, b: 10 })
    await addGroup(twin, 'a-more', { 'celery:queue': 'a' })
    await failing(
      twin,
      'backlog: 1 of 2 queues failed: a: measure: Error: more than one group: a-more, a-workers',
    )
  })

  it("its group's tag on slots is no number", async () => {
    const twin = await twinOf({ b: 10 })
    await addQueue(twin, 'a', 100)
    await addGroup(twin, 'a-workers', { 'celery:queue': 'a', 'celery:concurrency': 'four' })
    await failing(
      twin,
      'backlog: 1 of 2 queues failed: a: measure: Error: group a-workers: its tag ' +
        "celery:concurrency is 'four', not a number of 1 or more",
    )
  })

  it('its resize is refused', async () => {
    const twin = await twinOf({ a: 10, b: 10 })
    const error = awsError('ValidationError', 'No.')
    twin.inject([{ command: 'SetDesiredCapacityCommand', about: 'a-workers', error }])
    await failing(twin, 'backlog: 1 of 2 queues failed: a: act: ValidationError: No.')
  })
})

it('an error for more queues than a topic could take names fifty, the log all', async () => {
  const twin = createTwin({ seed: 1, startAt, makeTask: () => null })
  const names = Array.from({ length: 60 }, (_, index) => `q${index}`)
  const message = await errorOf(run(twin, fleetOf({ defaults, defaultQueues: names })))
  expect(message).toMatch(/^backlog: 60 of 60 queues failed: q0: .*; q49: .*; and 10 more$/)
  const errors = twin.logged.filter(({ level }) => level === 'error')
  expect(errors.map(({ fields }) => fields['queue'])).toEqual(names)
})

describe('when nothing can be known, nothing is resized', () => {
  const fleet = fleetOf({ defaults, defaultQueues: ['a'] })
  it.each(['DescribeAutoScalingGroupsCommand', 'GetItemCommand', 'QueryCommand', 'PutItemCommand'])(
    '%s is throttled for good',
    async (command) => {
      const twin = await twinOf({ a: 10 })
      twin.inject([{ command, error: awsError('ThrottlingException', 'Rate exceeded') }])
      expect(await errorOf(run(twin, fleet))).toBe('Rate exceeded')
      expect(desiredOf(twin)).toEqual({ 'a-workers': 0 })
      expect(await metricsOf(twin, 'QueuesMeasured')).toEqual([])
    },
  )
})
