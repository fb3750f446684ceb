import { SendMessageBatchCommand } from '@aws-sdk/client-sqs'
import type { DrainDeps } from './aws.ts'
import { chunks } from './each.ts'
import { queueUrl } from './queues.ts'

/** "Look at this instance again then": delayed messages, for no function sleeps. */
export type Timer = {
  readonly instance: string
  /** Epoch milliseconds, at most 15 minutes ahead. */
  readonly at: number
}

// The most messages that one SendMessageBatch call takes.
const messagesPerCall = 10
// Ids are short; a message holds thousands, and a function should not look at so many at once.
const instancesPerMessage = 100
// The longest delay that SQS takes.
const delaySecondsMax = 900

/**
 * One message for the instances that are due in the same second. The queue is where their group
 * is, by its ARN. Throws where any message was refused.
 */
export async function startTimers(
  deps: DrainDeps,
  timers: readonly Timer[],
  groupArn: string,
): Promise<void> {
  const now = deps.clock.now()
  const delayOf = ({ at }: Timer) =>
    Math.max(0, Math.min(Math.ceil((at - now) / 1_000), delaySecondsMax))
  const messages = [...Map.groupBy(timers, delayOf)].flatMap(([delay, list]) =>
    chunks(list, instancesPerMessage).map((part) => ({
      DelaySeconds: delay,
      MessageBody: JSON.stringify({ timer: part.map(({ instance }) => instance) }),
    })),
  )
  for (const batch of chunks(messages, messagesPerCall)) {
    const command = new SendMessageBatchCommand({
      QueueUrl: queueUrl(deps.timerQueue, groupArn),
      Entries: batch.map((message, index) => ({ Id: String(index), ...message })),
    })
    const { Failed = [] } = await deps.sqs.send(command, { abortSignal: deps.signal })
    const [refused] = Failed
    if (refused) throw new Error(`SQS refused a timer: ${refused.Code}: ${refused.Message}`)
  }
}
