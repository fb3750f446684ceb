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
