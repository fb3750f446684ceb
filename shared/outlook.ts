import { type AttributeValue, BatchGetItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb'
import * as z from 'zod/mini'
import type { Deps } from './aws.ts'
import { chunks, each } from './each.ts'
import { parseJson } from './json.ts'
import { parsedOnce } from './parsed.ts'
import { type Put, putIf } from './put.ts'
import { noOutlook, type Outlook } from './sizing/types.ts'

/**
 * What the forecast function knows of a queue beyond the moment, kept in the state table as
 * `outlook#<queue>`: written each hour by that function, read each minute by backlog. One item a
 * queue, so that what is wrong with one is that queue's alone and a queue that changes its shard
 * takes it along. Profiles are packed, four bytes a number, for a sweep reads two hundred of each
 * queue and would else spend most of its time on their text; what is left a person can read.
 * Together they are some two kilobytes, of the four that DynamoDB counts a read in.
 */

const constants = z.object({
  spend: z.number(),
  margin: z.number(),
  release: z.number(),
  holdSeconds: z.number(),
  grace: z.number(),
})
const rehearsal = z.object({
  /** Seconds since the epoch, as every time here. */
  at: z.number(),
  /** What it was rehearsed for: another promise or another boot asks for another rehearsal. */
  workload: z.object({
    startWithinSeconds: z.number(),
    bootSeconds: z.number(),
    tickSeconds: z.number(),
    slots: z.number(),
    taskSeconds: z.number(),
  }),
  constants,
  /** The share of tasks that started in time, and instance-hours, over the rehearsed days. */
  outcome: z.object({ kept: z.number(), instanceHours: z.number() }),
  tried: z.number(),
})
export type Rehearsal = z.output<typeof rehearsal>

export const unmeasuredReasons = [
  /** Too few tasks ended in a day to say how long one takes. */
  'too-few-deletes',
  /** Nothing says how many slots there were, or messages were held that nobody ran. */
  'slots-unknown',
] as const
const service = z.object({
  seconds: z.nullable(z.number()),
  /** Where it comes from, or why it is not known. */
  source: z.enum(['group-metrics', 'group-now', ...unmeasuredReasons]),
  /** Tasks that ended in the time that was looked at. */
  done: z.number(),
})
export type Service = z.output<typeof service>

const schema = z.object({
  /** Another number: it was written by another version of this code, and counts as none. */
  version: z.literal(1),
  at: z.number(),
  /** Since when arrivals are known; null: they never were. */
  historyFrom: z.nullable(z.number()),
  /** In the order of their numbers. */
  profiles: z.array(
    z.object({ name: z.string(), from: z.number(), stepSeconds: z.number(), steps: z.number() }),
  ),
  service,
  rehearsal: z.nullable(rehearsal),
})
export type KeptOutlook = Omit<z.output<typeof schema>, 'version' | 'profiles'> & {
  readonly profiles: Outlook['profiles']
}

/** What was found for a queue: null where nothing was ever written. */
export type OutlookReading = KeptOutlook | 'unreadable' | null

type Db = Pick<Deps, 'dynamodb' | 'stateTable' | 'signal'>

const prefix = 'outlook#'
const keyOf = (queue: string) => ({ pk: { S: prefix + queue } })
const queueIn = (pk: string | undefined) => (pk ?? '').slice(prefix.length)

// The most keys that one BatchGetItem call takes.
const keysPerCall = 100

/**
 * The outlooks of these queues, one call for each 100; one that was written a moment ago may be
 * missed. The queues whose call failed are in `failed`, with its error.
 */
export async function readOutlooks(deps: Db, queues: readonly string[]) {
  const found = new Map<string, OutlookReading>()
  const outcomes = await each(chunks(queues, keysPerCall), async (part) => {
    let Keys = part.map(keyOf)
    while (Keys.length > 0) {
      const command = new BatchGetItemCommand({ RequestItems: { [deps.stateTable]: { Keys } } })
      const page = await deps.dynamodb.send(command, { abortSignal: deps.signal })
      for (const item of page.Responses?.[deps.stateTable] ?? []) {
        found.set(queueIn(item['pk']?.S), readingOf(item))
      }
      const rest = page.UnprocessedKeys?.[deps.stateTable]?.Keys ?? []
      Keys = rest.map((key) => keyOf(queueIn(key['pk']?.S)))
    }
  })
  const failed = new Map(
    outcomes.flatMap((outcome) =>
      'error' in outcome ? outcome.item.map((queue) => [queue, outcome.error] as const) : [],
    ),
  )
  return { found, failed }
}

// Written each hour and read each minute.
const parsedOf = parsedOnce((text) => schema.safeParse(parseJson(text)))

function readingOf(item: Record<string, AttributeValue>): OutlookReading {
  const parsed = parsedOf(item['outlook']?.S ?? '')
  if (!parsed.success) return 'unreadable'
  const profiles = unpacked(parsed.data.profiles, item['profiles']?.B ?? new Uint8Array())
  const { version: _, ...outlook } = parsed.data
  return profiles ? { ...outlook, profiles } : 'unreadable'
}

const bytesPerNumber = 4

function packed(profiles: Outlook['profiles']) {
  const numbers = Object.values(profiles).flatMap(({ counts }) => Array.from(counts))
  const bytes = new Uint8Array(Float32Array.from(numbers).buffer)
  const named = Object.entries(profiles).map(([name, { from, stepSeconds, counts }]) => ({
    ...{ name, from, stepSeconds, steps: counts.length },
  }))
  return { named, bytes }
}

/** Null where there are not as many numbers as there should be. */
function unpacked(
  named: z.output<typeof schema>['profiles'],
  bytes: Uint8Array,
): Outlook['profiles'] | null {
  const total = named.reduce((sum, { steps }) => sum + steps, 0)
  if (total * bytesPerNumber !== bytes.byteLength) return null
  // A copy of its own, for numbers of four bytes begin at multiples of four.
  const numbers = new Float32Array(Uint8Array.from(bytes).buffer)
  let first = 0
  const profiles = named.map(({ name, from, stepSeconds, steps }) => {
    const counts = numbers.subarray(first, first + steps)
    first += steps
    return [name, { from, stepSeconds, counts }] as const
  })
  return Object.fromEntries(profiles)
}

/**
 * Writes a queue's outlook unless one that is as new is there: a run that was late does not undo
 * what a later one found, and a write that is sent again finds itself and leaves it so.
 */
export async function writeOutlook(deps: Db, queue: string, outlook: KeptOutlook): Promise<Put> {
  const { named, bytes } = packed(outlook.profiles)
  const body = { version: 1, ...outlook, profiles: named }
  const command = new PutItemCommand({
    TableName: deps.stateTable,
    Item: {
      ...keyOf(queue),
      writtenAt: { N: String(outlook.at) },
      outlook: { S: JSON.stringify(body, rounded) },
      profiles: { B: bytes },
    },
    ConditionExpression: 'attribute_not_exists(#writtenAt) OR #writtenAt < :at',
    ExpressionAttributeNames: { '#writtenAt': 'writtenAt' },
    ExpressionAttributeValues: { ':at': { N: String(outlook.at) } },
  })
  return putIf(deps, command)
}

// Finer than any forecast is true; a share kept of 0.9987 must stay one.
const rounded = (_: string, value: unknown) =>
  typeof value === 'number' ? Math.round(value * 10_000) / 10_000 : value

/** Why a decision rests on no outlook, or on which. */
export type OutlookNote = 'fresh' | 'none' | 'stale' | 'unreadable' | 'unread'

// Profiles reach some hours ahead; constants and a service time this old are another week's. Two
// failed days are an incident of which the failures topic has told long before.
const staleSeconds = 2 * 86_400

/** What a decision may rest on at that second, and what to call it. */
export function outlookFor(
  reading: OutlookReading | undefined,
  now: number,
): { readonly outlook: Outlook; readonly note: OutlookNote } {
  if (reading === undefined || reading === null) return { outlook: noOutlook, note: 'none' }
  if (reading === 'unreadable') return { outlook: noOutlook, note: 'unreadable' }
  if (now - reading.at > staleSeconds) return { outlook: noOutlook, note: 'stale' }
  return {
    outlook: {
      profiles: reading.profiles,
      constants: reading.rehearsal?.constants ?? noOutlook.constants,
      serviceSeconds: reading.service.seconds,
    },
    note: 'fresh',
  }
}
