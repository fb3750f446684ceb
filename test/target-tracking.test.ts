import { CreateAutoScalingGroupCommand } from '@aws-sdk/client-auto-scaling'
import { SendMessageCommand } from '@aws-sdk/client-sqs'
import { describe, expect, it } from 'vitest'
import { evaluate, type PolicyView, type TargetTracking } from '../twin/aws/target-tracking.ts'
import { runMinutes } from '../twin/run.ts'
import { createTwin } from '../twin/twin.ts'
import { createWorld, type Scenario } from '../twin/world/world.ts'
import { fleetOf } from './fixtures.ts'

const policy: TargetTracking = {
  name: 'backlog',
  namespace: 'Celeriac',
  metric: 'BacklogPerInstance',
  dimensions: [],
  statistic: 'Average',
  target: 10,
  scaleIn: true,
  warmupSeconds: null,
}
const view = { desired: 4, minSize: 0, maxSize: 20, warm: 4, warming: 0 }

/** Fifteen minutes of a metric: the first value until the last few, which are given. */
const minutes = (before: number | null, ...last: (number | null)[]) => [
  ...Array.from({ length: 15 - last.length }, () => before),
  ...last,
]

describe('a target tracking policy with a target of 10 and four warm instances', () => {
  const rows: [string, Partial<PolicyView> & Pick<PolicyView, 'values'>, number][] = [
    ['holds at its target', { values: minutes(10) }, 4],
    ['scales out in proportion, rounded up', { values: minutes(10, 15, 15, 16) }, 7],
    ['holds while two of three minutes are high', { values: minutes(10, 9, 16, 16) }, 4],
    ['goes no further than the maximum', { values: minutes(10, 90, 90, 90) }, 20],
    ['holds when the latest minute is missing', { values: minutes(90, null) }, 4],
    ['does not scale out over a gap', { values: minutes(10, 90, null, 90) }, 4],
    ['does not scale in over a gap', { values: minutes(1, 1, null, 1) }, 4],
    ['scales in after fifteen low minutes', { values: minutes(2) }, 1],
    ['holds after fourteen low minutes', { values: [10, ...minutes(2).slice(1)] }, 4],
    ['holds where low is not below 0.7 of the target', { values: minutes(7) }, 4],
    ['scales in to its minimum', { values: minutes(0), minSize: 2 }, 2],
    ['scales in nothing while an instance warms up', { values: minutes(2), warming: 1 }, 4],
    ['counts warming instances as there', { values: minutes(20), desired: 9, warming: 5 }, 9],
    [
      'leaves zero on a metric of twice its target',
      { values: minutes(20), desired: 0, warm: 0 },
      2,
    ],
  ]
  it.each(rows)('%s', (_, given, desired) => {
    expect(evaluate(policy, { ...view, ...given })).toBe(desired)
  })
  it('without scale-in holds where it would', () => {
    expect(evaluate({ ...policy, scaleIn: false }, { ...view, values: minutes(0) })).toBe(4)
  })
})

describe('mode target-tracking', () => {
  const startAt = Date.parse('2026-01-06T15:00:00Z')
  const quiet = {
    rate: () => 0,
    taskSeconds: 30,
    taskVariation: 0.1,
    visibilitySeconds: 300,
    slots: 1,
    prefetchMultiplier: 1,
    bootSeconds: 120,
    minSize: 0,
    maxSize: 10,
  }
  /** One task arrives in the first minute, and no other. */
  const oneTask: Scenario = {
    name: 'one task',
    startAt,
    fleet: fleetOf({
      queueNamePrefix: 'prod-',
      queues: { a: { scaling: { mode: 'target-tracking' } } },
    }),
    queue: () => ({
      ...quiet,
      rate: (at) => (at < startAt + 60_000 ? 1 / 20 : 0),
    }),
    market: { reclaimsPerDay: 0.001, storms: [] },
  }

  it('leaves zero for a few messages, works, and returns to zero', async () => {
    const world = createWorld(oneTask, 1)
    const desired = () => world.twin.autoscaling.groups.get('a-workers')?.desired
    const most = { desired: 0 }
    await runMinutes(world, 10, () => {
      most.desired = Math.max(most.desired, desired() ?? 0)
    })
    expect(most.desired).toBeGreaterThan(0)
    const tally = world.tallies.get('a')
    expect(tally?.tasks).toBeGreaterThan(0)
    expect(tally?.completedTasks).toBe(tally?.tasks)
    await runMinutes(world, 40)
    expect(desired()).toBe(0)
  })

  it('works off what is sent through the API as well', async () => {
    const world = createWorld({ ...oneTask, queue: () => ({ ...quiet, minSize: 1 }) }, 1)
    const QueueUrl = world.twin.sqs.queue('prod-a').url
    await world.twin.deps.sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: 'task' }))
    await runMinutes(world, 10)
    expect(world.tallies.get('a')).toMatchObject({ tasks: 1, completedTasks: 1 })
  })
})

describe('a group that launches', () => {
  it('spreads over its zones, and is the same for the same seed', async () => {
    const launched = async () => {
      const twin = createTwin({ seed: 3, startAt: 0, makeTask: () => null })
      const create = new CreateAutoScalingGroupCommand({
        AutoScalingGroupName: 'g',
        MinSize: 0,
        MaxSize: 9,
        DesiredCapacity: 5,
        AvailabilityZones: ['a', 'b', 'c'],
      })
      await twin.deps.autoscaling.send(create)
      const zones = [...(twin.autoscaling.groups.get('g')?.instances.values() ?? [])]
      return zones.map(({ id, zone }) => `${zone} ${id}`)
    }
    const [once, again] = [await launched(), await launched()]
    expect(once).toEqual(again)
    expect(once.map((line) => line[0]).sort()).toEqual(['a', 'a', 'b', 'b', 'c'])
  })
})
