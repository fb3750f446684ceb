import { type AttributeValue, QueryCommand } from '@aws-sdk/client-dynamodb'
import type { Deps } from './aws.ts'

/**
 * Lists in the state table: its index of items by the attribute `active`. What goes on is one list;
 * what is over is one for each slot of time, so that nobody must read two days of it for the last.
 */

type Item = Readonly<Record<string, AttributeValue>>

/** Everything on that list, as of a moment ago: an index is eventually consistent. */
export async function listItems(
  deps: Pick<Deps, 'dynamodb' | 'stateTable' | 'signal'>,
  list: string,
): Promise<Item[]> {
  const found: Item[] = []
  let ExclusiveStartKey: Record<string, AttributeValue> | undefined
  do {
    const command = new QueryCommand({
      TableName: deps.stateTable,
      IndexName: 'active',
      KeyConditionExpression: '#active = :list',
      ExpressionAttributeNames: { '#active': 'active' },
      ExpressionAttributeValues: { ':list': { S: list } },
      ...(ExclusiveStartKey ? { ExclusiveStartKey } : {}),
    })
    const page = await deps.dynamodb.send(command, { abortSignal: deps.signal })
    found.push(...(page.Items ?? []))
    ExclusiveStartKey = page.LastEvaluatedKey
  } while (ExclusiveStartKey)
  return found
}

/** The number of the slot of that length in which a moment is, both in one unit. */
export const slotOf = (at: number, length: number) => Math.floor(at / length)

/** Those from one moment to another. */
export const slotsFrom = (since: number, until: number, length: number): number[] => {
  const first = slotOf(since, length)
  const count = Math.max(0, slotOf(until, length) - first + 1)
  return Array.from({ length: count }, (_, index) => first + index)
}
