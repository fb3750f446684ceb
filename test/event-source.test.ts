import {
  GetQueueAttributesCommand,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  SendMessageCommand,
} from '@aws-sdk/client-sqs'
import type { SQSEvent } from 'aws-lambda'
import { beforeEach, describe, expect, it } from 'vitest'
import {
  createEventSource,
  type EventSource,
  type EventSourceOptions,
  runUntil,
} from '../twin/aws/event-source.ts'
import type { Queue } from '../twin/aws/sqs-queue.ts'
import { createTwin, type Twin } from '../twin/twin.ts'

/** A function on a queue: which batches it gets, when, and what becomes of them. */

const startAt = Date.parse('2026-01-06T15:00:00Z')

type Invocation = { readonly second: number; readonly bodies: readonly string[] }

let twin: Twin<number>
let queue: Queue<null>
let dead: Queue<null>
let invocations: Invocation[]
let errors: unknown[]

beforeEach(() => {
  twin = createTwin({ seed: 1, startAt, makeTask: () => 1 })
  dead = twin.sqs.createTextQueue({ QueueName: 'dead' })
  const deadLetterTargetArn = 'arn:aws:sqs:us-east-1:123456789012:dead'
  queue = twin.sqs.createTextQueue({
    QueueName: 'events',
    Attributes: { RedrivePolicy: JSON.stringify({ deadLetterTargetArn, maxReceiveCount: 2 }) },
  })
  invocations = []
  errors = []
})

/** A mapping whose function answers what it is told to, and remembers what it got. */
function mapping(
  answer: (event: SQSEvent) => unknown = () => null,
  more: Partial<EventSourceOptions> = {},
): EventSource {
  return createEventSource({
    ...{ engine: twin.engine, emit: twin.emit, queue },
    batchSize: 10,
    batchingWindowSeconds: 1,
    maximumConcurrency: 5,
    functionTimeoutSeconds: 10,
    reports: 'batch item failures',
    handler: async (event) => {
      const second = (twin.engine.now - startAt) / 1_000
      invocations.push({ second, bodies: event.Records.map(({ body }) => body) })
      return answer(event)
    },
    onError: (error) => errors.push(error),
    ...more,
  })
}

const send = (MessageBody: string, DelaySeconds = 0) =>
  twin.deps.sqs.send(new SendMessageCommand({ QueueUrl: queue.url, MessageBody, DelaySeconds }))
/** Lets the first so many seconds of the run pass. */
const until = (second: number, ...sources: EventSource[]) =>
  runUntil(twin.engine, startAt + second * 1_000, sources)
const left = () => `${queue.visible} ${queue.inFlight} ${queue.delayed}, ${dead.visible} dead`
const fail = () => {
  throw new Error('broken')
}

describe('a batch', () => {
  it('holds what came within a second of its first message', async () => {
    const source = mapping()
    await send('a')
    await send('b', 1)
    await send('c', 2)
    await until(0.999, source)
    expect(invocations).toEqual([])
    await until(10, source)
    expect(invocations).toEqual([
      { second: 1, bodies: ['a'] },
      { second: 2, bodies: ['b'] },
      { second: 3, bodies: ['c'] },
    ])
    expect(left()).toBe('0 0 0, 0 dead')
  })

  it('is handed over at once when it is full', async () => {
    const source = mapping(undefined, { batchSize: 25 })
    for (let message = 0; message < 60; message++) await send(`${message}`)
    await until(10, source)
    expect(invocations.map(({ second, bodies }) => [second, bodies.length])).toEqual([
      [0, 25],
      [0, 25],
      [1, 10],
    ])
  })

  it('is handed over at once where there is no window', async () => {
    const source = mapping(undefined, { batchingWindowSeconds: 0 })
    await send('a')
    await send('b', 5)
    await until(10, source)
    expect(invocations).toEqual([
      { second: 0, bodies: ['a'] },
      { second: 5, bodies: ['b'] },
    ])
  })

  it('holds six megabytes at most', async () => {
    const source = mapping(undefined, { batchSize: 100 })
    for (let message = 0; message < 8; message++) await send('x'.repeat(1_000_000))
    await until(10, source)
    expect(invocations.map(({ bodies }) => bodies.length)).toEqual([6, 2])
  })

  it('tells what SQS tells of each message', async () => {
    let got: SQSEvent | undefined
    const source = mapping((event) => {
      got = event
    })
    await send('{"id": "1"}', 2)
    await until(10, source)
    expect(got?.Records).toEqual([
      {
        messageId: expect.stringMatching(/./),
        receiptHandle: expect.stringMatching(/./),
        body: '{"id": "1"}',
        attributes: {
          SenderId: expect.any(String),
          ApproximateReceiveCount: '1',
          ApproximateFirstReceiveTimestamp: String(startAt + 2_000),
          SentTimestamp: String(startAt),
        },
        messageAttributes: {},
        md5OfBody: expect.stringMatching(/^[0-9a-f]{32}$/),
        eventSource: 'aws:sqs',
        eventSourceARN: 'arn:aws:sqs:us-east-1:123456789012:events',
        awsRegion: 'us-east-1',
      },
    ])
  })
})

describe('what fails comes back after the visibility timeout', () => {
  const ids = ({ Records }: SQSEvent, body: string) =>
    Records.filter((record) => record.body === body).map(({ messageId }) => messageId)
  const failing = (body: string) => (event: SQSEvent) => ({
    batchItemFailures: ids(event, body).map((itemIdentifier) => ({ itemIdentifier })),
  })

  const rows: [string, (event: SQSEvent) => unknown, string[]][] = [
    ['nothing, where nothing is answered', () => undefined, []],
    ['nothing, where the answer is empty', () => ({}), []],
    ['nothing, where no failures are named', () => ({ batchItemFailures: [] }), []],
    ['nothing, where the failures are null', () => ({ batchItemFailures: null }), []],
    ['the messages that are named', failing('b'), ['b']],
    ['all of them, on an error', fail, ['a', 'b']],
    ['all of them, on an id of nobody', () => wrong({ itemIdentifier: 'nobody' }), ['a', 'b']],
    ['all of them, on an id that is empty', () => wrong({ itemIdentifier: '' }), ['a', 'b']],
    ['all of them, on an id by another key', () => wrong({ id: 'a' }), ['a', 'b']],
    ['all of them, on an answer that is none', () => 'done', ['a', 'b']],
  ]
  const wrong = (failure: object) => ({ batchItemFailures: [failure] })

  it.each(rows)('%s', async (_, answer, expected) => {
    const source = mapping((event) => (invocations.length === 1 ? answer(event) : null))
    await send('a')
    await send('b')
    await until(29, source)
    expect(invocations).toEqual([{ second: 1, bodies: ['a', 'b'] }])
    // Received at 0 s for 30 s, and gathered for a second more.
    await until(40, source)
    expect(invocations.slice(1)).toEqual(
      expected.length > 0 ? [{ second: 31, bodies: expected }] : [],
    )
    expect(left()).toBe('0 0 0, 0 dead')
    expect(errors).toHaveLength(answer === fail ? 1 : 0)
  })

  it('unless nobody asked for what fails within a batch', async () => {
    const source = mapping(failing('b'), { reports: 'whole batches' })
    await send('b')
    await until(100, source)
    expect(invocations).toHaveLength(1)
  })

  it('and is given up once it has been received as often as the queue allows', async () => {
    const source = mapping(failing('b'))
    await send('a')
    await send('b')
    await until(100, source)
    expect(invocations.map(({ bodies }) => bodies)).toEqual([['a', 'b'], ['b']])
    expect(left()).toBe('0 0 0, 1 dead')
  })
})

describe('a function on its queue', () => {
  it('may send to its own queue, and finds that in a later batch', async () => {
    const source = mapping(async ({ Records }) => {
      if (Records[0]?.body === 'a') await send('again', 10)
    })
    await send('a')
    await until(60, source)
    expect(invocations).toEqual([
      { second: 1, bodies: ['a'] },
      { second: 12, bodies: ['again'] },
    ])
  })

  it('runs at most so often at once, and the rest waits in the queue', async () => {
    let running = 0
    const most = { running: 0, inFlight: 0 }
    const source = mapping(
      async () => {
        most.running = Math.max(most.running, ++running)
        most.inFlight = Math.max(most.inFlight, queue.inFlight)
        const command = { QueueUrl: queue.url, AttributeNames: ['QueueArn' as const] }
        await twin.deps.sqs.send(new GetQueueAttributesCommand(command))
        running--
      },
      { maximumConcurrency: 2 },
    )
    for (let message = 0; message < 60; message++) await send(`${message}`)
    await until(10, source)
    expect(invocations).toHaveLength(6)
    expect(most).toEqual({ running: 2, inFlight: 20 })
  })

  it('works off a burst of 300 in as few invocations as the batches allow', async () => {
    const source = mapping(undefined, { batchSize: 100 })
    for (let batch = 0; batch < 30; batch++) {
      const Entries = Array.from({ length: 10 }, (_, index) => ({
        Id: `${index}`,
        MessageBody: `${batch}/${index}`,
      }))
      await twin.deps.sqs.send(new SendMessageBatchCommand({ QueueUrl: queue.url, Entries }))
    }
    await until(2, source)
    expect(invocations.map(({ second }) => second)).toEqual([0, 0, 0])
    expect(left()).toBe('0 0 0, 0 dead')
  })

  const refused: [string, Partial<EventSourceOptions>][] = [
    ['batches of more than ten without a window', { batchSize: 11, batchingWindowSeconds: 0 }],
    ['batches of more than ten thousand', { batchSize: 10_001 }],
    ['a window of more than five minutes', { batchingWindowSeconds: 301 }],
    ['one invocation at a time', { maximumConcurrency: 1 }],
    ['a function that may outlast the visibility timeout', { functionTimeoutSeconds: 31 }],
  ]
  it.each(refused)('refuses %s', (_, options) => {
    expect(() => mapping(undefined, options)).toThrow(
      expect.objectContaining({ name: 'InvalidParameterValueException' }),
    )
  })
})

describe('a queue of text', () => {
  it('gives a body back as it was sent, and makes no task of it', async () => {
    const body = '{"detail": {"instance-id": "i-0"}, "text": "é \\n \u{1F600}"}'
    await send(body)
    const { url: QueueUrl } = queue
    const { Messages } = await twin.deps.sqs.send(new ReceiveMessageCommand({ QueueUrl }))
    expect(Messages?.[0]?.Body).toBe(body)
    expect([...queue.messages.values()].map(({ task }) => task)).toEqual([null])
  })

  it('is none of the world’s', () => {
    expect(() => twin.sqs.queue('events')).toThrow('The twin has no queue events')
  })
})
