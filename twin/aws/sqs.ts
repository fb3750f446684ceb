import {
  ChangeMessageVisibilityCommand,
  type ChangeMessageVisibilityCommandInput,
  CreateQueueCommand,
  type CreateQueueCommandInput,
  DeleteMessageCommand,
  type DeleteMessageCommandInput,
  DeleteQueueCommand,
  GetQueueAttributesCommand,
  GetQueueUrlCommand,
  ReceiveMessageCommand,
  type ReceiveMessageCommandInput,
  SendMessageCommand,
  type SendMessageCommandInput,
} from '@aws-sdk/client-sqs'
import type { Engine } from '../engine.ts'
import type { Random } from '../random.ts'
import { type Applied, answer, awsError, notInTwin, type Service } from './service.ts'
import { createReadings } from './sqs-counts.ts'
import {
  createQueue,
  type Message,
  type Queue,
  receive,
  release,
  remove,
  send,
} from './sqs-queue.ts'

export type Sqs<T> = Service & {
  /** The queue of that name, for the world: its workers need no wire. Throws when there is none. */
  queue(name: string): Queue<T>
}

export type SqsOptions<T> = {
  readonly engine: Engine
  readonly random: Random
  readonly account: string
  readonly region: string
  /** What a message means to the world, made when it is sent. */
  readonly makeTask: (queue: string, body: string, now: number) => T
}

// AWS's defaults for CreateQueue, and its bounds for one ReceiveMessage and a visibility timeout.
const visibilitySecondsDefault = 30
const visibilitySecondsMax = 43_200
const messagesPerReceiveMax = 10
const delaySecondsMax = 900

type State<T> = {
  readonly options: SqsOptions<T>
  readonly queues: Map<string, Queue<T>>
  readonly readings: ReturnType<typeof createReadings>
}

/** SQS standard queues: visibility timeouts, receive counts, receipt handles, delays. */
export function createSqs<T>(options: SqsOptions<T>): Sqs<T> {
  const queues = new Map<string, Queue<T>>()
  const readings = createReadings(options.engine, options.random, queues)
  const state = { options, queues, readings }
  return {
    queue(name) {
      const queue = queues.get(name)
      if (!queue) throw new Error(`The twin has no queue ${name}`)
      return queue
    },
    apply: (now, command) => apply(state, now, command),
  }
}

function apply<T>(state: State<T>, now: number, command: object): Applied {
  if (command instanceof GetQueueAttributesCommand) {
    const { QueueUrl, AttributeNames } = command.input
    return answer(state.readings.attributes(now, find(state, QueueUrl), AttributeNames ?? []))
  }
  if (command instanceof SendMessageCommand) return sendMessage(state, now, command.input)
  if (command instanceof ReceiveMessageCommand) return receiveMessage(state, command.input)
  if (command instanceof DeleteMessageCommand) return deleteMessage(state, command.input)
  if (command instanceof ChangeMessageVisibilityCommand) return change(state, command.input)
  if (command instanceof CreateQueueCommand) return create(state, command.input)
  if (command instanceof GetQueueUrlCommand) {
    return answer({ QueueUrl: find(state, command.input.QueueName).url })
  }
  if (command instanceof DeleteQueueCommand) {
    const { name } = find(state, command.input.QueueUrl)
    state.queues.delete(name)
    return answer({}, [{ kind: 'sqs.queue-deleted', queue: name }])
  }
  throw notInTwin('SQS', command)
}

function create<T>({ options, queues }: State<T>, input: CreateQueueCommandInput): Applied {
  const name = input.QueueName ?? ''
  if (!/^[\w-]{1,80}$/.test(name)) {
    const message = 'Can only include alphanumeric characters, hyphens, or underscores.'
    throw awsError('InvalidParameterValue', message)
  }
  const given = new Map(Object.entries(input.Attributes ?? {}))
  const url = `https://sqs.${options.region}.amazonaws.com/${options.account}/${name}`
  if (queues.has(name)) return answer({ QueueUrl: url })
  const visibilitySeconds = Number(given.get('VisibilityTimeout') ?? visibilitySecondsDefault)
  const delaySeconds = Number(given.get('DelaySeconds') ?? 0)
  const times = { visibilityMs: visibilitySeconds * 1_000, delayMs: delaySeconds * 1_000 }
  queues.set(name, createQueue<T>({ name, url, ...times }))
  return answer({ QueueUrl: url }, [{ kind: 'sqs.queue-created', queue: name }])
}

function sendMessage<T>(state: State<T>, now: number, input: SendMessageCommandInput): Applied {
  const queue = find(state, input.QueueUrl)
  if (!input.MessageBody) throw missing('MessageBody')
  const delay = whole(input.DelaySeconds, 'DelaySeconds', 0, delaySecondsMax)
  const { engine, makeTask } = state.options
  const task = makeTask(queue.name, input.MessageBody, now)
  const delayMs = delay === undefined ? queue.delayMs : delay * 1_000
  const message = send(engine, queue, input.MessageBody, task, delayMs)
  const change = { kind: 'sqs.sent', queue: queue.name, message: message.id } as const
  return answer({ MessageId: idOf(message) }, [change])
}

function receiveMessage<T>(state: State<T>, input: ReceiveMessageCommandInput): Applied {
  const queue = find(state, input.QueueUrl)
  const { MaxNumberOfMessages, VisibilityTimeout } = input
  const most = whole(MaxNumberOfMessages, 'MaxNumberOfMessages', 1, messagesPerReceiveMax) ?? 1
  const seconds = whole(VisibilityTimeout, 'VisibilityTimeout', 0, visibilitySecondsMax)
  const visibilityMs = seconds === undefined ? queue.visibilityMs : seconds * 1_000
  const leases = receive(state.options.engine, queue, most, visibilityMs)
  if (leases.length === 0) return answer({})
  const names = input.MessageSystemAttributeNames ?? []
  const Messages = leases.map(({ message, receipt }) => ({
    MessageId: idOf(message),
    ReceiptHandle: `${message.id}#${receipt}`,
    Body: message.body,
    ...systemAttributes(message, names),
  }))
  return answer({ Messages })
}

function deleteMessage<T>(state: State<T>, input: DeleteMessageCommandInput): Applied {
  const queue = find(state, input.QueueUrl)
  const { message, receipt } = leaseOf(queue, input.ReceiptHandle)
  // A handle of an earlier receive deletes nothing, and SQS answers success all the same.
  if (!message || !remove(queue, { message, receipt })) return answer({})
  return answer({}, [{ kind: 'sqs.deleted', queue: queue.name, message: message.id }])
}

function change<T>(state: State<T>, input: ChangeMessageVisibilityCommandInput): Applied {
  const queue = find(state, input.QueueUrl)
  const seconds = whole(input.VisibilityTimeout, 'VisibilityTimeout', 0, visibilitySecondsMax)
  if (seconds === undefined) throw missing('VisibilityTimeout')
  const { message, receipt } = leaseOf(queue, input.ReceiptHandle)
  if (message?.place !== 'inFlight' || message.receipt !== receipt) {
    throw awsError('MessageNotInflight', 'The specified message is not in flight.')
  }
  release(state.options.engine, queue, { message, receipt }, seconds * 1_000)
  return answer({})
}

function find<T>({ queues }: State<T>, url: string | undefined): Queue<T> {
  const queue = queues.get(url?.slice(url.lastIndexOf('/') + 1) ?? '')
  if (!queue) throw awsError('QueueDoesNotExist', 'The specified queue does not exist.')
  return queue
}

function leaseOf<T>(queue: Queue<T>, handle: string | undefined) {
  const [, id, receipt] = /^(\d+)#(\d+)$/.exec(handle ?? '') ?? []
  if (!id) throw awsError('ReceiptHandleIsInvalid', 'The input receipt handle is invalid.')
  return { message: queue.messages.get(Number(id)), receipt: Number(receipt) }
}

function whole(value: number | undefined, field: string, least: number, most: number) {
  if (value === undefined) return undefined
  if (Number.isInteger(value) && value >= least && value <= most) return value
  throw awsError('InvalidParameterValue', `Value ${value} for parameter ${field} is invalid.`)
}

const missing = (field: string) =>
  awsError('MissingParameter', `The request must contain the parameter ${field}.`)

const idOf = (message: Message<unknown>) => `message-${message.id}`

function systemAttributes(message: Message<unknown>, names: readonly string[]): object {
  const all: Record<string, string> = {
    ApproximateReceiveCount: String(message.receives),
    SentTimestamp: String(message.sentAt),
  }
  const asked = Object.entries(all).filter(([key]) => names.includes('All') || names.includes(key))
  return asked.length > 0 ? { Attributes: Object.fromEntries(asked) } : {}
}
