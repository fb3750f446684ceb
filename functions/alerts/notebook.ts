import { type AttributeValue, BatchGetItemCommand } from '@aws-sdk/client-dynamodb'
import * as z from 'zod/mini'
import { type Sample, statuses } from '../../shared/alerts/machine.ts'
import { ruleNames } from '../../shared/alerts/rules.ts'
import type { Deps } from '../../shared/aws.ts'
import { chunks } from '../../shared/each.ts'
import { parseJson } from '../../shared/json.ts'
import type { Tick } from '../../shared/looks.ts'
import { packed, unpacked } from '../../shared/packed.ts'
import type { Put } from '../../shared/put.ts'
import { readVersioned, writeVersioned } from '../../shared/versioned.ts'
import type { Alert } from './alert.ts'
import { alertSchema } from './alert.ts'
import type { Look, Watched } from './facts.ts'

/**
 * What each shard's run remembers, in its own item `alerts#<shard>/<of>`: its queues, packed, and
 * beside them what fires, which whoever tells people reads of every shard.
 */

const times = z.nullable(z.number())
// Lists are kept as rows and checked by one look at the whole: each queue has thirty looks and as
// many samples, and a schema for each takes longer than everything else that a run does.
type Row = readonly (number | null)[]
const isRow = (row: unknown) =>
  Array.isArray(row) && row.every((value) => value === null || Number.isFinite(value))
const perMinute = z.custom<Row>(isRow)
const rows = z.custom<readonly Row[]>((value) => Array.isArray(value) && value.every(isRow))
const looks = z.pipe(
  rows,
  z.transform((all) =>
    all.map(([at, visible, notVisible, desired, inService]): Look => {
      return {
        ...{ at: at ?? 0, visible: visible ?? 0, notVisible: notVisible ?? 0 },
        ...{ desired: desired ?? 0, inService: inService ?? 0 },
      }
    }),
  ),
)
const recent = z.pipe(
  rows,
  z.transform((all) =>
    all.map(([at, value = null, idle]): Sample => {
      return { at: at ?? 0, value, ...(idle ? { idle: true } : {}) }
    }),
  ),
)
const state = z.object({
  status: z.enum(statuses),
  since: z.number(),
  ...{ firingSince: times, peak: times, value: times },
  recent,
  unknown: z.boolean(),
})
const watchedSchema = z.object({
  looks,
  since: z.number(),
  ...{ emptyAt: times, measuredAt: z.number(), ageAt: times, ratesAt: times },
  flow: z.nullable(z.object({ from: z.number(), received: perMinute, deleted: perMinute })),
  ...{ progressAt: z.number(), cameAt: z.number(), rolloutAt: z._default(times, null) },
  states: z.partialRecord(z.enum(ruleNames), state),
})
const bodySchema = z.record(z.string(), watchedSchema)

export type ShardNotes = {
  readonly version: number
  readonly queues: Readonly<Record<string, Watched>>
}

type Db = Pick<Deps, 'dynamodb' | 'stateTable' | 'runId' | 'signal'>

const keyOf = ({ shard, of }: Tick) => `alerts#${shard}/${of}`

/** An item that cannot be understood counts as none and is written anew. */
export async function readNotes(deps: Omit<Db, 'runId'>, tick: Tick): Promise<ShardNotes> {
  const { version, item } = await readVersioned(deps, keyOf(tick))
  return { version, queues: queuesIn(item['queues']?.B) }
}

const queuesIn = (bytes: Uint8Array | undefined): ShardNotes['queues'] =>
  bodySchema.safeParse(parseJson(unpacked(bytes))).data ?? {}

/** What a run has found. */
export type Found = {
  /** Epoch seconds. */
  readonly at: number
  readonly queues: ShardNotes['queues']
  readonly alerts: readonly Alert[]
}

export const writeNotes = (
  deps: Db,
  tick: Tick,
  { version }: ShardNotes,
  { at, queues, alerts }: Found,
): Promise<Put> =>
  writeVersioned(deps, keyOf(tick), version, {
    at: { N: String(at) },
    queues: { B: packed(Object.fromEntries(Object.entries(queues).map(inRows))) },
    alerts: { B: packed(alerts) },
  })

/** As the schema reads it. */
const inRows = ([name, watched]: [string, Watched]): [string, object] => [
  name,
  {
    ...watched,
    looks: watched.looks.map(({ at, visible, notVisible, desired, inService }) => [
      ...[at, visible, notVisible, desired, inService],
    ]),
    states: Object.fromEntries(
      Object.entries(watched.states).map(([rule, known]) => [
        rule,
        { ...known, recent: known.recent.map(({ at, value, idle }) => [at, value, idle ? 1 : 0]) },
      ]),
    ),
  },
]

/** What the last run of a shard has found; null where it has never run. */
export async function readFound(deps: Omit<Db, 'runId'>, tick: Tick): Promise<Found | null> {
  const { item } = await readVersioned(deps, keyOf(tick))
  if (item['at']?.N === undefined) return null
  const queues = queuesIn(item['queues']?.B)
  return { at: Number(item['at'].N), queues, alerts: alertsIn(item['alerts']?.B) }
}

// The most keys that one BatchGetItem call takes.
const keysPerCall = 100
const alertsIn = (bytes: Uint8Array | undefined) =>
  z.array(alertSchema).safeParse(parseJson(unpacked(bytes))).data ?? []

/** What fires in the other shards, as of their last runs. */
export async function readOthers(deps: Omit<Db, 'runId'>, { shard, of }: Tick): Promise<Alert[]> {
  const others = Array.from({ length: of }, (_, index) => index).filter((index) => index !== shard)
  const found: Alert[] = []
  for (const part of chunks(others, keysPerCall)) {
    let Keys: Record<string, AttributeValue>[] = part.map((index) => ({
      pk: { S: keyOf({ shard: index, of }) },
    }))
    while (Keys.length > 0) {
      const command = new BatchGetItemCommand({
        RequestItems: { [deps.stateTable]: { Keys, ProjectionExpression: 'alerts' } },
      })
      const page = await deps.dynamodb.send(command, { abortSignal: deps.signal })
      for (const item of page.Responses?.[deps.stateTable] ?? []) {
        found.push(...alertsIn(item['alerts']?.B))
      }
      Keys = page.UnprocessedKeys?.[deps.stateTable]?.Keys ?? []
    }
  }
  return found
}
