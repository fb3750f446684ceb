import type { Workload } from '../sizing/types.ts'

/** What a rehearsal's rule knows of its tasks: their counts, and what follows from them. */

export type Counts = { readonly visible: number; readonly running: number }

/** What the counts said so far, look by look. */
export type Seen = {
  visible: number
  running: number
  /** What had come by each look, as the counts have it. */
  readonly came: Float64Array
  looks: number
  /** The look before which the oldest of those that wait came. */
  oldest: number
}

/**
 * How long the oldest has waited, as the counts say it: that is known only through them, and long
 * tasks that hold their slots make it look shorter than it is. The rule must live with it.
 */
export function see(seen: Seen, { visible, running }: Counts, workload: Workload): number {
  const { tickSeconds, taskSeconds } = workload
  const ended = (seen.running * tickSeconds) / taskSeconds
  const grown = visible + running - seen.visible - seen.running
  const { came, looks } = seen
  came[looks] = (came[looks - 1] ?? 0) + Math.max(0, grown + ended)
  seen.looks++
  seen.visible = visible
  seen.running = running
  if (visible <= 0) {
    seen.oldest = looks
    return 0
  }
  const gone = (came[looks] ?? 0) - visible
  let { oldest } = seen
  while (oldest > 0 && (came[oldest - 1] ?? 0) > gone) oldest--
  while (oldest < looks && (came[oldest] ?? 0) <= gone) oldest++
  seen.oldest = oldest
  const before = came[oldest - 1] ?? 0
  const within = (came[oldest] ?? 0) - before
  const share = within > 0 ? (gone - before) / within : 0
  return Math.max(0, (looks - oldest + 1 - share) * tickSeconds)
}

export const unseen = (looksMax: number): Seen => ({
  ...{ visible: 0, running: 0, came: new Float64Array(looksMax), looks: 0, oldest: 0 },
})
