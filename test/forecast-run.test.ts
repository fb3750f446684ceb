import { DeleteAutoScalingGroupCommand } from '@aws-sdk/client-auto-scaling'
import { PutItemCommand } from '@aws-sdk/client-dynamodb'
import { describe, expect, it } from 'vitest'
import { backlog } from '../functions/backlog/handler.ts'
import { forecast } from '../functions/forecast/handler.ts'
import { outlookFor, readOutlooks } from '../shared/outlook.ts'
import { awsError } from '../twin/aws/service.ts'
import { simulate } from '../twin/run.ts'
import { createWorld, groupName, type Scenario, type World } from '../twin/world/world.ts'
import { fleetOf } from './fixtures.ts'

/** The hourly run on the twin: what it writes, what it leaves, and what backlog makes of it. */

const startAt = Date.parse('2026-01-06T15:00:00Z')
const tick = { shard: 0, of: 1 }
const fleet = fleetOf({
  defaults: { startWithin: '3m', taskTime: '90s', scaling: { mode: 'direct', min: 1 } },
  defaultQueues: ['a', 'b', 'c'],
})
const queue: ReturnType<Scenario['queue']> = {
  ...{ rate: () => 0.1, taskSeconds: 30, taskVariation: 0.5, visibilitySeconds: 300, slots: 2 },
  ...{ prefetchMultiplier: 1, bootSeconds: 60, minSize: 1, maxSize: 20 },
}
const scenarioOf = (pastDays: number): Scenario => ({
  ...{ name: 'test', startAt, fleet, pastDays },
  queue: () => queue,
  market: { reclaimsPerDay: 0, storms: [] },
})
const worldOf = (pastDays: number): World => {
  const world = createWorld(scenarioOf(pastDays), 1)
  world.twin.engine.runUntil(startAt)
  return world
}
const run = ({ twin }: World) => forecast(fleet)(tick, twin.deps)
const sweep = ({ twin }: World) => backlog(fleet)(tick, twin.deps)
const reasonsOf = ({ queues }: Awaited<ReturnType<typeof run>>) =>
  Object.fromEntries(queues.map(({ queue, reason }) => [String(queue), reason]))
const errorOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'no error',
    (error: unknown) => (error instanceof Error ? error.message : String(error)),
  )
const outlookOf = async ({ twin }: World, name: string) => {
  const { found } = await readOutlooks(twin.deps, [name])
  return outlookFor(found.get(name), twin.engine.now / 1_000)
}
/** Every change of the table, by key. */
function watchTable({ twin }: World): string[] {
  const keys: string[] = []
  twin.onChange((change) => {
    if (change.kind === 'dynamodb.put') keys.push(change.key)
  })
  return keys
}

describe('a run of forecast', () => {
  it('rehearses each queue, measures its service time, and has every season', async () => {
    const world = worldOf(15)
    const report = await run(world)
    expect(reasonsOf(report)).toEqual({ a: 'rehearsed', b: 'rehearsed', c: 'rehearsed' })
    const { outlook, note } = await outlookOf(world, 'a')
    expect(note).toBe('fresh')
    expect(Object.keys(outlook.profiles)).toHaveLength(6)
    expect(outlook.serviceSeconds).toBeGreaterThan(28)
    expect(outlook.serviceSeconds).toBeLessThan(32)
  })

  it('changes nothing when it is run again, and reads no metric', async () => {
    const world = worldOf(1)
    await run(world)
    const keys = watchTable(world)
    world.twin.inject([{ command: 'GetMetricDataCommand', error: new Error('read') }])
    expect(reasonsOf(await run(world))).toEqual({ a: 'fresh', b: 'fresh', c: 'fresh' })
    expect(keys).toEqual([])
  })

  it('forecasts again an hour later, with what came since', async () => {
    const world = worldOf(1)
    await run(world)
    world.twin.engine.runUntil(startAt + 3_600_000)
    expect(reasonsOf(await run(world))).toEqual({ a: 'forecast', b: 'forecast', c: 'forecast' })
  })

  it('of a fleet without a past says so, and a sweep goes on without', async () => {
    const world = worldOf(0)
    expect(reasonsOf(await run(world))).toEqual({
      ...{ a: 'no-history', b: 'no-history', c: 'no-history' },
    })
    const { queues } = await sweep(world)
    expect(queues.map(({ outlook }) => outlook)).toEqual(['fresh', 'fresh', 'fresh'])
  })

  it('of a day of history has no rehearsal, and says why', async () => {
    const world = worldOf(1)
    const report = await run(world)
    expect(report.queues.map(({ reason }) => reason)).toEqual(Array(3).fill('too-short-history'))
  })

  it('that was late does not undo what a later one wrote', async () => {
    const world = worldOf(1)
    const late = { ...world.twin.deps, clock: { now: () => startAt - 3_600_000 } }
    await run(world)
    const before = await outlookOf(world, 'a')
    const report = await forecast(fleet)(tick, late)
    // What it finds is newer than itself.
    expect(reasonsOf(report)).toEqual({ a: 'fresh', b: 'fresh', c: 'fresh' })
    expect(await outlookOf(world, 'a')).toEqual(before)
  })

  it('names a queue without a group, does the others and ends in error', async () => {
    const world = worldOf(1)
    const AutoScalingGroupName = groupName('b')
    const gone = new DeleteAutoScalingGroupCommand({ AutoScalingGroupName, ForceDelete: true })
    world.twin.autoscaling.apply(startAt, gone)
    expect(await errorOf(run(world))).toBe(
      'forecast: 1 of 3 queues failed: ' +
        'b: find: Error: there is no Auto Scaling group with the tag celery:queue=b',
    )
    expect((await outlookOf(world, 'a')).note).toBe('fresh')
    expect((await outlookOf(world, 'b')).note).toBe('none')
  })

  it('whose write of one fails names it, and has written the others', async () => {
    const world = worldOf(1)
    const error = awsError('InternalServerError', 'Something broke', 500)
    world.twin.inject([{ command: 'PutItemCommand', about: 'outlook#b', error }])
    expect(await errorOf(run(world))).toContain(
      'forecast: 1 of 3 queues failed: b: forecast: InternalServerError',
    )
    expect((await outlookOf(world, 'c')).note).toBe('fresh')
    world.twin.inject([])
    expect(reasonsOf(await run(world))).toMatchObject({ a: 'fresh', c: 'fresh' })
    expect((await outlookOf(world, 'b')).note).toBe('fresh')
  })

  it('that CloudWatch refuses names every queue and writes nothing', async () => {
    const world = worldOf(1)
    const keys = watchTable(world)
    const error = awsError('AccessDenied', 'Not authorized', 403)
    world.twin.inject([{ command: 'GetMetricDataCommand', error }])
    const message = await errorOf(run(world))
    expect(message).toContain('3 of 3 queues failed: a: read: AccessDenied: Not authorized')
    expect(keys).toEqual([])
  })
})

describe('a sweep of backlog', () => {
  it('says of each queue which outlook it had, and sizes by it', async () => {
    const world = worldOf(15)
    expect((await sweep(world)).queues.map(({ outlook }) => outlook)).toEqual(Array(3).fill('none'))
    await run(world)
    const { queues } = await sweep(world)
    expect(queues.map(({ outlook }) => outlook)).toEqual(Array(3).fill('fresh'))
  })

  it('goes on where one outlook cannot be read', async () => {
    const world = worldOf(1)
    await run(world)
    const Item = { pk: { S: 'outlook#b' }, outlook: { S: 'no JSON' } }
    const { deps } = world.twin
    await deps.dynamodb.send(new PutItemCommand({ TableName: deps.stateTable, Item }))
    const { queues } = await sweep(world)
    expect(queues.map(({ outlook }) => outlook)).toEqual(['fresh', 'unreadable', 'fresh'])
  })

  it('goes on where none may be read', async () => {
    const world = worldOf(1)
    const error = awsError('AccessDeniedException', 'Not authorized')
    world.twin.inject([{ command: 'BatchGetItemCommand', error }])
    expect((await sweep(world)).queues.map(({ outlook }) => outlook)).toEqual(
      Array(3).fill('unread'),
    )
  })

  it('two days after the last forecast goes on without', async () => {
    const world = worldOf(1)
    await run(world)
    world.twin.engine.runUntil(startAt + 2 * 86_400_000 + 60_000)
    const { queues } = await sweep(world)
    expect(queues.map(({ outlook }) => outlook)).toEqual(Array(3).fill('stale'))
  })
})

describe('a simulated scenario with a past', () => {
  it('forecasts each hour, breaks nothing, and trusts what it foresees', async () => {
    const predictors = new Set<unknown>()
    const { breaches, summary } = await simulate({
      ...{ scenario: scenarioOf(4), seed: 1, hours: 2.5 },
      onMinute: ({ world: { twin } }) => {
        for (const { fields } of twin.logged) predictors.add(fields['predictor'])
      },
    })
    expect(breaches).toEqual([])
    expect(summary.total.within).toBeGreaterThan(0.98)
    expect([...predictors].some((name) => `${name}`.includes('day'))).toBe(true)
  })
})
