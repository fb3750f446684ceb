import * as z from 'zod/mini'
import type { Deps } from './aws.ts'
import { parseJson } from './json.ts'
import type { Lane } from './lanes.ts'
import type { Tick } from './looks.ts'
import { packed, unpacked } from './packed.ts'
import type { Put } from './put.ts'
import type { Memory } from './sizing/step.ts'
import { readVersioned, writeVersioned } from './versioned.ts'

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
  shortfall: z.number(),
})

const bodySchema = z.record(z.string(), memorySchema)

const keyOf = ({ shard, of }: Tick, lane: Lane) =>
  `backlog#${shard}/${of}${lane === 'fast' ? '#fast' : ''}`

/** One consistent read. An item that cannot be understood counts as none and is written anew. */
export async function readMemory(
  deps: Pick<Deps, 'dynamodb' | 'stateTable' | 'signal'>,
  tick: Tick,
  lane: Lane = 'minute',
): Promise<ShardMemory> {
  const { version, item } = await readVersioned(deps, keyOf(tick, lane))
  const body = bodySchema.safeParse(parseJson(unpacked(item['queues']?.B)))
  return { version, queues: body.success ? body.data : {} }
}

/** Writes the next version, or says that another run has written since this one read. */
export const writeMemory = (
  deps: Pick<Deps, 'dynamodb' | 'stateTable' | 'runId' | 'signal'>,
  tick: Tick,
  read: ShardMemory,
  queues: ShardMemory['queues'],
  lane: Lane = 'minute',
): Promise<Put> =>
  writeVersioned(deps, keyOf(tick, lane), read.version, { queues: { B: packed(queues) } })
