import { isWithin, type Span } from '../engine.ts'

/** What AWS services publish of themselves each minute, as CloudWatch keeps it. */

export type Vended = {
  /** One value of the whole minute; no number: the service published nothing. */
  add(metric: string, minute: number, value: number): void
  /** Of the minutes that begin in that time nothing of that namespace comes to CloudWatch. */
  lose(namespace: string, span: Span): void
  /** The values of some minutes before anything else is added, oldest first. */
  addPast(metric: string, firstMinute: number, values: ArrayLike<number>): void
  /** Those of the steps in the span that were published by then. */
  points(metric: string, span: VendedSpan): { at: number; value: number }[]
}

export type VendedSpan = {
  readonly now: number
  readonly from: number
  readonly to: number
  readonly periodMs: number
  readonly statistic: VendedStatistic
}

export type VendedStatistic = (typeof vendedStatistics)[number]
/** Those that this can tell from one value a minute. */
export const vendedStatistics = ['Average', 'Sum', 'Maximum'] as const

const minuteMs = 60_000
// SQS and Auto Scaling publish a minute some time after its end; AWS promises no number.
const lagMs = 120_000
// How long values are kept by their resolution: 15 days by the minute, 63 by five.
const keptMs = [
  { periodMs: minuteMs, ms: 15 * 86_400_000 },
  { periodMs: 5 * minuteMs, ms: 63 * 86_400_000 },
  { periodMs: 60 * minuteMs, ms: 455 * 86_400_000 },
]

type Minutes = { first: number; readonly values: number[] }

export function createVended(): Vended {
  const series = new Map<string, Minutes>()
  const losses: { readonly namespace: string; readonly span: Span }[] = []
  const isLost = (metric: string, minute: number) =>
    losses.some(
      ({ namespace, span }) =>
        metric.startsWith(`${namespace}|`) && isWithin(span, minute * minuteMs),
    )
  const of = (metric: string, minute: number) => {
    const found = series.get(metric) ?? { first: minute, values: [] }
    series.set(metric, found)
    return found
  }
  return {
    add(metric, minute, value) {
      if (isLost(metric, minute)) return
      const { first, values } = of(metric, minute)
      // What was left out, when nobody published it, has no values.
      while (first + values.length < minute) values.push(Number.NaN)
      values.push(value)
    },
    lose(namespace, span) {
      losses.push({ namespace, span })
    },
    addPast(metric, firstMinute, past) {
      const { values } = of(metric, firstMinute)
      if (values.length > 0) throw new Error(`${metric} has a past already`)
      for (let index = 0; index < past.length; index++) values.push(past[index] ?? Number.NaN)
    },
    points(metric, span) {
      const found = series.get(metric)
      return found ? pointsOf(found, span) : []
    },
  }
}

function pointsOf({ first, values }: Minutes, { now, from, to, periodMs, statistic }: VendedSpan) {
  const points: { at: number; value: number }[] = []
  const published = Math.min(to, now - lagMs)
  const oldest = now - keptFor(periodMs)
  const minutes = periodMs / minuteMs
  for (let at = Math.floor(from / periodMs) * periodMs; at < published; at += periodMs) {
    if (at < from || at < oldest) continue
    let [sum, most, count] = [0, Number.NEGATIVE_INFINITY, 0]
    for (let index = at / minuteMs - first, left = minutes; left > 0; index++, left--) {
      const value = values[index] ?? Number.NaN
      if (Number.isNaN(value) || (first + index + 1) * minuteMs > now - lagMs) continue
      sum += value
      most = Math.max(most, value)
      count++
    }
    if (count === 0) continue
    const value = { Sum: sum, Maximum: most, Average: sum / count }[statistic]
    points.push({ at, value })
  }
  return points
}

/** A period that is no multiple of the five minutes is made of single ones, and so on. */
function keptFor(periodMs: number): number {
  const fitting = keptMs.filter((kept) => periodMs % kept.periodMs === 0)
  return fitting.at(-1)?.ms ?? 0
}
