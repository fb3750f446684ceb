import { GetMetricDataCommand } from '@aws-sdk/client-cloudwatch'
import {
  CreateQueueCommand,
  GetQueueAttributesCommand,
  GetQueueUrlCommand,
  ReceiveMessageCommand,
  SendMessageCommand,
} from '@aws-sdk/client-sqs'
import { describe, expect, it } from 'vitest'
import { receive, remove, send } from '../twin/aws/sqs-queue.ts'
import { createTwin, type Twin } from '../twin/twin.ts'
import { createWorld } from '../twin/world/world.ts'
import { fleetOf } from './fixtures.ts'

/** A queue with which nobody has to do for six hours publishes nothing. */

const minuteMs = 60_000
const hourMs = 60 * minuteMs
const startAt = Date.parse('2026-01-06T15:00:00Z')
const named = { QueueUrl: 'work' }

function startTwin(seed = 1) {
  const twin = createTwin({ seed, startAt, makeTask: () => null })
  const create = new CreateQueueCommand({ QueueName: 'work' })
  twin.sqs.apply(startAt, create)
  return twin
}

/** The minutes from the start that have values, and the values. */
async function published<T>({ deps }: Twin<T>, MetricName = 'NumberOfMessagesSent') {
  const Metric = {
    ...{ Namespace: 'AWS/SQS', MetricName },
    Dimensions: [{ Name: 'QueueName', Value: 'work' }],
  }
  const { MetricDataResults } = await deps.cloudwatch.send(
    new GetMetricDataCommand({
      StartTime: new Date(startAt),
      EndTime: new Date(startAt + 48 * hourMs),
      ScanBy: 'TimestampAscending',
      MetricDataQueries: [{ Id: 'a', MetricStat: { Metric, Period: 60, Stat: 'Sum' } }],
    }),
  )
  const { Timestamps = [], Values = [] } = MetricDataResults?.[0] ?? {}
  return Timestamps.map((at, index) => ({
    minute: (at.getTime() - startAt) / minuteMs,
    value: Values[index],
  }))
}
const minutesOf = async <T>(twin: Twin<T>) => (await published(twin)).map(({ minute }) => minute)

/** Sends in passing and deletes what was sent, as the world does it. */
function pass({ engine, sqs }: Twin<null>) {
  const queue = sqs.queue('work')
  send(engine, queue, '', null, 0)
  for (const lease of receive(engine, queue, 1, queue.visibilityMs)) remove(queue, lease)
}

describe('a queue of which nobody takes notice', () => {
  it('is published for six hours, and no longer', async () => {
    const twin = startTwin()
    twin.engine.runUntil(startAt + 8 * hourMs)
    expect(await minutesOf(twin)).toEqual(Array.from({ length: 359 }, (_, minute) => minute))
  })

  it.each<[string, (twin: Twin<null>) => unknown]>([
    [
      'somebody asks for its counts',
      ({ deps }) => deps.sqs.send(new GetQueueAttributesCommand(named)),
    ],
    [
      'somebody asks for its address',
      ({ deps }) => deps.sqs.send(new GetQueueUrlCommand({ QueueName: 'work' })),
    ],
    [
      'somebody makes it once more',
      ({ deps }) => deps.sqs.send(new CreateQueueCommand({ QueueName: 'work' })),
    ],
    ['somebody receives nothing', ({ deps }) => deps.sqs.send(new ReceiveMessageCommand(named))],
    ['a worker receives nothing', ({ engine, sqs }) => receive(engine, sqs.queue('work'), 1, 0)],
    ['a message passes', pass],
  ])('is published for six more hours when %s', async (_, act) => {
    const twin = startTwin()
    twin.engine.runUntil(startAt + 5 * hourMs)
    await act(twin)
    twin.engine.runUntil(startAt + 13 * hourMs)
    expect((await minutesOf(twin)).at(-1)).toBe(11 * 60 - 2)
  })

  it('is published as long as it holds a message', async () => {
    const twin = startTwin()
    await twin.deps.sqs.send(new SendMessageCommand({ ...named, MessageBody: 'task' }))
    twin.engine.runUntil(startAt + 20 * hourMs)
    expect((await minutesOf(twin)).at(-1)).toBe(20 * 60 - 3)
  })

  it.each<[string, number, number]>([
    ['as long as a worker polls it', 1, 20 * 60 - 3],
    ['no longer where there is no worker', 0, 359 - 1],
  ])('is published %s', async (_, minSize, last) => {
    const { twin } = createWorld(
      {
        ...{ name: 'test', startAt, fleet: fleetOf({ defaultQueues: ['work'] }) },
        queue: () => ({
          ...{ rate: () => 0, taskSeconds: 10, taskVariation: 0.5, visibilitySeconds: 300 },
          ...{ slots: 2, prefetchMultiplier: 1, bootSeconds: 60, minSize, maxSize: 5 },
        }),
        market: { reclaimsPerDay: 0, storms: [] },
      },
      1,
    )
    twin.engine.runUntil(startAt + 20 * hourMs)
    expect((await minutesOf(twin)).at(-1)).toBe(last)
  })
})

describe('a queue that has slept', () => {
  const wakeAt = 10 * 60
  /** Wakes it a moment into that minute, with three messages. */
  async function wake(twin: Twin<null>, minute = wakeAt) {
    twin.engine.runUntil(startAt + minute * minuteMs + 1_000)
    for (let count = 0; count < 3; count++) pass(twin)
    twin.engine.runUntil(startAt + (minute + 30) * minuteMs)
  }
  const lagOf = async (twin: Twin<null>, minute = wakeAt) =>
    ((await minutesOf(twin)).find((one) => one >= minute) ?? Number.NaN) - minute

  it('is published again within 15 minutes, by its seed', async () => {
    const lags: number[] = []
    for (let seed = 1; seed <= 40; seed++) {
      const twin = startTwin(seed)
      await wake(twin)
      lags.push(await lagOf(twin))
    }
    expect(lags.every((lag) => lag >= 0 && lag <= 15)).toBe(true)
    expect(new Set(lags).size).toBeGreaterThan(10)
    const again = startTwin(7)
    await wake(again)
    expect(await lagOf(again)).toBe(lags[6])
  })

  it('tells nothing of the minutes before that, and every one after it', async () => {
    const twin = startTwin()
    await wake(twin)
    const lag = await lagOf(twin)
    expect(lag).toBeGreaterThan(1)
    const since = (await published(twin)).filter(({ minute }) => minute >= wakeAt)
    expect(since).toHaveLength(28 - lag)
    expect(since.every(({ value }) => value === 0)).toBe(true)
  })

  it('is late by another time when it sleeps once more', async () => {
    const twin = startTwin()
    await wake(twin)
    await wake(twin, 2 * wakeAt)
    expect(await lagOf(twin, 2 * wakeAt)).not.toBe(await lagOf(twin))
  })
})
