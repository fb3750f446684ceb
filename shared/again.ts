import { PutItemCommand } from '@aws-sdk/client-dynamodb'
import * as z from 'zod/mini'
import type { Deps } from './aws.ts'
import { listItems, slotOf, slotsFrom } from './listed.ts'
import { fieldsOf, malformed } from './malformed.ts'
import { putIf } from './put.ts'

/**
 * Messages that workers receive for the third time and more, as worker/celeriac_worker reports
 * them: SQS leaves those out of the age of the oldest. Each report is an item of its own,
 * `alerts#again#<event>`, on a list of its quarter of an hour.
 */

export type Again = {
  /** The event's: a report that comes twice is one. */
  readonly id: string
  /** The name of the SQS queue. */
  readonly queue: string
  readonly messages: number
  /** Epoch seconds. */
  readonly at: number
}

export const againSource = 'celeriac.worker'
export const againType = 'Celeriac Messages Received Again'

const eventSchema = z.object({
  id: z.string(),
  time: z.iso.datetime(),
  detail: z.object({ queue: z.string(), messages: z.int().check(z.gte(1)) }),
})

/** Throws, naming the field that does not fit. */
export function parseAgain(event: unknown): Again {
  const parsed = eventSchema.safeParse(event)
  if (!parsed.success) throw malformed(againType, fieldsOf(parsed.error, 'event'))
  const { id, time, detail } = parsed.data
  return { id, ...detail, at: Date.parse(time) / 1_000 }
}

// As long as alerts look back, so that they read two lists whatever the time.
const slotSeconds = 900
const listOf = (slot: number) => `again#${slot}`

// A few slots, for whoever looks into the table.
const keptSeconds = 7_200

/** Safe to repeat: the same report is the same item. */
export async function putAgain(
  deps: Pick<Deps, 'dynamodb' | 'stateTable' | 'signal'>,
  { id, queue, messages, at }: Again,
): Promise<void> {
  const command = new PutItemCommand({
    TableName: deps.stateTable,
    Item: {
      pk: { S: `alerts#again#${id}` },
      active: { S: listOf(slotOf(at, slotSeconds)) },
      queue: { S: queue },
      messages: { N: String(messages) },
      at: { N: String(at) },
      expiresAt: { N: String(at + keptSeconds) },
    },
    ConditionExpression: 'attribute_not_exists(pk)',
  })
  // Where it is there already it came twice.
  await putIf(deps, command)
}

/** How many messages were, by SQS queue, from one moment to another; epoch seconds. */
export async function countAgain(
  deps: Pick<Deps, 'dynamodb' | 'stateTable' | 'signal'>,
  since: number,
  until: number,
): Promise<ReadonlyMap<string, number>> {
  const lists = slotsFrom(since, until, slotSeconds).map(listOf)
  const items = (await Promise.all(lists.map((list) => listItems(deps, list)))).flat()
  const counts = new Map<string, number>()
  for (const { queue, messages, at } of items) {
    if (!(Number(at?.N) > since && Number(at?.N) <= until)) continue
    const name = queue?.S ?? ''
    counts.set(name, (counts.get(name) ?? 0) + Number(messages?.N ?? 0))
  }
  return counts
}
