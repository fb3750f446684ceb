import { check, double, integer, property } from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type Due,
  decide,
  dueOf,
  type Known,
  plan,
  rehearsalsMax,
  type Seen,
} from '../functions/forecast/decide.ts'
import { historyOf } from '../shared/forecast/history.ts'
import { type ServiceInputs, serviceTime } from '../shared/forecast/service.ts'
import type { KeptOutlook, Rehearsal } from '../shared/outlook.ts'
import { hash } from '../shared/shards.ts'
import { firstConstants } from '../shared/sizing/types.ts'
import { groupOf, queueOf } from './fixtures.ts'

/** What is due for a queue and what its history says: pure, rows by hand. */

const hour = 3_600
const day = 24 * hour
// Midnight, so that the hour of a day can be read off.
const midnight = Date.parse('2026-02-03T00:00:00Z') / 1_000
const none = Number.NaN

const queue = queueOf({ startWithin: '5m', bootTime: '2m', taskTime: '20s' })
const group = groupOf({ slotsPerInstance: 2, instances: { inService: 3 } })
const ownHour = hash(queue.name) % 24
/** A moment of the queue's own hour, so many days and hours later. */
const own = (days = 0, hours = 0) => midnight + ownHour * hour + days * day + hours * hour + 60

const workload = {
  ...{ startWithinSeconds: 300, bootSeconds: 120, tickSeconds: 60, slots: 2, taskSeconds: 20 },
}
const rehearsedAt = (at: number, changed: Partial<Rehearsal['workload']> = {}): Rehearsal => ({
  at,
  workload: { ...workload, ...changed },
  constants: { ...firstConstants, spend: 0.5 },
  outcome: { kept: 0.999, instanceHours: 10 },
  tried: 40,
})
const keptAt = (at: number, rest: Partial<KeptOutlook> = {}): KeptOutlook => ({
  ...{ at, historyFrom: at - 10 * day, profiles: {} },
  service: { seconds: null, source: 'too-few-deletes', done: 0 },
  rehearsal: rehearsedAt(at),
  ...rest,
})
const knownAs = (reading: Known['reading']): Known => ({ queue, group, reading })

describe('a rehearsal', () => {
  type Row = { name: string; reading: Known['reading']; now: number; due: Due | null }
  const rows: Row[] = [
    { name: 'is due where nothing was ever written', reading: null, now: own(), due: 'first' },
    { name: 'where it cannot be read', reading: 'unreadable', now: own(), due: 'first' },
    {
      name: 'where there was none for lack of history, and now there are two days',
      reading: keptAt(own(), { rehearsal: null, historyFrom: own(-3) }),
      now: own(0, 1),
      due: 'first',
    },
    {
      name: 'is not due where history is short',
      reading: keptAt(own(), { rehearsal: null, historyFrom: own(-2) }),
      now: own(0, 0),
      due: null,
    },
    {
      name: 'is not due where there is no history',
      reading: keptAt(own(), { rehearsal: null, historyFrom: null }),
      now: own(0, 1),
      due: null,
    },
    {
      name: 'is not due an hour before the own hour',
      reading: keptAt(own()),
      now: own(0, 23),
      due: null,
    },
    {
      name: 'is due in the own hour of the next day',
      reading: keptAt(own()),
      now: own(1),
      due: 'daily',
    },
    {
      name: 'is due later that day, where the hour was missed',
      reading: keptAt(own()),
      now: own(1, 5),
      due: 'daily',
    },
    {
      name: 'is not due in the own hour that comes soon after a first rehearsal',
      reading: keptAt(own(0, -2)),
      now: own(),
      due: null,
    },
    {
      name: 'is due in the one after that',
      reading: keptAt(own(0, -2)),
      now: own(1),
      due: 'daily',
    },
    ...(['startWithinSeconds', 'bootSeconds', 'tickSeconds', 'slots'] as const).map((field) => ({
      name: `is due at once where ${field} has changed`,
      reading: keptAt(own(), { rehearsal: rehearsedAt(own(), { [field]: 7 }) }),
      now: own(0, 1),
      due: 'changed' as const,
    })),
    {
      name: 'is due at once where tasks take half as long again',
      reading: keptAt(own(), { service: { seconds: 30, source: 'group-metrics', done: 900 } }),
      now: own(0, 1),
      due: 'changed',
    },
    {
      name: 'is not due where they take a little longer',
      reading: keptAt(own(), { service: { seconds: 25, source: 'group-metrics', done: 900 } }),
      now: own(0, 1),
      due: null,
    },
  ]
  it.each(rows)('$name', ({ reading, now, due }) => {
    expect(dueOf(knownAs(reading), now)).toBe(due)
  })

  it('is due once a day, whatever the hour of the first', () => {
    check(
      property(integer({ min: 0, max: 23 }), (start) => {
        let kept = keptAt(midnight + start * hour)
        let times = 0
        for (let hours = 1; hours <= 10 * 24; hours++) {
          const now = midnight + (start + hours) * hour
          const due = dueOf(knownAs({ ...kept, historyFrom: midnight - 30 * day }), now)
          if (due) times++
          kept = keptAt(now, { rehearsal: due ? rehearsedAt(now) : kept.rehearsal })
        }
        return times >= 9 && times <= 10
      }),
    )
  })
})

describe('a run', () => {
  const many = (count: number, reading: (index: number) => Known['reading']) =>
    Array.from({ length: count }, (_, index) => ({
      ...knownAs(reading(index)),
      queue: { ...queue, name: `queue-${index}` },
    }))
  const kinds = (known: Known[], now: number) => plan(known, now).map(({ kind }) => kind)

  it('leaves alone what was written a moment ago', () => {
    expect(kinds([knownAs(keptAt(own()))], own() + 60)).toEqual(['fresh'])
  })
  it('forecasts again an hour later, however early the schedule', () => {
    expect(kinds([knownAs(keptAt(own()))], own() + hour - 600)).toEqual(['forecast'])
  })
  it.each([
    [1, 10],
    [70, 12],
    [1_000, 167],
  ])('of %i queues rehearses %i at most', (queues, most) => {
    expect(rehearsalsMax(queues)).toBe(most)
  })
  it('forecasts those that it does not rehearse yet, and before the others', () => {
    const tasks = plan(
      many(70, () => null),
      own(),
    )
    expect(tasks.map(({ kind }) => kind)).toEqual([
      ...Array(58).fill('forecast'),
      ...Array(12).fill('rehearse'),
    ])
  })
  it('rehearses first what never was, then what has changed, then the oldest', () => {
    const known = many(70, (index) => {
      if (index < 2) return null
      if (index < 4) return keptAt(own(), { rehearsal: rehearsedAt(own(), { slots: 9 }) })
      return keptAt(own(), { rehearsal: rehearsedAt(own() - index * hour - 2 * day) })
    })
    const rehearsed = plan(known, own(0, 2)).filter(({ kind }) => kind === 'rehearse')
    expect(rehearsed.map(({ queue: { name } }) => Number(name.slice(6)))).toEqual([
      ...[0, 1, 2, 3],
      ...[69, 68, 67, 66, 65, 64, 63, 62],
    ])
  })
})

const minutesOf = (values: readonly number[], from = 0) => ({ from, stepSeconds: 60, values })

describe('a history', () => {
  it('has no arrivals where nothing was measured between two values', () => {
    const history = historyOf(minutesOf([3, none, none, 5]))
    expect(history).toEqual({ from: 0, counts: Float64Array.from([3, 0, 0, 5]) })
  })
  it('begins with the first value: before it, nobody knows', () => {
    expect(historyOf(minutesOf([none, none, 7, 1], 600))?.from).toBe(720)
  })
  it('is none where nothing was ever measured', () => {
    expect(historyOf(minutesOf([none, none]))).toBeNull()
  })
  it('shares a longer step out over its minutes', () => {
    const history = historyOf({ from: 0, stepSeconds: 300, values: [10, 5] })
    expect(Array.from(history?.counts ?? [])).toEqual([2, 2, 2, 2, 2, 1, 1, 1, 1, 1])
  })
  it('has all that was measured', () => {
    check(
      property(integer({ min: 1, max: 60 }), integer({ min: 0, max: 999 }), (steps, value) => {
        const values = Array.from({ length: steps }, (_, step) => (step % 3 ? value : none))
        const history = historyOf({ from: 0, stepSeconds: 300, values: [1, ...values] })
        const sum = Array.from(history?.counts ?? []).reduce((all, count) => all + count, 0)
        const measured = values.filter((one) => !Number.isNaN(one)).length * value + 1
        return Math.abs(sum - measured) < 1e-6 * measured
      }),
    )
  })
})

const steps = (count: number, value: number) => ({
  ...{ from: 0, stepSeconds: 300, values: Float64Array.from({ length: count }, () => value) },
})
/** A day of so many in flight, deletes in five minutes and instances of two slots. */
const dayOf = (flying: number, deleted: number, inService = none): ServiceInputs => ({
  notVisible: steps(288, flying),
  deleted: steps(288, deleted),
  inService: steps(288, inService),
  ...{ slotsPerInstance: 2, inServiceNow: 3 },
})

describe("the mean service time, by Little's law", () => {
  it.each([
    ['what is in flight over what is deleted', dayOf(4, 60, 3), 20, 'group-metrics'],
    ['never more runs than there are slots', dayOf(90, 60, 3), 30, 'group-metrics'],
    ['without the group, the last hour and the slots of now', dayOf(4, 60), 20, 'group-now'],
    [
      'without the group, what is held by nobody tells nothing',
      dayOf(90, 60),
      null,
      'slots-unknown',
    ],
    ['nor do deletes of which nothing was seen to run', dayOf(0, 60, 3), null, 'slots-unknown'],
    ['thirty tasks at least', dayOf(1, 0.1, 3), null, 'too-few-deletes'],
    ['a day of nothing', dayOf(none, none, none), null, 'too-few-deletes'],
  ] as const)('%s', (_, inputs, seconds, source) => {
    expect(serviceTime(inputs)).toMatchObject({ seconds, source })
  })

  it('is that of the steps in which the group was measured', () => {
    const inService = steps(288, 3)
    inService.values.fill(none, 0, 144)
    const notVisible = steps(288, 2)
    notVisible.values.fill(6, 0, 144)
    const told = serviceTime({ ...dayOf(0, 60), inService, notVisible })
    expect(told).toEqual({ seconds: 10, source: 'group-metrics', done: 144 * 60 })
  })

  it('is what went in, at any rate and number of slots', () => {
    const positive = double({ min: 0.5, max: 500, noNaN: true })
    check(
      property(positive, positive, (seconds, perStep) => {
        const flying = (seconds * perStep) / 300
        const told = serviceTime(dayOf(flying, perStep, Math.ceil(flying / 2)))
        return Math.abs((told.seconds ?? 0) - seconds) < 1e-6 * seconds
      }),
    )
  })
})

describe('the outlook', () => {
  const now = midnight + 15 * day
  const sentFor = (seconds: number, stepSeconds = 300): Seen['sent'] => ({
    ...{ from: now - seconds, stepSeconds },
    values: Float64Array.from({ length: seconds / stepSeconds }, () => stepSeconds / 60),
  })
  const { slotsPerInstance, inServiceNow, ...service } = dayOf(4, 60, 3)
  const seenOf = (seen: Partial<Seen>): Seen => ({
    ...knownAs(null),
    ...{ kind: 'forecast', due: null, service, sent: sentFor(14 * day) },
    ...seen,
  })
  const nothing = { ...sentFor(14 * day), values: Float64Array.from({ length: 4_032 }, () => none) }

  it('has every season of two weeks, and the service time', () => {
    const { reason, outlook } = decide(seenOf({}), now)
    expect(reason).toBe('forecast')
    expect(Object.keys(outlook.profiles)).toHaveLength(6)
    const counts = Array.from(outlook.profiles['a day ago']?.counts ?? [])
    expect(counts.every((count) => count === 5)).toBe(true)
    expect(outlook).toMatchObject({ at: now, rehearsal: null, service: { seconds: 20 } })
  })
  it('of three days has the seasons that fit', () => {
    const { outlook } = decide(seenOf({ sent: sentFor(3.5 * day) }), now)
    expect(Object.keys(outlook.profiles)).not.toContain('a week ago')
    expect(Object.keys(outlook.profiles)).toContain('last 3 days')
  })
  it('keeps the constants of a day whose hour it is not', () => {
    const before = keptAt(now - hour)
    const { outlook } = decide(seenOf({ reading: before }), now)
    expect(outlook.rehearsal).toEqual(before.rehearsal)
  })
  it('of a queue without a history says so, and keeps what it had', () => {
    const before = keptAt(now - hour)
    const { reason, outlook } = decide(seenOf({ reading: before, sent: nothing }), now)
    expect(reason).toBe('no-history')
    expect(outlook).toMatchObject({ historyFrom: null, profiles: {} })
    expect(outlook.rehearsal).toEqual(before.rehearsal)
  })
  it('of a queue that is due and a day old says that it is too short', () => {
    const seen = seenOf({ kind: 'rehearse', due: 'first', sent: sentFor(1.5 * day, 60) })
    const { reason, outlook } = decide(seen, now)
    expect(reason).toBe('too-short-history')
    expect(outlook).toMatchObject({ historyFrom: now - 1.5 * day, rehearsal: null })
  })
  it('of a queue that is due has constants for the service time that was measured', () => {
    const seen = seenOf({ kind: 'rehearse', due: 'first', sent: sentFor(4 * day, 60) })
    const decision = decide(seen, now)
    expect(decide(seen, now)).toEqual(decision)
    const { reason, outlook } = decision
    expect(reason).toBe('rehearsed')
    expect(outlook.rehearsal).toMatchObject({ at: now, workload: { taskSeconds: 20, slots: 2 } })
    expect(outlook.rehearsal?.outcome.kept).toBeGreaterThan(0.99)
  })
})
