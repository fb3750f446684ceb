import { table } from '../cli/format.ts'
import { decide, type Seen } from '../functions/forecast/decide.ts'
import type { Group } from '../shared/fleet.ts'
import { checkFleet } from '../shared/queue-config.ts'
import { random } from '../shared/random.ts'
import { type Line, median } from './parts.ts'

/**
 * How long a queue's forecast takes and how long its rehearsal, over histories that differ, and
 * what a month of seventy queues costs. No calls, no handler.
 *
 *     npx node bench/forecast.ts
 *
 * A slow machine is over the bar; that is for a person to judge.
 */

const forecastBarMs = 50
const rehearsalBarMs = 3_000
const forecasts = 21

const day = 86_400
const now = Date.parse('2026-02-03T15:00:00Z') / 1_000
const historyDays = 14

type Case = {
  readonly name: string
  /** Tasks a minute at a moment, seconds of the first day. */
  readonly rate: (second: number) => number
  readonly taskSeconds: number
  readonly startWithin: `${number}s`
  readonly slots: number
}

const daily = (second: number) => 1 - 0.9 * Math.cos((2 * Math.PI * second) / day)
const cases: readonly Case[] = [
  { name: 'rare: 150 a day', rate: () => 0.1, taskSeconds: 40, startWithin: '600s', slots: 2 },
  {
    name: 'a business day',
    rate: (s) => 20 * daily(s),
    taskSeconds: 20,
    startWithin: '300s',
    slots: 2,
  },
  {
    name: 'bursts each half hour',
    rate: (s) => 8 + (s % 1_800 < 300 ? 150 : 0) * daily(s),
    ...{ taskSeconds: 60, startWithin: '180s', slots: 4 },
  },
  {
    name: 'long tasks',
    rate: (s) => 4 * daily(s),
    ...{ taskSeconds: 900, startWithin: '600s', slots: 1 },
  },
  {
    name: 'busy: 3 million a day',
    rate: (s) => 2_000 * daily(s),
    ...{ taskSeconds: 2, startWithin: '120s', slots: 16 },
  },
]

function seenOf({ name, rate, taskSeconds, startWithin, slots }: Case, kind: Seen['kind']): Seen {
  const stepSeconds = kind === 'rehearse' ? 60 : 300
  const draw = random(1, name)
  const from = now - historyDays * day
  const sent = Float64Array.from({ length: (historyDays * day) / stepSeconds }, (_, step) =>
    draw.poisson((rate(step * stepSeconds) * stepSeconds) / 60),
  )
  const { fleet } = checkFleet({
    name: 'bench',
    defaults: { startWithin, taskTime: `${taskSeconds}s`, scaling: { mode: 'direct' } },
    defaultQueues: ['work'],
  })
  const [queue] = fleet?.queues ?? []
  if (!queue) throw new Error('The fleet of the bench is not valid')
  const instances = { inService: 1, pending: 0, leaving: 0, standby: 0, unhealthy: 0 }
  const group: Group = {
    ...{ name: 'work-workers', arn: 'arn', queue: 'work', fleet: null, slotsPerInstance: slots },
    ...{ minSize: 0, maxSize: 500, desired: 1, instances, members: [], capacityRebalance: false },
  }
  const dayOf = (value: number) => ({
    ...{ from: now - day, stepSeconds: 300, values: new Float64Array(288).fill(value) },
  })
  const service = { notVisible: dayOf(4), deleted: dayOf(1_200 / taskSeconds), inService: dayOf(9) }
  const due = kind === 'rehearse' ? 'daily' : null
  return {
    queue,
    group,
    reading: null,
    kind,
    due,
    sent: { from, stepSeconds, values: sent },
    service,
  }
}

function timeOf(seen: Seen): number {
  const started = performance.now()
  decide(seen, now)
  return performance.now() - started
}

const line = (what: string, value: number, bar: number): Line => [
  what,
  `${value.toFixed(1)} ms`,
  `<= ${bar} ms`,
  value <= bar ? 'met' : 'over',
]

const lines = cases.flatMap((one): Line[] => {
  const forecast = seenOf(one, 'forecast')
  const times = Array.from({ length: forecasts }, () => timeOf(forecast))
  const rehearsal = timeOf(seenOf(one, 'rehearse'))
  return [
    line(`${one.name}: forecast, median of ${forecasts}`, median(times), forecastBarMs),
    line(`${one.name}: rehearsal`, rehearsal, rehearsalBarMs),
  ]
})
console.log(table(['a queue', 'measured', 'bar', ''], lines))

// Prices of us-east-1 without any free tier: a thousand metrics asked for, a million units of a
// table's reads and writes, a GB-second on arm64.
const prices = { thousandMetrics: 0.01, millionReads: 0.125, millionWrites: 0.625 }
const gbSecond = 0.0000133334

const queues = 70
const hours = 730
const days = hours / 24
const dollars = (value: number) => `$${value.toFixed(2)}`

// Sent, deleted, in flight and in service of each queue each hour.
const metrics = queues * 4 * hours
// An outlook of a kilobyte or two is half a unit to read, each minute, and two to write, each hour.
const reads = queues * 0.5 * hours * 60
const writes = queues * 2 * hours
// Half a minute an hour is more than the calls take; a rehearsal a second.
const seconds = hours * 30 + queues * days
const compute = seconds * (1_769 / 1_024) * gbSecond
const costs = [
  [
    'GetMetricData',
    `${queues} x 4 x ${hours} / 1,000 x $0.01`,
    (metrics / 1_000) * prices.thousandMetrics,
  ],
  [
    'outlooks read',
    `${queues} x 0.5 x ${hours * 60} / 1e6 x $0.125`,
    (reads / 1e6) * prices.millionReads,
  ],
  [
    'outlooks written',
    `${queues} x 2 x ${hours} / 1e6 x $0.625`,
    (writes / 1e6) * prices.millionWrites,
  ],
  ['function', `${Math.round(seconds)} s x 1.73 GB x $0.0000133`, compute],
] as const
const total = costs.reduce((sum, [, , cost]) => sum + cost, 0)
const rows = costs.map(([what, how, cost]) => [what, how, dollars(cost)])
console.log(
  `\n${table([`${queues} queues, a month`, 'how', ''], [...rows, ['total', '', dollars(total)]])}`,
)
