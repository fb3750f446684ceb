import { type AttributeValue, QueryCommand } from '@aws-sdk/client-dynamodb'
import type { Deps } from './aws.ts'

/**
 * Lists in the state table: its index of items by the attribute `active`. What goes on is one list;
 * what is over is one an hour, so that nobody must read two days of it for the last of it.
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

const hourMilliseconds = 3_600_000

export const hourOf = (at: number) => Math.floor(at / hourMilliseconds)

/** The hours from one moment to another, both epoch milliseconds. */
export const hoursFrom = (since: number, until: number): number[] =>
  Array.from(
    { length: Math.max(0, hourOf(until) - hourOf(since) + 1) },
    (_, index) => hourOf(since) + index,
  )
