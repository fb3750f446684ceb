import { randomUUID } from 'node:crypto'
import {
  CreateQueueCommand,
  GetQueueAttributesCommand,
  SendMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs'
import type { Moto } from '../moto.ts'
import { until } from './celery.ts'

/** A queue of moto's, and Celery tasks put on it as Celery itself would, without its start-up. */
export type Queue = {
  readonly name: string
  readonly url: string
  readonly sqs: SQSClient
}

export type Counts = { readonly visible: number; readonly inFlight: number }

/** Longer than any test: what is stuck in flight stays there for all to see. */
const visibilitySeconds = 600

export async function makeQueue(moto: Moto, name = `q-${randomUUID()}`): Promise<Queue> {
  const sqs = new SQSClient({ ...moto.client, useQueueUrlAsEndpoint: false })
  const made = await sqs.send(
    new CreateQueueCommand({
      QueueName: name,
      Attributes: { VisibilityTimeout: String(visibilitySeconds) },
    }),
  )
  return { name, url: made.QueueUrl ?? '', sqs }
}

/** Sends a task and gives its id. `countdown` is in seconds. */
export async function send(
  queue: Queue,
  task: string,
  args: readonly unknown[],
  { countdown = 0 } = {},
): Promise<string> {
  const id = randomUUID()
  const eta = countdown ? new Date(Date.now() + countdown * 1_000).toISOString() : null
  const body = base64([args, {}, { callbacks: null, errbacks: null, chain: null, chord: null }])
  const envelope = {
    body,
    'content-encoding': 'utf-8',
    'content-type': 'application/json',
    headers: {
      ...{ lang: 'py', task, id, root_id: id, parent_id: null, group: null, shadow: null },
      ...{ eta, expires: null, retries: 0, timelimit: [null, null], origin: 'test' },
      ...{ argsrepr: JSON.stringify(args), kwargsrepr: '{}', ignore_result: true },
    },
    properties: {
      ...{ correlation_id: id, reply_to: '', delivery_mode: 2, priority: 0 },
      delivery_info: { exchange: '', routing_key: queue.name },
      ...{ body_encoding: 'base64', delivery_tag: randomUUID() },
    },
  }
  await queue.sqs.send(
    new SendMessageCommand({ QueueUrl: queue.url, MessageBody: base64(envelope) }),
  )
  return id
}

const base64 = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64')

/** One task that runs until its gate opens, and then so many that wait behind it; its id. */
export async function load(queue: Queue, { gate = 'gate', behind = 7 } = {}): Promise<string> {
  const id = await send(queue, 'work', [gate])
  for (let sent = 0; sent < behind; sent += 1) await send(queue, 'work', [''])
  return id
}

export async function counts(queue: Queue): Promise<Counts> {
  const answer = await queue.sqs.send(
    new GetQueueAttributesCommand({
      QueueUrl: queue.url,
      AttributeNames: ['ApproximateNumberOfMessages', 'ApproximateNumberOfMessagesNotVisible'],
    }),
  )
  const count = (name: 'ApproximateNumberOfMessages' | 'ApproximateNumberOfMessagesNotVisible') =>
    Number(answer.Attributes?.[name])
  return {
    visible: count('ApproximateNumberOfMessages'),
    inFlight: count('ApproximateNumberOfMessagesNotVisible'),
  }
}

/** Waits until the workers have taken everything: so many messages are in flight. */
export const allTaken = (queue: Queue, inFlight: number) =>
  until(`the worker has fetched ${inFlight}`, async () => {
    const now = await counts(queue)
    return (now.visible === 0 && now.inFlight === inFlight) || null
  })
