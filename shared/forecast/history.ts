import { seasons } from '../sizing/predict.ts'
import type { Profile } from '../sizing/types.ts'

/** Arrivals of the days before, a number a minute. */
export type History = {
  /** Second of the first minute. */
  readonly from: number
  readonly counts: ArrayLike<number>
}

/** What was measured in each step from a moment on; no number where nothing was. */
export type Measured = {
  readonly from: number
  readonly stepSeconds: number
  readonly values: ArrayLike<number>
}

/**
 * Arrivals a minute from sums over longer steps. Within a history a step without a value had no
 * arrivals, for a queue that nobody touches for six hours is not measured; what was before the
 * first value, nobody knows. Null where nothing was ever measured.
 */
export function historyOf({ from, stepSeconds, values }: Measured): History | null {
  let first = 0
  while (first < values.length && Number.isNaN(values[first] ?? Number.NaN)) first++
  if (first === values.length) return null
  const minutes = stepSeconds / 60
  const counts = new Float64Array((values.length - first) * minutes)
  for (let step = first; step < values.length; step++) {
    const value = values[step] ?? Number.NaN
    if (Number.isNaN(value)) continue
    counts.fill(value / minutes, (step - first) * minutes, (step - first + 1) * minutes)
  }
  return { from: from + first * stepSeconds, counts }
}

const profileStepSeconds = 300
// A profile is used for an hour and a while after, and its last hour tells the present level.
const beforeSeconds = 3_900
const aheadSeconds = 3_600 + 2_400

/** What the seasonal predictors say of the hour to come: each from the days that it has. */
export function profilesOf({ from, counts }: History, now: number): Record<string, Profile> {
  const start = Math.floor(now / profileStepSeconds) * profileStepSeconds - beforeSeconds
  const steps = (beforeSeconds + aheadSeconds) / profileStepSeconds
  const known = Math.min(from + counts.length * 60, now)
  const sumOf = (at: number) => {
    let sum = 0
    for (let second = at; second < at + profileStepSeconds; second += 60) {
      sum += counts[Math.floor((second - from) / 60)] ?? 0
    }
    return sum
  }
  const profiles: Record<string, Profile> = {}
  for (const [name, lags] of Object.entries(seasons)) {
    const means = Array.from({ length: steps }, (_, step) => {
      const at = start + step * profileStepSeconds
      const has = lags.filter((lag) => at - lag >= from && at - lag + profileStepSeconds <= known)
      return has.length === 0
        ? Number.NaN
        : has.reduce((sum, lag) => sum + sumOf(at - lag), 0) / has.length
    })
    // One step that nobody knows makes the profile one that cannot say.
    if (means.some(Number.isNaN)) continue
    profiles[name] = { from: start, stepSeconds: profileStepSeconds, counts: means }
  }
  return profiles
}
