import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Decision, decide } from '../functions/backlog/decide.ts'
import { tasksPerSlot } from '../functions/backlog/sizing.ts'
import type { Group } from '../shared/fleet.ts'
import type { QueueConfig } from '../shared/queue-config.ts'
import type { Memory } from '../shared/sizing/step.ts'
import { noOutlook } from '../shared/sizing/types.ts'
import { countsOf, groupOf, queueOf } from './fixtures.ts'

const now = Date.parse('2026-01-06T15:00:00Z')
const secondsAgo = (seconds: number) => now - seconds * 1_000
/** What is remembered of a queue that looked like that each minute until a minute ago. */
function rememberedOf(
  queue: QueueConfig,
  group: Group,
  look: { visible: number; notVisible: number },
  minutes: number,
): Memory | null {
  let remembered: Memory | null = null
  for (let minute = minutes; minute >= 1; minute--) {
    const counts = countsOf(look.visible, look.notVisible)
    const decision = decide(queue, { ...alone, counts, group, remembered }, secondsAgo(minute * 60))
    if (decision.kind !== 'unreadable') remembered = decision.memory
  }
  return remembered
}

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
  ...('desired' in decision ? { desired: decision.desired } : {}),
})

const alone = { draining: 0, asked: false, hooked: true, outlook: noOutlook, remembered: null }

type Row = {
  name: string
  queue?: object
  visible?: number
  notVisible?: number
  group?: Parameters<typeof groupOf>[0]
  lookedForMinutes?: number
  draining?: number
  hooked?: boolean
  expected: ReturnType<typeof summary>
}

describe('what a queue decides', () => {
  const full = { desired: 10, instances: { inService: 10 } }
  const rows: Row[] = [
    {
      name: 'one message on a first look leaves zero',
      visible: 1,
      expected: { kind: 'resize', reason: 'backlog', desired: 1 },
    },
    {
      name: 'four slots an instance need a quarter of the instances',
      visible: 4,
      group: { slotsPerInstance: 4 },
      expected: { kind: 'resize', reason: 'backlog', desired: 1 },
    },
    {
      name: 'more than the group may have: all it may have, and a shortfall',
      visible: 5_000,
      expected: { kind: 'resize', reason: 'capped-by-max', desired: 20 },
    },
    {
      name: "the file's max binds before the group's",
      queue: { ...direct, scaling: { mode: 'direct', max: 5 } },
      visible: 5_000,
      expected: { kind: 'resize', reason: 'capped-by-max', desired: 5 },
    },
    {
      name: 'already at max: hold, and say what is missing',
      visible: 5_000,
      group: { desired: 20, instances: { inService: 20 } },
      expected: { kind: 'hold', reason: 'capped-by-max' },
    },
    {
      name: 'fewer desired than min, with nothing to do',
      queue: { ...direct, scaling: { mode: 'direct', min: 2 } },
      group: { desired: 1, instances: { inService: 1 } },
      expected: { kind: 'resize', reason: 'below-min', desired: 2 },
    },
    {
      name: 'a min above the group is as much of it as the group allows',
      queue: { ...direct, scaling: { mode: 'direct', min: 50 } },
      expected: { kind: 'resize', reason: 'below-min', desired: 20 },
    },
    {
      name: 'nothing is removed on a first look, whatever it shows',
      group: full,
      expected: { kind: 'hold', reason: 'settling' },
    },
    {
      name: 'nothing is removed after four minutes either',
      group: full,
      lookedForMinutes: 4,
      expected: { kind: 'hold', reason: 'settling' },
    },
    {
      name: 'empty for ten minutes: down to nothing',
      group: full,
      lookedForMinutes: 10,
      expected: { kind: 'resize', reason: 'idle', desired: 0 },
    },
    {
      name: "idle goes down to the group's own minimum",
      group: { ...full, minSize: 3 },
      lookedForMinutes: 10,
      expected: { kind: 'resize', reason: 'idle', desired: 3 },
    },
    {
      name: 'two short tasks that run keep two instances, and one for chance',
      notVisible: 2,
      group: full,
      lookedForMinutes: 10,
      expected: { kind: 'fewer', reason: 'surplus', desired: 3 },
    },
    {
      name: 'but not where the group would end its victim as it works',
      notVisible: 2,
      group: full,
      lookedForMinutes: 10,
      hooked: false,
      expected: { kind: 'hold', reason: 'no-hook' },
    },
    {
      name: 'a doomed instance still counts in its group, and is replaced',
      queue: { ...direct, scaling: { mode: 'direct', min: 10 } },
      group: full,
      draining: 2,
      expected: { kind: 'resize', reason: 'below-min', desired: 12 },
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
    const group = groupOf(row.group)
    const look = { visible: row.visible ?? 0, notVisible: row.notVisible ?? 0 }
    const remembered = rememberedOf(queue, group, look, row.lookedForMinutes ?? 0)
    const { draining = 0, hooked = true } = row
    const counts = countsOf(look.visible, look.notVisible)
    const snapshot = { ...alone, counts, group, draining, hooked, remembered }
    expect(summary(decide(queue, snapshot, now))).toEqual(row.expected)
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
    const { wanted, shortfall } = measuresOf(5_000, {})
    expect(wanted).toBeGreaterThan(20)
    expect(shortfall).toBe(wanted - 20)
  })
})

describe('the target of a policy', () => {
  it.each([
    [270, 10, 10],
    [180, 10, 1],
    [60, 10, 1],
    [240, 60, 2],
  ])('a promise of %i s and tasks of %i s: %i tasks a slot', (startWithin, task, expected) => {
    const queue = { startWithinSeconds: startWithin, bootSeconds: 120, taskSeconds: task }
    expect(tasksPerSlot(queue)).toBe(expected)
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
    lookedForMinutes: fc.integer({ min: 0, max: 12 }),
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
    const look = { visible: s.visible, notVisible: s.notVisible }
    const remembered = rememberedOf(queue, group, look, s.lookedForMinutes)
    const counts = countsOf(visible, s.notVisible)
    const { draining, hooked } = s
    const snapshot = { ...alone, counts, group, draining, hooked, remembered }
    return { queue, group, snapshot, decision: decide(queue, snapshot, now) }
  }

  it('a resize stays within the bounds of the file and the group, and changes something', () => {
    fc.assert(
      fc.property(situation, (s) => {
        const { queue, group, decision } = decideFor(s)
        if (!('desired' in decision)) return
        expect(decision.desired).toBeLessThanOrEqual(group.maxSize)
        expect(decision.desired).toBeGreaterThanOrEqual(group.minSize)
        const max = Math.min(queue.max ?? Number.POSITIVE_INFINITY, group.maxSize)
        expect(decision.desired).toBeLessThanOrEqual(Math.max(max, group.minSize))
        expect(decision.desired).not.toBe(group.desired)
      }),
    )
  })
  it('nothing goes before five minutes of looks, nor a worker without a drain', () => {
    fc.assert(
      fc.property(situation, (s) => {
        const { queue, group, decision } = decideFor(s)
        if (!('desired' in decision) || decision.desired >= group.desired) return
        // More than the file allows goes at once.
        if (group.desired > (queue.max ?? group.maxSize)) return
        expect(s.lookedForMinutes).toBeGreaterThanOrEqual(5)
        expect(s.hooked || s.visible + s.notVisible === 0).toBe(true)
      }),
    )
  })
  it('a longer backlog never ends with fewer instances', () => {
    fc.assert(
      fc.property(situation, fc.integer({ min: 1, max: 100_000 }), (s, more) => {
        const end = (visible: number) => {
          const { group, decision } = decideFor(s, visible)
          return 'desired' in decision ? decision.desired : group.desired
        }
        expect(end(s.visible)).toBeLessThanOrEqual(end(s.visible + more))
      }),
    )
  })
  it('deciding again after the resize holds', () => {
    fc.assert(
      fc.property(situation, (s) => {
        const { queue, group, snapshot, decision } = decideFor(s)
        if (!('desired' in decision)) return
        const next = { ...group, desired: decision.desired }
        const remembered = decision.memory
        const again = decide(queue, { ...snapshot, group: next, remembered }, now)
        expect(again.kind).toBe('hold')
      }),
    )
  })
})
