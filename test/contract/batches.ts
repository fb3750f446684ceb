import {
  type BatchResultErrorEntry,
  ChangeMessageVisibilityBatchCommand,
  CreateQueueCommand,
  DeleteMessageBatchCommand,
  GetQueueAttributesCommand,
  type MessageSystemAttributeName,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  type SendMessageBatchRequestEntry,
  SendMessageCommand,
} from '@aws-sdk/client-sqs'
import { expect } from 'vitest'
import { type Aws, done, outcome, type Row } from './row.ts'
import { countsOf } from './sqs.ts'

/** Calls of several messages, and queues that give messages up. */

const create = (aws: Aws, QueueName: string, Attributes: Record<string, string> = {}) =>
  outcome(
    aws.sqs.send(new CreateQueueCommand({ QueueName, Attributes })),
    ({ QueueUrl = '' }) => QueueUrl,
  )

const entry = (Id: string, more: Partial<SendMessageBatchRequestEntry> = {}) => ({
  Id,
  MessageBody: `body ${Id}`,
  ...more,
})

type Answer = {
  readonly Successful?: readonly { readonly Id: string | undefined }[] | undefined
  readonly Failed?: readonly BatchResultErrorEntry[] | undefined
}

/** `a b / c ReceiptHandleIsInvalid`: what went well, and what did not. */
const told = ({ Successful = [], Failed = [] }: Answer) => {
  const failed = Failed.map(({ Id, Code }) => `${Id} ${Code}`)
  return `${Successful.map(({ Id }) => Id).join(' ')} / ${failed.join(' ')}`
}

const sendBatch = (aws: Aws, QueueUrl: string, Entries: SendMessageBatchRequestEntry[]) =>
  outcome(aws.sqs.send(new SendMessageBatchCommand({ QueueUrl, Entries })), told)

const send = (aws: Aws, QueueUrl: string, MessageBody: string, DelaySeconds = 0) =>
  outcome(aws.sqs.send(new SendMessageCommand({ QueueUrl, MessageBody, DelaySeconds })), done)

async function receive(aws: Aws, QueueUrl: string, VisibilityTimeout = 30) {
  const MessageSystemAttributeNames: MessageSystemAttributeName[] = ['All']
  const command = new ReceiveMessageCommand({
    ...{ QueueUrl, VisibilityTimeout, MessageSystemAttributeNames },
    MaxNumberOfMessages: 10,
    WaitTimeSeconds: 0,
  })
  return (await aws.sqs.send(command)).Messages ?? []
}

const handles = async (aws: Aws, url: string) =>
  (await receive(aws, url)).map(({ ReceiptHandle }) => ReceiptHandle ?? '')

/** A queue that gives a message up once it has been received twice, and the queue that gets it. */
async function redriven(aws: Aws, name: string) {
  const dead = await create(aws, `${name}-dead`)
  const { Attributes } = await aws.sqs.send(
    new GetQueueAttributesCommand({ QueueUrl: dead, AttributeNames: ['QueueArn'] }),
  )
  const deadLetterTargetArn = Attributes?.QueueArn ?? ''
  const policy = JSON.stringify({ deadLetterTargetArn, maxReceiveCount: 2 })
  return { url: await create(aws, name, { RedrivePolicy: policy }), dead, deadLetterTargetArn }
}

const batchRows: Row[] = [
  {
    name: 'a batch of messages, of which one waits',
    calls: async (aws) => {
      const url = await create(aws, 'batch-sent')
      const entries = [entry('a'), entry('b', { DelaySeconds: 60 }), entry('c')]
      const answer = await sendBatch(aws, url, entries)
      const bodies = (await receive(aws, url)).map(({ Body }) => Body).sort()
      return [answer, bodies, await countsOf(aws, url)]
    },
    expected: ['a b c / ', ['body a', 'body c'], '0 2 1'],
  },
  {
    name: 'batches that are none',
    calls: async (aws) => {
      const url = await create(aws, 'batch-wrong')
      const many = Array.from({ length: 11 }, (_, index) => entry(`${index}`))
      const half = 'x'.repeat(600_000)
      return [
        await sendBatch(aws, url, []),
        await sendBatch(aws, url, many),
        await sendBatch(aws, url, [entry('a'), entry('a')]),
        await sendBatch(aws, url, [entry('a b')]),
        await sendBatch(aws, url, [
          entry('a', { MessageBody: half }),
          entry('b', { MessageBody: half }),
        ]),
        await countsOf(aws, url),
      ]
    },
    expected: [
      'EmptyBatchRequest',
      'TooManyEntriesInBatchRequest',
      'BatchEntryIdsNotDistinct',
      'InvalidBatchEntryId',
      'BatchRequestTooLong',
      '0 0 0',
    ],
  },
  {
    name: 'an entry that fails leaves the others',
    calls: async (aws) => {
      const url = await create(aws, 'batch-partly')
      const entries = [entry('a'), entry('b', { DelaySeconds: 901 })]
      return [await sendBatch(aws, url, entries), await countsOf(aws, url)]
    },
    expected: ['a / b InvalidParameterValue', '1 0 0'],
  },
  {
    name: 'deletes in a batch, of which one has no handle that is one',
    calls: async (aws) => {
      const QueueUrl = await create(aws, 'batch-deleted')
      await sendBatch(aws, QueueUrl, [entry('a'), entry('b')])
      const [first, second] = await handles(aws, QueueUrl)
      const remove = (given: Record<string, string | undefined>) =>
        outcome(
          aws.sqs.send(
            new DeleteMessageBatchCommand({
              QueueUrl,
              Entries: Object.entries(given).map(([Id, ReceiptHandle]) => ({ Id, ReceiptHandle })),
            }),
          ),
          told,
        )
      const answers = [await remove({ a: first, b: 'nonsense' }), await countsOf(aws, QueueUrl)]
      answers.push(await remove({ b: second }), await countsOf(aws, QueueUrl))
      return [...answers, await remove({})]
    },
    expected: [...['a / b ReceiptHandleIsInvalid', '0 1 0', 'b / ', '0 0 0'], 'EmptyBatchRequest'],
  },
  {
    name: 'messages handed back in a batch are visible at once',
    calls: async (aws) => {
      const QueueUrl = await create(aws, 'batch-back')
      await sendBatch(aws, QueueUrl, [entry('a'), entry('b'), entry('c')])
      const [first, second] = await handles(aws, QueueUrl)
      const command = new ChangeMessageVisibilityBatchCommand({
        QueueUrl,
        Entries: [
          { Id: 'a', ReceiptHandle: first, VisibilityTimeout: 0 },
          { Id: 'b', ReceiptHandle: second, VisibilityTimeout: 60 },
          { Id: 'c', ReceiptHandle: 'nonsense', VisibilityTimeout: 0 },
        ],
      })
      return [await outcome(aws.sqs.send(command), told), await countsOf(aws, QueueUrl)]
    },
    expected: ['a b / c ReceiptHandleIsInvalid', '1 2 0'],
  },
  {
    name: 'messages that are as long and as late as may be, and longer and later',
    calls: async (aws) => {
      const url = await create(aws, 'message-bounds')
      return [
        await send(aws, url, 'x'.repeat(1_048_576), 900),
        await send(aws, url, 'x'.repeat(1_048_577)),
        await send(aws, url, 'late', 901),
      ]
    },
    expected: ['done', 'InvalidParameterValue', 'InvalidParameterValue'],
  },
  {
    name: 'messages that are empty, or of characters that XML has not',
    calls: async (aws) => {
      const url = await create(aws, 'message-wrong')
      return [await send(aws, url, ''), await send(aws, url, '\u0007')]
    },
    expected: ['MissingParameter', 'InvalidMessageContents'],
    moto: { answers: ['done', 'done'], awsSays: 'a message has at least one character, of XML’s' },
  },
]

const redriveRows: Row[] = [
  {
    name: 'a message received too often goes to the dead-letter queue as it is',
    calls: async (aws) => {
      const { url, dead } = await redriven(aws, 'redriven')
      await sendBatch(aws, url, [entry('a')])
      const [first] = await receive(aws, url, 0)
      const [second] = await receive(aws, url, 0)
      const third = await receive(aws, url, 0)
      const [buried] = await receive(aws, dead)
      return [
        second?.Attributes?.ApproximateReceiveCount,
        third.length,
        buried?.Body,
        buried?.MessageId === first?.MessageId,
        buried?.Attributes?.ApproximateReceiveCount,
        buried?.Attributes?.SentTimestamp === first?.Attributes?.SentTimestamp,
        await countsOf(aws, url),
        await countsOf(aws, dead),
      ]
    },
    expected: ['2', 0, 'body a', true, '3', true, '0 0 0', '0 1 0'],
  },
  {
    name: 'a queue tells where it gives messages up',
    calls: async (aws) => {
      const { url, dead, deadLetterTargetArn } = await redriven(aws, 'told')
      const policyOf = (QueueUrl: string) =>
        outcome(
          aws.sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['All'] })),
          ({ Attributes }) => Attributes?.RedrivePolicy ?? '{}',
        )
      return [
        deadLetterTargetArn,
        JSON.parse(await policyOf(url)),
        JSON.parse(await policyOf(dead)),
      ]
    },
    expected: [
      'arn:aws:sqs:us-east-1:123456789012:told-dead',
      {
        deadLetterTargetArn: 'arn:aws:sqs:us-east-1:123456789012:told-dead',
        maxReceiveCount: 2,
      },
      {},
    ],
  },
  {
    name: 'queues whose attributes are none',
    calls: async (aws) => {
      const policy = (more: object) => ({
        RedrivePolicy: JSON.stringify({
          deadLetterTargetArn: 'arn:aws:sqs:us-east-1:123456789012:nowhere',
          ...more,
        }),
      })
      return [
        await create(aws, 'wrong-1', { RedrivePolicy: 'nonsense' }),
        await create(aws, 'wrong-2', policy({})),
        await create(aws, 'wrong-3', policy({ maxReceiveCount: 3 })),
        await create(aws, 'wrong-4', { Colour: 'red' }),
        await create(aws, 'wrong-5', { DelaySeconds: '901' }),
        await create(aws, 'wrong-6', { VisibilityTimeout: '43201' }),
      ]
    },
    expected: [
      ...['InvalidParameterValue', 'InvalidParameterValue', 'InvalidParameterValue'],
      ...['InvalidAttributeName', 'InvalidAttributeValue', 'InvalidAttributeValue'],
    ],
    moto: {
      answers: [
        ...['SyntaxError', 'InvalidParameterValue', 'QueueDoesNotExist'],
        ...Array.from({ length: 3 }, () => expect.stringMatching('/wrong-')),
      ],
      awsSays: 'unknown attributes and values out of bounds are refused, a policy by its reason',
    },
  },
  {
    name: 'a queue made again with other attributes',
    calls: async (aws) => {
      await create(aws, 'again', { VisibilityTimeout: '30' })
      return create(aws, 'again', { VisibilityTimeout: '60' })
    },
    expected: 'QueueNameExists',
  },
]

export const messageRows: Row[] = [...batchRows, ...redriveRows]
