import {
  DeleteAutoScalingGroupCommand,
  SetDesiredCapacityCommand,
} from '@aws-sdk/client-auto-scaling'
import { GetMetricDataCommand } from '@aws-sdk/client-cloudwatch'
import { describe, expect, it } from 'vitest'
import { liveInstances } from '../twin/aws/groups.ts'
import type { Change } from '../twin/aws/service.ts'
import { simulate } from '../twin/run.ts'
import { lost, summarise } from '../twin/summary.ts'
import { endOf, isPolled } from '../twin/world/spells.ts'
import { createWorld, groupName, type Scenario, type World } from '../twin/world/world.ts'
import { fleetOf } from './fixtures.ts'

/** What a scenario can let befall its queues and its fleet. */

const minuteMs = 60_000
const startAt = Date.parse('2026-01-06T15:00:00Z')
const minute = (count: number) => startAt + count * minuteMs
const spanOf = (from: number, to: number) => ({ at: minute(from), until: minute(to) })
const group = groupName('work')

type QueueWorld = ReturnType<Scenario['queue']>
const quiet: QueueWorld = {
  ...{ rate: () => 0, taskSeconds: 10, taskVariation: 0.2, visibilitySeconds: 3_600, slots: 2 },
  ...{ prefetchMultiplier: 2, bootSeconds: 60, minSize: 1, maxSize: 5 },
}
const worldOf = (befalls: Partial<QueueWorld> = {}, fleetwide: Partial<Scenario> = {}, seed = 1) =>
  createWorld(
    {
      ...{ name: 'test', startAt, fleet: fleetOf({ defaultQueues: ['work'] }) },
      queue: () => ({ ...quiet, ...befalls }),
      market: { reclaimsPerDay: 0, storms: [] },
      ...fleetwide,
    },
    seed,
  )
/** Tasks by the minute in which they come and the minutes that they take. */
const recorded = (...tasks: [number, number][]) => ({
  recorded: {
    at: Float64Array.from(tasks, ([at]) => minute(at)),
    durationMs: Float64Array.from(tasks, ([, took]) => took * minuteMs),
  },
})

const queueOf = ({ twin }: World, name = 'work') => twin.sqs.queue(name)
const workersOf = ({ machines }: World) => {
  const workers = machines.get('work')?.workers
  if (!workers) throw new Error('The world has no queue work')
  return workers
}
const tallyOf = ({ tallies }: World) => {
  const tally = tallies.get('work')
  if (!tally) throw new Error('The world has no queue work')
  return tally
}
const groupOf = ({ twin }: World) => {
  const found = twin.autoscaling.groups.get(group)
  if (!found) throw new Error('The world has no group of work')
  return found
}
/** What the queue has come to at the end of a minute. */
function at(world: World, count: number) {
  world.twin.engine.runUntil(minute(count))
  const { visible, inFlight, received, deleted } = queueOf(world)
  return { visible, inFlight, received, deleted, running: workersOf(world).running }
}

describe('workers that hang from 10:00 to 20:00', () => {
  const hangs = { at: 600, until: 1_200 }
  it.each<[string, number, number, number]>([
    ['ends before', 500, 50, 550],
    ['ends in the moment in which they begin', 500, 100, 600],
    ['loses the whole time', 500, 200, 1_300],
    ['begins in that moment', 600, 30, 1_230],
    ['begins meanwhile', 900, 30, 1_230],
    ['begins afterwards', 1_200, 30, 1_230],
  ])('end a run that %s', (_, now, took, end) => {
    expect(endOf({ hangs }, now, took)).toBe(end)
  })

  it('take no message, end none, and go on with what they had', () => {
    const tasks = recorded([5, 1], [9, 2], [9, 3], [9, 4], [12, 1], [13, 1])
    const world = worldOf({ ...tasks, hangs: spanOf(10, 20) })
    expect(at(world, 10)).toEqual({ visible: 0, inFlight: 3, received: 4, deleted: 1, running: 2 })
    const hung = { visible: 2, inFlight: 3, received: 4, deleted: 1, running: 2 }
    expect(at(world, 14)).toEqual(hung)
    expect(at(world, 20 - 1e-3)).toEqual(hung)
    // The prefetch takes one more, which waits for a slot.
    expect(at(world, 20)).toMatchObject({ visible: 1, inFlight: 4, deleted: 1 })
    expect(at(world, 21 - 1e-3)).toMatchObject({ deleted: 1 })
    expect(at(world, 21)).toMatchObject({ deleted: 2 })
    expect(at(world, 30)).toEqual({ visible: 0, inFlight: 0, received: 6, deleted: 6, running: 0 })
    expect(tallyOf(world)).toMatchObject({ tasks: 6, completedTasks: 6, runTwice: 0 })
  })

  it('take none either where they start meanwhile', () => {
    const tasks = recorded([9, 5], [9, 5], [12, 1])
    const world = worldOf({ ...tasks, prefetchMultiplier: 1, hangs: spanOf(10, 20) })
    world.twin.engine.runUntil(minute(13))
    ask(world, 3)
    expect(at(world, 18)).toMatchObject({ visible: 1, running: 2 })
    expect(workersOf(world).online).toBe(3)
    expect(at(world, 20)).toMatchObject({ visible: 0, running: 3 })
  })

  it('work twice where the visibility timeout ends meanwhile, and once is counted', () => {
    const world = worldOf({ ...recorded([9, 3]), visibilitySeconds: 300, hangs: spanOf(10, 20) })
    expect(at(world, 16)).toMatchObject({ visible: 1, inFlight: 0, running: 1 })
    expect(at(world, 20)).toMatchObject({ received: 2, running: 2 })
    expect(at(world, 30)).toMatchObject({ visible: 0, inFlight: 0, running: 0 })
    expect(tallyOf(world)).toMatchObject({ tasks: 1, completedTasks: 1, runTwice: 1 })
  })
})

describe('workers that are deaf from 10:00 to 20:00', () => {
  it('end what they hold, and take nothing else', () => {
    const tasks = recorded([9, 3], [9, 3], [9, 1], [11, 1])
    const world = worldOf({ ...tasks, deaf: spanOf(10, 20) })
    expect(at(world, 10)).toEqual({ visible: 0, inFlight: 3, received: 3, deleted: 0, running: 2 })
    expect(at(world, 12)).toMatchObject({ visible: 1, received: 3, deleted: 2, running: 1 })
    const idle = { visible: 1, inFlight: 0, received: 3, deleted: 3, running: 0 }
    expect(at(world, 13)).toEqual(idle)
    expect(at(world, 20 - 1e-3)).toEqual(idle)
    expect(queueOf(world).isPolled()).toBe(false)
    expect(at(world, 20)).toMatchObject({ visible: 0, running: 1 })
    expect(at(world, 22)).toMatchObject({ deleted: 4 })
    expect(queueOf(world).isPolled()).toBe(true)
  })
  it('leave a queue unpolled on which nothing comes', () => {
    const world = worldOf({ deaf: spanOf(10, 20) })
    const isPolledAt = (count: number) => {
      at(world, count)
      return queueOf(world).isPolled()
    }
    expect([9, 10, 19, 20].map(isPolledAt)).toEqual([true, false, false, true])
  })
  it('poll before and afterwards', () => {
    const deaf = spanOf(10, 20)
    const moments = [0, 10, 15, 20, 25].map((count) => isPolled({ deaf }, minute(count)))
    expect(moments).toEqual([true, false, false, true, true])
  })
})

describe('poison', () => {
  const poison = { at: minute(5), count: 3 }
  it('is received again and again, and never deleted', () => {
    const world = worldOf({ poison, visibilitySeconds: 60 })
    // The first receives are at 5:00; each ends in a few seconds, and its message a minute later.
    expect(at(world, 5)).toMatchObject({ inFlight: 3, received: 3, running: 2 })
    expect(at(world, 5.5)).toMatchObject({ inFlight: 3, received: 3, running: 0 })
    expect(at(world, 15.5)).toEqual({
      ...{ visible: 0, inFlight: 3, received: 33, deleted: 0, running: 0 },
    })
    expect(lost(tallyOf(world))).toBe(0)
  })

  it('leaves the age of the oldest message after three receives', async () => {
    const world = worldOf({ poison, visibilitySeconds: 60 })
    world.twin.engine.runUntil(minute(20))
    const ages = await valuesOf(world, 'ApproximateAgeOfOldestMessage', 'Maximum')
    expect(ages.slice(5, 10)).toEqual([60, 120, 0, 0, 0])
  })

  it('comes one by one where it shall', () => {
    const world = worldOf({ poison: { ...poison, everySeconds: 60 } })
    expect([5, 6, 7, 8, 9].map((count) => at(world, count).received)).toEqual([1, 2, 3, 3, 3])
  })

  it('leaves the numbers of the other tasks as they are', () => {
    const rate = () => 0.1
    const numbers = [{}, { poison: { ...poison, everySeconds: 7 } }].map((befalls) => {
      const world = worldOf({ rate, minSize: 5, visibilitySeconds: 60, ...befalls })
      world.twin.engine.runUntil(minute(60))
      // What waits is poison too.
      return { ...summarise(world, 1).total, peakDepth: 0 }
    })
    expect(numbers[1]).toEqual(numbers[0])
    expect(numbers[0]?.tasks).toBeGreaterThan(300)
  })

  it('is moved where there is a dead-letter queue', () => {
    const deadLetter = { maxReceiveCount: 3 }
    const world = worldOf({ poison, visibilitySeconds: 60, deadLetter })
    expect(at(world, 7.5)).toMatchObject({ inFlight: 3, received: 9 })
    expect(at(world, 30)).toEqual({
      ...{ visible: 0, inFlight: 0, received: 9, deleted: 0, running: 0 },
    })
    expect(queueOf(world, 'work-dlq')).toMatchObject({ visible: 3, came: 3, sent: 0 })
    expect(lost(tallyOf(world))).toBe(0)
  })
})

describe('a task in a dead-letter queue', () => {
  it('is not lost, and is late where it never started', () => {
    const deadLetter = { maxReceiveCount: 1 }
    // One runs, and the other waits in the same worker, when its instance is taken.
    const tasks = recorded([3, 30], [3, 30])
    const world = worldOf({ ...tasks, slots: 1, visibilitySeconds: 240, deadLetter })
    world.twin.engine.runUntil(minute(4))
    workersOf(world).kill(groupOf(world).instances.keys().next().value ?? '')
    ask(world, 2)
    world.twin.engine.runUntil(minute(15))
    expect(queueOf(world, 'work-dlq').visible).toBe(2)
    expect(queueOf(world).messages.size).toBe(0)
    expect(lost(tallyOf(world))).toBe(0)
    // Of the two only the one that ran is known to have started, and in time.
    expect(summarise(world, 1).queues['work']).toMatchObject({ tasks: 2, within: 0.5 })
  })
})

describe('while there is no Spot capacity', () => {
  const shortage = (...shortages: { at: number; until: number }[]) => ({
    market: { reclaimsPerDay: 0, storms: [], shortages },
  })
  const launches = (world: World) => {
    const found: number[] = []
    world.twin.onChange((change: Change) => {
      if (change.kind !== 'autoscaling.launched') return
      found.push((world.twin.engine.now - startAt) / minuteMs)
    })
    return found
  }
  const sizes = (world: World, count: number) => {
    world.twin.engine.runUntil(minute(count))
    const { desired } = groupOf(world)
    return { desired, live: liveInstances(groupOf(world)).length }
  }

  it('launches do not come, and the capacity asked for stays', () => {
    const world = worldOf({}, shortage(spanOf(5, 20)))
    const found = launches(world)
    expect(sizes(world, 6)).toEqual({ desired: 1, live: 1 })
    ask(world, 4)
    expect(sizes(world, 20 - 1e-3)).toEqual({ desired: 4, live: 1 })
    expect(sizes(world, 21)).toEqual({ desired: 4, live: 4 })
    expect(found).toHaveLength(3)
    world.twin.engine.runUntil(minute(25))
    expect(workersOf(world).online).toBe(4)
  })
  it('is tried again within a minute of its end, each time at another moment', () => {
    const seeds = Array.from({ length: 20 }, (_, index) => index + 1)
    const moments = seeds.map((seed) => {
      const world = worldOf({}, shortage(spanOf(0, 5)), seed)
      const found = launches(world)
      world.twin.engine.runUntil(minute(10))
      return found[0] ?? Number.NaN
    })
    expect(moments.every((moment) => moment >= 5 && moment < 6)).toBe(true)
    expect(new Set(moments).size).toBe(20)
  })
  it('what is taken is not replaced', () => {
    const world = worldOf({ minSize: 2 }, shortage(spanOf(5, 20)))
    world.twin.engine.runUntil(minute(6))
    world.instances.interrupt(group, groupOf(world).instances.keys().next().value ?? '')
    expect(sizes(world, 19)).toEqual({ desired: 2, live: 1 })
    expect(sizes(world, 21)).toEqual({ desired: 2, live: 2 })
  })
  it('a group that is made has nothing', () => {
    const world = worldOf({ minSize: 3 }, shortage(spanOf(0, 10)))
    expect(sizes(world, 9)).toEqual({ desired: 3, live: 0 })
    expect(sizes(world, 11)).toEqual({ desired: 3, live: 3 })
  })
  it('the next shortage may come before the last one is over', () => {
    const world = worldOf({}, shortage(spanOf(5, 10), spanOf(9, 20)))
    world.twin.engine.runUntil(minute(6))
    ask(world, 3)
    expect(sizes(world, 19)).toEqual({ desired: 3, live: 1 })
    expect(sizes(world, 21)).toEqual({ desired: 3, live: 3 })
  })
  it('a group that is deleted gets nothing when it is over', () => {
    const world = worldOf({}, shortage(spanOf(5, 20)))
    world.twin.engine.runUntil(minute(6))
    ask(world, 3)
    const found = launches(world)
    const remove = { AutoScalingGroupName: group, ForceDelete: true }
    world.twin.autoscaling.apply(minute(6), new DeleteAutoScalingGroupCommand(remove))
    world.twin.engine.runUntil(minute(25))
    expect(found).toEqual([])
  })
})

describe('while metrics are lost', () => {
  it('SQS publishes nothing, Auto Scaling does, and the others are as they would be', async () => {
    const read = async (fleetwide: Partial<Scenario>) => {
      const world = worldOf({ rate: () => 1 }, fleetwide)
      world.twin.engine.runUntil(minute(20))
      return {
        sent: await valuesOf(world, 'NumberOfMessagesSent', 'Sum'),
        age: await valuesOf(world, 'ApproximateAgeOfOldestMessage', 'Maximum'),
        groups: await valuesOf(world, 'GroupTotalInstances', 'Average'),
      }
    }
    const all = await read({})
    const some = await read({ metricsLost: spanOf(5, 10) })
    expect(all.sent).toHaveLength(18)
    for (const metric of ['sent', 'age'] as const) {
      expect(some[metric]).toEqual(all[metric].toSpliced(5, 5))
    }
    expect(some.groups).toEqual(all.groups)
  })
})

describe('a fleet that meets everything', () => {
  it('loses no task, and its functions break no invariant', { timeout: 120_000 }, async () => {
    const scaling = { mode: 'direct', min: 1 }
    const video = { startWithin: '5m', taskTime: '20s', bootTime: '1m', scaling }
    const scenario: Scenario = {
      ...{ name: 'everything', startAt, fleet: fleetOf({ queues: { video } }) },
      queue: () => ({
        ...{ ...quiet, rate: () => 0.5, taskSeconds: 20, maxSize: 20, visibilitySeconds: 240 },
        ...{ hangs: spanOf(10, 20), deaf: spanOf(40, 45), deadLetter: { maxReceiveCount: 5 } },
        poison: { at: minute(30), count: 5, everySeconds: 30 },
      }),
      market: { reclaimsPerDay: 20, storms: [], shortages: [spanOf(15, 30)] },
      metricsLost: spanOf(35, 50),
    }
    const { summary, breaches } = await simulate({ scenario, seed: 3, hours: 2 })
    expect(breaches).toEqual([])
    expect(summary.total.tasksLost).toBe(0)
    expect(summary.total.tasks).toBeGreaterThan(3_000)
    const again = await simulate({ scenario, seed: 3, hours: 2, repeats: 'once' })
    expect(again.summary).toEqual(summary)
  })
})

function ask({ twin }: World, DesiredCapacity: number) {
  const command = new SetDesiredCapacityCommand({ AutoScalingGroupName: group, DesiredCapacity })
  twin.emit(twin.autoscaling.apply(twin.engine.now, command).changes)
}

/** By the minute, from the first one on. */
async function valuesOf({ twin }: World, MetricName: string, Stat: string) {
  const isGroup = MetricName.startsWith('Group')
  const Dimensions = isGroup
    ? [{ Name: 'AutoScalingGroupName', Value: group }]
    : [{ Name: 'QueueName', Value: 'work' }]
  const Metric = { Namespace: isGroup ? 'AWS/AutoScaling' : 'AWS/SQS', MetricName, Dimensions }
  const { MetricDataResults } = await twin.deps.cloudwatch.send(
    new GetMetricDataCommand({
      ...{ StartTime: new Date(startAt), EndTime: new Date(twin.engine.now) },
      ScanBy: 'TimestampAscending',
      MetricDataQueries: [{ Id: 'a', MetricStat: { Metric, Period: 60, Stat } }],
    }),
  )
  return MetricDataResults?.[0]?.Values ?? []
}
