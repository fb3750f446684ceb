import { describe, expect, it } from 'vitest'
import { fullBudget, spend, strained } from '../shared/sizing/budget.ts'
import {
  arrivalsOf,
  type Errors,
  forecast,
  isSeasonal,
  learn,
  noErrors,
  predictions,
  predictorNames,
  profileSum,
} from '../shared/sizing/predict.ts'
import {
  addArrivals,
  ageOfOldest,
  arrivalsSince,
  learnService,
  nothingDone,
  serviceSeconds,
} from '../shared/sizing/rates.ts'
import { firstConstants, type Profile, type Sensed } from '../shared/sizing/types.ts'
import { sensedOf } from './sizing/looks.ts'

/** The formulas beneath the sizing rule, on numbers that can be checked by hand. */

describe('arrivals of the last minutes', () => {
  // A minute of 60, one of 120, and half of a third with 30 so far.
  const last = { minute: 120, counts: [60, 120, 30] }
  const now = 150
  it.each([
    ['all of them', 0, 150, 210],
    ['what was before them is nothing', -600, 150, 210],
    ['half a minute has half of its arrivals', 90, 120, 60],
    ['across minutes', 90, 150, 90],
    ['the minute under way counts by the seconds that it has had', 135, 150, 15],
    ['a window that is none', 150, 150, 0],
  ])('%s', (_, from, until, expected) => {
    expect(arrivalsOf(last, now, from, until)).toBeCloseTo(expected, 9)
  })

  it.each([
    ['begin with the minute under way', null, { from: 90, until: 150, came: 30 }, 120, [15]],
    ['add to it', { minute: 120, counts: [5] }, { from: 130, until: 150, came: 10 }, 120, [15]],
    [
      'go into the minutes in which they came',
      { minute: 60, counts: [5] },
      { from: 90, until: 150, came: 60 },
      120,
      [35, 30],
    ],
    [
      'leave minutes without any empty',
      { minute: 0, counts: [5] },
      { from: 130, until: 150, came: 4 },
      120,
      [5, 0, 4],
    ],
    ['of no time are none', { minute: 60, counts: [5] }, { from: 90, until: 90, came: 0 }, 60, [5]],
  ])('%s', (_, before, { from, until, came }, minute, counts) => {
    expect(addArrivals(before, from, until, came)).toEqual({ minute, counts })
  })

  it('are kept for an hour', () => {
    const { counts } = addArrivals({ minute: 0, counts: [7] }, 86_000, 86_400, 400)
    expect(counts).toHaveLength(61)
    expect(counts.reduce((sum, count) => sum + count, 0)).toBeCloseTo(400, 9)
  })

  it.each([
    ['nothing waits', 0, 0],
    ['the newest ten', 10, 10],
    ['all of this minute', 30, 30],
    ['and half of the one before', 90, 60],
    ['more than is known of came before', 1_000, 150],
  ])('tell how long the oldest has waited: %s', (_, waiting, expected) => {
    expect(ageOfOldest(last, now, waiting)).toBeCloseTo(expected, 9)
  })
})

describe('a profile', () => {
  const profile: Profile = { from: 0, stepSeconds: 300, counts: [300, 600] }
  it.each([
    ['all of it', 0, 600, 900],
    ['half a step has half of it', 150, 300, 150],
    ['across steps', 150, 450, 450],
    ['a window that is none', 300, 300, 0],
    ['what begins before it', -1, 300, null],
    ['what ends after it', 300, 601, null],
  ])('%s', (_, from, to, expected) => {
    expect(profileSum(profile, from, to)).toBe(expected)
  })
})

describe('a seasonal predictor', () => {
  const flat = (perStep: number) => ({
    from: -7_200,
    stepSeconds: 300,
    counts: Array(48).fill(perStep),
  })
  const minutes = (count: number, perMinute: number) => ({
    minute: 3_600,
    counts: [...Array(count - 1).fill(perMinute), 0],
  })
  const says = (last: ReturnType<typeof minutes>, profiles: Record<string, Profile>) =>
    predictions(last, profiles, 3_600, 300)[predictorNames.indexOf('a day ago')]
  it.each([
    ['says what was, where the hour is as it was', 61, 10, 50],
    ['is scaled to the present level, as far as its counts allow', 61, 20, (50 * 1_210) / 610],
    ['is scaled down as well', 61, 5, (50 * 310) / 610],
    ['by three at most: more is another pattern', 61, 100, 150],
    ['and by a third at least', 61, 0, 50 / 3],
    ['is not scaled before ten minutes are known', 10, 100, 50],
  ])('%s', (_, count, perMinute, expected) => {
    expect(says(minutes(count, perMinute), { 'a day ago': flat(50) })).toBeCloseTo(expected, 9)
  })
  it('says nothing without its days', () => {
    expect(says(minutes(61, 10), {})).toBeNull()
  })
  it('says nothing of what its profile does not reach', () => {
    const old = { ...flat(50), counts: Array(36).fill(50) }
    expect(says(minutes(61, 10), { 'a day ago': old })).toBeNull()
  })
})

describe('the best predictor', () => {
  const [fast = '', usual = ''] = predictorNames
  const seasonal = predictorNames.findIndex(isSeasonal)
  const withSquares = (squares: Record<number, number>): Errors => ({
    ...noErrors,
    squares: predictorNames.map((_, index) => squares[index] ?? 1_000),
    arrivals: 100,
  })
  const all = predictorNames.map((_, index) => index)
  const best = (errors: Errors, says: readonly (number | null)[] = all) =>
    forecast(errors, says, 300).predictor

  it('is the one with the least error', () => {
    expect(best(withSquares({ 1: 10 }))).toBe(usual)
    expect(best(withSquares({ [seasonal]: 10 }))).toBe(predictorNames[seasonal])
  })
  it('of two that are as good is the first', () => {
    expect(best(withSquares({ 0: 10, 1: 10 }))).toBe(fast)
  })
  it('is seasonal only where that is better by a twentieth', () => {
    expect(best(withSquares({ 0: 100, [seasonal]: 96 }))).toBe(fast)
    expect(best(withSquares({ 0: 100, [seasonal]: 94 }))).toBe(predictorNames[seasonal])
  })
  it('is none that cannot say', () => {
    const says = all.map((index) => (index === seasonal ? null : index))
    expect(best(withSquares({ 0: 100, [seasonal]: 1 }), says)).toBe(fast)
  })
  it('is a recent one while nothing is known of any', () => {
    expect(isSeasonal(best(noErrors))).toBe(false)
  })
  it('errs by its mean square over its arrivals, and never by less than chance', () => {
    expect(forecast(withSquares({ 0: 250 }), all, 300).dispersion).toBe(2.5)
    expect(forecast(withSquares({ 0: 50 }), all, 300).dispersion).toBe(1)
    expect(forecast(noErrors, all, 300).dispersion).toBe(1)
  })

  describe('is learned of', () => {
    const last = { minute: 300, counts: [10, 10, 10, 10, 10, 0] }
    const says = predictorNames.map(() => 40)
    const opened = learn(noErrors, last, 0, says, 300)
    it('from a window that begins with what each says of it', () => {
      expect(opened.open).toEqual({ from: 0, until: 300, says })
    })
    it('not while the window is under way', () => {
      expect(learn(opened, last, 299, says, 300)).toBe(opened)
    })
    it('by the squared error once it is over, and the next begins', () => {
      const { squares, arrivals, weight, open } = learn(opened, last, 300, says, 300)
      expect({ arrivals, weight, open }).toEqual({
        ...{ arrivals: 50, weight: 1 },
        open: { from: 300, until: 600, says },
      })
      expect(squares).toEqual(predictorNames.map(() => 100))
    })
    it('as if it had said nothing would come, where it could not say', () => {
      const silent = learn(noErrors, last, 0, [null, ...says.slice(1)], 300)
      expect(learn(silent, last, 300, says, 300).squares.slice(0, 2)).toEqual([2_500, 100])
    })
    it('for three hours by half', () => {
      const open = { from: 0, until: 300, says }
      const long = { minute: 10_800, counts: Array(61).fill(0) }
      const { weight } = learn({ ...noErrors, weight: 4, open }, long, 10_800, says, 300)
      expect(weight).toBeCloseTo(4 / 2 + 1, 9)
    })
  })
})

describe('service time', () => {
  it('is what was said before, while nothing has been done', () => {
    expect(serviceSeconds(nothingDone, 60)).toBe(60)
  })
  it('is what was run over what was done, with thirty tasks as they were said to be', () => {
    expect(serviceSeconds({ busySeconds: 1_400, done: 70 }, 60)).toBe((1_400 + 30 * 60) / 100)
  })
  it('forgets by half in six hours, once enough was done', () => {
    const much = learnService({ busySeconds: 8_000, done: 400 }, 0, 6 * 3_600, 0)
    expect(much).toEqual({ busySeconds: 4_000, done: 200 })
    const little = learnService({ busySeconds: 2_000, done: 100 }, 0, 6 * 3_600, 0)
    expect(little).toEqual({ busySeconds: 2_000, done: 100 })
  })

  const before = { visible: 10, notVisible: 4, delayed: 1 }
  it.each<[string, Partial<Sensed>, number]>([
    ['are read', { visible: 90, sent: 7 }, 7],
    ['are what grew and what was deleted', { ...before, visible: 30, deleted: 5 }, 25],
    ['are what grew and what those that ran will have done', { ...before, visible: 30 }, 32],
    ['may have been delayed', { ...before, delayed: 9, deleted: 0 }, 8],
    ['are never fewer than none', { deleted: 3 }, 0],
  ])('arrivals since the last look %s', (_, sensed, expected) => {
    // Four ran for a minute, at twenty seconds each.
    expect(arrivalsSince(sensedOf(sensed), before, 4, 60, 20)).toBe(expected)
  })
})

describe('the error budget', () => {
  const careful = (started: number, late: number) => strained(firstConstants, { started, late })
  it.each([
    ['full', fullBudget, false],
    ['four late in a thousand', { started: 1_000, late: 4 }, false],
    ['five late in a thousand', { started: 1_000, late: 5 }, true],
    ['one late of a hundred says too little', { started: 100, late: 1 }, false],
  ])('%s', (_, budget, isStrained) => {
    expect(strained(firstConstants, budget) !== firstConstants).toBe(isStrained)
  })
  it('spends less on waiting and provides for more while it is strained', () => {
    expect(careful(1_000, 5).spend).toBeLessThan(firstConstants.spend)
    expect(careful(1_000, 5).margin).toBeGreaterThan(firstConstants.margin)
  })
  it('never leaves nothing to wait', () => {
    const least = strained({ ...firstConstants, spend: 0.1 }, { started: 1_000, late: 5 })
    expect(least.spend).toBe(0.1)
  })
  it('counts what started late, and forgets with the hours', () => {
    const first = spend(fullBudget, { seconds: 60, started: 1_000, areLate: true })
    expect(first.started).toBe(1_000)
    expect(first.late).toBeGreaterThan(0)
    const next = spend(first, { seconds: 86_400, started: 0, areLate: false })
    expect(next.late).toBeLessThan(first.late / 10)
  })
})
