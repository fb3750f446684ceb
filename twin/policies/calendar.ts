import type { Setting } from './peer.ts'

/** Recorded minutes by the hours of a day or of a week: what schedules and forecasts rest on. */
export type Calendar = {
  /** 24, or 168 where the history is long enough to tell the days of the week apart. */
  readonly hours: number
  /** Arrivals of every recorded hour, by its place in the calendar. */
  readonly arrivals: readonly (readonly number[])[]
}

const hourMs = 3_600_000
const weekHours = 168
// From two weeks on, an hour of the week has been seen twice; before, weekdays share their hours.
const daysForWeeks = 14

/** The hour of the calendar of a moment. */
export const hourOf = (calendar: Pick<Calendar, 'hours'>, at: number) =>
  Math.floor(at / hourMs) % calendar.hours

/** Throws where there is not a day of history. */
export function calendarOf({ historyPerMinute, daysFrom }: Setting, name: string): Calendar {
  const days = historyPerMinute.length / 1_440
  if (days < 1) throw new Error(`${name} needs a day of history; give it --history-days 1 or more`)
  const hours = days >= daysForWeeks ? weekHours : 24
  const arrivals: number[][] = Array.from({ length: hours }, () => [])
  const from = daysFrom - historyPerMinute.length * 60_000
  const first = Math.ceil(from / hourMs)
  for (let hour = first; (hour + 1) * hourMs <= daysFrom; hour++) {
    const minute = (hour * hourMs - from) / 60_000
    const sum = historyPerMinute.slice(minute, minute + 60).reduce((total, one) => total + one, 0)
    arrivals[hour % hours]?.push(sum)
  }
  return { hours, arrivals }
}
