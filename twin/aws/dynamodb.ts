import {
  BatchGetItemCommand,
  type BatchGetItemCommandInput,
  DeleteItemCommand,
  type DeleteItemCommandInput,
  GetItemCommand,
  PutItemCommand,
  type PutItemCommandInput,
  QueryCommand,
} from '@aws-sdk/client-dynamodb'
import { checkNames, holds } from './condition.ts'
import { query } from './dynamodb-query.ts'
import {
  copyOf,
  type Item,
  indexPlaces,
  itemBytes,
  type Key,
  keyOf,
  keyWithin,
  type Stored,
  type Table,
  type TableDefinition,
} from './item.ts'
import { type Applied, answer, awsError, notInTwin, type Service } from './service.ts'

export type { Item } from './item.ts'

// The most that one item may hold, and the most that one BatchGetItem asks for and answers.
const itemBytesMax = 400 * 1_024
const keysPerBatchMax = 100
const batchBytesMax = 16 * 1_024 * 1_024

type Tables = ReadonlyMap<string, Table>

/** Tables made beforehand by name, with string keys: what the deployment's stack makes. */
export function createDynamoDb(definitions: readonly TableDefinition[]): Service {
  const tables: Tables = new Map(
    definitions.map((table) => [
      table.name,
      { ...table, partitions: new Map(), indexed: new Map() },
    ]),
  )
  return {
    apply(_now, command): Applied {
      if (command instanceof GetItemCommand) {
        const table = find(tables, command.input.TableName)
        const stored = read(table, keyOf(table, command.input.Key))
        return answer(stored ? { Item: copyOf(stored.item) } : {})
      }
      if (command instanceof PutItemCommand) return put(tables, command.input)
      if (command instanceof DeleteItemCommand) return remove(tables, command.input)
      if (command instanceof QueryCommand) {
        return answer(query(find(tables, command.input.TableName), command.input))
      }
      if (command instanceof BatchGetItemCommand) return batchGet(tables, command.input)
      throw notInTwin('DynamoDB', command)
    },
  }
}

function put(tables: Tables, input: PutItemCommandInput): Applied {
  const table = find(tables, input.TableName)
  const key = keyWithin(table, input.Item)
  const item = input.Item ?? {}
  const bytes = itemBytes(item)
  if (bytes > itemBytesMax) {
    throw awsError('ValidationException', 'Item size has exceeded the maximum allowed size')
  }
  const old = read(table, key)?.item
  checkCondition(old, input)
  const partition = table.partitions.get(key.pk) ?? new Map<string, Stored>()
  table.partitions.set(key.pk, partition)
  const stored = { item: copyOf(item), bytes }
  partition.set(key.sk, stored)
  reindex(table, key, old, stored)
  return answer(oldItem(old, input), [
    { kind: 'dynamodb.put', table: table.name, key: nameOf(table, key) },
  ])
}

function remove(tables: Tables, input: DeleteItemCommandInput): Applied {
  const table = find(tables, input.TableName)
  const key = keyOf(table, input.Key)
  const old = read(table, key)?.item
  checkCondition(old, input)
  if (!old) return answer({})
  const partition = table.partitions.get(key.pk)
  partition?.delete(key.sk)
  reindex(table, key, old, null)
  if (partition?.size === 0) table.partitions.delete(key.pk)
  return answer(oldItem(old, input), [
    { kind: 'dynamodb.deleted', table: table.name, key: nameOf(table, key) },
  ])
}

function reindex(table: Table, { pk }: Key, old: Item | undefined, stored: Stored | null): void {
  for (const place of indexPlaces(table, old ?? {})) table.indexed.get(place)?.delete(pk)
  for (const place of indexPlaces(table, stored?.item ?? {})) {
    const items = table.indexed.get(place) ?? new Map<string, Stored>()
    table.indexed.set(place, items)
    if (stored) items.set(pk, stored)
  }
}

type Conditional = Pick<
  PutItemCommandInput,
  | 'ConditionExpression'
  | 'ExpressionAttributeNames'
  | 'ExpressionAttributeValues'
  | 'ReturnValues'
  | 'ReturnValuesOnConditionCheckFailure'
>

function checkCondition(old: Item | undefined, input: Conditional): void {
  const { ConditionExpression: condition, ReturnValuesOnConditionCheckFailure: onFailure } = input
  checkNames(condition ? [condition] : [], input)
  if (condition === undefined || holds(condition, old, input)) return
  const error = awsError('ConditionalCheckFailedException', 'The conditional request failed')
  throw onFailure === 'ALL_OLD' && old ? Object.assign(error, { Item: copyOf(old) }) : error
}

function oldItem(old: Item | undefined, { ReturnValues = 'NONE' }: Conditional): object {
  if (ReturnValues !== 'NONE' && ReturnValues !== 'ALL_OLD') {
    throw awsError('ValidationException', 'Return values set to invalid value')
  }
  return ReturnValues === 'ALL_OLD' && old ? { Attributes: copyOf(old) } : {}
}

/** Those of its attributes that were asked for, and all where nobody said which. */
const projected = (item: Item, only: readonly string[] | undefined): Item =>
  only ? Object.fromEntries(Object.entries(item).filter(([name]) => only.includes(name))) : item

function batchGet(tables: Tables, { RequestItems = {} }: BatchGetItemCommandInput): Applied {
  const asked = Object.entries(RequestItems).flatMap(([name, { Keys = [], ...options }]) => {
    const table = find(tables, name)
    const only = options.ProjectionExpression?.split(',').map((attribute) => attribute.trim())
    if (only?.some((attribute) => !/^[a-z]\w*$/i.test(attribute))) {
      throw new Error(`The twin knows no ${options.ProjectionExpression}`)
    }
    return Keys.map((Key) => ({ table, Key, key: keyOf(table, Key), only }))
  })
  if (asked.length === 0) throw validation('1 validation error detected: no keys are asked for')
  if (asked.length > keysPerBatchMax) {
    throw validation('Too many items requested for the BatchGetItem call')
  }
  const names = asked.map(({ table, key }) => [table.name, key.pk, key.sk].join('\0'))
  if (new Set(names).size < names.length) {
    throw validation('Provided list of item keys contains duplicates')
  }
  const Responses: Record<string, Item[]> = Object.fromEntries(
    asked.map(({ table }) => [table.name, []]),
  )
  const UnprocessedKeys: Record<string, { Keys: Item[] }> = {}
  let bytes = 0
  for (const { table, Key, key, only } of asked) {
    const stored = read(table, key)
    bytes += stored?.bytes ?? 0
    if (bytes <= batchBytesMax) {
      if (stored) Responses[table.name]?.push(projected(copyOf(stored.item), only))
      continue
    }
    // Once an answer is full, whatever is left comes back to be asked for again.
    const left = UnprocessedKeys[table.name] ?? { ...RequestItems[table.name], Keys: [] }
    UnprocessedKeys[table.name] = left
    left.Keys.push(Key)
  }
  return answer({ Responses, UnprocessedKeys })
}

const read = ({ partitions }: Table, { pk, sk }: Key) => partitions.get(pk)?.get(sk)

/** How the audit trail names an item. */
const nameOf = ({ sortKey }: Table, { pk, sk }: Key) => (sortKey ? `${pk} ${sk}` : pk)

function find(tables: Tables, name: string | undefined): Table {
  const table = tables.get(name ?? '')
  if (!table) throw awsError('ResourceNotFoundException', 'Requested resource not found')
  return table
}

const validation = (message: string) => awsError('ValidationException', message)
