import { describe, expect, it } from 'vitest'
import { random } from '../shared/random.ts'
import { exponentialOf, readArrivals, readDurations } from '../twin/traces/csv.ts'
import { type TrafficOptions, trafficOf } from '../twin/traces/traffic.ts'

const text = (...lines: string[]) => `${lines.join('\n')}\n`

describe('arrivals as CSV', () => {
  it.each([
    ['minutes in order', ['minute,arrivals', '0,3', '1,0', '2,5'], 60, [3, 0, 5]],
    ['minutes that are left out have none', ['minute,arrivals', '1,3', '4,5'], 60, [0, 3, 0, 0, 5]],
    ['seconds at a step of their own', ['second,arrivals', '0,3', '600,4'], 600, [3, 4]],
    [
      'a gap right at the start does not hide the step',
      ['second,arrivals', '0,1', '900,2', '1200,3', '1500,4'],
      300,
      [1, 0, 0, 2, 3, 4],
    ],
    ['line ends of Windows', ['minute,arrivals\r', '0,3\r'], 60, [3]],
  ])('%s', (_, lines, stepSeconds, counts) => {
    const trace = readArrivals(text(...lines), 'a.csv')
    expect(trace.stepSeconds).toBe(stepSeconds)
    expect([...trace.counts]).toEqual(counts)
  })
  it.each([
    ['an empty file', [], "a.csv is empty; begin it with the line 'minute,arrivals'"],
    ['no header', ['0,3'], "a.csv:1: the header is '0,3'; write 'minute,arrivals'"],
    ['a header alone', ['minute,arrivals'], 'a.csv has no arrivals; write one line for each'],
    ['words', ['minute,arrivals', '0,many'], "a.csv:2: 'many' arrivals do not fit; write a whole"],
    ['a number below 0', ['minute,arrivals', '0,1', '1,-2'], "a.csv:3: '-2' arrivals do not fit"],
    ['a time below 0', ['minute,arrivals', '-1,2'], "a.csv:2: minute '-1' does not fit"],
    ['halves of a task', ['minute,arrivals', '0,1.5'], "a.csv:2: '1.5' arrivals do not fit"],
    ['one column', ['minute,arrivals', '7'], "a.csv:2: '7' has not two columns"],
    [
      'lines out of order',
      ['minute,arrivals', '0,1', '2,1', '1,1'],
      'a.csv:4: minute 1 comes after minute 2; sort the lines',
    ],
    [
      'a minute twice',
      ['minute,arrivals', '0,1', '0,1'],
      'a.csv:3: minute 0 is there twice; add its arrivals up',
    ],
    [
      'an irregular step',
      ['second,arrivals', '0,1', '600,1', '1200,1', '1900,1'],
      'a.csv:5: second 1900 is no multiple of the step, 600 s; use one step',
    ],
    ['one line in seconds', ['second,arrivals', '0,1'], 'a.csv:2: one line has no step'],
    ['a date as a number', ['minute,arrivals', '1700000000,1'], 'a.csv:2: minute 1700000000'],
  ])('refuses %s', (_, lines, message) => {
    expect(() => readArrivals(text(...lines), 'a.csv')).toThrow(message)
  })
})

describe('durations', () => {
  it('are read one a line', () => {
    const read = readDurations(text('seconds', '1.5', '20'), 'd.csv')
    expect(read).toEqual({ kind: 'recorded', seconds: Float64Array.of(1.5, 20) })
  })
  it.each([
    ['an empty file', [], 'd.csv is empty'],
    ['another header', ['minutes', '3'], "d.csv:1: the header is 'minutes'; write 'seconds'"],
    ['none', ['seconds'], 'd.csv has no durations'],
    ['zero', ['seconds', '3', '0'], "d.csv:3: '0' seconds do not fit; write a number above 0"],
    ['words', ['seconds', 'long'], "d.csv:2: 'long' seconds do not fit"],
  ])('%s are refused', (_, lines, message) => {
    expect(() => readDurations(text(...lines), 'd.csv')).toThrow(message)
  })
  it('of an exponential law are told by their mean', () => {
    expect(exponentialOf('exp:20')).toEqual({ kind: 'exponential', meanSeconds: 20 })
    expect(exponentialOf('bank.csv')).toBeNull()
    expect(() => exponentialOf('exp:soon')).toThrow("'exp:soon' does not fit; write exp: and")
  })
})

const steady = (minutes: number, arrivals: number) =>
  readArrivals(
    text(
      'minute,arrivals',
      ...Array.from({ length: minutes }, (_, minute) => `${minute},${arrivals}`),
    ),
    'a.csv',
  )
const options = (changed: Partial<TrafficOptions> = {}): TrafficOptions => ({
  trace: steady(2 * 1_440, 10),
  durations: { kind: 'exponential', meanSeconds: 20 },
  ...{ scale: 1, durationScale: 1, durationCapSeconds: 3_600 },
  ...{ fromDay: 0, historyDays: 1, days: 1, seed: 1 },
  ...changed,
})

describe('traffic', () => {
  it('has its history as counts and its days as tasks, an hour of the history among them', () => {
    const { historyPerMinute, tasks, startAt, daysFrom, endAt } = trafficOf(options())
    expect(historyPerMinute).toEqual(new Float64Array(1_440).fill(10))
    expect(tasks.at).toHaveLength(25 * 600)
    expect(tasks.at).toEqual(tasks.at.toSorted())
    expect([daysFrom - startAt, endAt - daysFrom]).toEqual([3_600_000, 86_400_000])
    expect(tasks.at.filter((at) => at >= daysFrom)).toHaveLength(14_400)
  })
  it('of steps longer than a minute is spread within them', () => {
    const trace = readArrivals(text('second,arrivals', '0,86400', '86400,86400'), 'a.csv')
    const { historyPerMinute } = trafficOf(options({ trace }))
    const sum = historyPerMinute.reduce((total, count) => total + count, 0)
    expect(sum).toBe(86_400)
    expect(Math.max(...historyPerMinute)).toBeLessThan(110)
    expect(Math.min(...historyPerMinute)).toBeGreaterThan(25)
  })
  it('is thinned task by task', () => {
    const { historyPerMinute } = trafficOf(options({ scale: 0.25 }))
    const mean = historyPerMinute.reduce((total, count) => total + count, 0) / 1_440
    const spread = historyPerMinute.reduce((sum, count) => sum + (count - mean) ** 2, 0) / 1_440
    expect(mean).toBeCloseTo(2.5, 0)
    // Binomial: 10 x 0.25 x 0.75.
    expect(spread).toBeCloseTo(1.875, 0)
    expect(Math.max(...historyPerMinute)).toBeLessThanOrEqual(10)
  })
  it('is drawn anew where it is scaled up', () => {
    const { historyPerMinute } = trafficOf(options({ scale: 3 }))
    const mean = historyPerMinute.reduce((total, count) => total + count, 0) / 1_440
    const spread = historyPerMinute.reduce((sum, count) => sum + (count - mean) ** 2, 0) / 1_440
    expect(mean / 30).toBeCloseTo(1, 1)
    expect(spread / 30).toBeCloseTo(1, 0)
  })
  it('takes times that are scaled first and cut then', () => {
    const durations = { kind: 'recorded', seconds: Float64Array.of(10, 100) } as const
    const { tasks, service } = trafficOf(
      options({ durations, durationScale: 0.5, durationCapSeconds: 30 }),
    )
    expect(new Set(tasks.durationMs)).toEqual(new Set([5_000, 30_000]))
    expect(service).toEqual({ meanSeconds: 17.5, cv2: (12.5 / 17.5) ** 2, maxSeconds: 30 })
  })
  it('knows the moments of a law that is cut', () => {
    const { service } = trafficOf(options({ durationCapSeconds: 20 }))
    expect(service.meanSeconds).toBeCloseTo(20 * (1 - Math.exp(-1)), 6)
    expect(service.cv2).toBeLessThan(1)
  })
  it('is the same for the same seed, and another for another', () => {
    expect(trafficOf(options({ scale: 0.5 }))).toEqual(trafficOf(options({ scale: 0.5 })))
    const other = trafficOf(options({ scale: 0.5, seed: 2 }))
    expect(other.tasks.at).not.toEqual(trafficOf(options({ scale: 0.5 })).tasks.at)
  })
  it('of a trace that is too short is refused', () => {
    expect(() => trafficOf(options({ days: 2 }))).toThrow(
      'a.csv has 2 days; from day 0, 1 days of history and 2 to simulate need 3: lower --from',
    )
  })
})

describe('binomial draws', () => {
  it.each([
    [20, 0.1],
    [20, 0.9],
    [1_000_000, 0.00001],
    [1_000, 0.4],
  ])('of %i at %d have its mean and its variance', (of, probability) => {
    const draw = random(3, 'test')
    const draws = Array.from({ length: 4_000 }, () => draw.binomial(of, probability))
    const mean = draws.reduce((sum, value) => sum + value, 0) / draws.length
    const variance = draws.reduce((sum, value) => sum + (value - mean) ** 2, 0) / draws.length
    expect(mean / (of * probability)).toBeCloseTo(1, 1)
    expect(variance / (of * probability * (1 - probability))).toBeCloseTo(1, 0)
    expect(Math.min(...draws)).toBeGreaterThanOrEqual(0)
    expect(Math.max(...draws)).toBeLessThanOrEqual(of)
  })
})
