import { type AttributeValue, GetItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb'
import type { Deps } from './aws.ts'
import { type Put, putIf } from './put.ts'

/**
 * Items of the state table that are read, thought about and written on condition that nobody wrote
 * since: of two runs at once one goes on, and the other one knows that it does not.
 */

export type Versioned = {
  /** How often it was written; 0 when it never was. */
  readonly version: number
  readonly item: Readonly<Record<string, AttributeValue>>
}

export const neverWritten: Versioned = { version: 0, item: {} }

export const versionedOf = (item: Versioned['item'] | undefined): Versioned =>
  item ? { version: Number(item['version']?.N ?? 0), item } : neverWritten

/** One consistent read. */
export async function readVersioned(
  deps: Pick<Deps, 'dynamodb' | 'stateTable' | 'signal'>,
  pk: string,
): Promise<Versioned> {
  const command = new GetItemCommand({
    TableName: deps.stateTable,
    Key: { pk: { S: pk } },
    ConsistentRead: true,
  })
  const { Item } = await deps.dynamodb.send(command, { abortSignal: deps.signal })
  return versionedOf(Item)
}

/**
 * Writes the next version, or says that another run has written since. A write whose answer was
 * lost is sent again by the client and must not find itself in its own way: hence the writer.
 */
export async function writeVersioned(
  deps: Pick<Deps, 'dynamodb' | 'stateTable' | 'runId' | 'signal'>,
  pk: string,
  version: number,
  attributes: Versioned['item'],
): Promise<Put> {
  const writer = { S: `${deps.runId}/${version}` }
  const command = new PutItemCommand({
    TableName: deps.stateTable,
    Item: { pk: { S: pk }, version: { N: String(version + 1) }, writer, ...attributes },
    ConditionExpression: 'attribute_not_exists(pk) OR #version = :read OR #writer = :writer',
    ExpressionAttributeNames: { '#version': 'version', '#writer': 'writer' },
    ExpressionAttributeValues: { ':read': { N: String(version) }, ':writer': writer },
  })
  return putIf(deps, command)
}
