import { hash } from 'node:crypto'
import type {
  ChangeMessageVisibilityCommandInput,
  DeleteMessageCommandInput,
  ReceiveMessageCommandInput,
  SendMessageCommandInput,
} from '@aws-sdk/client-sqs'
import type { Engine } from '../engine.ts'
import { type Applied, answer, awsError, type Change } from './service.ts'
import { arnOf } from './sqs-counts.ts'
import {
  type Lease,
  type Message,
  type Queue,
  receive,
  release,
  remove,
  send,
} from './sqs-queue.ts'

/** What a call about messages needs to know. */
export type Wire = {
  readonly engine: Engine
  /** By URL or by name. Throws QueueDoesNotExist. */
  readonly find: (url: string | undefined) => Queue<unknown>
  /** What a message that is being sent means to the world. */
  readonly taskOf: (queue: Queue<unknown>, body: string) => unknown
}

// SQS's bounds for one message, for one receive and for a queue.
export const messageBytesMax = 1_048_576
const visibilitySecondsMax = 43_200
const messagesPerReceiveMax = 10
const waitSecondsMax = 20
const delaySecondsMax = 900
const inFlightMax = 120_000

// What XML 1.0 allows, and so SQS: no control characters but tab, line feed and carriage return.
const allowedText = /^[\t\n\r\u{20}-\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]*$/u

export function sendMessage(wire: Wire, input: SendMessageCommandInput): Applied {
  const queue = wire.find(input.QueueUrl)
  const problem = messageProblem(input)
  if (problem) throw problem
  const { output, change } = sendOne(wire, queue, input)
  return answer(output, [change])
}

type Sent = Pick<SendMessageCommandInput, 'MessageBody' | 'DelaySeconds' | 'MessageAttributes'>

/** What SQS has against a message; null where it takes it. */
export function messageProblem({ MessageBody: body, DelaySeconds: delay, ...rest }: Sent) {
  if (rest.MessageAttributes) throw new Error("The twin's SQS carries no message attributes")
  if (!body) return missing('MessageBody')
  if (Buffer.byteLength(body) > messageBytesMax) {
    const message = `Reason: Message must be shorter than ${messageBytesMax} bytes.`
    return awsError('InvalidParameterValue', message)
  }
  if (!allowedText.test(body)) {
    const message = 'Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | #x20'
    return awsError('InvalidMessageContents', message)
  }
  return isWhole(delay, 0, delaySecondsMax) ? null : outOfBounds('DelaySeconds', delay)
}

/** Sends a message that SQS takes. */
export function sendOne(
  wire: Wire,
  queue: Queue<unknown>,
  { MessageBody = '', DelaySeconds }: Sent,
) {
  const task = wire.taskOf(queue, MessageBody)
  const delayMs = DelaySeconds === undefined ? queue.delayMs : DelaySeconds * 1_000
  const message = send(wire.engine, queue, MessageBody, task, delayMs)
  const change: Change = { kind: 'sqs.sent', queue: queue.name, message: message.id }
  const output = { MessageId: idOf(queue, message), MD5OfMessageBody: md5(MessageBody) }
  return { output, change }
}

/** Answers at once with what there is: in virtual time nobody can wait for an answer. */
export function receiveMessage(wire: Wire, input: ReceiveMessageCommandInput): Applied {
  const queue = wire.find(input.QueueUrl)
  const { MaxNumberOfMessages: most, VisibilityTimeout: seconds, WaitTimeSeconds: wait } = input
  if (!isWhole(most, 1, messagesPerReceiveMax)) throw outOfBounds('MaxNumberOfMessages', most)
  if (!isWhole(seconds, 0, visibilitySecondsMax)) throw outOfBounds('VisibilityTimeout', seconds)
  if (!isWhole(wait, 0, waitSecondsMax)) throw outOfBounds('WaitTimeSeconds', wait)
  if (queue.inFlight >= inFlightMax) {
    throw awsError('OverLimit', `A queue has at most ${inFlightMax} messages in flight.`, 403)
  }
  const visibilityMs = seconds === undefined ? queue.visibilityMs : seconds * 1_000
  const leases = receive(wire.engine, queue, most ?? 1, visibilityMs)
  if (leases.length === 0) return answer({})
  // A look without a hold: what was received is visible again at once.
  if (visibilityMs === 0) for (const lease of leases) release(wire.engine, queue, lease, 0)
  const names = [...(input.MessageSystemAttributeNames ?? []), ...(input.AttributeNames ?? [])]
  const Messages = leases.map(({ message, receipt }) => ({
    MessageId: idOf(queue, message),
    ReceiptHandle: handleOf({ message, receipt }),
    Body: message.body,
    MD5OfBody: md5(message.body),
    ...systemAttributes(queue, message, names),
  }))
  return answer({ Messages })
}

export function deleteMessage(wire: Wire, input: DeleteMessageCommandInput): Applied {
  const queue = wire.find(input.QueueUrl)
  const problem = handleProblem(input.ReceiptHandle)
  if (problem) throw problem
  return answer({}, deleteOne(queue, input.ReceiptHandle))
}

/** A handle of an earlier receive deletes nothing, and SQS answers success all the same. */
export function deleteOne(queue: Queue<unknown>, handle: string | undefined): Change[] {
  const { message, receipt } = leaseOf(queue, handle)
  if (!message || !remove(queue, { message, receipt })) return []
  return [{ kind: 'sqs.deleted', queue: queue.name, message: message.id }]
}

export function changeVisibility(wire: Wire, input: ChangeMessageVisibilityCommandInput): Applied {
  const queue = wire.find(input.QueueUrl)
  const problem = visibilityProblem(queue, input)
  if (problem) throw problem
  changeOne(wire, queue, input)
  return answer({})
}

type Changed = Partial<
  Pick<ChangeMessageVisibilityCommandInput, 'ReceiptHandle' | 'VisibilityTimeout'>
>

/** What SQS has against a change of visibility; null where it makes it. */
export function visibilityProblem(queue: Queue<unknown>, input: Changed) {
  const { ReceiptHandle: handle, VisibilityTimeout: seconds } = input
  if (seconds === undefined) return missing('VisibilityTimeout')
  if (!isWhole(seconds, 0, visibilitySecondsMax)) return outOfBounds('VisibilityTimeout', seconds)
  const problem = handleProblem(handle)
  if (problem) return problem
  const { message, receipt } = leaseOf(queue, handle)
  const held = message?.place === 'inFlight' && message.receipt === receipt
  return held ? null : awsError('MessageNotInflight', 'The specified message is not in flight.')
}

export function changeOne(wire: Wire, queue: Queue<unknown>, input: Changed): void {
  const { message, receipt } = leaseOf(queue, input.ReceiptHandle)
  const visibilityMs = (input.VisibilityTimeout ?? 0) * 1_000
  if (message) release(wire.engine, queue, { message, receipt }, visibilityMs)
}

export const handleOf = ({ message, receipt }: Lease<unknown>) => `${message.id}#${receipt}`

const handlePattern = /^(\d+)#(\d+)$/

/** What SQS has against a receipt handle, whatever became of its message. */
export const handleProblem = (handle: string | undefined) =>
  handlePattern.test(handle ?? '')
    ? null
    : awsError('ReceiptHandleIsInvalid', 'The input receipt handle is invalid.')

function leaseOf(queue: Queue<unknown>, handle: string | undefined) {
  const [, id, receipt] = handlePattern.exec(handle ?? '') ?? []
  return { message: queue.messages.get(Number(id)), receipt: Number(receipt) }
}

const isWhole = (value: number | undefined, least: number, most: number) =>
  value === undefined || (Number.isInteger(value) && value >= least && value <= most)

const outOfBounds = (field: string, value: number | undefined) =>
  awsError('InvalidParameterValue', `Value ${value} for parameter ${field} is invalid.`)

const missing = (field: string) =>
  awsError('MissingParameter', `The request must contain the parameter ${field}.`)

/** A message keeps its id in the dead-letter queue. */
export function idOf(queue: Queue<unknown>, { id, from }: Message<unknown>): string {
  const sent = from ?? { queue: queue.name, id }
  return `message-${sent.queue}-${sent.id}`
}

export const md5 = (text: string) => hash('md5', text)

/** Every system attribute of a message that has been received. */
export function attributesOf(queue: Queue<unknown>, message: Message<unknown>) {
  const { receives, sentAt, receivedAt, from } = message
  return {
    // The twin has one principal, and this is who sends.
    SenderId: 'AIDATWIN',
    ApproximateReceiveCount: String(receives),
    ApproximateFirstReceiveTimestamp: String(receivedAt ?? 0),
    SentTimestamp: String(sentAt),
    ...(from ? { DeadLetterQueueSourceArn: arnOf({ ...queue, name: from.queue }) } : {}),
  }
}

function systemAttributes(
  queue: Queue<unknown>,
  message: Message<unknown>,
  names: readonly string[],
): object {
  const asked = Object.entries(attributesOf(queue, message)).filter(
    ([key]) => names.includes('All') || names.includes(key),
  )
  return asked.length > 0 ? { Attributes: Object.fromEntries(asked) } : {}
}
