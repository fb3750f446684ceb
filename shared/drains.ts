import { BatchGetItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb'
import * as z from 'zod/mini'
import { type Deps, isAwsError } from './aws.ts'
import { phases, type Reason, reasons } from './events.ts'
import { parseJson } from './json.ts'
import { listItems, slotOf, slotsFrom } from './listed.ts'
import { parsedOnce } from './parsed.ts'

/**
 * The one state of an instance's drain, over all reasons and all that is heard of it. Kept in the
 * state table as `drain#<instance>`, written on condition that nobody wrote since; those that have
 * not ended are in the table's index of what is active. All times are epoch milliseconds.
 */

const cause = z.object({
  /** When the notice says that it was given. */
  at: z.number(),
  /** Nothing is sent before: maintenance is known weeks ahead. */
  startsAt: z.number(),
  deadline: z.number(),
})
export type Cause = z.output<typeof cause>

export const faults = [
  /** Systems Manager does not have the instance as a managed node that is online. */
  'not-registered',
  /** The command was taken and its agent did not answer in time. */
  'agent-unreachable',
  /** The command ran on the box and failed: drain.sh is missing, or the agent is too old. */
  'script-failed',
  /** drain.sh itself reported that it failed. */
  'drain-failed',
] as const
export type Fault = (typeof faults)[number]

const worker = z.object({
  phase: z.enum(phases),
  at: z.number(),
  running: z.number(),
  handedBack: z.number(),
  finished: z.number(),
  forced: z.number(),
})

const hook = z.object({
  name: z.string(),
  /** Null: found by looking at the group, so the instance's id stands for it. */
  token: z.nullable(z.string()),
  toWarmPool: z.boolean(),
  /** When it was first heard of. */
  openedAt: z.number(),
  /** When its time last began to run. */
  extendedAt: z.number(),
  /** Null until the group's hooks have been read. */
  timeoutSeconds: z.nullable(z.number()),
  /** Why it was completed; null while it waits. */
  completed: z.nullable(z.string()),
})

const drainSchema = z.object({
  instance: z.string(),
  group: z.string(),
  queue: z.string(),
  /** Every reason given and not withdrawn, with the time it leaves. */
  causes: z.partialRecord(z.enum(reasons), cause),
  /** When each reason was last withdrawn: a notice that is older than that comes too late. */
  calledOff: z.partialRecord(z.enum(reasons), z.number()),
  /** Of the first notice that was acted on. */
  noticedAt: z.number(),
  sent: z.nullable(
    z.object({
      at: z.number(),
      deadline: z.number(),
      /** Whether it only asked, for the weakest reason; a drain is still to be sent. */
      asked: z._default(z.boolean(), false),
      /** Systems Manager's id; null until the call has answered. */
      command: z.nullable(z.string()),
    }),
  ),
  acknowledgedAt: z.nullable(z.number()),
  fault: z.nullable(z.object({ name: z.enum(faults), at: z.number() })),
  /** The newest report of the box. */
  worker: z.nullable(worker),
  /** When the box first reported that it polls no more. */
  quietAt: z.nullable(z.number()),
  /** When the box first reported that nothing runs any more. */
  idleAt: z.nullable(z.number()),
  /** A status command, sent where reports do not come. */
  status: z.nullable(z.object({ at: z.number(), command: z.nullable(z.string()) })),
  hook: z.nullable(hook),
  /** When EC2 said that the instance ends. */
  goneAt: z.nullable(z.number()),
  /** When it was put on standby, so that its replacement starts before it leaves. */
  asideAt: z.nullable(z.number()),
  /** When it was chosen to leave a group that is lowered by it. */
  leaveAt: z._default(z.nullable(z.number()), null),
  /** When its group was last asked to terminate it. */
  terminatedAt: z.nullable(z.number()),
  /** The earliest look at it that a timer will bring. */
  lookAt: z.nullable(z.number()),
  ended: z.nullable(z.object({ how: z.string(), at: z.number() })),
})
export type Drain = z.output<typeof drainSchema>

/** A drain as it was read: the version is the condition of the next write, 0 for none yet. */
export type Kept = { readonly drain: Drain | null; readonly version: number }

export const neverSeen: Kept = { drain: null, version: 0 }

type Db = Pick<Deps, 'dynamodb' | 'stateTable' | 'runId' | 'signal'>

const prefix = 'drain#'
const keyOf = (instance: string) => ({ pk: { S: prefix + instance } })
const instanceIn = (pk: string | undefined) => (pk ?? '').slice(prefix.length)

// Their lists in the table's index: what goes on, and what has ended in an hour.
const activeDrain = 'drain'
const hourMilliseconds = 3_600_000
const endedIn = (hour: number) => `drained#${hour}`
const listOf = ({ ended }: Drain) =>
  ended ? endedIn(slotOf(ended.at, hourMilliseconds)) : activeDrain

// The most keys that one BatchGetItem call takes.
const keysPerCall = 100

// How long an ended drain is remembered: longer than any notice of it may still be on its way
// (EventBridge delivers for 24 hours at most, and each rule here asks for less).
const keptSeconds = 172_800

/** The drains of these instances, one consistent call for each 100. */
export async function readDrains(
  deps: Db,
  instances: readonly string[],
): Promise<Map<string, Kept>> {
  const found = new Map<string, Kept>()
  for (let from = 0; from < instances.length; from += keysPerCall) {
    let Keys = instances.slice(from, from + keysPerCall).map(keyOf)
    while (Keys.length > 0) {
      const command = new BatchGetItemCommand({
        RequestItems: { [deps.stateTable]: { Keys, ConsistentRead: true } },
      })
      const page = await deps.dynamodb.send(command, { abortSignal: deps.signal })
      for (const item of page.Responses?.[deps.stateTable] ?? []) {
        found.set(instanceIn(item['pk']?.S), keptOf(item))
      }
      const rest = page.UnprocessedKeys?.[deps.stateTable]?.Keys ?? []
      Keys = rest.map((key) => keyOf(instanceIn(key['pk']?.S)))
    }
  }
  return found
}

type Reader = Pick<Db, 'dynamodb' | 'stateTable' | 'signal'>

/** Every drain that goes on, as of a moment ago: an index is eventually consistent. */
export const listDrains = async (deps: Reader): Promise<Kept[]> =>
  (await listItems(deps, activeDrain)).map(keptOf)

/** Every drain that has ended in the hours from that moment on, in epoch milliseconds. */
export async function listEnded(deps: Reader, since: number, now: number): Promise<Kept[]> {
  const lists = slotsFrom(since, now, hourMilliseconds).map(endedIn)
  return (await Promise.all(lists.map((list) => listItems(deps, list)))).flat().map(keptOf)
}

/**
 * Writes the next version; where another run has written since, answers what that one left. A
 * write that the client repeated because its answer was lost finds itself, and is no conflict.
 */
export async function writeDrain(
  deps: Db,
  drain: Drain,
  version: number,
): Promise<{ readonly written: Kept } | { readonly conflict: Kept }> {
  const command = new PutItemCommand({
    TableName: deps.stateTable,
    Item: {
      ...keyOf(drain.instance),
      version: { N: String(version + 1) },
      writer: { S: `${deps.runId}/${version}` },
      drain: { S: JSON.stringify(drain) },
      active: { S: listOf(drain) },
      expiresAt: { N: String(Math.ceil(lastUseOf(drain) / 1_000) + keptSeconds) },
    },
    ConditionExpression:
      version === 0
        ? 'attribute_not_exists(pk) OR #writer = :writer'
        : '#version = :read OR #writer = :writer',
    ExpressionAttributeNames: {
      '#writer': 'writer',
      ...(version === 0 ? {} : { '#version': 'version' }),
    },
    ExpressionAttributeValues: {
      ':writer': { S: `${deps.runId}/${version}` },
      ...(version === 0 ? {} : { ':read': { N: String(version) } }),
    },
    ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
  })
  try {
    await deps.dynamodb.send(command, { abortSignal: deps.signal })
    return { written: { drain, version: version + 1 } }
  } catch (error) {
    if (!isAwsError(error, 'ConditionalCheckFailedException')) throw error
    return { conflict: keptOf(conflictSchema.parse(error).Item) }
  }
}

const attribute = z.object({ S: z.optional(z.string()), N: z.optional(z.string()) })
const conflictSchema = z.object({ Item: z._default(z.record(z.string(), attribute), {}) })

// A drain is read several times, by the sweep and by each run that it concerns, before it changes.
const parsed = parsedOnce(
  (text): Drain | null => drainSchema.safeParse(parseJson(text)).data ?? null,
)

/** An item that cannot be understood counts as none, and is written anew. */
function keptOf(
  item: Readonly<Record<string, { S?: string | undefined; N?: string | undefined }>>,
) {
  return {
    drain: parsed(item['drain']?.S ?? ''),
    version: Number(item['version']?.N ?? 0),
  }
}

const causesOf = ({ causes }: Drain) => Object.values(causes).filter((one) => one !== undefined)

/** The strongest reason that has not been withdrawn; null when none is left. */
export const reasonOf = ({ causes }: Drain): Reason | null =>
  reasons.findLast((reason) => causes[reason] !== undefined) ?? null

/** Whether all that its box was, or is to be, told is a question. */
export const isAsked = (drain: Drain) => drain.ended === null && reasonOf(drain) === 'surplus'

/** When everything must be done: the earliest of all reasons. A question's time ends nothing. */
export function deadlineOf(drain: Drain): number {
  const { surplus, ...others } = drain.causes
  const deadlines = causesOf({ ...drain, causes: others }).map(({ deadline }) => deadline)
  return deadlines.length === 0 && surplus ? surplus.deadline : Math.min(...deadlines)
}

/** When the drain begins: with the first reason to begin. */
export const startOf = (drain: Drain): number =>
  Math.min(...causesOf(drain).map(({ startsAt }) => startsAt))

/** The moment after which nobody needs it: its end, or the last that is planned for it. */
const lastUseOf = (drain: Drain) =>
  drain.ended?.at ?? Math.max(drain.noticedAt, ...causesOf(drain).map(({ deadline }) => deadline))

/** An instance that leaves is no capacity, from the notice on; one that is asked may be kept. */
export const isLeaving = (drain: Drain, now: number) =>
  drain.ended === null && !isAsked(drain) && startOf(drain) <= now
