import { deflateRawSync, inflateRawSync } from 'node:zlib'
import { GetItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb'
import * as z from 'zod/mini'
import type { Deps } from './aws.ts'
import { parseJson } from './json.ts'
import type { Lane } from './lanes.ts'
import type { Tick } from './looks.ts'
import { type Put, putIf } from './put.ts'
import { hundredth } from './sizing/round.ts'
import type { Memory } from './sizing/step.ts'

/**
 * What a shard remembers between runs, one item a shard and lane: an explicit value, read at the
 * start and written on condition that nobody wrote since. The writer of a version is the one run
 * that acts on its queues, so that a second run at the same time does nothing with them.
 */
export type ShardMemory = {
  /** How often it was written; 0 when it never was. */
  readonly version: number
  readonly queues: Readonly<Record<string, QueueMemory>>
}

export type QueueMemory = Memory

const counts = z.object({ visible: z.number(), notVisible: z.number(), delayed: z.number() })
// By one look at the whole list: each queue has an hour of arrivals, and a schema for each of its
// elements takes longer than everything else that a sweep does with them.
const isList = (value: unknown) => Array.isArray(value) && value.every(Number.isFinite)
const list = z.custom<readonly number[]>(isList)
const memorySchema = z.object({
  at: z.number(),
  since: z.number(),
  counts,
  running: z.number(),
  seen: z.object({
    recent: z.object({ minute: z.number(), counts: list }),
    errors: z.object({
      squares: list,
      arrivals: z.number(),
      weight: z.number(),
      // What a predictor could not say is no number, which JSON has as null.
      open: z.nullable(
        z.object({ from: z.number(), until: z.number(), says: z.array(z.nullable(z.number())) }),
      ),
    }),
  }),
  service: z.object({ busySeconds: z.number(), done: z.number() }),
  serviceSeconds: z.number(),
  needs: z.array(z.object({ at: z.number(), instances: z.number() })),
  group: z.object({
    at: z.number(),
    present: z.number(),
    launches: z.array(z.object({ at: z.number(), count: z.number() })),
  }),
  budget: z.object({ started: z.number(), late: z.number() }),
  emptySince: z.nullable(z.number()),
  filledSince: z.nullable(z.number()),
  stuckSince: z.nullable(z.number()),
})

const forgotten: ShardMemory = { version: 0, queues: {} }

const bodySchema = z.record(z.string(), memorySchema)

const keyOf = ({ shard, of }: Tick, lane: Lane) => ({
  pk: { S: `backlog#${shard}/${of}${lane === 'fast' ? '#fast' : ''}` },
})

/** One consistent read. An item that cannot be understood counts as none and is written anew. */
export async function readMemory(
  deps: Pick<Deps, 'dynamodb' | 'stateTable' | 'signal'>,
  tick: Tick,
  lane: Lane = 'minute',
): Promise<ShardMemory> {
  const command = new GetItemCommand({
    TableName: deps.stateTable,
    Key: keyOf(tick, lane),
    ConsistentRead: true,
  })
  const { Item } = await deps.dynamodb.send(command, { abortSignal: deps.signal })
  if (!Item) return forgotten
  const version = Number(Item['version']?.N ?? 0)
  const body = bodySchema.safeParse(parseJson(unpacked(Item['queues']?.B)))
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
  lane: Lane = 'minute',
): Promise<Put> {
  const command = new PutItemCommand({
    TableName: deps.stateTable,
    Item: {
      ...keyOf(tick, lane),
      version: { N: String(read.version + 1) },
      writer: { S: deps.runId },
      queues: { B: packed(queues) },
    },
    ConditionExpression: 'attribute_not_exists(pk) OR #version = :read OR #writer = :writer',
    ExpressionAttributeNames: { '#version': 'version', '#writer': 'writer' },
    ExpressionAttributeValues: {
      ':read': { N: String(read.version) },
      ':writer': { S: deps.runId },
    },
  })
  return putIf(deps, command)
}

/** To the hundredth throughout. A replacer of JSON.stringify says the same in twice the time. */
function rounded(value: unknown): unknown {
  if (typeof value === 'number') return hundredth(value)
  if (Array.isArray(value)) return value.map(rounded)
  if (typeof value !== 'object' || value === null) return value
  const parts: Record<string, unknown> = {}
  for (const [name, part] of Object.entries(value)) parts[name] = rounded(part)
  return parts
}

// An item holds 400 KB, and a shard hundreds of queues with an hour of arrivals each. The usual
// level makes it a twelfth smaller, and takes more than twice the time.
const packing = { level: 3 }
const packed = (queues: ShardMemory['queues']) =>
  deflateRawSync(JSON.stringify(rounded(queues)), packing)

/** An item that cannot be read is none: its queues begin anew. */
function unpacked(bytes: Uint8Array | undefined): string {
  if (!bytes) return ''
  try {
    return inflateRawSync(bytes).toString()
  } catch (error) {
    // Bytes that are no packed text, and those that end before it does.
    const isNone = (code: unknown) => code === 'Z_DATA_ERROR' || code === 'Z_BUF_ERROR'
    if (error instanceof Error && 'code' in error && isNone(error.code)) return ''
    throw error
  }
}
