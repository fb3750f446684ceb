import fleet from '../../fleet.config.ts'
import type { QueueConfig } from '../../shared/queue-config.ts'
import type { Rate } from '../world/arrivals.ts'
import type { QueueWorld, Scenario } from '../world/world.ts'

/**
 * The example's fleet on a working day in winter, from midnight in New York: about a million tasks
 * for customers all over the US, surges when meetings end, and a Spot market with two bad moments.
 */

const midnight = Date.parse('2026-01-06T05:00:00Z')
const hourMs = 3_600_000
const minuteMs = 60_000

type Shape = 'meetings-end' | 'meetings-begin' | 'steady'
type Load = {
  readonly tasksPerDay: number
  readonly taskSeconds: number
  readonly slots: number
  readonly shape: Shape
}

/** What really arrives and how long it really takes; the configuration's priors are near it. */
const named: Readonly<Record<string, Load>> = {
  video: { tasksPerDay: 5_000, taskSeconds: 260, slots: 1, shape: 'meetings-end' },
  transcript: { tasksPerDay: 20_000, taskSeconds: 85, slots: 2, shape: 'meetings-end' },
  email: { tasksPerDay: 190_000, taskSeconds: 2.2, slots: 4, shape: 'meetings-end' },
  report: { tasksPerDay: 30_000, taskSeconds: 50, slots: 4, shape: 'steady' },
  'meeting-join': { tasksPerDay: 40_000, taskSeconds: 9, slots: 4, shape: 'meetings-begin' },
  'digest-weekly': { tasksPerDay: 3_000, taskSeconds: 15, slots: 2, shape: 'steady' },
  'gdpr-erase': { tasksPerDay: 150, taskSeconds: 40, slots: 2, shape: 'steady' },
}

// The other 63 queues share these tasks, the largest first: a few are busy, most are not.
const otherTasksPerDay = 712_000
const otherSkew = 0.7
// Their tasks take 8 to 30 s; the configuration says 20 for all of them.
const otherTaskSeconds = [8, 12, 16, 22, 30]

const others = fleet.queues.filter(({ name }) => !(name in named))
const weight = (rank: number) => 1 / (rank + 1) ** otherSkew
const weights = others.reduce((sum, _, rank) => sum + weight(rank), 0)

function loadOf(queue: QueueConfig): Load {
  const rank = others.indexOf(queue)
  const own = named[queue.name]
  if (own) return own
  return {
    tasksPerDay: (otherTasksPerDay * weight(rank)) / weights,
    taskSeconds: otherTaskSeconds[rank % otherTaskSeconds.length] ?? 20,
    slots: 2,
    shape: rank % 5 < 3 ? 'meetings-end' : 'steady',
  }
}

/** Activity by the hour of the local day, midnight first: how much of the busiest hour. */
const localDay = [
  0.05, 0.04, 0.04, 0.04, 0.05, 0.08, 0.18, 0.4, 0.75, 0.95, 1, 0.98, 0.8, 0.9, 1, 0.97, 0.85, 0.6,
  0.35, 0.22, 0.16, 0.12, 0.09, 0.06,
]
/** Where the customers are: hours behind New York, and their share. */
const customers = [
  { behind: 0, share: 0.45 },
  { behind: 1, share: 0.2 },
  { behind: 2, share: 0.07 },
  { behind: 3, share: 0.28 },
]

function activity(hour: number): number {
  const at = (local: number) => {
    const before = Math.floor(local)
    const from = localDay[((before % 24) + 24) % 24] ?? 0
    const to = localDay[(((before + 1) % 24) + 24) % 24] ?? 0
    return from + (to - from) * (local - before)
  }
  return customers.reduce((sum, { behind, share }) => sum + share * at(hour - behind), 0)
}
const hoursOfDay = Array.from({ length: 24 * 60 }, (_, minute) => activity(minute / 60))
const activityMean = hoursOfDay.reduce((sum, value) => sum + value, 0) / hoursOfDay.length

/** How the minutes of a half hour share its tasks; each list is scaled to a mean of 1. */
const halfHour: Readonly<Record<Shape, readonly number[]>> = {
  // Recordings end with their meetings and are worked on at once; the rest trickles in.
  'meetings-end': scaled((minute) => 0.45 + 3 * Math.exp(-minute / 5)),
  // A bot joins in the minutes around the start.
  'meetings-begin': scaled((minute) => (minute >= 27 ? 6 : minute <= 1 ? 3 : 0.25)),
  steady: scaled(() => 1),
}
// More meetings end on the hour than on the half hour.
const hourShare = 1.2
const halfHourShare = 0.8

function scaled(weightOf: (minute: number) => number): number[] {
  const list = Array.from({ length: 30 }, (_, minute) => weightOf(minute))
  const mean = list.reduce((sum, value) => sum + value, 0) / list.length
  return list.map((value) => value / mean)
}

function rateOf({ tasksPerDay, shape }: Load): Rate {
  const perSecond = tasksPerDay / 86_400 / activityMean
  return (at) => {
    const minute = Math.floor((at - midnight) / minuteMs)
    // Before a meeting's start its half hour is the one to come.
    const mark = Math.floor((minute + (shape === 'meetings-begin' ? 15 : 0)) / 30)
    const share = shape === 'steady' ? 1 : mark % 2 === 0 ? hourShare : halfHourShare
    const within = halfHour[shape][((minute % 30) + 30) % 30] ?? 1
    return perSecond * activity((at - midnight) / hourMs) * within * share
  }
}

// Task times vary this much; P99 is then about three times the mean.
const taskVariation = 0.6

function queueWorld(queue: QueueConfig): QueueWorld {
  const load = loadOf(queue)
  // The largest group the peak could ever need: the mean load times the peak's share of the day.
  const slotsBusy = (load.tasksPerDay * load.taskSeconds) / 86_400
  return {
    rate: rateOf(load),
    taskSeconds: load.taskSeconds,
    taskVariation,
    // Celery's rule on SQS: P99 of the task time and a few minutes.
    visibilitySeconds: Math.round(load.taskSeconds * 4 + 150),
    slots: load.slots,
    prefetchMultiplier: 1,
    bootSeconds: queue.bootSeconds,
    minSize: 0,
    maxSize: 4 + Math.ceil((8 * slotsBusy) / load.slots),
  }
}

/**
 * The scenario from that hour of the local day on, with its groups at their smallest; of so many
 * days before AWS has metrics, for the forecasts.
 */
export const talk = (startHour = 0, pastDays = 0): Scenario => ({
  name: 'talk',
  pastDays,
  startAt: midnight + startHour * hourMs,
  fleet,
  queue: queueWorld,
  market: {
    // One instance in twenty a day: the better half of what AWS publishes for Spot pools.
    reclaimsPerDay: 0.05,
    storms: [
      { at: midnight + 11.35 * hourMs, zone: 'us-east-1a', share: 0.4 },
      { at: midnight + 16.1 * hourMs, zone: 'us-east-1b', share: 0.25 },
    ],
  },
})
