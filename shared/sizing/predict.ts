import type { Profile } from './types.ts'

/**
 * Nine simple predictors of the arrivals to come. Each keeps a rolling error; the one with the
 * least is trusted. Three look at the last minutes, six at the same time of earlier hours and days,
 * scaled to the present level.
 */

/** Means of the last minutes. */
const recent = { 'last 2 min': 2, 'last 5 min': 5, 'last 15 min': 15 } as const

/** Means over the same window, so many seconds ago. */
const hour = 3_600
const day = 24 * hour
export const seasons: Readonly<Record<string, readonly number[]>> = {
  'last 3 hours': [hour, 2 * hour, 3 * hour],
  'a day ago': [day],
  'last 3 days': [day, 2 * day, 3 * day],
  'last 7 days': [1, 2, 3, 4, 5, 6, 7].map((days) => days * day),
  'a week ago': [7 * day],
  'last 2 weeks': [7 * day, 14 * day],
}

const recentMinutes = Object.values(recent)
const seasonNames = Object.keys(seasons)
export const predictorNames = [...Object.keys(recent), ...seasonNames]
/** Whether it looks at earlier hours and days. */
export const isSeasonal = (predictor: string) => predictor in seasons
const recentCount = recentMinutes.length

/** Arrivals of the last minutes, the newest last; the last one is under way. */
export type Recent = {
  /** Where the minute that is under way began. */
  readonly minute: number
  readonly counts: readonly number[]
}

// How far back the present level is taken from.
const levelSeconds = 3_600
export const recentMinutesMax = 61

/** How well each predictor has done, and what each says of a window that is not over. */
export type Errors = {
  /** Rolling sums of squared errors and of arrivals, and their weight. */
  readonly squares: readonly number[]
  readonly arrivals: number
  readonly weight: number
  readonly open: {
    readonly from: number
    readonly until: number
    /** Null by who could not say. */
    readonly says: readonly (number | null)[]
  } | null
}

export const noErrors: Errors = {
  squares: predictorNames.map(() => 0),
  arrivals: 0,
  weight: 0,
  open: null,
}

// Old errors count half after this long: a season that breaks is given up within hours.
const errorHalfLifeSeconds = 3 * hour
// A seasonal predictor has to be better by this much: the recent ones cannot be wrong for long.
const seasonalMustBeBetter = 0.95

/** Arrivals from `from` to `until`, as the minutes have them. */
export function arrivalsOf({ minute, counts }: Recent, now: number, from: number, until: number) {
  let sum = 0
  for (let index = counts.length - 1; index >= 0; index--) {
    const start = minute - (counts.length - 1 - index) * 60
    const end = index === counts.length - 1 ? Math.max(now, start + 1) : start + 60
    if (end <= from) break
    const overlap = Math.min(end, until) - Math.max(start, from)
    if (overlap > 0) sum += ((counts[index] ?? 0) * overlap) / (end - start)
  }
  return sum
}

/** What a profile says of a window; null where it does not reach. */
export function profileSum(
  { from: start, stepSeconds, counts }: Profile,
  from: number,
  to: number,
) {
  if (from < start || to > start + counts.length * stepSeconds) return null
  let sum = 0
  let index = Math.floor((from - start) / stepSeconds)
  for (let left = start + index * stepSeconds; left < to; left += stepSeconds) {
    const seconds = Math.min(to, left + stepSeconds) - Math.max(from, left)
    sum += ((counts[index++] ?? 0) * seconds) / stepSeconds
  }
  return sum
}

/** What each predictor says of the next seconds; null where it cannot say. */
export function predictions(
  last: Recent,
  profiles: Readonly<Record<string, Profile>>,
  now: number,
  aheadSeconds: number,
): (number | null)[] {
  const has = last.counts.length * 60
  const says: (number | null)[] = recentMinutes.map((minutes) => {
    const span = Math.min(minutes * 60, has - 60 + (now - last.minute))
    return span <= 0 ? 0 : (arrivalsOf(last, now, now - span, now) / span) * aheadSeconds
  })
  const span = Math.min(levelSeconds, has - 60)
  const level = span < 600 ? null : arrivalsOf(last, now, now - span, now)
  for (const name of seasonNames) {
    const profile = profiles[name]
    const ahead = profile ? profileSum(profile, now, now + aheadSeconds) : null
    const before =
      profile && ahead !== null && level !== null ? profileSum(profile, now - span, now) : null
    const isScaled = ahead !== null && level !== null && before !== null
    says.push(isScaled ? ahead * scaleOf(level, before) : ahead)
  }
  return says
}

// The level is believed as far as its counts allow: as if this many had come as was foreseen.
const levelPrior = 10
// A level that is off by more than this is another pattern, not the same at another height.
const scaleMax = 3

const scaleOf = (level: number, foreseen: number) =>
  Math.min(scaleMax, Math.max(1 / scaleMax, (level + levelPrior) / (foreseen + levelPrior)))

/** Closes a window that is over and opens the next. */
export function learn(
  errors: Errors,
  last: Recent,
  now: number,
  says: readonly (number | null)[],
  ahead: number,
) {
  const { open } = errors
  if (open === null) return { ...errors, open: { from: now, until: now + ahead, says } }
  if (now < open.until) return errors
  const came = arrivalsOf(last, now, open.from, open.until)
  const fade = 0.5 ** ((now - open.from) / errorHalfLifeSeconds)
  return {
    squares: errors.squares.map((sum, index) => {
      // Who could not say is held to have said that nothing would come.
      const error = (open.says[index] ?? 0) - came
      return sum * fade + error * error
    }),
    arrivals: errors.arrivals * fade + came,
    weight: errors.weight * fade + 1,
    open: { from: now, until: now + ahead, says },
  }
}

export type Forecast = {
  readonly predictor: string
  /** Arrivals foreseen in the window, and how long it is. */
  readonly arrivals: number
  readonly seconds: number
  /** Variance of the error over the mean: 1 is what chance alone makes. */
  readonly dispersion: number
}

/** What the best predictor says. */
export function forecast(
  errors: Errors,
  says: readonly (number | null)[],
  seconds: number,
): Forecast {
  let [best, least] = [1, Number.POSITIVE_INFINITY]
  for (let index = 0; index < says.length; index++) {
    if (says[index] === null) continue
    const square = errors.squares[index] ?? 0
    const error = index < recentCount ? square * seasonalMustBeBetter : square
    if (error < least) [best, least] = [index, error]
  }
  const square = errors.squares[best] ?? 0
  return {
    predictor: predictorNames[best] ?? '',
    arrivals: says[best] ?? 0,
    seconds,
    dispersion: Math.max(1, errors.arrivals > 0 ? square / errors.arrivals : 1),
  }
}
