import { describe, expect, it } from 'vitest'
import {
  bootedSeconds,
  capacityOf,
  type Launches,
  staying,
  stillBooting,
} from '../shared/sizing/capacity.ts'
import type { Sensed } from '../shared/sizing/types.ts'
import { sensedOf, workloadOf } from './sizing/looks.ts'

/** What a look says of the group: who works, who boots, what runs. */

describe('instances that stay', () => {
  const rows: [string, Partial<Sensed>, ReturnType<typeof staying>][] = [
    ['all', { inService: 5, desired: 5 }, { inService: 5, pending: 0 }],
    ['pending ones boot', { inService: 3, pending: 2, desired: 5 }, { inService: 3, pending: 2 }],
    [
      'desired ones that are nowhere boot',
      { inService: 3, desired: 5 },
      { inService: 3, pending: 2 },
    ],
    ['doomed, in service', { inService: 5, doomed: 2, desired: 5 }, { inService: 3, pending: 0 }],
    ['doomed, apart', { inService: 3, doomed: 2, desired: 5 }, { inService: 3, pending: 0 }],
    [
      'draining, in service',
      { inService: 5, draining: 2, desired: 3 },
      { inService: 3, pending: 0 },
    ],
    ['draining, apart', { inService: 3, draining: 2, desired: 3 }, { inService: 3, pending: 0 }],
    [
      'draining, in service, and others boot',
      { inService: 5, draining: 2, pending: 4, desired: 7 },
      { inService: 3, pending: 4 },
    ],
    [
      'draining, apart, and others boot',
      { inService: 3, draining: 2, pending: 4, desired: 7 },
      { inService: 3, pending: 4 },
    ],
    ['all doomed', { inService: 2, doomed: 2, desired: 2 }, { inService: 0, pending: 0 }],
    ['doomed beyond what is desired', { doomed: 2 }, { inService: 0, pending: 0 }],
  ]
  it.each(rows)('%s', (_, sensed, expected) => {
    expect(staying(sensedOf(sensed))).toEqual(expected)
  })

  it.each<[string, Partial<Sensed>, number]>([
    ['all of what is in flight', { notVisible: 7 }, 7],
    ['no more than their slots: the rest is prefetched or orphaned', { notVisible: 90 }, 20],
    ['less half of the slots of those that drain, and one', { notVisible: 9, draining: 2 }, 4],
    ['less all slots of those that are doomed', { notVisible: 9, doomed: 2 }, 1],
    ['never less than none', { notVisible: 1, doomed: 2 }, 0],
  ])('run %s', (_, sensed, expected) => {
    const look = sensedOf({ inService: 5, desired: 5 + (sensed.doomed ?? 0), ...sensed })
    const { capacity } = capacityOf(workloadOf({ slots: 4 }), look, null)
    expect(capacity.running).toBe(expected)
  })
})

describe('launches', () => {
  const boot = 120
  const known = [
    { at: 100, count: 3 },
    { at: 200, count: 2 },
  ]
  type Row = [string, { present: number; inService: number; pending: number }, number, Launches]
  const rows: Row[] = [
    ['all are pending', { present: 5, inService: 0, pending: 5 }, 210, known],
    ['in service, but younger than a boot', { present: 5, inService: 5, pending: 0 }, 210, known],
    [
      'the first have had their boot: they are up',
      { present: 5, inService: 5, pending: 0 },
      230,
      [{ at: 200, count: 2 }],
    ],
    [
      'the first have had their boot and are pending still',
      { present: 5, inService: 1, pending: 4 },
      230,
      [
        { at: 100, count: 2 },
        { at: 200, count: 2 },
      ],
    ],
    [
      'more are there than at the last look: launched since',
      { present: 5, inService: 9, pending: 0 },
      210,
      [...known, { at: 205, count: 4 }],
    ],
    [
      'as many are there, but more are pending: launched since, in place of others',
      { present: 9, inService: 3, pending: 6 },
      210,
      [...known, { at: 205, count: 1 }],
    ],
    ['none are there', { present: 5, inService: 0, pending: 0 }, 210, []],
    [
      'fewer are there than were launched: the newest count',
      { present: 5, inService: 3, pending: 0 },
      210,
      [
        { at: 100, count: 1 },
        { at: 200, count: 2 },
      ],
    ],
  ]
  it.each(rows)('%s', (_, { present, ...staying }, now, expected) => {
    expect(stillBooting({ at: 205, present, launches: known }, staying, now, boot)).toEqual(
      expected,
    )
  })
  it('that a first look finds pending begin with it', () => {
    const found = stillBooting(null, { inService: 7, pending: 2 }, 500, boot)
    expect(found).toEqual([{ at: 500, count: 2 }])
  })
  it('have been booting for their mean time', () => {
    expect(bootedSeconds(known, 300)).toBe((3 * 200 + 2 * 100) / 5)
    expect(bootedSeconds([], 300)).toBe(0)
  })
  it('that Auto Scaling has in service take no work yet', () => {
    const workload = workloadOf({ bootSeconds: boot })
    const before = { at: 940, present: 3, launches: [] }
    const { capacity } = capacityOf(
      workload,
      sensedOf({ now: 1_000, inService: 5, desired: 5 }),
      before,
    )
    expect(capacity).toMatchObject({ working: 3, booting: 2, bootedSeconds: 60, oldestSeconds: 60 })
  })
})
