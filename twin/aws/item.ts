import type { AttributeValue } from '@aws-sdk/client-dynamodb'
import { awsError } from './service.ts'

export type Item = Record<string, AttributeValue>

/**
 * A table with a string key `pk` and, where it is named, a string sort key `sk`. An index holds
 * the items that have its attribute, by that attribute and then by `pk`, with all they contain.
 */
export type TableDefinition = {
  readonly name: string
  readonly sortKey?: 'sk'
  /** The attribute that each global secondary index, by its name, is partitioned by. */
  readonly indexes?: Readonly<Record<string, string>>
}

/** An item, and its size: a query adds sizes up far more often than an item is written. */
export type Stored = { readonly item: Item; readonly bytes: number }

export type Table = TableDefinition & {
  /** By partition key, and by sort key within. */
  readonly partitions: Map<string, Map<string, Stored>>
  /** By an index's attribute and value, and by partition key within. */
  readonly indexed: Map<string, Map<string, Stored>>
}

/** Where an item is in a table's indexes, for those whose attribute it has. */
export const indexPlaces = ({ indexes = {} }: TableDefinition, item: Item): string[] =>
  Object.values(indexes).flatMap((attribute) => {
    const value = item[attribute]?.S
    return value === undefined ? [] : indexPlace(attribute, value)
  })

export const indexPlace = (attribute: string, value: string) => `${attribute}=${value}`

/** An item's place in its table; `sk` is empty where the table has no sort key. */
export type Key = { readonly pk: string; readonly sk: string }

// DynamoDB's bounds for the two parts of a key, in bytes of UTF-8.
const keyBytesMax = { pk: 2_048, sk: 1_024 }

const keyNames = ({ sortKey }: TableDefinition) => (sortKey ? ['pk', 'sk'] : ['pk'])

/** The key of a request that names an item by its key alone. Throws for one attribute more. */
export function keyOf(table: TableDefinition, given: Item | undefined): Key {
  const names = keyNames(table)
  const fits = names.every((name) => given?.[name]?.S !== undefined)
  if (!fits || Object.keys(given ?? {}).length !== names.length) {
    throw validation('The provided key element does not match the schema')
  }
  return checkedKey(table, given ?? {})
}

/** The key within a whole item. */
export function keyWithin(table: TableDefinition, item: Item | undefined): Key {
  for (const name of keyNames(table)) {
    const value = item?.[name]
    const problem = 'One or more parameter values were invalid'
    if (value === undefined) throw validation(`${problem}: Missing the key ${name} in the item`)
    if (value.S === undefined) {
      const actual = Object.keys(value)[0]
      throw validation(`${problem}: Type mismatch for key ${name} expected: S actual: ${actual}`)
    }
  }
  return checkedKey(table, item ?? {})
}

function checkedKey(table: TableDefinition, item: Item): Key {
  const key = { pk: item['pk']?.S ?? '', sk: table.sortKey ? (item['sk']?.S ?? '') : '' }
  for (const name of table.sortKey ? (['pk', 'sk'] as const) : (['pk'] as const)) {
    if (key[name] === '') {
      throw validation(
        'One or more parameter values are not valid. The AttributeValue for a key attribute ' +
          `cannot contain an empty string value. Key: ${name}`,
      )
    }
    if (Buffer.byteLength(key[name]) > keyBytesMax[name]) {
      const limit = `the maximum size limit of ${keyBytesMax[name]} bytes`
      throw validation(
        `One or more parameter values were invalid: Size of ${name} exceeds ${limit}`,
      )
    }
  }
  return key
}

/** The key as an item of its own, as LastEvaluatedKey gives it. */
export const keyItem = (table: TableDefinition, item: Item): Item =>
  Object.fromEntries(keyNames(table).map((name) => [name, item[name] ?? { S: '' }]))

/** An item's size as DynamoDB counts it, in bytes: its names and its values. */
export const itemBytes = (item: Item): number =>
  Object.entries(item).reduce(
    (sum, [name, value]) => sum + Buffer.byteLength(name) + bytes(value),
    0,
  )

/** A copy that shares nothing with the item. Several times quicker than structuredClone. */
export function copyOf(item: Item): Item {
  const copy: Item = {}
  for (const [name, value] of Object.entries(item)) copy[name] = copyOfValue(value)
  return copy
}

function copyOfValue(value: AttributeValue): AttributeValue {
  if (value.S !== undefined) return { S: value.S }
  if (value.N !== undefined) return { N: value.N }
  // Not `slice`: a Buffer's shares its bytes.
  if (value.B !== undefined) return { B: new Uint8Array(value.B) }
  if (value.L !== undefined) return { L: value.L.map(copyOfValue) }
  if (value.M !== undefined) return { M: copyOf(value.M) }
  return structuredClone(value)
}

// What DynamoDB counts for a list or a map, and for each of its elements, beside their contents.
const collectionBytes = 3
const elementBytes = 1

function bytes(value: AttributeValue): number {
  const sum = (parts: readonly number[]) => parts.reduce((total, part) => total + part, 0)
  if (value.S !== undefined) return Buffer.byteLength(value.S)
  if (value.N !== undefined) return numberBytes(value.N)
  if (value.B !== undefined) return value.B.byteLength
  if (value.SS !== undefined) return sum(value.SS.map((text) => Buffer.byteLength(text)))
  if (value.NS !== undefined) return sum(value.NS.map(numberBytes))
  if (value.BS !== undefined) return sum(value.BS.map((binary) => binary.byteLength))
  if (value.L !== undefined) {
    return collectionBytes + sum(value.L.map((part) => elementBytes + bytes(part)))
  }
  if (value.M !== undefined) {
    const count = Object.keys(value.M).length
    return collectionBytes + elementBytes * count + itemBytes(value.M)
  }
  // BOOL and NULL.
  return 1
}

/** About a byte for two significant digits, and one more. */
function numberBytes(text: string): number {
  const digits = text
    .replace(/[eE].*$/, '')
    .replace(/\D/g, '')
    .replace(/^0+|0+$/g, '')
  return Math.ceil(digits.length / 2) + 1
}

const validation = (message: string) => awsError('ValidationException', message)
