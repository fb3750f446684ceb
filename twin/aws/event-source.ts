import type { SQSEvent, SQSRecord } from 'aws-lambda'
import * as z from 'zod/mini'
import type { Engine } from '../engine.ts'
import { awsError, type Change } from './service.ts'
import { arnOf } from './sqs-counts.ts'
import { attributesOf, deleteOne, handleOf, idOf, md5 } from './sqs-messages.ts'
import { type Lease, type Queue, receive } from './sqs-queue.ts'

/**
 * A Lambda event source mapping on a queue: polls it in virtual time, gathers messages, and hands
 * them to a handler in batches. Engine events only make batches; whoever runs the engine lets
 * `runInvocations` work them off before time goes on (see `runUntil`), so that an asynchronous
 * handler takes no virtual time and finds the world as it was when its batch was full.
 */
export type EventSource = {
  /** Batches that wait for their invocation. */
  readonly pending: number
  /** Hands every batch to the handler, until none waits at this moment of virtual time. */
  runInvocations(): Promise<void>
}

export type EventSourceOptions = {
  readonly engine: Engine
  readonly emit: (changes: readonly Change[]) => void
  readonly queue: Queue<unknown>
  readonly batchSize: number
  readonly batchingWindowSeconds: number
  /** Invocations at once, and batches that Lambda reads ahead for them. */
  readonly maximumConcurrency: number
  readonly functionTimeoutSeconds: number
  /** Whether the answer says which messages failed; otherwise only an error fails, and all do. */
  readonly reports: 'whole batches' | 'batch item failures'
  readonly handler: (event: SQSEvent) => Promise<unknown>
  /** Told the error of an invocation: Lambda would log it and count it. */
  readonly onError: (error: unknown) => void
}

// Lambda's bounds for an event source mapping on a standard queue.
const batchSizeMax = 10_000
const batchSizeUnbatchedMax = 10
const batchingWindowSecondsMax = 300
const maximumConcurrencyBounds = { least: 2, most: 1_000 }
// The most that one invocation's event may hold, and what one ReceiveMessage gives.
const eventBytesMax = 6 * 1_024 * 1_024
const messagesPerReceiveMax = 10

type Batch = { readonly records: SQSRecord[]; bytes: number }

type State = EventSourceOptions & {
  /** Still being gathered. */
  open: Batch | null
  /** Full, or as old as the batching window. */
  readonly ready: Batch[]
  pollPlanned: boolean
}

/** Throws InvalidParameterValueException where Lambda would not make such a mapping. */
export function createEventSource(options: EventSourceOptions): EventSource {
  checkOptions(options)
  const state: State = { ...options, open: null, ready: [], pollPlanned: false }
  const { queue } = options
  const visible = queue.onVisible
  queue.onVisible = () => {
    visible()
    planPoll(state)
  }
  queue.isPolled = () => true
  planPoll(state)
  return {
    get pending() {
      return state.ready.length
    },
    async runInvocations() {
      while (state.ready.length > 0) {
        const batches = state.ready.splice(0, state.maximumConcurrency)
        await Promise.all(batches.map((batch) => invoke(state, batch)))
        poll(state)
      }
    },
  }
}

/** Runs the engine up to that time, and every invocation at the moment at which it is due. */
export async function runUntil(
  engine: Engine,
  end: number,
  sources: readonly EventSource[],
): Promise<void> {
  const work = async () => {
    for (const source of sources) if (source.pending > 0) await source.runInvocations()
  }
  // Most events concern no function: waiting for nothing would cost more than they do.
  const isDue = () => sources.some(({ pending }) => pending > 0)
  do await work()
  while (!engine.runUntil(end, isDue))
}

function checkOptions(options: EventSourceOptions): void {
  const { batchSize, batchingWindowSeconds: window, maximumConcurrency: concurrency } = options
  const most = window > 0 ? batchSizeMax : batchSizeUnbatchedMax
  check(isWithin(batchSize, 1, most), `BatchSize must be between 1 and ${most}`)
  const windowMax = batchingWindowSecondsMax
  check(isWithin(window, 0, windowMax), `The batching window is between 0 and ${windowMax} seconds`)
  const bounds = maximumConcurrencyBounds
  check(
    isWithin(concurrency, bounds.least, bounds.most),
    `MaximumConcurrency must be between ${bounds.least} and ${bounds.most}`,
  )
  const visibilitySeconds = options.queue.visibilityMs / 1_000
  const { functionTimeoutSeconds } = options
  check(
    visibilitySeconds >= functionTimeoutSeconds,
    `Queue visibility timeout: ${visibilitySeconds} seconds is less than Function timeout: ` +
      `${functionTimeoutSeconds} seconds`,
  )
}

const isWithin = (value: number, least: number, most: number) =>
  Number.isInteger(value) && value >= least && value <= most

function check(holds: unknown, message: string): void {
  if (!holds) throw awsError('InvalidParameterValueException', message)
}

/** Several messages that become visible at one moment are polled for once. */
function planPoll(state: State): void {
  if (state.pollPlanned) return
  state.pollPlanned = true
  state.engine.at(state.engine.now, () => {
    state.pollPlanned = false
    poll(state)
  })
}

/** Takes what there is, while there is room for another batch. */
function poll(state: State): void {
  const { engine, queue, batchSize, maximumConcurrency } = state
  while (state.ready.length < maximumConcurrency) {
    const room = batchSize - (state.open?.records.length ?? 0)
    const most = Math.min(room, messagesPerReceiveMax)
    const leases = receive(engine, queue, most, queue.visibilityMs)
    for (const lease of leases) gather(state, recordOf(queue, lease))
    if (leases.length === 0) break
  }
  if (state.open && state.batchingWindowSeconds === 0) close(state, state.open)
}

function gather(state: State, record: SQSRecord): void {
  const bytes = Buffer.byteLength(JSON.stringify(record))
  if (state.open && state.open.bytes + bytes > eventBytesMax) close(state, state.open)
  const batch = state.open ?? open(state)
  batch.records.push(record)
  batch.bytes += bytes
  if (batch.records.length === state.batchSize) close(state, batch)
}

/** The batching window begins with the first message of a batch. */
function open(state: State): Batch {
  const batch: Batch = { records: [], bytes: 0 }
  state.open = batch
  const { engine, batchingWindowSeconds } = state
  if (batchingWindowSeconds > 0) {
    engine.at(engine.now + batchingWindowSeconds * 1_000, () => {
      if (state.open === batch) close(state, batch)
    })
  }
  return batch
}

function close(state: State, batch: Batch): void {
  state.open = null
  state.ready.push(batch)
}

/** What succeeded is deleted; what failed is visible again after the queue's visibility timeout. */
async function invoke(state: State, { records }: Batch): Promise<void> {
  const { queue, handler, emit, onError } = state
  const [result] = await Promise.allSettled([handler({ Records: records })])
  if (result.status === 'rejected') {
    onError(result.reason)
    return
  }
  const failed = state.reports === 'whole batches' ? [] : failuresOf(result.value, records)
  for (const { messageId, receiptHandle } of records) {
    if (!failed.includes(messageId)) emit(deleteOne(queue, receiptHandle))
  }
}

const answerSchema = z.looseObject({
  batchItemFailures: z.nullish(
    z.array(z.looseObject({ itemIdentifier: z.string().check(z.minLength(1)) })),
  ),
})

/** The ids of what failed. An answer that cannot be understood fails them all, as Lambda has it. */
function failuresOf(answer: unknown, records: readonly SQSRecord[]): string[] {
  const all = records.map(({ messageId }) => messageId)
  if (answer === undefined || answer === null) return []
  const parsed = answerSchema.safeParse(answer)
  if (!parsed.success) return all
  const failed = (parsed.data.batchItemFailures ?? []).map(({ itemIdentifier }) => itemIdentifier)
  return failed.every((id) => all.includes(id)) ? failed : all
}

function recordOf(queue: Queue<unknown>, lease: Lease<unknown>): SQSRecord {
  const { message } = lease
  const arn = arnOf(queue)
  return {
    messageId: idOf(queue, message),
    receiptHandle: handleOf(lease),
    body: message.body,
    attributes: attributesOf(queue, message),
    messageAttributes: {},
    md5OfBody: md5(message.body),
    eventSource: 'aws:sqs',
    eventSourceARN: arn,
    awsRegion: arn.split(':')[3] ?? '',
  }
}
