import { random } from '../../shared/random.ts'
import type { Durations, Trace } from './csv.ts'

/** Tasks one by one, in the order in which they arrive. */
export type Recorded = {
  /** Epoch milliseconds. */
  readonly at: Float64Array
  readonly durationMs: Float64Array
}

/** What a replay needs to know of recorded traffic: its history as counts, its days as tasks. */
export type Traffic = {
  /** When the simulation begins: before the days, so that they begin with a group at work. */
  readonly startAt: number
  /** The first moment after the history. */
  readonly daysFrom: number
  readonly endAt: number
  /** Arrivals of each minute before `daysFrom`, oldest first. */
  readonly historyPerMinute: Float64Array
  /** From `startAt` to `endAt`. */
  readonly tasks: Recorded
  readonly service: Service
}

/** Service times as drawn, scaled and cut: seconds, and squared coefficient of variation. */
export type Service = {
  readonly meanSeconds: number
  readonly cv2: number
  readonly maxSeconds: number
}

export type TrafficOptions = {
  readonly trace: Trace
  readonly durations: Durations
  /** Tasks for each arrival: thinned where it is below 1, drawn anew from its mean above. */
  readonly scale: number
  readonly durationScale: number
  /** What is longer is cut, as a queue with such a time limit would; after the scale. */
  readonly durationCapSeconds: number
  readonly fromDay: number
  readonly historyDays: number
  readonly days: number
  readonly seed: number
}

// Step 0 of every trace: a Monday, in UTC. What a recording says of its own dates is lost by then.
const stepZeroAt = Date.parse('2026-01-05T00:00:00Z')
// How long before its days a simulation begins. A group grows from its least in two or three
// boots; in an hour every policy is where it wants to be.
const warmUpSeconds = 3_600
const daySeconds = 86_400

/** Throws where the trace is shorter than what is asked of it. */
export function trafficOf(options: TrafficOptions): Traffic {
  const { fromDay, historyDays, days } = options
  const from = fromDay * daySeconds
  const daysFrom = from + historyDays * daySeconds
  const end = daysFrom + days * daySeconds
  checkLength(options)
  const start = Math.max(from, daysFrom - warmUpSeconds)
  const at = (second: number) => stepZeroAt + second * 1_000
  const { historyPerMinute, instants } = drawArrivals(options, { from, start, daysFrom, end })
  const drawTask = taskSeconds(options, 'traffic/durations')
  return {
    startAt: at(start),
    daysFrom: at(daysFrom),
    endAt: at(end),
    historyPerMinute,
    tasks: {
      at: Float64Array.from(instants, (second) => Math.floor(at(second))),
      durationMs: Float64Array.from(instants, () => Math.max(1, Math.round(drawTask() * 1_000))),
    },
    service: serviceOf(options),
  }
}

/** Throws where the trace is shorter than what is asked of it. */
export function checkLength(options: Omit<TrafficOptions, 'durations' | 'seed'>): void {
  const { trace, fromDay, historyDays, days } = options
  const has = (trace.counts.length * trace.stepSeconds) / daySeconds
  const needed = fromDay + historyDays + days
  // A trace that ends within its last minute is whole.
  if (has + 1 / 1_440 >= needed) return
  throw new Error(
    `${trace.file} has ${Math.floor(has * 100) / 100} days; from day ${fromDay}, ${historyDays} ` +
      `days of history and ${days} to simulate need ${Math.ceil(needed * 100) / 100}: ` +
      'lower --from, --history-days or --days',
  )
}

type Range = {
  readonly from: number
  readonly start: number
  readonly daysFrom: number
  readonly end: number
}

/** Every step draws how many come and when within it; all times are seconds of the trace. */
function drawArrivals({ trace, scale, seed }: TrafficOptions, range: Range) {
  const { stepSeconds, counts } = trace
  const { from, start, daysFrom, end } = range
  const many = random(seed, 'traffic/counts')
  const when = random(seed, 'traffic/instants')
  const historyPerMinute = new Float64Array(Math.round((daysFrom - from) / 60))
  const instants: number[] = []
  for (let step = Math.floor(from / stepSeconds); step * stepSeconds < end; step++) {
    const recorded = counts[step] ?? 0
    const count = scale <= 1 ? many.binomial(recorded, scale) : many.poisson(recorded * scale)
    const arrivals = new Float64Array(count)
    for (let i = 0; i < count; i++) arrivals[i] = (step + when.next()) * stepSeconds
    // Whose order nobody looks at is not sorted: it would be most of the work.
    for (const second of (step + 1) * stepSeconds > start ? arrivals.sort() : arrivals) {
      if (second < from || second >= end) continue
      const minute = Math.floor((second - from) / 60)
      if (second < daysFrom) historyPerMinute[minute] = (historyPerMinute[minute] ?? 0) + 1
      if (second >= start) instants.push(second)
    }
  }
  return { historyPerMinute, instants }
}

/** Draws how long tasks run. */
function taskSeconds(options: TrafficOptions, stream: string): () => number {
  const { durations, durationScale, durationCapSeconds, seed } = options
  const draw = random(seed, stream)
  const cut = (seconds: number) => Math.min(seconds * durationScale, durationCapSeconds)
  if (durations.kind === 'exponential') return () => cut(draw.exponential(durations.meanSeconds))
  const { seconds } = durations
  return () => cut(seconds[draw.int(seconds.length)] ?? 0)
}

function serviceOf({ durations, durationScale, durationCapSeconds }: TrafficOptions): Service {
  if (durations.kind === 'exponential') {
    return cutExponential(durations.meanSeconds * durationScale, durationCapSeconds)
  }
  const { seconds } = durations
  const cut = seconds.map((value) => Math.min(value * durationScale, durationCapSeconds))
  const mean = cut.reduce((sum, value) => sum + value, 0) / cut.length
  const squares = cut.reduce((sum, value) => sum + (value - mean) ** 2, 0) / cut.length
  const maxSeconds = cut.reduce((most, value) => Math.max(most, value), 0)
  return { meanSeconds: mean, cv2: squares / mean ** 2, maxSeconds }
}

/** The moments of min(X, cap) for an exponential X. */
function cutExponential(uncut: number, cap: number): Service {
  const beyond = Math.exp(-cap / uncut)
  const mean = uncut * (1 - beyond)
  const square = 2 * uncut * (uncut - beyond * (uncut + cap))
  // One task in a million is longer than this many means.
  const maxSeconds = Math.min(cap, uncut * Math.log(1e6))
  return { meanSeconds: mean, cv2: square / mean ** 2 - 1, maxSeconds }
}

/** The tasks of the days, and their work in hours: whoever does it all pays at least for that. */
export function workOf({ tasks, daysFrom }: Traffic) {
  let [count, workMs] = [0, 0]
  tasks.at.forEach((at, index) => {
    if (at < daysFrom) return
    count++
    workMs += tasks.durationMs[index] ?? 0
  })
  return { count, workHours: workMs / 3_600_000 }
}
