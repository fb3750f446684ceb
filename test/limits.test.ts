import { SetDesiredCapacityCommand } from '@aws-sdk/client-auto-scaling'
import { describe, expect, it } from 'vitest'
import { backlog } from '../functions/backlog/handler.ts'
import { checkFleet, describeProblem, type Fleet } from '../shared/queue-config.ts'
import { simulate } from '../twin/run.ts'
import { talk } from '../twin/scenarios/talk.ts'
import { fleetOf } from './fixtures.ts'
import { addMessages, desiredOf, startAt, type TestTwin, twinOf } from './sweeps.ts'

/** The limits of a fleet: what a file may say, and what a run makes of it. */

describe('a file with limits', () => {
  const limits = { instances: 10 }
  const figures = { vcpus: 4, dollarsPerHour: 0.1 }
  const problemsOf = (input: object) =>
    checkFleet({ name: 'test', queues: { a: {} }, ...input }).problems.map(describeProblem)
  const wholeOrNot = 'does not fit; write a whole number'

  it.each<[string, object, string[]]>([
    ['is fine', { limits }, []],
    ['is fine with one shard', { limits, shards: 1 }, []],
    [
      'is refused with more than one shard',
      { limits, shards: 2 },
      ['shards: 2 does not fit; with limits one run must see every group; write 1, or'],
    ],
    [
      'needs the figures of every queue',
      { limits: { vcpus: 40 }, adopt: false, queues: { a: { instance: figures }, b: {} } },
      [
        'queues.b.instance.vcpus: missing; limits.vcpus 40 needs what an instance of it counts, ' +
          'such as { vcpus: 4 }',
      ],
    ],
    [
      'needs them for what is adopted too',
      { limits: { dollarsPerHour: 9 }, queues: { a: { instance: figures } } },
      [
        'defaults.instance.dollarsPerHour: missing; limits.dollarsPerHour needs it for groups ' +
          'that are adopted, such as { dollarsPerHour: 0.07 }; or adopt: false',
      ],
    ],
    [
      'takes the figures of the defaults',
      { limits: { vcpus: 40, dollarsPerHour: 2 }, defaults: { instance: figures } },
      [],
    ],
    [
      'must hold the mins',
      { limits, queues: { a: { scaling: { min: 6 } }, b: { scaling: { min: 5 } } } },
      [
        'limits.instances: 10 does not fit; the mins of all queues come to 11; write that or ' +
          'more, or lower mins',
      ],
    ],
    ['must limit something', { limits: {} }, ['limits: {} does not fit; write at least one']],
    ['takes no negative', { limits: { instances: -1 } }, [`limits.instances: -1 ${wholeOrNot}`]],
    [
      'takes no nothing',
      { limits: { vcpus: 0 } },
      ['limits.vcpus: 0 does not fit; write a number'],
    ],
    [
      'names what may be limited',
      { limits: { cores: 4 } },
      ['limits.cores: 4 does not fit; there is no such setting', 'limits: '],
    ],
    [
      'takes a priority within reach',
      { queues: { a: { priority: 10 } } },
      ['queues.a.priority: 10 does not fit; write a whole number from -9 to 9, the higher wins'],
    ],
    [
      'takes a price above nothing',
      { queues: { a: { instance: { dollarsPerHour: 0 } } } },
      ['queues.a.instance.dollarsPerHour: 0 does not fit; write a number above 0'],
    ],
  ])('%s', (_, input, problems) => {
    expect(problemsOf(input)).toEqual(problems.map((text) => expect.stringContaining(text)))
  })
})

// A task of half a day: each that waits needs a slot of its own.
const defaults = { startWithin: '270s', taskTime: '12h', scaling: { mode: 'direct' } }
const queues = { a: {}, b: { priority: 1 }, low: { priority: -1 } }
const limited = (instances: number, more: object = {}) =>
  fleetOf({ limits: { instances }, defaults, queues: { ...queues, ...more } })
const tick = { shard: 0, of: 1 }
const sweep = (twin: TestTwin, fleet: Fleet) => backlog(fleet)(tick, twin.deps)
const reasonsOf = ({ queues: lines }: { queues: readonly Record<string, unknown>[] }) =>
  Object.fromEntries(lines.map((line) => [line['queue'], line['reason']]))

describe('a sweep of a fleet with limits', () => {
  it('gives to the higher priority first, and says what it cut', async () => {
    const twin = await twinOf({ a: 8, b: 8, low: 8 })
    const report = await sweep(twin, limited(12))
    expect(desiredOf(twin)).toEqual({ 'a-workers': 4, 'b-workers': 8, 'low-workers': 0 })
    expect(reasonsOf(report)).toEqual({ a: 'fleet-limit', b: 'backlog', low: 'fleet-limit' })
    expect(report.queues[0]).toMatchObject({
      ...{ cut: 4, limit: 'instances', got: 'b', promise: 'breaks', shortfall: 4 },
    })
  })

  it('is as it was where nobody wants more', async () => {
    const twin = await twinOf({ a: 4, b: 4, low: 4 })
    const report = await sweep(twin, limited(12))
    expect(desiredOf(twin)).toEqual({ 'a-workers': 4, 'b-workers': 4, 'low-workers': 4 })
    expect(new Set(Object.values(reasonsOf(report)))).toEqual(new Set(['backlog']))
  })

  it('counts a group whose queue it cannot read', async () => {
    const twin = await twinOf({ a: 8, b: 0, low: 0 })
    await twin.deps.autoscaling.send(
      new SetDesiredCapacityCommand({ AutoScalingGroupName: 'low-workers', DesiredCapacity: 9 }),
    )
    const error = new Error('unreadable')
    twin.inject([{ command: 'GetQueueAttributesCommand', about: '/low"', error }])
    await expect(sweep(twin, limited(12))).rejects.toThrow('1 of 3 queues failed: low')
    expect(desiredOf(twin)).toEqual({ 'a-workers': 3, 'b-workers': 0, 'low-workers': 9 })
  })

  it('takes nothing from a group without our hook', async () => {
    const twin = await twinOf({ a: 0, b: 9, low: 9 }, 0)
    await addAndSweep(twin)
    const report = await sweep(twin, limited(9))
    expect(desiredOf(twin)).toMatchObject({ 'low-workers': 9, 'b-workers': 0 })
    expect(reasonsOf(report)).toMatchObject({ b: 'fleet-limit', low: 'no-hook' })
  })
  async function addAndSweep(twin: TestTwin) {
    await twin.deps.autoscaling.send(
      new SetDesiredCapacityCommand({ AutoScalingGroupName: 'low-workers', DesiredCapacity: 9 }),
    )
  }

  it('a fast look knows what the others have', async () => {
    const fleet = limited(12, { fast: { startWithin: '60s' } })
    const twin = await twinOf({ a: 9, b: 0, low: 0, fast: 1 })
    await sweep(twin, fleet)
    await addMessages(twin, 'fast', 8)
    twin.engine.runUntil(startAt + 15_000)
    const fast = { dueAt: startAt + 15_000, groups: ['fast-workers'] }
    const report = await backlog(fleet)({ ...tick, fast }, twin.deps)
    expect(reasonsOf(report)).toEqual({ fast: 'fleet-limit' })
    expect(desiredOf(twin)).toMatchObject({ 'a-workers': 9, 'fast-workers': 3 })
  })
})

describe('a morning of some of the queues of the talk, with too few instances', () => {
  // Long and short tasks, one with a policy of its own, one with a short promise.
  const some = ['video', 'transcript', 'email', 'report', 'meeting-join', 'account-merge']
  const morning = (most: number) => {
    const scenario = talk(10)
    const queues = scenario.fleet.queues.filter(({ name }) => some.includes(name))
    const first = queues.map((queue) =>
      queue.name === 'meeting-join' ? { ...queue, priority: 5 } : queue,
    )
    const limits = [{ name: 'instances', most } as const]
    return { ...scenario, fleet: { ...scenario.fleet, limits, queues: first } }
  }

  it('stays within the limit, kills nothing and keeps the promise that comes first', async () => {
    const { summary, breaches } = await simulate({ scenario: morning(115), seed: 3, hours: 1.5 })
    expect(breaches).toEqual([])
    expect(summary.total.tasksKilled).toBe(0)
    expect(summary.queues['meeting-join']?.within).toBeGreaterThan(0.99)
    expect(summary.queues['video']?.within).toBeLessThan(0.95)
  })
})
