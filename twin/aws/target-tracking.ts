import type { MetricStatistic } from '@aws-sdk/client-auto-scaling'

/** A target tracking policy on a metric of one's own, as PutScalingPolicy describes it. */
export type TargetTracking = {
  readonly name: string
  readonly namespace: string
  readonly metric: string
  readonly dimensions: readonly { readonly Name: string; readonly Value: string }[]
  readonly statistic: MetricStatistic
  readonly target: number
  readonly scaleIn: boolean
  readonly warmupSeconds: number | null
}

/** What the policy's two alarms and the scaling itself look at. */
export type PolicyView = {
  /** The last 15 one-minute values, oldest first; null where no value was published. */
  readonly values: readonly (number | null)[]
  readonly desired: number
  readonly minSize: number
  readonly maxSize: number
  /** In service and past their warm-up. */
  readonly warm: number
  readonly warming: number
}

// The alarms that Auto Scaling makes: high on 3 of 3 minutes, low on 15 of 15. Users cannot change
// them. Where the low one lies is not documented; on EC2 groups 0.7 of the target has been seen,
// in older accounts 0.9. The lower one scales in later, which flatters the policy if anything.
const highMinutes = 3
const lowMinutes = 15
const lowFraction = 0.7

/** How many minutes of the metric a policy needs to see. */
export const minutesNeeded = lowMinutes

/** EstimatedInstanceWarmup where neither the policy nor the group sets one. */
export const warmupSecondsDefault = 300

/** What a policy aims at, and which share of it its low alarm is at. */
export type Aim = Pick<TargetTracking, 'target' | 'scaleIn'> & { readonly lowFraction?: number }

/**
 * The desired capacity after one evaluation, in alarm or not. Proportional, rounded up; missing
 * values are insufficient data and move nothing; no scale-in while an instance warms up.
 */
export function evaluate(policy: Aim, view: PolicyView): number {
  const { values, desired, minSize, maxSize, warm, warming } = view
  const latest = values.at(-1)
  if (latest === undefined || latest === null) return desired
  // The metric is per instance; what has none is treated as one, or it could never leave zero.
  const proportional = Math.ceil((latest * Math.max(1, warm)) / policy.target - 1e-9)
  const wanted = Math.min(Math.max(proportional, minSize), maxSize)
  if (all(values.slice(-highMinutes), highMinutes, (value) => value > policy.target)) {
    return Math.max(desired, wanted)
  }
  const low = policy.target * (policy.lowFraction ?? lowFraction)
  if (!policy.scaleIn || warming > 0) return desired
  if (!all(values.slice(-lowMinutes), lowMinutes, (value) => value < low)) return desired
  return Math.min(desired, wanted)
}

const all = (
  values: readonly (number | null)[],
  needed: number,
  test: (value: number) => boolean,
) => values.length === needed && values.every((value) => value !== null && test(value))
