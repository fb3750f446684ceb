import {
  ChangeMessageVisibilityBatchCommand,
  ChangeMessageVisibilityCommand,
  CreateQueueCommand,
  type CreateQueueCommandInput,
  DeleteMessageBatchCommand,
  DeleteMessageCommand,
  DeleteQueueCommand,
  GetQueueAttributesCommand,
  GetQueueUrlCommand,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  SendMessageCommand,
} from '@aws-sdk/client-sqs'
import type { Random } from '../../shared/random.ts'
import type { Engine } from '../engine.ts'
import { type Applied, answer, awsError, type Change, notInTwin, type Service } from './service.ts'
import { settingsOf } from './sqs-attributes.ts'
import { changeBatch, deleteBatch, sendBatch } from './sqs-batches.ts'
import { createReadings } from './sqs-counts.ts'
import {
  changeVisibility,
  deleteMessage,
  receiveMessage,
  sendMessage,
  type Wire,
} from './sqs-messages.ts'
import { createQueue, type Queue } from './sqs-queue.ts'

/**
 * SQS standard queues: visibility timeouts, receive counts, receipt handles, delays, dead-letter
 * queues. Messages are kept until they are deleted: no run is as long as their retention.
 */
export type Sqs<T> = Service & {
  /** The queue of that name, for the world: its workers need no wire. Throws when there is none. */
  queue(name: string): Queue<T>
  /** All of those, by name. */
  readonly tasks: ReadonlyMap<string, Queue<T>>
  /**
   * Makes a queue whose messages are their text and no task of the world's: the control plane's
   * own. The attributes are CreateQueue's; its dead-letter queue is such a queue as well.
   */
  createTextQueue(input: CreateQueueCommandInput): Queue<null>
}

export type SqsOptions<T> = {
  readonly engine: Engine
  readonly random: Random
  readonly account: string
  readonly region: string
  readonly emit: (changes: readonly Change[]) => void
  /** What a message means to the world, made when it is sent. */
  readonly makeTask: (queue: string, body: string, now: number) => T
}

type State<T> = {
  readonly options: SqsOptions<T>
  /** All of them; each is one of the tasks' or one of text. */
  readonly queues: Map<string, Queue<unknown>>
  readonly tasks: Map<string, Queue<T>>
  readonly texts: Map<string, Queue<null>>
  readonly readings: ReturnType<typeof createReadings>
  readonly wire: Wire
}

export function createSqs<T>(options: SqsOptions<T>): Sqs<T> {
  const queues = new Map<string, Queue<unknown>>()
  const tasks = new Map<string, Queue<T>>()
  const { engine, makeTask } = options
  const state: State<T> = {
    ...{ options, queues, tasks, texts: new Map() },
    readings: createReadings(engine, options.random, queues),
    wire: {
      engine,
      find: (url) => touch(engine, find(queues, url)),
      taskOf: ({ name }, body) => (tasks.has(name) ? makeTask(name, body, engine.now) : null),
    },
  }
  return {
    tasks,
    queue(name) {
      const queue = tasks.get(name)
      if (!queue) throw new Error(`The twin has no queue ${name}`)
      return queue
    },
    createTextQueue(input) {
      const { queue, changes } = create(state, input, state.texts)
      options.emit(changes)
      return queue
    },
    apply: (now, command) => apply(state, now, command),
  }
}

function apply<T>(state: State<T>, now: number, command: object): Applied {
  const { wire } = state
  if (command instanceof GetQueueAttributesCommand) {
    const { QueueUrl, AttributeNames } = command.input
    return answer(state.readings.attributes(now, wire.find(QueueUrl), AttributeNames ?? []))
  }
  if (command instanceof SendMessageCommand) return sendMessage(wire, command.input)
  if (command instanceof SendMessageBatchCommand) return sendBatch(wire, command.input)
  if (command instanceof ReceiveMessageCommand) return receiveMessage(wire, command.input)
  if (command instanceof DeleteMessageCommand) return deleteMessage(wire, command.input)
  if (command instanceof DeleteMessageBatchCommand) return deleteBatch(wire, command.input)
  if (command instanceof ChangeMessageVisibilityCommand) {
    return changeVisibility(wire, command.input)
  }
  if (command instanceof ChangeMessageVisibilityBatchCommand) {
    return changeBatch(wire, command.input)
  }
  if (command instanceof CreateQueueCommand) {
    const { queue, changes } = create(state, command.input, state.tasks)
    return answer({ QueueUrl: queue.url }, changes)
  }
  if (command instanceof GetQueueUrlCommand) {
    return answer({ QueueUrl: wire.find(command.input.QueueName).url })
  }
  if (command instanceof DeleteQueueCommand) {
    const { name } = wire.find(command.input.QueueUrl)
    for (const map of [state.queues, state.tasks, state.texts]) map.delete(name)
    return answer({}, [{ kind: 'sqs.queue-deleted', queue: name }])
  }
  throw notInTwin('SQS', command)
}

/** Makes a queue among its kind, or finds the one of that name and of the same attributes. */
function create<T, K>(
  state: State<T>,
  input: CreateQueueCommandInput,
  kind: Map<string, Queue<K>>,
) {
  const name = input.QueueName ?? ''
  if (!/^[\w-]{1,80}$/.test(name)) {
    const message = 'Can only include alphanumeric characters, hyphens, or underscores.'
    throw awsError('InvalidParameterValue', message)
  }
  const { options, queues } = state
  const url = `https://sqs.${options.region}.amazonaws.com/${options.account}/${name}`
  const { visibilityMs, delayMs, redrive } = settingsOf(input.Attributes ?? {}, kind)
  const before = kind.get(name)
  if (before) {
    const same = before.visibilityMs === visibilityMs && before.delayMs === delayMs
    if (same && before.redrive?.target === redrive?.target) {
      return { queue: touch(options.engine, before), changes: [] }
    }
  }
  if (queues.has(name)) {
    const message = 'A queue already exists with the same name and a different value for attributes'
    throw awsError('QueueNameExists', message)
  }
  const moved = (message: number, to: number) => {
    const deadLetterQueue = redrive?.target.name ?? ''
    options.emit([{ kind: 'sqs.moved', queue: name, message, deadLetterQueue, to }])
  }
  const queue = createQueue<K>({
    ...{ name, url, visibilityMs, delayMs, touchedAt: options.engine.now },
    redrive: redrive && { ...redrive, moved },
  })
  queues.set(name, queue)
  kind.set(name, queue)
  const change: Change = { kind: 'sqs.queue-created', queue: name }
  return { queue, changes: [change] }
}

/** Whatever call it is: it keeps the queue active. */
function touch<K>({ now }: Engine, queue: Queue<K>): Queue<K> {
  queue.touchedAt = now
  return queue
}

function find(queues: ReadonlyMap<string, Queue<unknown>>, url: string | undefined) {
  const queue = queues.get(url?.slice(url.lastIndexOf('/') + 1) ?? '')
  if (!queue) throw awsError('QueueDoesNotExist', 'The specified queue does not exist.')
  return queue
}
