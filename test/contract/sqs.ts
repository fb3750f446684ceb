import {
  ChangeMessageVisibilityCommand,
  CreateQueueCommand,
  DeleteMessageCommand,
  DeleteQueueCommand,
  GetQueueAttributesCommand,
  GetQueueUrlCommand,
  ReceiveMessageCommand,
  SendMessageCommand,
} from '@aws-sdk/client-sqs'
import { type Aws, done, outcome, type Row } from './row.ts'

const counts = [
  'ApproximateNumberOfMessages',
  'ApproximateNumberOfMessagesNotVisible',
  'ApproximateNumberOfMessagesDelayed',
] as const

async function queueOf(aws: Aws, QueueName: string, messages: number): Promise<string> {
  const { QueueUrl = '' } = await aws.sqs.send(new CreateQueueCommand({ QueueName }))
  for (let i = 0; i < messages; i++) {
    await aws.sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: `task ${i}` }))
  }
  return QueueUrl
}

export const countsOf = (aws: Aws, QueueUrl: string) =>
  outcome(
    aws.sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: [...counts] })),
    ({ Attributes }) => counts.map((name) => Attributes?.[name]).join(' '),
  )

async function receiveFrom(aws: Aws, QueueUrl: string, MaxNumberOfMessages: number) {
  const command = new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages, WaitTimeSeconds: 0 })
  return (await aws.sqs.send(command)).Messages ?? []
}

export const sqsRows: Row[] = [
  {
    name: 'counts follow a send, a receive and a delayed send',
    calls: async (aws) => {
      const url = await queueOf(aws, 'counts', 3)
      const before = await countsOf(aws, url)
      await receiveFrom(aws, url, 2)
      const delayed = { QueueUrl: url, MessageBody: 'later', DelaySeconds: 60 }
      await aws.sqs.send(new SendMessageCommand(delayed))
      return [before, await countsOf(aws, url)]
    },
    expected: ['3 0 0', '1 2 1'],
  },
  {
    name: 'the counts of a queue that does not exist',
    calls: (aws) => countsOf(aws, 'https://sqs.us-east-1.amazonaws.com/123456789012/nowhere'),
    expected: 'QueueDoesNotExist',
  },
  {
    name: 'the URL of a queue that does not exist',
    calls: (aws) => outcome(aws.sqs.send(new GetQueueUrlCommand({ QueueName: 'nowhere' })), done),
    expected: 'QueueDoesNotExist',
  },
  {
    name: 'no attributes are answered where none are asked for',
    calls: async (aws) => {
      const QueueUrl = await queueOf(aws, 'silent', 1)
      return outcome(
        aws.sqs.send(new GetQueueAttributesCommand({ QueueUrl })),
        ({ Attributes }) => Attributes ?? 'none',
      )
    },
    expected: 'none',
  },
  {
    name: 'a queue made twice is one queue',
    calls: async (aws) => {
      await queueOf(aws, 'twice', 1)
      return countsOf(aws, await queueOf(aws, 'twice', 1))
    },
    expected: '2 0 0',
  },
  {
    name: 'a queue name with a space',
    calls: (aws) => outcome(queueOf(aws, 'a b', 0), done),
    expected: 'InvalidParameterValue',
  },
  {
    name: 'a receive of more than ten',
    calls: async (aws) => {
      const url = await queueOf(aws, 'eleven', 12)
      return outcome(receiveFrom(aws, url, 11), ({ length }) => length)
    },
    expected: 'InvalidParameterValue',
  },
  {
    name: 'a receive takes at most what it asks for, and the rest waits',
    calls: async (aws) => {
      const url = await queueOf(aws, 'some', 5)
      return [(await receiveFrom(aws, url, 3)).length, (await receiveFrom(aws, url, 10)).length]
    },
    expected: [3, 2],
  },
  {
    name: 'a deleted message is gone, and deleting it again is no error',
    calls: async (aws) => {
      const QueueUrl = await queueOf(aws, 'deleted', 1)
      const [message] = await receiveFrom(aws, QueueUrl, 1)
      const command = { QueueUrl, ReceiptHandle: message?.ReceiptHandle }
      await aws.sqs.send(new DeleteMessageCommand(command))
      await aws.sqs.send(new DeleteMessageCommand(command))
      return countsOf(aws, QueueUrl)
    },
    expected: '0 0 0',
  },
  {
    name: 'a message handed back is visible at once, and its old handle deletes nothing',
    calls: async (aws) => {
      const QueueUrl = await queueOf(aws, 'back', 1)
      const [first] = await receiveFrom(aws, QueueUrl, 1)
      const handle = { QueueUrl, ReceiptHandle: first?.ReceiptHandle }
      await aws.sqs.send(new ChangeMessageVisibilityCommand({ ...handle, VisibilityTimeout: 0 }))
      const back = await countsOf(aws, QueueUrl)
      const [second] = await receiveFrom(aws, QueueUrl, 1)
      await aws.sqs.send(new DeleteMessageCommand(handle))
      return [back, second?.Body, await countsOf(aws, QueueUrl)]
    },
    expected: ['1 0 0', 'task 0', '0 1 0'],
    moto: {
      answers: ['1 0 0', 'task 0', '0 0 0'],
      awsSays: 'only the handle of the latest receive deletes',
    },
  },
  {
    name: 'the visibility of a message that is gone',
    calls: async (aws) => {
      const QueueUrl = await queueOf(aws, 'gone', 1)
      const [message] = await receiveFrom(aws, QueueUrl, 1)
      const handle = { QueueUrl, ReceiptHandle: message?.ReceiptHandle }
      await aws.sqs.send(new DeleteMessageCommand(handle))
      const change = new ChangeMessageVisibilityCommand({ ...handle, VisibilityTimeout: 10 })
      return outcome(aws.sqs.send(change), done)
    },
    expected: 'MessageNotInflight',
    moto: {
      answers: 'ReceiptHandleIsInvalid',
      awsSays: 'a message that is not in flight is MessageNotInflight',
    },
  },
  {
    name: 'a handle that is none',
    calls: async (aws) => {
      const QueueUrl = await queueOf(aws, 'handle', 1)
      const handle = { QueueUrl, ReceiptHandle: 'nonsense' }
      return outcome(aws.sqs.send(new DeleteMessageCommand(handle)), done)
    },
    expected: 'ReceiptHandleIsInvalid',
  },
  {
    name: 'a deleted queue does not exist',
    calls: async (aws) => {
      const QueueUrl = await queueOf(aws, 'short-lived', 0)
      await aws.sqs.send(new DeleteQueueCommand({ QueueUrl }))
      return countsOf(aws, QueueUrl)
    },
    expected: 'QueueDoesNotExist',
  },
]
