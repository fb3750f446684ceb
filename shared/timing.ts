/**
 * How often the backlog loop runs. EventBridge schedules have a resolution of one minute, and
 * Auto Scaling evaluates a one-minute metric no faster.
 */
export const tickSeconds = 60

/**
 * How long the counts of GetQueueAttributes may take to settle: AWS documents that they reach
 * consistency at least one minute after producers stop sending.
 */
export const countsSettleSeconds = 60

/** From a Spot interruption warning until EC2 takes the instance: its documented best effort. */
export const spotNoticeSeconds = 120

/**
 * How often a queue of the fast lane is looked at between two runs of the schedule. The counts take
 * longer to settle than that, so that more looks would only see the same ones.
 */
export const fastLookSeconds = 15

// With a boot and two minutes, a look each minute keeps the promise: one to be noticed in, and one
// for counts that have not settled.
const fastBeyondBootSeconds = 120

type Promised = {
  readonly startWithinSeconds: number
  readonly bootSeconds: number
  readonly mode: 'observe' | 'target-tracking' | 'direct'
}

/** How often a queue is looked at: where nothing is resized, no promise asks for more. */
export const lookSecondsOf = ({ startWithinSeconds, bootSeconds, mode }: Promised) =>
  mode === 'direct' && startWithinSeconds < bootSeconds + fastBeyondBootSeconds
    ? fastLookSeconds
    : tickSeconds
