import * as z from 'zod/mini'
import { awsError } from './service.ts'
import type { Queue } from './sqs-queue.ts'

// AWS's defaults for CreateQueue, and its bounds.
const visibilitySeconds = { usual: 30, most: 43_200 }
const delaySeconds = { usual: 0, most: 900 }
const receiveCount = { least: 1, most: 1_000 }

// Taken, and of no consequence here: no run lasts as long, and no policy is looked at.
const inconsequential = [
  'KmsMasterKeyId',
  'MaximumMessageSize',
  'MessageRetentionPeriod',
  'Policy',
  'ReceiveMessageWaitTimeSeconds',
  'RedriveAllowPolicy',
  'SqsManagedSseEnabled',
]

const policySchema = z.object({
  deadLetterTargetArn: z.string(),
  // CloudFormation and the console write it as a number, some tools as text.
  maxReceiveCount: z.coerce.number(),
})

/** What the attributes of CreateQueue come to; a dead-letter queue is sought among those given. */
export function settingsOf<K>(
  attributes: Partial<Record<string, string>>,
  deadLetterQueues: ReadonlyMap<string, Queue<K>>,
) {
  const { VisibilityTimeout, DelaySeconds, RedrivePolicy, ...rest } = attributes
  const unknown = Object.keys(rest).find((name) => !inconsequential.includes(name))
  if (unknown === 'FifoQueue') throw new Error("The twin's SQS has standard queues only")
  if (unknown) throw awsError('InvalidAttributeName', `Unknown Attribute ${unknown}.`)
  const visibility = seconds('VisibilityTimeout', VisibilityTimeout, visibilitySeconds)
  const delay = seconds('DelaySeconds', DelaySeconds, delaySeconds)
  const redrive = RedrivePolicy ? redriveOf(RedrivePolicy, deadLetterQueues) : null
  return { visibilityMs: visibility * 1_000, delayMs: delay * 1_000, redrive }
}

type Bounds = { readonly usual: number; readonly most: number }

function seconds(name: string, text: string | undefined, { usual, most }: Bounds): number {
  const value = Number(text ?? usual)
  if (Number.isInteger(value) && value >= 0 && value <= most) return value
  throw awsError('InvalidAttributeValue', `Invalid value for the parameter ${name}.`)
}

function redriveOf<K>(text: string, queues: ReadonlyMap<string, Queue<K>>) {
  const parsed = policySchema.safeParse(parseJson(text))
  if (!parsed.success) throw invalid(text, 'Redrive policy is not a valid JSON map.')
  const { deadLetterTargetArn, maxReceiveCount } = parsed.data
  const { least, most } = receiveCount
  if (!Number.isInteger(maxReceiveCount) || maxReceiveCount < least || maxReceiveCount > most) {
    throw invalid(text, `maxReceiveCount must be between ${least} and ${most}.`)
  }
  const target = queues.get(deadLetterTargetArn.slice(deadLetterTargetArn.lastIndexOf(':') + 1))
  if (!target) throw invalid(text, 'Dead letter target does not exist.')
  return { target, maxReceiveCount }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

const invalid = (text: string, reason: string) =>
  awsError(
    'InvalidParameterValue',
    `Value ${text} for parameter RedrivePolicy is invalid. Reason: ${reason}`,
  )
