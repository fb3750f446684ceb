import { GetQueueAttributesCommand } from '@aws-sdk/client-sqs'
import * as z from 'zod/mini'
import type { Deps } from './aws.ts'
import { parseJson } from './json.ts'

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
  return countsIn(Attributes)
}

function countsIn(Attributes: Readonly<Record<string, string>> | undefined): CountsReading {
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

/** Counts with what else the same call tells: nothing where the queue does not say. */
export type QueueReading = Counts & {
  /** How long a message that was received is invisible to others. */
  readonly visibilitySeconds: number | null
  /** The ARN of the queue that gets what was received too often. */
  readonly deadLetterArn: string | null
}

/** One GetQueueAttributes call. Throws as readCounts does, and where a count is no number. */
export async function readQueue(
  deps: Pick<Deps, 'sqs' | 'signal'>,
  queueUrl: string,
): Promise<QueueReading> {
  const AttributeNames = [
    ...Object.values(attributes),
    'VisibilityTimeout',
    'RedrivePolicy',
  ] as const
  const command = new GetQueueAttributesCommand({
    QueueUrl: queueUrl,
    AttributeNames: [...AttributeNames],
  })
  const { Attributes } = await deps.sqs.send(command, { abortSignal: deps.signal })
  const counts = countsIn(Attributes)
  if ('unreadable' in counts) throw new Error(counts.unreadable)
  const seconds = Number(Attributes?.['VisibilityTimeout'] ?? Number.NaN)
  const policy = redrivePolicy.safeParse(parseJson(Attributes?.['RedrivePolicy'] ?? ''))
  return {
    ...counts,
    visibilitySeconds: Number.isNaN(seconds) ? null : seconds,
    deadLetterArn: policy.data?.deadLetterTargetArn ?? null,
  }
}

const redrivePolicy = z.object({ deadLetterTargetArn: z.string() })

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
