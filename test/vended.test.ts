import { EnableMetricsCollectionCommand } from '@aws-sdk/client-auto-scaling'
import { GetMetricDataCommand } from '@aws-sdk/client-cloudwatch'
import { describe, expect, it } from 'vitest'
import { sqsKey } from '../twin/aws/vending.ts'
import { createWorld, groupName, type Scenario } from '../twin/world/world.ts'
import { fleetOf } from './fixtures.ts'

/** What SQS and Auto Scaling publish on the twin, and how GetMetricData answers it. */

const minuteMs = 60_000
const startAt = Date.parse('2026-01-06T15:00:00Z')
const quiet: ReturnType<Scenario['queue']> = {
  ...{ rate: () => 0, taskSeconds: 10, taskVariation: 0.5, visibilitySeconds: 300, slots: 2 },
  ...{ prefetchMultiplier: 1, bootSeconds: 60, minSize: 1, maxSize: 5 },
}
const worldOf = (changed: Partial<typeof quiet> = {}, pastDays = 0) =>
  createWorld(
    {
      ...{ name: 'test', startAt, fleet: fleetOf({ defaultQueues: ['work'] }), pastDays },
      queue: () => ({ ...quiet, ...changed }),
      market: { reclaimsPerDay: 0, storms: [] },
    },
    1,
  )
type World = ReturnType<typeof worldOf>

type Asked = {
  readonly from: number
  readonly to: number
  readonly period?: number
  readonly stat?: string
  readonly metric?: string
  readonly most?: number
  readonly token?: string
}
/** Minutes from the start. */
async function ask({ twin }: World, asked: Asked) {
  const { from, to, period = 60, stat = 'Sum', metric = 'NumberOfMessagesSent' } = asked
  const isGroup = metric.startsWith('Group')
  const Dimensions = isGroup
    ? [{ Name: 'AutoScalingGroupName', Value: groupName('work') }]
    : [{ Name: 'QueueName', Value: 'work' }]
  const Namespace = isGroup ? 'AWS/AutoScaling' : 'AWS/SQS'
  return twin.deps.cloudwatch.send(
    new GetMetricDataCommand({
      StartTime: new Date(startAt + from * minuteMs),
      EndTime: new Date(startAt + to * minuteMs),
      ScanBy: 'TimestampAscending',
      MetricDataQueries: ['a', 'b'].map((Id) => ({
        Id,
        MetricStat: {
          ...{ Metric: { Namespace, MetricName: metric, Dimensions }, Period: period, Stat: stat },
        },
      })),
      ...(asked.most === undefined ? {} : { MaxDatapoints: asked.most }),
      ...(asked.token === undefined ? {} : { NextToken: asked.token }),
    }),
  )
}
const valuesOf = async (world: World, asked: Asked) =>
  (await ask(world, asked)).MetricDataResults?.[0]?.Values ?? []

describe('what AWS publishes of itself', () => {
  it('is all that was sent, a minute at a time, two minutes later', async () => {
    const world = worldOf({ rate: () => 1 })
    world.twin.engine.runUntil(startAt + 10 * minuteMs)
    const values = await valuesOf(world, { from: 0, to: 20 })
    expect(values).toHaveLength(8)
    world.twin.engine.runUntil(startAt + 13 * minuteMs)
    expect((await valuesOf(world, { from: 0, to: 20 })).slice(0, 8)).toEqual(values)
    const { sent } = world.twin.sqs.queue('work')
    world.twin.engine.runUntil(startAt + 15 * minuteMs)
    const all = await valuesOf(world, { from: 0, to: 13 })
    expect(all.reduce((sum, value) => sum + value, 0)).toBe(sent)
  })

  it('sums and means over five minutes are those of the minutes', async () => {
    const world = worldOf({ rate: () => 1 })
    world.twin.engine.runUntil(startAt + 20 * minuteMs)
    const minutes = await valuesOf(world, { from: 0, to: 5 })
    const sum = minutes.reduce((all, value) => all + value, 0)
    expect(await valuesOf(world, { from: 0, to: 5, period: 300 })).toEqual([sum])
    const mean = await valuesOf(world, { from: 0, to: 5, period: 300, stat: 'Average' })
    expect(mean).toEqual([sum / 5])
  })

  it('has how many instances there are only where the group publishes it', async () => {
    const world = worldOf()
    const asked = { from: 0, to: 5, stat: 'Average', metric: 'GroupTotalInstances' }
    world.twin.engine.runUntil(startAt + 10 * minuteMs)
    expect(await valuesOf(world, asked)).toEqual([1, 1, 1, 1, 1])
    const group = world.twin.autoscaling.groups.get(groupName('work'))
    if (group) group.publishes = false
    world.twin.engine.runUntil(startAt + 20 * minuteMs)
    expect(await valuesOf(world, { ...asked, from: 12, to: 18 })).toEqual([])
    await world.twin.deps.autoscaling.send(
      new EnableMetricsCollectionCommand({
        ...{ AutoScalingGroupName: groupName('work'), Granularity: '1Minute' },
      }),
    )
    world.twin.engine.runUntil(startAt + 25 * minuteMs)
    expect(await valuesOf(world, { ...asked, from: 20, to: 23 })).toEqual([1, 1, 1])
  })

  it('is kept for 15 days by the minute and for 63 by five', async () => {
    const world = worldOf({ recordedPast: new Float64Array(70 * 1_440).fill(1) })
    const from = -70 * 1_440
    world.twin.engine.runUntil(startAt)
    expect(await valuesOf(world, { from, to: 0 })).toHaveLength(15 * 1_440 - 2)
    expect(await valuesOf(world, { from, to: 0, period: 300 })).toHaveLength(63 * 288)
  })

  it('is not there for minutes in which nothing was published', async () => {
    const world = worldOf({ recordedPast: Float64Array.of(3, Number.NaN, Number.NaN, 4, 5, 6) })
    world.twin.engine.runUntil(startAt)
    expect(await valuesOf(world, { from: -10, to: 0 })).toEqual([3, 4])
  })

  it('comes in pages, which together are all of it', async () => {
    const world = worldOf({ recordedPast: Float64Array.from({ length: 22 }, (_, at) => at) })
    world.twin.engine.runUntil(startAt)
    const read = { a: [] as number[], b: [] as number[] }
    const statuses: string[] = []
    let token: string | undefined
    do {
      const asked = { from: -30, to: 0, most: 12, ...(token ? { token } : {}) }
      const page = await ask(world, asked)
      for (const { Id, Values = [], StatusCode } of page.MetricDataResults ?? []) {
        read[Id === 'a' ? 'a' : 'b'].push(...Values)
        statuses.push(`${Id} ${Values.length} ${StatusCode}`)
      }
      token = page.NextToken
    } while (token)
    expect(statuses).toEqual([
      ...['a 12 PartialData', 'a 8 Complete', 'b 4 PartialData', 'b 12 PartialData'],
      'b 4 Complete',
    ])
    expect(read.a).toEqual(Array.from({ length: 20 }, (_, at) => at))
    expect(read.b).toEqual(read.a)
  })
})

describe('the past of a scenario', () => {
  it('is drawn from its rates, and its last day has what follows from them', async () => {
    const world = worldOf({ rate: () => 0.5 }, 2)
    world.twin.engine.runUntil(startAt)
    const sent = await valuesOf(world, { from: -2 * 1_440, to: 0, period: 300 })
    const mean = sent.reduce((sum, value) => sum + value, 0) / sent.length
    expect(mean).toBeGreaterThan(145)
    expect(mean).toBeLessThan(155)
    const asked = { from: -2 * 1_440, to: 0, period: 300 }
    const deleted = await valuesOf(world, { ...asked, metric: 'NumberOfMessagesDeleted' })
    expect(deleted).toEqual(sent.slice(-288))
  })
  it('has one past, and nothing is added to it', () => {
    const world = worldOf({ recordedPast: Float64Array.of(1) })
    const again = () =>
      world.twin.cloudwatch.vended.addPast(sqsKey('NumberOfMessagesSent', 'work'), 0, [1])
    expect(again).toThrow('has a past already')
  })
})
