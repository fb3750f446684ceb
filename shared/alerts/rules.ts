/** What is watched of each queue. One rule is one question, answered each minute by a number. */

export const ruleNames = [
  /** How old the oldest message is, by CloudWatch. */
  'oldest-age',
  /** How many messages wait. */
  'depth',
  /** How soon the promise breaks at the present rates. */
  'time-to-breach',
  /** For how long messages wait and nothing is done. */
  'stalled',
  /** How many messages are in flight beyond what the workers can hold. */
  'orphaned',
  /** How many messages came back from a worker that did not delete them. */
  'redelivery',
  /** How many messages are in the dead-letter queue. */
  'dead-letter',
  /** How many instances have been wanted for longer than a boot and are not there. */
  'no-capacity',
  /** How many instances the sizing rule wants beyond max. */
  'at-max',
  /** For how long nothing came, where something should have. */
  'producer-silent',
  /** For how long the queue could not be measured. */
  'blind',
] as const
export type RuleName = (typeof ruleNames)[number]

/** `critical` is to be looked at now; `warning` can wait for the morning. */
export const severities = ['critical', 'warning'] as const
export type Severity = (typeof severities)[number]

/** What a rule's number counts. */
export const units = ['seconds', 'messages', 'instances'] as const
export type Unit = (typeof units)[number]

/** Something of each rule. */
export const byRule = <T>(of: (rule: RuleName) => T): Readonly<Record<RuleName, T>> => ({
  'oldest-age': of('oldest-age'),
  depth: of('depth'),
  'time-to-breach': of('time-to-breach'),
  stalled: of('stalled'),
  orphaned: of('orphaned'),
  redelivery: of('redelivery'),
  'dead-letter': of('dead-letter'),
  'no-capacity': of('no-capacity'),
  'at-max': of('at-max'),
  'producer-silent': of('producer-silent'),
  blind: of('blind'),
})
