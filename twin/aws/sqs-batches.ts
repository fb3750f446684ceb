import type {
  BatchResultErrorEntry,
  ChangeMessageVisibilityBatchCommandInput,
  DeleteMessageBatchCommandInput,
  SendMessageBatchCommandInput,
} from '@aws-sdk/client-sqs'
import { type Applied, answer, awsError } from './service.ts'
import {
  changeOne,
  deleteOne,
  handleProblem,
  messageBytesMax,
  messageProblem,
  sendOne,
  visibilityProblem,
  type Wire,
} from './sqs-messages.ts'

// The most entries of one batch.
const entriesMax = 10

export function sendBatch(wire: Wire, input: SendMessageBatchCommandInput): Applied {
  const queue = wire.find(input.QueueUrl)
  const entries = checkEntries(input.Entries)
  const bytes = entries.reduce(
    (sum, { MessageBody = '' }) => sum + Buffer.byteLength(MessageBody),
    0,
  )
  // One bound for the batch as for a single message.
  if (bytes > messageBytesMax) {
    const message = `Batch requests cannot be longer than ${messageBytesMax} bytes.`
    throw awsError('BatchRequestTooLong', message)
  }
  const results = entries.map((entry) => {
    const problem = messageProblem(entry)
    if (problem) return { failed: failure(entry.Id, problem) }
    const { output, change } = sendOne(wire, queue, entry)
    return { done: { Id: entry.Id, ...output }, changes: [change] }
  })
  return answerEach(results)
}

export function deleteBatch(wire: Wire, input: DeleteMessageBatchCommandInput): Applied {
  const queue = wire.find(input.QueueUrl)
  const results = checkEntries(input.Entries).map(({ Id, ReceiptHandle }) => {
    const problem = handleProblem(ReceiptHandle)
    if (problem) return { failed: failure(Id, problem) }
    return { done: { Id }, changes: deleteOne(queue, ReceiptHandle) }
  })
  return answerEach(results)
}

export function changeBatch(wire: Wire, input: ChangeMessageVisibilityBatchCommandInput): Applied {
  const queue = wire.find(input.QueueUrl)
  const results = checkEntries(input.Entries).map((entry) => {
    const problem = visibilityProblem(queue, entry)
    if (problem) return { failed: failure(entry.Id, problem) }
    changeOne(wire, queue, entry)
    return { done: { Id: entry.Id } }
  })
  return answerEach(results)
}

type Result = {
  readonly done?: object
  readonly failed?: BatchResultErrorEntry
  readonly changes?: Applied['changes']
}

/** Each entry on its own: some may fail, and the call succeeds. */
function answerEach(results: readonly Result[]): Applied {
  const Successful = results.flatMap(({ done }) => done ?? [])
  const Failed = results.flatMap(({ failed }) => failed ?? [])
  const output = { Successful, ...(Failed.length > 0 ? { Failed } : {}) }
  return answer(
    output,
    results.flatMap(({ changes }) => changes ?? []),
  )
}

const failure = (Id: string | undefined, { name, message }: Error): BatchResultErrorEntry => ({
  Id,
  SenderFault: true,
  Code: name,
  Message: message,
})

/** The entries of a batch, which are from 1 to 10, each under an id of its own. */
function checkEntries<E extends { Id: string | undefined }>(entries: readonly E[] | undefined) {
  if (!entries || entries.length === 0) {
    throw awsError('EmptyBatchRequest', 'There should be at least one entry in the request.')
  }
  if (entries.length > entriesMax) {
    const message = `Maximum number of entries per request are ${entriesMax}.`
    throw awsError('TooManyEntriesInBatchRequest', message)
  }
  const ids = entries.map(({ Id = '' }) => Id)
  if (!ids.every((id) => /^[\w-]{1,80}$/.test(id))) {
    throw awsError('InvalidBatchEntryId', 'A batch entry id has from 1 to 80 letters and digits.')
  }
  if (new Set(ids).size < ids.length) {
    throw awsError('BatchEntryIdsNotDistinct', 'Two or more batch entries have the same id.')
  }
  return entries
}
