import type { RuleName } from '../../shared/alerts/rules.ts'

/** Which rules of a queue say one thing, and which of them is the reason for the others. */

export const causes = [
  /** Instances are replaced, because somebody wants another version on them. */
  'rollout',
  'no-capacity',
  'stalled',
  'at-max',
  'redelivery',
  'blind',
  'producer-silent',
  /** It falls behind, and none of the others says why. */
  'behind',
  'orphaned',
  'dead-letter',
] as const
export type Cause = (typeof causes)[number]

/** What a rule stands for by itself. */
export const causeOf = (rule: RuleName): Cause =>
  rule === 'oldest-age' || rule === 'depth' || rule === 'time-to-breach' ? 'behind' : rule

/** What each cause brings about at its own queue: nobody needs to be told of it as well. */
const explained: Readonly<Partial<Record<Cause, readonly Cause[]>>> = {
  // While they are replaced some are missing, and what they held is in flight for a moment.
  rollout: ['no-capacity', 'behind', 'at-max', 'orphaned'],
  // With too few instances more is wanted than max, and what is there takes longer.
  'no-capacity': ['behind', 'at-max'],
  // Workers that do nothing let the queue grow, and hold what they have until others get it.
  stalled: ['behind', 'at-max', 'orphaned', 'no-capacity', 'redelivery', 'dead-letter'],
  'at-max': ['behind'],
  // What comes back again and again is counted as in flight, keeps slots busy, and ends there.
  redelivery: ['behind', 'orphaned', 'dead-letter', 'at-max'],
  // Messages in flight that nobody works on grow old like those that wait.
  orphaned: ['behind'],
}

/** Whether one of two causes at the same queue is the reason for the other. */
export const isRelated = (a: Cause, b: Cause) => a === b || explains(a, b) || explains(b, a)

export const explains = (cause: Cause, other: Cause) => explained[cause]?.includes(other) ?? false

/** The cause of an alert, of all that is so at its queue: the strongest that explains it. */
export function rootOf(rule: RuleName, firing: readonly RuleName[], isRollout: boolean): Cause {
  const own = causeOf(rule)
  const others = new Set<Cause>([
    ...firing.map(causeOf),
    ...(isRollout ? ['rollout' as const] : []),
  ])
  return causes.find((cause) => others.has(cause) && explains(cause, own)) ?? own
}
