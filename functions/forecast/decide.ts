import type { Group } from '../../shared/fleet.ts'
import {
  type History,
  historyOf,
  type Measured,
  profilesOf,
} from '../../shared/forecast/history.ts'
import { rehearse } from '../../shared/forecast/rehearse.ts'
import { type ServiceInputs, serviceTime } from '../../shared/forecast/service.ts'
import type { KeptOutlook, OutlookReading, Rehearsal } from '../../shared/outlook.ts'
import type { QueueConfig } from '../../shared/queue-config.ts'
import { hash } from '../../shared/shards.ts'
import { type Constants, firstConstants, type Workload } from '../../shared/sizing/types.ts'
import { workloadOf } from '../../shared/sizing/workload.ts'

/** What is due for a queue, and what its history says. Times are seconds since the epoch. */

const hourSeconds = 3_600
const daySeconds = 86_400

/** A queue with its group and what was found of its outlook. */
export type Known = {
  readonly queue: QueueConfig
  readonly group: Group
  readonly reading: OutlookReading
}

/** Why a queue is rehearsed now. */
export type Due =
  /** It never was. */
  | 'first'
  /** What it promises, or what its group is made of, is not what it was rehearsed for. */
  | 'changed'
  /** It is the queue's hour of the day. */
  | 'daily'

export type Task = Known & {
  readonly kind: 'fresh' | 'forecast' | 'rehearse'
  readonly due: Due | null
}

// Half of the schedule's hour: a run that is repeated finds what it has written, and the next
// hour's does not, however early it comes.
const freshSeconds = hourSeconds / 2

// All within six hours of a deployment, each day's within its own hour; of a thousand queues 167 at
// most, a second each, which is a third of the function's time.
const runsForAll = 6
const rehearsalsLeast = 10

/** As many as a run rehearses at most; the rest wait for the next, the most urgent first. */
export const rehearsalsMax = (queues: number) =>
  Math.max(rehearsalsLeast, Math.ceil(queues / runsForAll))

/** What is to be done for each: the forecasts first, then the most urgent of the rehearsals. */
export function plan(known: readonly Known[], now: number): Task[] {
  const tasks = known.map((one) => taskOf(one, now))
  const due = tasks.filter(({ kind }) => kind === 'rehearse').sort(byUrgency)
  const most = rehearsalsMax(known.length)
  return [
    ...tasks.filter(({ kind }) => kind !== 'rehearse'),
    ...due.slice(most).map((task): Task => ({ ...task, kind: unlessFresh(task.reading, now) })),
    ...due.slice(0, most),
  ]
}

function taskOf(known: Known, now: number): Task {
  const due = dueOf(known, now)
  if (due) return { ...known, kind: 'rehearse', due }
  return { ...known, kind: unlessFresh(known.reading, now), due }
}

const isKept = (reading: OutlookReading) => reading !== null && reading !== 'unreadable'

const unlessFresh = (reading: OutlookReading, now: number) =>
  isKept(reading) && now - reading.at < freshSeconds ? 'fresh' : 'forecast'

/** Those that have nothing yet, then those whose outcome is for something else, then the oldest. */
function byUrgency(a: Task, b: Task): number {
  const rank = { first: 0, changed: 1, daily: 2 }
  return rank[a.due ?? 'daily'] - rank[b.due ?? 'daily'] || rehearsedAt(a) - rehearsedAt(b)
}

const rehearsedAt = ({ reading }: Known) => (isKept(reading) && reading.rehearsal?.at) || 0

// What a rehearsal needs: the days that it judges, and one before them to foresee them by.
const historySecondsLeast = 2 * daySeconds
// A queue that was rehearsed when it was new has its first own hour when that is nearly a day old.
const betweenSeconds = 20 * hourSeconds

/** Why a queue is to be rehearsed; null where it is not, or has no history to rehearse yet. */
export function dueOf({ queue, group, reading }: Known, now: number): Due | null {
  if (!isKept(reading)) return 'first'
  const { historyFrom, rehearsal } = reading
  if (historyFrom === null || now - historyFrom < historySecondsLeast + hourSeconds) return null
  if (!rehearsal) return 'first'
  if (!isSame(rehearsal.workload, workloadOf(queue, group), reading)) return 'changed'
  const isOwnHour = dayOf(queue.name, now) > dayOf(queue.name, rehearsal.at)
  return isOwnHour && now - rehearsal.at >= betweenSeconds ? 'daily' : null
}

// Tasks that take half as long again are others than those that were rehearsed.
const taskFactor = 1.5

function isSame(before: Rehearsal['workload'], now: Workload, { service }: KeptOutlook): boolean {
  const factor = (service.seconds ?? now.taskSeconds) / before.taskSeconds
  return (
    before.startWithinSeconds === now.startWithinSeconds &&
    before.bootSeconds === now.bootSeconds &&
    before.tickSeconds === now.tickSeconds &&
    before.slots === now.slots &&
    factor < taskFactor &&
    factor > 1 / taskFactor
  )
}

/** Which day it is for a queue, whose days begin at an hour of its own: a shard's spread out. */
const dayOf = (queue: string, at: number) =>
  Math.floor((at / hourSeconds - (hash(queue) % 24)) / 24)

export type Seen = Task & {
  /** Messages sent in each step. */
  readonly sent: Measured
  readonly service: Omit<ServiceInputs, 'slotsPerInstance' | 'inServiceNow'>
}

export type Decision = {
  readonly reason: /** Forecast and, where it was due, rehearsed. */
    | 'forecast'
    | 'rehearsed'
    /** CloudWatch has not a single value of the queue. */
    | 'no-history'
    /** It was due, and there are less than two days of it. */
    | 'too-short-history'
  readonly outlook: KeptOutlook
}

// A service time of nothing would be none at all.
const taskSecondsLeast = 0.001

/** The outlook that follows from a queue's history. */
export function decide(seen: Seen, now: number): Decision {
  const { queue, group, reading, kind } = seen
  const before = isKept(reading) ? reading : null
  const history = historyOf(seen.sent)
  const workload = workloadOf(queue, group)
  const service = serviceTime({
    ...seen.service,
    slotsPerInstance: workload.slots,
    inServiceNow: group.instances.inService,
  })
  const common = { at: now, service }
  if (!history) {
    const outlook = { ...common, historyFrom: null, profiles: {}, rehearsal: before?.rehearsal }
    return { reason: 'no-history', outlook: { ...outlook, rehearsal: outlook.rehearsal ?? null } }
  }
  const taskSeconds = Math.max(taskSecondsLeast, service.seconds ?? workload.taskSeconds)
  const wanted = kind === 'rehearse'
  const last = before?.rehearsal?.constants ?? firstConstants
  const made = wanted
    ? rehearsalOf(queue.name, { ...workload, taskSeconds }, history, last, now)
    : null
  return {
    reason: !wanted ? 'forecast' : made ? 'rehearsed' : 'too-short-history',
    outlook: {
      ...common,
      historyFrom: history.from,
      profiles: profilesOf(history, now),
      rehearsal: made ?? before?.rehearsal ?? null,
    },
  }
}

/** Null where the history is too short. */
function rehearsalOf(
  queue: string,
  workload: Workload,
  history: History,
  last: Constants,
  now: number,
): Rehearsal | null {
  // Another day, other chance; the same run again, the same.
  const seed = hash(`${queue}/${Math.floor(now / daySeconds)}`)
  // By how much service times differ, nobody has measured.
  const made = rehearse(workload, history, { last, cv2: null, seed })
  if (!made) return null
  const { startWithinSeconds, bootSeconds, tickSeconds, slots, taskSeconds } = workload
  return {
    at: now,
    workload: { startWithinSeconds, bootSeconds, tickSeconds, slots, taskSeconds },
    ...made,
  }
}
