import type { RuleName } from '../../shared/alerts/rules.ts'
import { defineFleet, type QueueConfig } from '../../shared/queue-config.ts'
import { type Random, random } from '../../shared/random.ts'
import type { Rate } from '../world/arrivals.ts'
import type { QueueWorld, Scenario } from '../world/world.ts'
import type { Incident } from './judge.ts'

/** Days on which something goes wrong that people should be told of once, and one without. */

export type Backtest = {
  readonly scenario: Scenario
  readonly hours: number
  readonly incidents: readonly Incident[]
}

const minuteMs = 60_000
const hourMs = 3_600_000
const firstAt = Date.parse('2026-01-06T13:00:00Z')

type Load = { readonly perMinute: number; readonly taskSeconds: number; readonly slots: number }

/** Six queues of different kinds: long tasks and short, short promises and patient ones. */
const loads: Readonly<Record<string, Load>> = {
  video: { perMinute: 3, taskSeconds: 240, slots: 1 },
  transcript: { perMinute: 12, taskSeconds: 85, slots: 2 },
  email: { perMinute: 110, taskSeconds: 2.2, slots: 4 },
  report: { perMinute: 18, taskSeconds: 45, slots: 4 },
  join: { perMinute: 25, taskSeconds: 9, slots: 4 },
  plain: { perMinute: 30, taskSeconds: 16, slots: 2 },
}

const fleet = defineFleet({
  name: 'backtest',
  defaults: {
    ...{ startWithin: '5m', taskTime: '20s', bootTime: '2m', prefetch: 1 },
    scaling: { mode: 'direct', min: 1 },
  },
  queues: {
    video: { startWithin: '10m', taskTime: '4m', bootTime: '3m' },
    transcript: { taskTime: '90s' },
    email: { taskTime: '2s' },
    report: { startWithin: '15m', taskTime: '45s' },
    join: { startWithin: '180s', taskTime: '10s', scaling: { min: 2 } },
    plain: {},
  },
})
const names = Object.keys(loads)

/** Up from nothing in the first half hour, then a slow wave, with peaks when meetings end. */
function usualRate({ perMinute }: Load): Rate {
  return (at) => {
    const minutes = (at - firstAt) / minuteMs
    const rise = Math.min(1, Math.max(0, minutes) / 30)
    const wave = 1 + 0.4 * Math.sin((2 * Math.PI * minutes) / 1_440)
    const peak = minutes % 30 < 4 ? 1.8 : 0.9
    return (perMinute / 60) * rise * wave * peak
  }
}

function usual(queue: QueueConfig): QueueWorld {
  const load = loads[queue.name]
  if (!load) throw new Error(`No load for ${queue.name}`)
  const { perMinute, taskSeconds, slots } = load
  return {
    rate: usualRate(load),
    ...{ taskSeconds, taskVariation: 0.6, slots, prefetchMultiplier: 1 },
    // Beyond the longest task: a shorter one gives tasks that run for long to others as well.
    visibilitySeconds: Math.round(taskSeconds * 12 + 300),
    bootSeconds: queue.bootSeconds,
    minSize: 0,
    maxSize: Math.ceil((3 * perMinute * taskSeconds) / 60 / slots) + 2,
    deadLetter: { maxReceiveCount: 20 },
  }
}

const market = { reclaimsPerDay: 0.2, storms: [] }

type Trouble = {
  readonly world?: (queue: QueueConfig) => Partial<QueueWorld>
  readonly scenario?: Partial<Scenario>
  readonly incidents: readonly Incident[]
  readonly hours?: number
}

const troubleHours = 4

function backtestOf(name: string, startAt: number, trouble: Trouble): Backtest {
  const { world = () => ({}), scenario = {}, incidents, hours = troubleHours } = trouble
  return {
    scenario: {
      ...{ name, startAt, fleet, market },
      queue: (queue) => ({ ...usual(queue), ...world(queue) }),
      ...scenario,
    },
    ...{ hours, incidents },
  }
}

/** When it begins: after an hour and a half, by when every group has found its size. */
const beginOf = (draw: Random) => firstAt + 90 * minuteMs + Math.floor(draw.next() * 20 * minuteMs)

const pick = <T>(draw: Random, list: readonly T[]): T => {
  const found = list[draw.int(list.length)]
  if (found === undefined) throw new Error('There is nothing to pick')
  return found
}

const behind: readonly RuleName[] = ['oldest-age', 'depth', 'time-to-breach', 'at-max']

/** From its first moment until what it has left behind is gone. */
const spanOf = (from: number, until: number) => ({ from: from / 1_000, until: until / 1_000 })

const only = (name: string, world: Partial<QueueWorld>) => (queue: QueueConfig) =>
  queue.name === name ? world : {}

/** Nothing but noise, Spot reclaims now and then, and phantom messages. */
const calm = (): Trouble => ({ incidents: [], hours: 24 })

function stalledWorkers(draw: Random): Trouble {
  const name = pick(draw, ['transcript', 'report', 'plain', 'email'])
  const at = beginOf(draw)
  const until = at + 45 * minuteMs
  const spell = pick(draw, ['hangs', 'deaf'] as const)
  return {
    world: only(name, { [spell]: { at, until } }),
    incidents: [
      {
        ...{ name: `${name} ${spell}`, queues: [name] },
        rules: ['stalled', 'orphaned', 'redelivery', 'dead-letter', 'no-capacity', ...behind],
        ...spanOf(at, until + hourMs),
      },
    ],
  }
}

function spotStorm(draw: Random): Trouble {
  const at = beginOf(draw)
  const until = at + 40 * minuteMs
  const storms = ['us-east-1a', 'us-east-1b', 'us-east-1c'].map((zone) => ({
    ...{ at, zone, share: draw.between(0.5, 0.8) },
  }))
  return {
    scenario: { market: { ...market, storms, shortages: [{ at, until }] } },
    incidents: [
      {
        ...{ name: 'no Spot capacity', queues: names },
        rules: ['no-capacity', 'stalled', 'orphaned', 'redelivery', ...behind],
        ...spanOf(at, until + hourMs),
      },
    ],
  }
}

/** In three minutes as much as max needs an hour and more for. */
function producerBurst(draw: Random): Trouble {
  const name = pick(draw, ['transcript', 'report', 'plain', 'join'])
  const at = beginOf(draw)
  const load = loads[name] ?? { perMinute: 0, taskSeconds: 0, slots: 0 }
  const before = usualRate(load)
  const more = (3 * load.perMinute * 40) / 180
  const rate: Rate = (now) => before(now) + (now >= at && now < at + 3 * minuteMs ? more : 0)
  return {
    world: only(name, { rate }),
    incidents: [
      {
        ...{ name: `${name} gets a burst`, queues: [name], rules: behind },
        ...spanOf(at, at + 2 * hourMs),
      },
    ],
  }
}

function poisonMessages(draw: Random): Trouble {
  const name = pick(draw, ['transcript', 'report', 'plain', 'join'])
  const at = beginOf(draw)
  const count = 10 + draw.int(10)
  return {
    world: only(name, { poison: { at, count } }),
    incidents: [
      {
        ...{ name: `${name} has poison`, queues: [name] },
        rules: ['redelivery', 'orphaned', 'dead-letter', ...behind],
        ...spanOf(at, at + 4 * hourMs),
      },
    ],
    hours: 6,
  }
}

/** For an hour half as much again as max can do. */
function groupAtMax(draw: Random): Trouble {
  const name = pick(draw, ['transcript', 'report', 'plain', 'video'])
  const at = beginOf(draw)
  const load = loads[name] ?? { perMinute: 0, taskSeconds: 0, slots: 0 }
  const before = usualRate(load)
  const more = (4.5 * load.perMinute) / 60
  const rate: Rate = (now) => (now >= at && now < at + hourMs ? more : before(now))
  return {
    world: only(name, { rate }),
    incidents: [
      {
        ...{ name: `${name} is at its max`, queues: [name], rules: behind },
        ...spanOf(at, at + 3 * hourMs),
      },
    ],
    hours: 5,
  }
}

function metricLost(draw: Random): Trouble {
  const at = beginOf(draw)
  const until = at + 50 * minuteMs
  return {
    scenario: { metricsLost: { at, until } },
    incidents: [
      {
        ...{ name: 'CloudWatch has nothing', queues: names, rules: ['blind'] },
        ...spanOf(at, until + 15 * minuteMs),
      },
    ],
  }
}

const troubles: Readonly<Record<string, (draw: Random) => Trouble>> = {
  calm,
  'stalled-workers': stalledWorkers,
  'spot-storm': spotStorm,
  'producer-burst': producerBurst,
  'poison-messages': poisonMessages,
  'group-at-max': groupAtMax,
  'metric-lost': metricLost,
}

export const scenarioNames = Object.keys(troubles)

/** The scenario of that name, with chance from the seed. Throws where there is none. */
export function scenarioOf(name: string, seed: number): Backtest {
  const trouble = troubles[name]
  if (!trouble)
    throw new Error(`There is no scenario ${name}; there are ${scenarioNames.join(', ')}`)
  // A schedule has its own second of the minute, CloudWatch publishes at another.
  const startAt = firstAt + random(seed, 'backtest/phase').int(60) * 1_000
  return backtestOf(name, startAt, trouble(random(seed, `backtest/${name}`)))
}
