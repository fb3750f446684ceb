import { acceptableBacklog, cadenceSeconds, type Readings, read, track, tracking } from './aws.ts'
import { type Calendar, calendarOf, hourOf } from './calendar.ts'
import { instancesFor, peer, type Setting } from './peer.ts'

/** What is planned ahead: one size, a timetable, and AWS's predictive scaling. */

const hourMs = 3_600_000
const hourSeconds = 3_600

// Above the busiest hour of the history, for bursts within it.
const staticMargin = 1.2

export const fixed = peer({
  name: 'static',
  about: 'one size, whatever happens',
  cadenceSeconds: 60,
  params: { size: { about: 'instances', usual: busiestHour } },
  begin: () => null,
  decide: (_view, state, { size }) => ({ state, desired: size, reason: 'static' }),
})

function busiestHour({ historyPerMinute, serviceSeconds, slots, max }: Setting): number {
  let most = 0
  for (let minute = 0; minute + 60 <= historyPerMinute.length; minute += 60) {
    const hour = historyPerMinute.slice(minute, minute + 60)
    most = Math.max(
      most,
      hour.reduce((sum, one) => sum + one, 0),
    )
  }
  if (most === 0) return max
  return instancesFor((staticMargin * most * serviceSeconds) / hourSeconds, slots)
}

type Timetable = { readonly hours: number; readonly instances: readonly number[] }

// Margins that are tried on the history, the cheapest first: below 1 a long promise lets an hour's
// peak wait; the largest are for hours whose tasks all come at once.
const margins = [
  ...[0.6, 0.7, 0.8, 0.9, 1, 1.1, 1.2, 1.35, 1.5, 1.75, 2, 2.5, 3, 4],
  ...[5, 6, 8, 10, 15, 20, 30, 50],
]
// What a timetable must keep on the history, of all tasks.
const keptShare = 0.995
// Scheduled actions may run this late, by their documentation.
const lateSeconds = 120

export const scheduled = peer({
  name: 'scheduled',
  about: 'a size for each hour, worked out from the history alone',
  cadenceSeconds: 60,
  params: {
    margin: { about: 'of the busiest such hour; 0: the cheapest that kept it', usual: () => 0 },
    least: { about: 'instances in the quietest hour', usual: () => 1 },
    lead: { about: 'seconds before its hour', usual: (at) => at.bootSeconds + lateSeconds },
  },
  begin(setting, { margin, least }): Timetable {
    const calendar = calendarOf(setting, 'scheduled')
    if (margin > 0) return timetable(calendar, setting, { margin, least })
    const tables = margins.map((one) => timetable(calendar, setting, { margin: one, least }))
    const fits = tables.find((table) => kept(table, setting) >= keptShare)
    return fits ?? timetable(calendar, setting, { margin: margins.at(-1) ?? 1, least })
  },
  decide({ now }, table, { lead }) {
    const at = (moment: number) => table.instances[hourOf(table, moment)] ?? 0
    const desired = Math.max(at(now), at(now + lead * 1_000))
    return { state: table, desired, reason: 'timetable' }
  },
})

type Plan = { readonly margin: number; readonly least: number }

function timetable(calendar: Calendar, { serviceSeconds, slots }: Setting, plan: Plan): Timetable {
  const instances = calendar.arrivals.map((seen) => {
    const load = (plan.margin * Math.max(0, ...seen) * serviceSeconds) / hourSeconds
    return Math.max(plan.least, instancesFor(load, slots))
  })
  return { hours: calendar.hours, instances }
}

/** The share of the history's tasks that would have started in time: minutes of a fluid. */
function kept(table: Timetable, setting: Setting): number {
  const { historyPerMinute, daysFrom, serviceSeconds, slots, promiseSeconds } = setting
  const from = daysFrom - historyPerMinute.length * 60_000
  let [waiting, tasks, inTime] = [0, 0, 0]
  historyPerMinute.forEach((arrivals, minute) => {
    const instances = table.instances[hourOf(table, from + minute * 60_000)] ?? 0
    const perSecond = (instances * slots) / serviceSeconds
    waiting = Math.max(0, waiting + arrivals - perSecond * 60)
    tasks += arrivals
    if (waiting <= perSecond * promiseSeconds) inTime += arrivals
  })
  return tasks === 0 ? 1 : inTime / tasks
}

type Forecast = {
  readonly readings: Readings
  /** Arrivals of past hours, two weeks of them at most, by their hour since the epoch. */
  readonly past: ReadonlyMap<number, number>
  readonly present: { readonly hour: number; readonly sent: number }
  /** For coming hours, by their hour since the epoch. */
  readonly ahead: ReadonlyMap<number, number>
  readonly madeAt: number
}

// Predictive scaling as documented: two weeks of hours, two days ahead, anew every six hours.
const pastHours = 336
const aheadHours = 48
const refreshMs = 6 * hourMs

export const awsPredictive = peer({
  name: 'aws-predictive',
  about: 'predictive scaling on messages sent, with target tracking beside it',
  cadenceSeconds,
  params: {
    utilisation: { about: 'of an instance, that the forecast aims at', usual: () => 0.8 },
    buffer: { about: 'seconds before the hour (SchedulingBufferTime)', usual: () => 300 },
    target: { about: 'backlog per instance', usual: acceptableBacklog },
    ...tracking,
  },
  warmup: 'warmup',
  begin: (setting): Forecast => ({
    readings: [],
    past: hoursOf(setting),
    present: { hour: -1, sent: 0 },
    ahead: new Map(),
    madeAt: 0,
  }),
  decide(view, before, params, { serviceSeconds, slots }) {
    const state = remember(before, view.now, view.sent)
    const hour = Math.floor(view.now / hourMs)
    const soon = Math.floor((view.now + params.buffer * 1_000) / hourMs)
    const perInstance = (hourSeconds * slots * params.utilisation) / serviceSeconds
    const most = Math.max(state.ahead.get(hour) ?? 0, state.ahead.get(soon) ?? 0)
    const forecast = instancesFor(most, perInstance)
    const tracked = track(before.readings, view, params)
    const readings = read(before.readings, view, params.inFlight)
    // Of several policies the largest capacity wins; the forecast alone never scales in.
    const wins = forecast > tracked.desired
    const decided = wins ? { desired: forecast, reason: 'forecast' } : tracked
    return { state: { ...state, readings }, ...decided }
  },
})

function hoursOf(setting: Setting): Map<number, number> {
  const { historyPerMinute, daysFrom } = setting
  if (historyPerMinute.length < 1_440) calendarOf(setting, 'aws-predictive')
  const hours = new Map<number, number>()
  const from = daysFrom - historyPerMinute.length * 60_000
  historyPerMinute.forEach((arrivals, minute) => {
    const hour = Math.floor((from + minute * 60_000) / hourMs)
    hours.set(hour, (hours.get(hour) ?? 0) + arrivals)
  })
  return hours
}

/** Closes the hours that are over, and forecasts anew when it is time. */
function remember(before: Forecast, now: number, sent: number): Forecast {
  const hour = Math.floor(now / hourMs)
  const { present } = before
  const goesOn = present.hour === hour
  const past = goesOn ? before.past : closed(before)
  const state = { ...before, past, present: { hour, sent: (goesOn ? present.sent : 0) + sent } }
  if (now - before.madeAt < refreshMs) return state
  const ahead = new Map(
    Array.from({ length: aheadHours }, (_, step) => [hour + step, seasonal(past, hour + step)]),
  )
  return { ...state, ahead, madeAt: now }
}

function closed({ past, present }: Forecast): Forecast['past'] {
  // The hour in which a simulation begins is in the history as a whole.
  if (present.hour < 0 || past.has(present.hour)) return past
  const known = new Map(past).set(present.hour, present.sent)
  known.delete(present.hour - pastHours)
  return known
}

/** The mean of the same hour: of the week where two of them are known, of the day elsewhere. */
function seasonal(past: Forecast['past'], hour: number): number {
  const every = (hours: number) =>
    Array.from({ length: pastHours / hours }, (_, index) =>
      past.get(hour - (index + 1) * hours),
    ).filter((value) => value !== undefined)
  const weekly = every(168)
  const same = weekly.length >= 2 ? weekly : every(24)
  return same.length === 0 ? 0 : same.reduce((sum, value) => sum + value, 0) / same.length
}
