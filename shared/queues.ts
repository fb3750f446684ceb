import { GetQueueAttributesCommand } from '@aws-sdk/client-sqs'
import type { Deps } from './aws.ts'

/** What SQS says a queue holds. Approximate: the counts settle about a minute after a change. */
export type Counts = {
  /** Waiting to be received. */
  readonly visible: number
  /** Received and not yet deleted: running, prefetched, held for a countdown, or orphaned. */
  readonly notVisible: number
  /** Sent with a delay that has not passed. */
  readonly delayed: number
}

/** Counts, or what was wrong with the answer: nobody may act on it. */
export type CountsReading = Counts | { readonly unreadable: string }

const attributes = {
  visible: 'ApproximateNumberOfMessages',
  notVisible: 'ApproximateNumberOfMessagesNotVisible',
  delayed: 'ApproximateNumberOfMessagesDelayed',
} as const

/**
 * One GetQueueAttributes call.
 * Throws SQS's own errors (QueueDoesNotExist, AccessDenied, throttling after the client's retries).
 */
export async function readCounts(
  deps: Pick<Deps, 'sqs' | 'signal'>,
  queueUrl: string,
): Promise<CountsReading> {
  const command = new GetQueueAttributesCommand({
    QueueUrl: queueUrl,
    AttributeNames: Object.values(attributes),
  })
  const { Attributes } = await deps.sqs.send(command, { abortSignal: deps.signal })
  const counts = { visible: 0, notVisible: 0, delayed: 0 }
  for (const field of ['visible', 'notVisible', 'delayed'] as const) {
    const text = Attributes?.[attributes[field]]
    if (text === undefined) return { unreadable: `${attributes[field]} is missing` }
    if (!/^\d+$/.test(text))
      return { unreadable: `${attributes[field]} is '${text}', not a number` }
    counts[field] = Number(text)
  }
  return counts
}

/**
 * The URL of a queue that is known by name. Its account, region and partition are those of its
 * group, whose ARN every run reads anyway: no call to look the URL up, and nothing to configure.
 */
export function queueUrl(sqs: string, groupArn: string): string {
  if (sqs.includes('://')) return sqs
  const [, partition, , region, account] = groupArn.split(':')
  const suffix = partition === 'aws-cn' ? 'amazonaws.com.cn' : 'amazonaws.com'
  return `https://sqs.${region}.${suffix}/${account}/${sqs}`
}
