import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Claim, share } from '../functions/backlog/share.ts'
import type { Limit } from '../shared/queue-config.ts'

/** What a fleet's limits leave to each queue. */

const none = { instances: 0, vcpus: 0, dollarsPerHour: 0 }

type Settings = Partial<Omit<Claim, 'need' | 'instance'>> & {
  readonly need?: Partial<Claim['need']>
  readonly vcpus?: number
}

function claimOf(queue: string, { need = {}, vcpus = 2, ...own }: Settings = {}): Claim {
  const present = own.present ?? 0
  return {
    ...{ queue, priority: 0, min: 0, present, held: present, wanted: present },
    ...own,
    instance: { instances: 1, vcpus, dollarsPerHour: 0.1 },
    need: {
      ...{ visible: 10, ageSeconds: 0, serviceSeconds: 60, slots: 1, startWithinSeconds: 300 },
      ...need,
    },
  }
}

const atMost = (instances: number): Limit[] => [{ name: 'instances', most: instances }]
const sharesOf = (limits: readonly Limit[], ...claims: Claim[]) =>
  Object.fromEntries([...share(limits, claims, none)].map(([name, one]) => [name, one.desired]))

describe('the limit of a fleet', () => {
  const rows: [string, Limit[], Claim[], Record<string, number>][] = [
    [
      'is no matter while all fit',
      atMost(10),
      [claimOf('a', { wanted: 6 }), claimOf('b', { wanted: 4 })],
      { a: 6, b: 4 },
    ],
    [
      'goes to the higher priority first',
      atMost(10),
      [claimOf('a', { wanted: 8 }), claimOf('b', { wanted: 8, priority: 1 })],
      { a: 2, b: 8 },
    ],
    [
      'is shared alike by equals that need the same',
      atMost(10),
      [claimOf('a', { wanted: 8 }), claimOf('b', { wanted: 8 })],
      { a: 5, b: 5 },
    ],
    [
      'goes to whose promise is nearer to breaking, among equals',
      atMost(8),
      [claimOf('a', { wanted: 8 }), claimOf('b', { wanted: 8, need: { visible: 30 } })],
      { a: 2, b: 6 },
    ],
    [
      'goes to what waits before what is foreseen',
      atMost(8),
      [claimOf('a', { wanted: 8, need: { visible: 0 } }), claimOf('b', { wanted: 8 })],
      { a: 0, b: 8 },
    ],
    [
      'goes to mins first, whatever the priority',
      atMost(10),
      [claimOf('a', { wanted: 9, priority: 3 }), claimOf('b', { wanted: 5, min: 4 })],
      { a: 6, b: 4 },
    ],
    [
      'takes nothing from an equal',
      atMost(8),
      [claimOf('a', { present: 8 }), claimOf('b', { wanted: 5, need: { ageSeconds: 900 } })],
      { a: 8, b: 0 },
    ],
    [
      'takes from a lower priority, down to its min, and gives it when it has gone',
      atMost(8),
      [claimOf('a', { present: 8, min: 3 }), claimOf('b', { wanted: 7, priority: 1 })],
      { a: 3, b: 0 },
    ],
    [
      'takes no more while what was taken still leaves',
      atMost(8),
      [claimOf('a', { present: 4, wanted: 8, held: 8 }), claimOf('b', { wanted: 4, priority: 1 })],
      { a: 4, b: 0 },
    ],
    [
      'gives what was taken as it leaves',
      atMost(8),
      [claimOf('a', { present: 4, wanted: 8, held: 6 }), claimOf('b', { wanted: 4, priority: 1 })],
      { a: 4, b: 2 },
    ],
    [
      'counts what a queue itself gives up when it has left',
      atMost(8),
      [claimOf('a', { present: 8, wanted: 2 }), claimOf('b', { wanted: 4 })],
      { a: 2, b: 0 },
    ],
    [
      'leaves room for the next in turn where an instance of it does not fit',
      [{ name: 'vcpus', most: 10 }],
      [claimOf('a', { wanted: 3, priority: 1, vcpus: 4 }), claimOf('b', { wanted: 5, vcpus: 1 })],
      { a: 2, b: 0 },
    ],
    [
      'that was lowered is returned to by those who would be raised last',
      atMost(6),
      [claimOf('a', { present: 6, priority: 1 }), claimOf('b', { present: 6, min: 1 })],
      { a: 5, b: 1 },
    ],
    [
      'of dollars is met to the cent',
      [{ name: 'dollarsPerHour', most: 0.3 }],
      [claimOf('a', { wanted: 5 })],
      { a: 3 },
    ],
  ]
  it.each(rows)('%s', (_, limits, claims, expected) => {
    expect(sharesOf(limits, ...claims)).toEqual(expected)
  })

  it('counts what others have', () => {
    const shares = share(atMost(10), [claimOf('a', { wanted: 9 })], { ...none, instances: 4 })
    expect(shares.get('a')?.desired).toBe(6)
  })

  it('says what was cut, by which limit, who has most of it and whose promise breaks', () => {
    const claims = [
      claimOf('late', { wanted: 4, need: { visible: 90 } }),
      claimOf('calm', { wanted: 8, need: { visible: 0 } }),
      claimOf('first', { wanted: 8, priority: 1 }),
    ]
    const shares = share(atMost(10), claims, none)
    expect(shares.get('first')?.cut).toBeNull()
    expect(shares.get('late')?.cut).toEqual({
      ...{ limit: 'instances', instances: 2, got: ['first'], breaks: true },
    })
    expect(shares.get('calm')?.cut).toMatchObject({ got: ['first', 'late'], breaks: false })
  })
})

const claims = fc
  .array(
    fc.record({
      priority: fc.integer({ min: -2, max: 2 }),
      vcpus: fc.constantFrom(1, 2, 4),
      min: fc.integer({ min: 0, max: 3 }),
      present: fc.integer({ min: 0, max: 12 }),
      leaving: fc.integer({ min: 0, max: 3 }),
      wanted: fc.integer({ min: 0, max: 12 }),
      visible: fc.integer({ min: 0, max: 100 }),
      ageSeconds: fc.integer({ min: 0, max: 400 }),
    }),
    { minLength: 1, maxLength: 6 },
  )
  .map((list) =>
    list.map(({ leaving, visible, ageSeconds, wanted, ...own }, index) =>
      claimOf(`q${index}`, {
        ...own,
        ...{ held: own.present + leaving, wanted: Math.max(wanted, own.min) },
        need: { visible, ageSeconds },
      }),
    ),
  )
const limits = fc
  .tuple(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 1, max: 120 }))
  .map(([instances, vcpus]): Limit[] => [
    { name: 'instances', most: instances },
    { name: 'vcpus', most: vcpus },
  ])

describe('whatever the claims', () => {
  const check = (property: (limits: Limit[], claims: Claim[]) => void) =>
    fc.assert(fc.property(limits, claims, property), { numRuns: 300 })

  it('no raise exceeds a limit', () => {
    check((limits, claims) => {
      const shares = share(limits, claims, none)
      const desiredOf = ({ queue }: Claim) => shares.get(queue)?.desired ?? 0
      if (claims.every((claim) => desiredOf(claim) <= claim.present)) return
      for (const { name, most } of limits) {
        const used = claims.map(
          (claim) =>
            (claim.held + Math.max(0, desiredOf(claim) - claim.present)) *
            (claim.instance[name] ?? 0),
        )
        expect(used.reduce((sum, one) => sum + one)).toBeLessThanOrEqual(most)
      }
    })
  })

  it('the order of the queues makes no difference', () => {
    check((limits, claims) => {
      const all = (list: readonly Claim[]) => Object.fromEntries(share(limits, list, none))
      expect(all(claims.toReversed())).toEqual(all(claims))
    })
  })

  it('without limits everyone gets what it wants', () => {
    check((_, claims) => {
      const wants = Object.fromEntries(claims.map(({ queue, wanted }) => [queue, wanted]))
      expect(sharesOf([], ...claims)).toEqual(wants)
    })
  })

  it('nobody gets more than it wants, and nothing is taken below a min', () => {
    check((limits, claims) => {
      const shares = share(limits, claims, none)
      for (const { queue, wanted, present, min } of claims) {
        const desired = shares.get(queue)?.desired ?? -1
        expect(desired).toBeLessThanOrEqual(wanted)
        expect(desired).toBeGreaterThanOrEqual(Math.min(present, wanted, min))
      }
    })
  })

  it('a higher priority fares no worse than a lower one with the same need', () => {
    check((limits, [first, ...others]) => {
      if (!first) return
      const twin = { ...first, queue: 'twin', priority: first.priority + 1 }
      const shares = sharesOf(limits, first, twin, ...others)
      expect(shares['twin']).toBeGreaterThanOrEqual(shares[first.queue] ?? 0)
    })
  })
})
