import { describe, expect, it } from 'vitest'
import { daysOf } from '../shared/forecast/days.ts'
import type { History } from '../shared/forecast/history.ts'
import { rehearse } from '../shared/forecast/rehearse.ts'
import { replay } from '../shared/forecast/replay.ts'
import { search } from '../shared/forecast/search.ts'
import { type Constants, firstConstants } from '../shared/sizing/types.ts'
import { workloadOf } from './sizing/looks.ts'

/** The rehearsal: which constants it takes, of made-up outcomes and of days that were. */

const minutes = 1_440
const workload = workloadOf({ taskSeconds: 60, startWithinSeconds: 300, max: 60 })

/** So many days of that many arrivals a minute. */
const historyOf = (days: number, counts: (minute: number) => number) => ({
  from: 0,
  counts: Array.from({ length: days * minutes }, (_, minute) => counts(minute)),
})

const rehearsed = (history: History, cv2: number | null = 1, from = workload, seed = 1) =>
  rehearse(from, history, { cv2, last: firstConstants, seed })

describe('a search', () => {
  // Hours fall with what is spent on waiting, and beyond a share of it ever less is kept.
  const bowl = (limit: number) => (constants: Constants) => ({
    kept: 0.999 - 0.05 * Math.max(0, constants.spend - limit),
    instanceHours: 100 - 10 * constants.spend + constants.margin,
  })

  it.each([
    [0.9, { spend: 0.9, margin: 0 }],
    [0.35, { spend: 0.35, margin: 0 }],
  ])('takes the cheapest that keeps, where spending up to %d does', (limit, expected) => {
    expect(search([bowl(limit)], 1, firstConstants).constants).toMatchObject(expected)
  })
  it('takes what keeps most where nothing keeps enough', () => {
    const run = ({ margin }: Constants) => ({ kept: 0.9 + margin / 100, instanceHours: 100 })
    expect(search([run], 1, firstConstants).constants.margin).toBe(4.5)
  })
  it('goes on from the constants in use, and so stays where two places are as good', () => {
    // Two hollows, whose floors are no neighbours of each other.
    const run = ({ spend, holdSeconds }: Constants) => {
      const far = Math.min(Math.abs(spend - 0.1), Math.abs(spend - 0.9))
      return { kept: 1, instanceHours: 100 + far + Math.abs(holdSeconds - 240) / 1_000 }
    }
    const found = (spend: number) => search([run], 1, { ...firstConstants, spend }).constants
    expect(found(0.2)).toMatchObject({ spend: 0.1, holdSeconds: 240 })
    expect(found(0.8)).toMatchObject({ spend: 0.9, holdSeconds: 240 })
  })
  it('begins elsewhere where those in use are no longer to be had', () => {
    const last = { ...firstConstants, spend: 0.123 }
    expect(search([bowl(0.9)], 1, last)).toEqual(search([bowl(0.9)], 1, firstConstants))
  })
  it('tries fewer sets where each takes longer, and never less than two dozen', () => {
    const many = search([bowl(0.5)], 1, firstConstants).tried
    const few = search([bowl(0.5)], 1e9, firstConstants).tried
    expect(many).toBeGreaterThan(few)
    expect(few).toBeGreaterThanOrEqual(24)
  })
})

describe('a search on several copies of the days', () => {
  const dearer = (factor: number) => (constants: Constants) => ({
    kept: 1,
    instanceHours: factor * (100 - 50 * constants.spend + 5 * constants.margin),
  })

  it('asks no more of them about a set that is dear on the first, and so tries more sets', () => {
    // The cheapest is a long way off, with a dearer set beside each step.
    const far = ({ spend, margin, holdSeconds }: Constants) => ({
      kept: 1,
      instanceHours: 100 + 100 * spend - 20 * margin - holdSeconds / 5,
    })
    const one = search([far], 1e9, firstConstants)
    const four = search([far, far, far, far], 1e9, firstConstants)
    expect(four.tried).toBeGreaterThan(one.tried)
  })
  it('says what comes of all of them: the mean of the hours, the least that is kept', () => {
    const late = (constants: Constants) => ({ ...dearer(3)(constants), kept: 0.999 })
    const { constants, outcome } = search([dearer(1), late], 1, firstConstants)
    expect(constants).toMatchObject({ spend: 1, margin: 0 })
    expect(outcome).toEqual({ kept: 0.999, instanceHours: 100 })
  })
})

describe('a rehearsal', () => {
  const steady = historyOf(4, () => 20)

  it('of less than two days is none', () => {
    const short = historyOf(1.9, () => 20)
    expect(rehearsed(short)).toBeNull()
  })
  it('is the same for the same seed', () => {
    expect(rehearsed(steady, 1, workload, 7)).toEqual(rehearsed(steady, 1, workload, 7))
  })
  it('finds constants that keep the promise at about what the work takes', () => {
    const found = rehearsed(steady)
    expect(found?.outcome.kept).toBeGreaterThan(0.998)
    // Twenty a minute for a minute each, three days.
    expect(found?.outcome.instanceHours).toBeLessThan(1.1 * 20 * 72)
  })
  it('of days that were empty has a group that is', () => {
    const empty = historyOf(4, () => 0)
    expect(rehearsed(empty)?.outcome).toEqual({ kept: 1, instanceHours: 0 })
  })
  it('with a crowd beyond the max chooses as cheap as without it', () => {
    const crowd = (minute: number) => (Math.floor(minute / 60) === 80 ? 300 : 20)
    const found = rehearsed(historyOf(4, crowd))
    const work = 20 * 72 + 280
    expect(found?.outcome.instanceHours).toBeLessThan(1.1 * work)
    expect(found?.outcome.kept).toBeGreaterThan(0.998)
  })
  describe('of long tasks in bursts', () => {
    const long = workloadOf({ taskSeconds: 600, startWithinSeconds: 600, max: 500 })
    const history = historyOf(4, (minute) => (minute % 20 === 0 ? 30 : 0))
    const keptOf = (constants: Constants, cv2: number) => {
      const days = daysOf(long, history, minutes * 60, cv2, 1)
      const { started, late } = replay(long, days, constants).hours
      const sum = (counts: Int32Array) => counts.reduce((total, count) => total + count, 0)
      return 1 - sum(late) / sum(started)
    }

    it.each([0.5, 2.5])('whose spread nobody knows keeps it when that is %d', (cv2) => {
      const found = rehearsed(history, null, long)
      expect(keptOf(found?.constants ?? firstConstants, cv2)).toBeGreaterThan(0.995)
    })
    it('and a spread that is wrong does not', () => {
      const found = rehearsed(history, 2.5, long)
      expect(keptOf(found?.constants ?? firstConstants, 0.5)).toBeLessThan(0.995)
    })
  })
  it('chooses among what the constants may be', () => {
    const found = rehearsed(steady)
    expect(Object.keys(found?.constants ?? {})).toEqual(Object.keys(firstConstants))
  })
})

describe('days made anew', () => {
  const long = workloadOf({ taskSeconds: 300, startWithinSeconds: 300, max: 500 })
  const lateOf = (cv2: number) => {
    const days = daysOf(
      long,
      historyOf(4, () => 20),
      minutes * 60,
      cv2,
      1,
    )
    const { started, late } = replay(long, days, { ...firstConstants, spend: 1 }).hours
    const sum = (counts: Int32Array) => counts.reduce((total, count) => total + count, 0)
    return sum(late) / sum(started)
  }
  it('of tasks whose spread is wide keep less, with the same constants', () => {
    expect(lateOf(6)).toBeGreaterThan(lateOf(0.2))
  })
  it('have the mean that was said, whatever the spread', () => {
    for (const cv2 of [0.2, 1, 6]) {
      const { durations } = daysOf(
        long,
        historyOf(4, () => 20),
        minutes * 60,
        cv2,
        1,
      )
      const mean = durations.reduce((total, seconds) => total + seconds, 0) / durations.length
      expect(Math.abs(mean / 300 - 1)).toBeLessThan(0.1)
    }
  })
})
