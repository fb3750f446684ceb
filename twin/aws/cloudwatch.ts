import {
  GetMetricDataCommand,
  type GetMetricDataCommandInput,
  type MetricDatum,
  type MetricStat,
  PutMetricDataCommand,
  type PutMetricDataCommandInput,
} from '@aws-sdk/client-cloudwatch'
import { type Applied, answer, awsError, notInTwin, type Service } from './service.ts'
import type { TargetTracking } from './target-tracking.ts'
import { createVended, type Vended, vendedStatistics } from './vended.ts'

type Minute = { sum: number; count: number; min: number; max: number }
type Statistic = 'Average' | 'Sum' | 'Minimum' | 'Maximum' | 'SampleCount'

export type CloudWatch = Service & {
  /** The last whole minutes of a policy's metric, oldest first; null where there is none. */
  lastMinutes(now: number, policy: TargetTracking, minutes: number): (number | null)[]
  /** What AWS's own services publish, by `vendedKey`. */
  readonly vended: Vended
}

/** A metric of an AWS service that has one dimension. */
export const vendedKey = (namespace: string, metric: string, Name: string, Value: string) =>
  keyOf(namespace, metric, [{ Name, Value }])

const minuteMs = 60_000
// AWS keeps one-minute values for 15 days.
const keptMs = 15 * 24 * 60 * minuteMs
const metricsPerCallMax = 1_000
const dimensionsMax = 30
const queriesPerCallMax = 500
const valuesPerCallMax = 100_800

type Store = Map<string, Map<number, Minute>>

export function createCloudWatch(): CloudWatch {
  const store: Store = new Map()
  const vended = createVended()
  return {
    vended,
    lastMinutes(now, { namespace, metric, dimensions, statistic }, minutes) {
      const series = store.get(keyOf(namespace, metric, dimensions))
      // The present minute still fills up; the alarms look at the whole ones before it.
      const end = Math.floor(now / minuteMs)
      return Array.from({ length: minutes }, (_, index) =>
        statisticOf(series?.get(end - minutes + index), statistic),
      )
    },
    apply(now, command) {
      if (command instanceof PutMetricDataCommand) return put(store, now, command.input)
      if (command instanceof GetMetricDataCommand) return get(store, vended, now, command.input)
      throw notInTwin('CloudWatch', command)
    },
  }
}

function put(store: Store, now: number, input: PutMetricDataCommandInput): Applied {
  const { Namespace, MetricData = [] } = input
  if (!Namespace) throw awsError('MissingRequiredParameterException', 'Namespace is required.')
  if (Namespace.startsWith('AWS/')) {
    throw awsError('InvalidParameterValueException', 'Namespaces of AWS begin with AWS/.')
  }
  if (MetricData.length > metricsPerCallMax) {
    throw awsError('InvalidParameterValueException', `At most ${metricsPerCallMax} metrics a call.`)
  }
  for (const datum of MetricData) check(datum)
  for (const datum of MetricData) keep(store, now, Namespace, datum)
  return answer({}, [{ kind: 'cloudwatch.put', metrics: MetricData.length }])
}

function check({ MetricName, Value, Dimensions = [] }: MetricDatum): void {
  if (!MetricName) throw awsError('MissingRequiredParameterException', 'MetricName is required.')
  if (Value === undefined || !Number.isFinite(Value)) {
    throw awsError(
      'InvalidParameterValueException',
      `The value ${Value} of ${MetricName} is invalid.`,
    )
  }
  if (Dimensions.length > dimensionsMax || Dimensions.some(({ Value }) => !Value)) {
    throw awsError('InvalidParameterValueException', `The dimensions of ${MetricName} are invalid.`)
  }
}

function keep(store: Store, now: number, namespace: string, datum: MetricDatum): void {
  const key = keyOf(namespace, datum.MetricName, datum.Dimensions ?? [])
  const series = store.get(key) ?? new Map<number, Minute>()
  store.set(key, series)
  const minute = Math.floor((datum.Timestamp?.getTime() ?? now) / minuteMs)
  const value = datum.Value ?? 0
  const { sum, count, min, max } = series.get(minute) ?? {
    sum: 0,
    count: 0,
    min: value,
    max: value,
  }
  series.set(minute, {
    sum: sum + value,
    count: count + 1,
    min: Math.min(min, value),
    max: Math.max(max, value),
  })
  series.delete(minute - keptMs / minuteMs)
}

function get(store: Store, vended: Vended, now: number, input: GetMetricDataCommandInput): Applied {
  const { MetricDataQueries: queries = [], StartTime, EndTime } = input
  checkQueries(input)
  const [from, to] = [StartTime?.getTime() ?? 0, EndTime?.getTime() ?? 0]
  const ascending = input.ScanBy === 'TimestampAscending'
  const results = queries.map(({ Id, MetricStat, Label }) => {
    if (!MetricStat) throw awsError('ValidationError', 'The twin knows queries with a MetricStat.')
    const points = pointsOf(store, vended, MetricStat, { now, from, to })
    if (!ascending) points.reverse()
    return { Id, Label: Label ?? MetricStat.Metric?.MetricName, points }
  })
  return answer(pageOf(results, input))
}

function checkQueries(input: GetMetricDataCommandInput): void {
  const { MetricDataQueries: queries = [], StartTime, EndTime } = input
  if (queries.length > queriesPerCallMax || queries.length === 0 || !StartTime || !EndTime) {
    throw awsError('ValidationError', `StartTime, EndTime and 1 to ${queriesPerCallMax} queries.`)
  }
  if (StartTime >= EndTime) {
    throw awsError('ValidationError', 'StartTime must be before EndTime.')
  }
  const ids = queries.map(({ Id = '' }) => Id)
  if (ids.some((id) => !/^[a-z]\w{0,254}$/.test(id)) || new Set(ids).size < ids.length) {
    throw awsError('ValidationError', 'An Id begins with a lower-case letter and is there once.')
  }
}

type Point = { readonly at: number; readonly value: number }
type Result = { Id: string | undefined; Label: string | undefined; points: readonly Point[] }

/** As many values as a call answers, those of the first queries first; the rest is another page. */
function pageOf(results: readonly Result[], input: GetMetricDataCommandInput): object {
  const most = input.MaxDatapoints ?? valuesPerCallMax
  if (most < 1 || most > valuesPerCallMax) {
    throw awsError('ValidationError', `MaxDatapoints is 1 to ${valuesPerCallMax}.`)
  }
  const first = Number(/^page-(\d+)$/.exec(input.NextToken ?? 'page-0')?.[1] ?? Number.NaN)
  if (Number.isNaN(first)) throw awsError('InvalidNextToken', 'The token is not valid.')
  let before = 0
  const MetricDataResults = results.flatMap(({ Id, Label, points }) => {
    const from = Math.max(0, first - before)
    const part = points.slice(from, Math.max(from, first + most - before))
    const isOver = before + points.length <= first + most
    const isShown = part.length > 0 || (points.length === 0 && before >= first && isOver)
    before += points.length
    const Timestamps = part.map(({ at }) => new Date(at))
    const Values = part.map(({ value }) => value)
    const StatusCode = isOver ? 'Complete' : 'PartialData'
    return isShown ? [{ Id, Label, Timestamps, Values, StatusCode }] : []
  })
  const next = before > first + most ? { NextToken: `page-${first + most}` } : {}
  return { MetricDataResults, ...next }
}

type Times = { readonly now: number; readonly from: number; readonly to: number }

function pointsOf(
  store: Store,
  vended: Vended,
  { Metric, Period, Stat }: MetricStat,
  { now, from, to }: Times,
): Point[] {
  const periodMs = (Period ?? 0) * 1_000
  if (periodMs < minuteMs || periodMs % minuteMs !== 0) {
    throw awsError('ValidationError', 'The period must be a multiple of 60 seconds.')
  }
  const statistic = statistics.find((name) => name === Stat)
  if (!statistic) throw awsError('ValidationError', `The twin does not know the statistic ${Stat}.`)
  const key = keyOf(Metric?.Namespace, Metric?.MetricName, Metric?.Dimensions ?? [])
  if (Metric?.Namespace?.startsWith('AWS/')) {
    const vendedStatistic = vendedStatistics.find((name) => name === statistic)
    if (!vendedStatistic) {
      throw awsError('ValidationError', `The twin has no ${statistic} of what AWS publishes.`)
    }
    return vended.points(key, { now, from, to, periodMs, statistic: vendedStatistic })
  }
  const series = store.get(key)
  const points: Point[] = []
  for (let at = Math.floor(from / periodMs) * periodMs; at < to; at += periodMs) {
    const value = statisticOf(merge(series, at / minuteMs, periodMs / minuteMs), statistic)
    if (value !== null && at >= from) points.push({ at, value })
  }
  return points
}

const statistics: readonly Statistic[] = ['Average', 'Sum', 'Minimum', 'Maximum', 'SampleCount']

function merge(series: Map<number, Minute> | undefined, first: number, minutes: number) {
  const parts = Array.from({ length: minutes }, (_, index) => series?.get(first + index))
  const given = parts.flatMap((part) => part ?? [])
  if (given.length === 0) return undefined
  return {
    sum: given.reduce((sum, part) => sum + part.sum, 0),
    count: given.reduce((count, part) => count + part.count, 0),
    min: Math.min(...given.map(({ min }) => min)),
    max: Math.max(...given.map(({ max }) => max)),
  }
}

function statisticOf(minute: Minute | undefined, statistic: Statistic): number | null {
  if (!minute) return null
  if (statistic === 'Sum') return minute.sum
  if (statistic === 'SampleCount') return minute.count
  if (statistic === 'Minimum') return minute.min
  return statistic === 'Maximum' ? minute.max : minute.sum / minute.count
}

/** A metric is its namespace, its name and the set of its dimensions, whatever their order. */
function keyOf(
  namespace: string | undefined,
  metric: string | undefined,
  dimensions: readonly { Name?: string | undefined; Value?: string | undefined }[],
): string {
  const pairs = dimensions.map(({ Name, Value }) => `${Name}=${Value}`).sort()
  return [namespace, metric, ...pairs].join('|')
}
