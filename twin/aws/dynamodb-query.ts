import type { QueryCommandInput } from '@aws-sdk/client-dynamodb'
import { checkNames, givenValue, nameOf } from './condition.ts'
import { copyOf, type Item, indexPlace, keyItem, keyOf, type Stored, type Table } from './item.ts'
import { awsError } from './service.ts'

// What one page of a query reads at most.
const pageBytesMax = 1_024 * 1_024

// Whoever asks for these gets an error here, not an answer that ignores them.
const unknown = [
  'FilterExpression',
  'KeyConditions',
  'ProjectionExpression',
  'QueryFilter',
  'Select',
] as const

/**
 * One page of one partition: `pk = :pk`, with `begins_with(sk, :start)` or a comparison of `sk`
 * beside it. Sorted by the bytes of `sk`.
 */
export function query(table: Table, input: QueryCommandInput): object {
  const asked = unknown.find((option) => input[option] !== undefined)
  if (asked) throw new Error(`The twin's Query knows no ${asked}`)
  const { Limit, ExclusiveStartKey, ScanIndexForward } = input
  if (Limit !== undefined && (!Number.isInteger(Limit) || Limit < 1)) {
    throw validation(`Value '${Limit}' at 'limit' failed to satisfy constraint: at least 1`)
  }
  if (input.IndexName !== undefined) return queryIndex(table, input)
  const { pk, fits } = parse(table, input)
  const order = ScanIndexForward === false ? -1 : 1
  const found = [...(table.partitions.get(pk)?.entries() ?? [])]
    .filter(([sk]) => fits(sk))
    .sort(([a], [b]) => order * compareBytes(a, b))
  const after = ExclusiveStartKey && keyOf(table, ExclusiveStartKey)
  if (after && after.pk !== pk) throw validation('The provided starting key is invalid')
  const rest = after ? found.filter(([sk]) => order * compareBytes(sk, after.sk) > 0) : found
  const { page, last } = firstPage(
    rest.map(([, stored]) => stored),
    Limit,
  )
  return {
    Items: page.map(copyOf),
    Count: page.length,
    ScannedCount: page.length,
    ...(last ? { LastEvaluatedKey: copyOf(keyItem(table, last)) } : {}),
  }
}

/**
 * One page of one partition of an index: `attribute = :value` alone, sorted by `pk`. The twin's
 * index knows of a write at once; DynamoDB's a moment later.
 */
function queryIndex(table: Table, input: QueryCommandInput): object {
  const attribute = table.indexes?.[input.IndexName ?? '']
  if (attribute === undefined) {
    throw validation(`The table does not have the specified index: ${input.IndexName}`)
  }
  if (input.ConsistentRead) {
    throw validation('Consistent reads are not supported on global secondary indexes')
  }
  if (table.sortKey || input.ScanIndexForward === false) {
    throw new Error("The twin's index knows no sort keys and no reverse order")
  }
  const value = parseIndexed(input, attribute)
  const found = [...(table.indexed.get(indexPlace(attribute, value))?.values() ?? [])]
  const pkOf = ({ pk }: Item) => pk?.S ?? ''
  found.sort((a, b) => compareBytes(pkOf(a.item), pkOf(b.item)))
  const after = input.ExclusiveStartKey && pkOf(input.ExclusiveStartKey)
  const rest = after ? found.filter(({ item }) => compareBytes(pkOf(item), after) > 0) : found
  const { page, last } = firstPage(rest, input.Limit)
  return {
    Items: page.map(copyOf),
    Count: page.length,
    ScannedCount: page.length,
    ...(last ? { LastEvaluatedKey: { pk: { S: pkOf(last) }, [attribute]: { S: value } } } : {}),
  }
}

function parseIndexed(input: QueryCommandInput, attribute: string): string {
  const { KeyConditionExpression: expression = '' } = input
  checkNames([expression], input)
  const [, name, value] = /^\s*([#\w]+)\s*=\s*(:\w+)\s*$/.exec(expression) ?? []
  if (!name || !value || nameOf(name, input) !== attribute) {
    throw validation(`Query condition missed key schema element: ${attribute}`)
  }
  return text(value, input)
}

/**
 * A page ends at its limit, even where nothing follows: only the next page, empty, says so. It
 * ends as well where one item more would pass 1 MB.
 */
function firstPage(found: readonly Stored[], limit: number | undefined) {
  const page: Item[] = []
  let bytes = 0
  for (const { item, bytes: more } of found) {
    bytes += more
    if (bytes > pageBytesMax && page.length > 0) return { page, last: page.at(-1) }
    page.push(item)
    if (page.length === limit) return { page, last: item }
  }
  return { page, last: undefined }
}

function parse(table: Table, input: QueryCommandInput) {
  const { KeyConditionExpression: expression } = input
  if (!expression) throw validation('Either KeyConditions or KeyConditionExpression is required')
  if (/\bBETWEEN\b/i.test(expression)) throw new Error("The twin's Query knows no BETWEEN")
  checkNames([expression], input)
  const terms = expression.split(/\s+AND\s+/i).map((term) => term.trim())
  const partition = terms.flatMap((term) => partitionKey(term, input))
  const sorts = terms.flatMap((term) => sortCondition(term, input))
  const [pk] = partition
  if (pk === undefined || partition.length > 1) {
    throw validation('Query condition missed key schema element: pk')
  }
  if (partition.length + sorts.length < terms.length || sorts.length > (table.sortKey ? 1 : 0)) {
    throw validation(`Invalid KeyConditionExpression: ${expression}`)
  }
  return { pk, fits: sorts[0] ?? (() => true) }
}

function partitionKey(term: string, input: QueryCommandInput): string[] {
  const [, name, value] = /^([#\w]+)\s*=\s*(:\w+)$/.exec(term) ?? []
  if (!name || !value || nameOf(name, input) !== 'pk') return []
  return [text(value, input)]
}

function sortCondition(term: string, input: QueryCommandInput): ((sk: string) => boolean)[] {
  const [, prefixed, start] = /^begins_with\(\s*([#\w]+)\s*,\s*(:\w+)\s*\)$/.exec(term) ?? []
  if (prefixed && start && nameOf(prefixed, input) === 'sk') {
    const prefix = text(start, input)
    return [(sk) => sk.startsWith(prefix)]
  }
  const [, name, operator, value] = /^([#\w]+)\s*(=|<=|>=|<|>)\s*(:\w+)$/.exec(term) ?? []
  if (!name || !operator || !value || nameOf(name, input) !== 'sk') return []
  const bound = text(value, input)
  return [(sk) => compares(operator, compareBytes(sk, bound))]
}

function compares(operator: string, order: number): boolean {
  if (operator === '=') return order === 0
  if (operator === '<') return order < 0
  if (operator === '<=') return order <= 0
  return operator === '>' ? order > 0 : order >= 0
}

function text(name: string, input: QueryCommandInput): string {
  const { S } = givenValue(name, input)
  if (S === undefined) {
    throw validation('One or more parameter values were invalid: Condition parameter type is not S')
  }
  return S
}

/** DynamoDB sorts by the bytes of UTF-8, which JavaScript's own order of strings is not quite. */
function compareBytes(a: string, b: string): number {
  const shorter = Math.min(a.length, b.length)
  for (let index = 0; index < shorter; index++) {
    const left = a.charCodeAt(index)
    const right = b.charCodeAt(index)
    if (left !== right) return rank(left) - rank(right)
  }
  return a.length - b.length
}

/** Surrogates stand for the characters beyond 0xFFFF, and so come last. */
function rank(unit: number): number {
  if (unit < 0xd800) return unit
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800
}

const validation = (message: string) => awsError('ValidationException', message)
