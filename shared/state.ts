import { GetItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb'
import * as z from 'zod/mini'
import { type Deps, isAwsError } from './aws.ts'
import type { Tick } from './events.ts'

/**
 * What a shard remembers between runs, one item a shard: an explicit value, read at the start and
 * written on condition that nobody wrote since. The writer of a version is the one run that acts
 * on it, so that a second run at the same time does nothing.
 */
export type ShardMemory = {
  /** How often it was written; 0 when it never was. */
  readonly version: number
  readonly queues: Readonly<Record<string, QueueMemory>>
}

export type QueueMemory = z.output<typeof queueMemory>
const queueMemory = z.object({
  /** Epoch milliseconds of the first of the unbroken readings that found the queue empty. */
  emptySince: z.nullable(z.number()),
  /** Since when less than the desired capacity was wanted, and the most of it in that time. */
  surplus: z.nullable(z.object({ since: z.number(), most: z.number() })),
})

const forgotten: ShardMemory = { version: 0, queues: {} }

const bodySchema = z.record(z.string(), queueMemory)

const keyOf = ({ shard, of }: Tick) => ({ pk: { S: `backlog#${shard}/${of}` } })

/** One consistent read. An item that cannot be understood counts as none and is written anew. */
export async function readMemory(
  deps: Pick<Deps, 'dynamodb' | 'stateTable' | 'signal'>,
  tick: Tick,
): Promise<ShardMemory> {
  const command = new GetItemCommand({
    TableName: deps.stateTable,
    Key: keyOf(tick),
    ConsistentRead: true,
  })
  const { Item } = await deps.dynamodb.send(command, { abortSignal: deps.signal })
  if (!Item) return forgotten
  const version = Number(Item['version']?.N ?? 0)
  const body = bodySchema.safeParse(parseJson(Item['queues']?.S ?? ''))
  return { version, queues: body.success ? body.data : {} }
}

/**
 * Writes the next version, or says that another run has written since this one read. A write whose
 * answer was lost is sent again by the client and must not find itself in its own way: hence the
 * writer.
 */
export async function writeMemory(
  deps: Pick<Deps, 'dynamodb' | 'stateTable' | 'runId' | 'signal'>,
  tick: Tick,
  read: ShardMemory,
  queues: ShardMemory['queues'],
): Promise<'written' | 'superseded'> {
  const command = new PutItemCommand({
    TableName: deps.stateTable,
    Item: {
      ...keyOf(tick),
      version: { N: String(read.version + 1) },
      writer: { S: deps.runId },
      queues: { S: JSON.stringify(queues) },
    },
    ConditionExpression: 'attribute_not_exists(pk) OR #version = :read OR #writer = :writer',
    ExpressionAttributeNames: { '#version': 'version', '#writer': 'writer' },
    ExpressionAttributeValues: {
      ':read': { N: String(read.version) },
      ':writer': { S: deps.runId },
    },
  })
  try {
    await deps.dynamodb.send(command, { abortSignal: deps.signal })
    return 'written'
  } catch (error) {
    if (isAwsError(error, 'ConditionalCheckFailedException')) return 'superseded'
    throw error
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}
