import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Decision, decide } from '../functions/backlog/decide.ts'
import { tasksPerSlot, wantedCapacity } from '../functions/backlog/sizing.ts'
import type { Group } from '../shared/fleet.ts'
import type { QueueConfig } from '../shared/queue-config.ts'
import type { QueueMemory } from '../shared/state.ts'
import { countsOf, groupOf, queueOf } from './fixtures.ts'

const now = Date.parse('2026-01-06T15:00:00Z')
const secondsAgo = (seconds: number) => now - seconds * 1_000
const emptyFor = (seconds: number): QueueMemory => ({
  emptySince: secondsAgo(seconds),
  surplus: null,
})

// Ten tasks a slot: the first at once, and nine in the 90 s that are left of 270.
const direct = {
  startWithin: '270s',
  bootTime: '2m',
  taskTime: '10s',
  scaling: { mode: 'direct' },
} as const

const summary = (decision: Decision) => ({
  kind: decision.kind,
  reason: decision.reason,
  ...(decision.kind === 'resize' ? { desired: decision.desired } : {}),
})

const alone = { draining: 0, hooked: true, remembered: null }

type Row = {
  name: string
  queue?: object
  visible?: number
  notVisible?: number
  group?: Parameters<typeof groupOf>[0]
  emptyForSeconds?: number
  surplus?: { forSeconds: number; most: number }
  draining?: number
  hooked?: boolean
  expected: ReturnType<typeof summary>
}

describe('what a queue decides', () => {
  const rows: Row[] = [
    {
      name: '100 waiting, 10 tasks a slot, none running: 10 instances',
      visible: 100,
      expected: { kind: 'resize', reason: 'backlog', desired: 10 },
    },
    {
      name: 'one message leaves zero',
      visible: 1,
      expected: { kind: 'resize', reason: 'backlog', desired: 1 },
    },
    {
      name: 'what is in flight counts like what waits',
      visible: 60,
      notVisible: 41,
      expected: { kind: 'resize', reason: 'backlog', desired: 11 },
    },
    {
      name: 'four slots an instance need a quarter of the instances',
      visible: 100,
      group: { slotsPerInstance: 4 },
      expected: { kind: 'resize', reason: 'backlog', desired: 3 },
    },
    {
      name: "the group's tag on slots outweighs the file",
      queue: { ...direct, concurrency: 10 },
      visible: 100,
      group: { slotsPerInstance: 1 },
      expected: { kind: 'resize', reason: 'backlog', desired: 10 },
    },
    {
      name: 'without the tag the file tells the slots',
      queue: { ...direct, concurrency: 10 },
      visible: 100,
      group: { slotsPerInstance: null },
      expected: { kind: 'resize', reason: 'backlog', desired: 1 },
    },
    {
      name: 'more than the group may have: all it may have, and a shortfall',
      visible: 500,
      expected: { kind: 'resize', reason: 'capped-by-max', desired: 20 },
    },
    {
      name: "the file's max binds before the group's",
      queue: { ...direct, scaling: { mode: 'direct', max: 5 } },
      visible: 500,
      expected: { kind: 'resize', reason: 'capped-by-max', desired: 5 },
    },
    {
      name: 'already at max: hold, and say what is missing',
      visible: 500,
      group: { desired: 20 },
      expected: { kind: 'hold', reason: 'capped-by-max' },
    },
    {
      name: 'fewer desired than min, with nothing to do',
      queue: { ...direct, scaling: { mode: 'direct', min: 2 } },
      group: { desired: 1 },
      expected: { kind: 'resize', reason: 'below-min', desired: 2 },
    },
    {
      name: 'a min above the group is as much of it as the group allows',
      queue: { ...direct, scaling: { mode: 'direct', min: 50 } },
      expected: { kind: 'resize', reason: 'below-min', desired: 20 },
    },
    {
      name: 'the capacity fits',
      visible: 95,
      group: { desired: 10 },
      expected: { kind: 'hold', reason: 'steady' },
    },
    {
      name: 'less would do, but something waits',
      visible: 1,
      group: { desired: 10 },
      expected: { kind: 'hold', reason: 'busy' },
    },
    {
      name: 'less would do, but something runs',
      notVisible: 1,
      group: { desired: 10 },
      emptyForSeconds: 600,
      expected: { kind: 'hold', reason: 'busy' },
    },
    {
      name: 'empty for the first time',
      group: { desired: 10 },
      expected: { kind: 'hold', reason: 'settling' },
    },
    {
      name: 'empty a few seconds ago as well, as when one event came twice',
      group: { desired: 10 },
      emptyForSeconds: 3,
      expected: { kind: 'hold', reason: 'settling' },
    },
    {
      name: 'empty a minute ago as well, the schedule being a second early',
      group: { desired: 10 },
      emptyForSeconds: 59,
      expected: { kind: 'resize', reason: 'idle', desired: 0 },
    },
    {
      name: "idle goes down to the group's own minimum",
      group: { desired: 10, minSize: 3 },
      emptyForSeconds: 60,
      expected: { kind: 'resize', reason: 'idle', desired: 3 },
    },
    {
      name: 'a doomed instance still counts in its group, and is no capacity',
      visible: 100,
      group: { desired: 10, instances: { inService: 10 } },
      draining: 2,
      expected: { kind: 'resize', reason: 'backlog', desired: 12 },
    },
    {
      name: 'up to max',
      visible: 200,
      group: { desired: 19, instances: { inService: 19 } },
      draining: 3,
      expected: { kind: 'resize', reason: 'backlog', desired: 20 },
    },
    {
      name: 'and is not scaled in while it still counts',
      group: { desired: 2, instances: { inService: 2 } },
      queue: { ...direct, scaling: { mode: 'direct', min: 1 } },
      draining: 1,
      emptyForSeconds: 300,
      expected: { kind: 'hold', reason: 'steady' },
    },
    {
      name: 'fewer would do for a moment: hold',
      visible: 50,
      group: { desired: 9 },
      surplus: { forSeconds: 1_799, most: 6 },
      expected: { kind: 'hold', reason: 'busy' },
    },
    {
      name: 'fewer have done for half an hour: down to the most of them',
      visible: 50,
      group: { desired: 9 },
      surplus: { forSeconds: 1_800, most: 6 },
      expected: { kind: 'resize', reason: 'surplus', desired: 6 },
    },
    {
      name: 'but not where the group would end its victim as it works',
      visible: 50,
      group: { desired: 9 },
      surplus: { forSeconds: 1_800, most: 6 },
      hooked: false,
      expected: { kind: 'hold', reason: 'no-hook' },
    },
    {
      name: 'a long boot is not undone so soon',
      queue: { ...direct, startWithin: '810s', bootTime: '11m' },
      visible: 50,
      group: { desired: 9 },
      surplus: { forSeconds: 1_979, most: 6 },
      expected: { kind: 'hold', reason: 'busy' },
    },
    {
      name: 'a capacity that somebody lowered meanwhile begins anew',
      visible: 50,
      group: { desired: 6 },
      surplus: { forSeconds: 1_800, most: 8 },
      expected: { kind: 'hold', reason: 'busy' },
    },
    {
      name: 'observe leaves a group alone whatever waits',
      queue: { ...direct, scaling: { mode: 'observe' } },
      visible: 500,
      expected: { kind: 'hold', reason: 'observe' },
    },
    {
      name: 'target-tracking leaves it to the policy',
      queue: { ...direct, scaling: { mode: 'target-tracking' } },
      visible: 500,
      expected: { kind: 'hold', reason: 'target-tracking' },
    },
  ]
  it.each(rows)('$name', (row) => {
    const queue = queueOf(row.queue ?? direct)
    const counts = countsOf(row.visible ?? 0, row.notVisible)
    const emptySince = row.emptyForSeconds === undefined ? null : secondsAgo(row.emptyForSeconds)
    const surplus = row.surplus
      ? { since: secondsAgo(row.surplus.forSeconds), most: row.surplus.most }
      : null
    const { draining = 0, hooked = true } = row
    const snapshot = { counts, group: groupOf(row.group), draining, hooked }
    const decision = decide(queue, { ...snapshot, remembered: { emptySince, surplus } }, now)
    expect(summary(decision)).toEqual(row.expected)
  })

  it('holds a queue whose counts cannot be read, and says what was wrong with them', () => {
    const counts = { unreadable: 'ApproximateNumberOfMessages is missing' }
    expect(decide(queueOf(direct), { ...alone, counts, group: groupOf() }, now)).toEqual({
      kind: 'unreadable',
      reason: 'counts-unreadable',
      detail: 'ApproximateNumberOfMessages is missing',
    })
  })
})

describe('what a queue remembers', () => {
  const memoryOf = (visible: number, remembered: QueueMemory | null) => {
    const snapshot = { ...alone, counts: countsOf(visible), group: groupOf(), remembered }
    const decision = decide(queueOf(direct), snapshot, now)
    return decision.kind === 'unreadable' ? undefined : decision.memory
  }
  it('the first empty reading is now', () => {
    expect(memoryOf(0, null)).toEqual(emptyFor(0))
  })
  it('a further empty reading keeps the first', () => {
    expect(memoryOf(0, emptyFor(300))).toEqual(emptyFor(300))
  })
  it('a message ends it', () => {
    expect(memoryOf(1, emptyFor(300))?.emptySince).toBeNull()
  })
})

describe('what is published', () => {
  const measuresOf = (visible: number, group: Parameters<typeof groupOf>[0], queue = direct) => {
    const snapshot = { ...alone, counts: countsOf(visible), group: groupOf(group) }
    const decision = decide(queueOf(queue), snapshot, now)
    if (decision.kind === 'unreadable') throw new Error(decision.detail)
    return decision.measures
  }
  it('the backlog of each instance in service', () => {
    expect(measuresOf(30, { instances: { inService: 4 } }).backlogPerInstance).toBe(7.5)
  })
  it('pending, leaving, standby and unhealthy instances do not share the backlog', () => {
    const instances = { inService: 2, pending: 3, leaving: 4, standby: 5, unhealthy: 6 }
    expect(measuresOf(30, { instances }).backlogPerInstance).toBe(15)
  })
  it('with no instance, one message is at least twice the target', () => {
    const { backlogPerInstance, target } = measuresOf(1, {})
    expect(backlogPerInstance).toBeGreaterThanOrEqual(2 * target)
  })
  it('with no instance, a long backlog is itself, so that a policy leaves zero by enough', () => {
    expect(measuresOf(900, {}).backlogPerInstance).toBe(900)
  })
  it('with neither instance nor message, nothing', () => {
    expect(measuresOf(0, {}).backlogPerInstance).toBe(0)
  })
  it('a target of the file is the one that zero instances breach', () => {
    const queue = { ...direct, scaling: { mode: 'direct', target: 400 } } as const
    expect(measuresOf(1, {}, queue as never).backlogPerInstance).toBe(800)
  })
  it('the seconds that the slots in service need', () => {
    const group = { slotsPerInstance: 2, instances: { inService: 3 } }
    expect(measuresOf(30, group).backlogSeconds).toBe(50)
  })
  it('the seconds from zero: a boot, and the slots of one instance', () => {
    expect(measuresOf(30, { slotsPerInstance: 2 }).backlogSeconds).toBe(120 + 150)
  })
  it('what is wanted beyond max', () => {
    expect(measuresOf(500, {})).toMatchObject({ wanted: 50, shortfall: 30 })
  })
})

describe('the plain rule', () => {
  it.each([
    [270, 10, 10],
    [180, 10, 1],
    [60, 10, 1],
    [240, 60, 2],
  ])('a promise of %i s and tasks of %i s: %i tasks a slot', (startWithin, task, expected) => {
    const queue = { startWithinSeconds: startWithin, bootSeconds: 120, taskSeconds: task }
    expect(tasksPerSlot(queue)).toBe(expected)
  })

  const workload = fc.record({
    startWithinSeconds: fc.integer({ min: 1, max: 86_400 }),
    bootSeconds: fc.integer({ min: 1, max: 900 }),
    taskSeconds: fc.double({ min: 0.01, max: 7_200, noNaN: true }),
  })
  const depth = fc.integer({ min: 0, max: 1_000_000 })
  const slots = fc.integer({ min: 1, max: 64 })

  it('never wants fewer for a longer backlog', () => {
    fc.assert(
      fc.property(workload, slots, depth, depth, (queue, c, a, b) => {
        const [less, more] = [Math.min(a, b), Math.max(a, b)]
        const wanted = (visible: number) => wantedCapacity(queue, c, countsOf(visible))
        expect(wanted(less)).toBeLessThanOrEqual(wanted(more))
      }),
    )
  })
  it('never wants more than a slot for each task, nor none for one', () => {
    fc.assert(
      fc.property(workload, slots, depth, depth, (queue, c, visible, notVisible) => {
        const wanted = wantedCapacity(queue, c, countsOf(visible, notVisible))
        expect(wanted).toBeLessThanOrEqual(Math.ceil((visible + notVisible) / c))
        expect(wanted > 0).toBe(visible + notVisible > 0)
      }),
    )
  })
})

describe('whatever the situation', () => {
  const size = fc.integer({ min: 0, max: 500 })
  const situation = fc.record({
    min: size,
    extra: size,
    minSize: size,
    extraSize: size,
    desired: size,
    visible: fc.integer({ min: 0, max: 100_000 }),
    notVisible: fc.integer({ min: 0, max: 100_000 }),
    emptyForSeconds: fc.option(fc.integer({ min: 0, max: 3_600 })),
    surplus: fc.option(
      fc.record({ forSeconds: fc.integer({ min: 0, max: 7_200 }), most: fc.nat({ max: 60 }) }),
    ),
    draining: fc.integer({ min: 0, max: 5 }),
    hooked: fc.boolean(),
  })
  type Situation = typeof situation extends fc.Arbitrary<infer S> ? S : never
  const resolve = (s: Situation): { queue: QueueConfig; group: Group } => {
    const scaling = { mode: 'direct', min: s.min, max: Math.max(1, s.min + s.extra) }
    const [minSize, maxSize] = [s.minSize, s.minSize + s.extraSize]
    // A group's desired capacity is always within its own bounds.
    const desired = Math.min(Math.max(s.desired, minSize), maxSize)
    return { queue: queueOf({ ...direct, scaling }), group: groupOf({ minSize, maxSize, desired }) }
  }
  const decideFor = (s: Situation, visible = s.visible) => {
    const { queue, group } = resolve(s)
    const emptySince = s.emptyForSeconds === null ? null : secondsAgo(s.emptyForSeconds)
    const surplus = s.surplus && { since: secondsAgo(s.surplus.forSeconds), most: s.surplus.most }
    const counts = countsOf(visible, s.notVisible)
    const snapshot = { counts, group, draining: s.draining, hooked: s.hooked }
    const remembered = { emptySince, surplus }
    return { queue, group, decision: decide(queue, { ...snapshot, remembered }, now) }
  }

  it('a resize stays within the bounds of the file and the group, and changes something', () => {
    fc.assert(
      fc.property(situation, (s) => {
        const { queue, group, decision } = decideFor(s)
        if (decision.kind !== 'resize') return
        expect(decision.desired).toBeLessThanOrEqual(group.maxSize)
        expect(decision.desired).toBeGreaterThanOrEqual(group.minSize)
        const max = Math.min(queue.max ?? Number.POSITIVE_INFINITY, group.maxSize)
        expect(decision.desired).toBeLessThanOrEqual(Math.max(max, group.minSize))
        expect(decision.desired).not.toBe(group.desired)
      }),
    )
  })
  it('while anything waits or runs, only a drain and half an hour of surplus scale in', () => {
    fc.assert(
      fc.property(situation, (s) => {
        const { group, decision } = decideFor(s)
        const surplus = s.hooked && (s.surplus?.forSeconds ?? 0) >= 1_800
        if (s.visible + s.notVisible === 0 || surplus) return
        const to = decision.kind === 'resize' ? decision.desired : group.desired
        expect(to).toBeGreaterThanOrEqual(group.desired)
      }),
    )
  })
  it('a longer backlog never ends with fewer instances', () => {
    fc.assert(
      fc.property(situation, fc.integer({ min: 1, max: 100_000 }), (s, more) => {
        const end = (visible: number) => {
          const { group, decision } = decideFor(s, visible)
          return decision.kind === 'resize' ? decision.desired : group.desired
        }
        expect(end(s.visible)).toBeLessThanOrEqual(end(s.visible + more))
      }),
    )
  })
  it('deciding again after the resize holds', () => {
    fc.assert(
      fc.property(situation, (s) => {
        const { queue, group, decision } = decideFor(s)
        if (decision.kind !== 'resize') return
        const counts = countsOf(s.visible, s.notVisible)
        const next = { ...group, desired: decision.desired }
        const { draining, hooked } = s
        const snapshot = { counts, group: next, draining, hooked, remembered: decision.memory }
        const again = decide(queue, snapshot, now)
        expect(again.kind).toBe('hold')
      }),
    )
  })
})
