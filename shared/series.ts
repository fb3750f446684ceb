import {
  GetMetricDataCommand,
  type MetricDataQuery,
  type MetricDataResult,
} from '@aws-sdk/client-cloudwatch'
import type { Deps } from './aws.ts'
import type { Outcome } from './each.ts'

/** Series of CloudWatch metrics, as many as a run asks for. */

export type Wanted = {
  readonly namespace: string
  readonly metric: string
  readonly dimension: { readonly name: string; readonly value: string }
  readonly statistic: 'Sum' | 'Average' | 'Maximum'
}

/** Seconds since the epoch, both multiples of the step. */
export type Span = { readonly from: number; readonly to: number; readonly stepSeconds: number }

export type Series = Span & {
  /** One for each step; no number where CloudWatch has none. */
  readonly values: Float64Array
}

// The most queries, and the most values, of one GetMetricData call.
const queriesPerCall = 500
const valuesPerCall = 100_800

/**
 * Each series, in order, or the error of the call that was to read it. One call after the other:
 * CloudWatch counts the values of a second, and those of a few calls at once are beyond its limit.
 */
export async function readSeries<T>(
  deps: Pick<Deps, 'cloudwatch' | 'signal'>,
  items: readonly T[],
  wantedOf: (item: T) => Wanted,
  span: Span,
): Promise<Outcome<T, Series>[]> {
  const steps = (span.to - span.from) / span.stepSeconds
  const perCall = Math.max(1, Math.min(queriesPerCall, Math.floor(valuesPerCall / steps)))
  const outcomes: Outcome<T, Series>[] = []
  for (let first = 0; first < items.length; first += perCall) {
    const part = items.slice(first, first + perCall)
    const [read] = await Promise.allSettled([readCall(deps, part.map(wantedOf), span)])
    part.forEach((item, index) => {
      if (read.status === 'rejected') outcomes.push({ item, error: read.reason })
      else outcomes.push(outcomeOf(item, read.value[index], span))
    })
  }
  return outcomes
}

type Read = { readonly values: Float64Array; status: string }

function outcomeOf<T>(item: T, read: Read | undefined, span: Span): Outcome<T, Series> {
  if (read?.status !== 'Complete') {
    const error = new Error(`CloudWatch answers ${read?.status ?? 'nothing'}`)
    return { item, error }
  }
  return { item, value: { ...span, values: read.values } }
}

/** One call and its pages. */
async function readCall(
  deps: Pick<Deps, 'cloudwatch' | 'signal'>,
  wanted: readonly Wanted[],
  span: Span,
): Promise<Read[]> {
  const steps = Math.round((span.to - span.from) / span.stepSeconds)
  // What no page speaks of is not complete, which only a page may say.
  const read = wanted.map((): Read => ({ values: noValues(steps), status: 'nothing' }))
  let NextToken: string | undefined
  do {
    const command = new GetMetricDataCommand({
      MetricDataQueries: wanted.map((one, index) => queryOf(one, index, span.stepSeconds)),
      StartTime: new Date(span.from * 1_000),
      EndTime: new Date(span.to * 1_000),
      ScanBy: 'TimestampAscending',
      ...(NextToken ? { NextToken } : {}),
    })
    const page = await deps.cloudwatch.send(command, { abortSignal: deps.signal })
    for (const result of page.MetricDataResults ?? []) {
      const one = read[Number(result.Id?.slice(1))]
      if (one) take(one, result, span)
    }
    NextToken = page.NextToken
  } while (NextToken)
  return read
}

const noValues = (steps: number) => new Float64Array(steps).fill(Number.NaN)

function take(read: Read, result: MetricDataResult, { from, stepSeconds }: Span): void {
  const { Timestamps = [], Values = [], StatusCode = 'Complete' } = result
  // `PartialData` means that another page goes on with it; the last page says how it ended.
  read.status = StatusCode
  Timestamps.forEach((at, index) => {
    const step = Math.floor((at.getTime() / 1_000 - from) / stepSeconds)
    if (step >= 0 && step < read.values.length) read.values[step] = Values[index] ?? Number.NaN
  })
}

const queryOf = (
  { namespace, metric, dimension, statistic }: Wanted,
  index: number,
  stepSeconds: number,
): MetricDataQuery => ({
  Id: `m${index}`,
  MetricStat: {
    Metric: {
      Namespace: namespace,
      MetricName: metric,
      Dimensions: [{ Name: dimension.name, Value: dimension.value }],
    },
    Period: stepSeconds,
    Stat: statistic,
  },
})

/** The name by which CloudWatch knows a queue that is given by its name or its URL. */
export const queueName = (sqs: string) => sqs.slice(sqs.lastIndexOf('/') + 1)
