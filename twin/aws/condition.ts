import type { AttributeValue } from '@aws-sdk/client-dynamodb'
import { awsError } from './service.ts'

export type Names = {
  readonly ExpressionAttributeNames?: Record<string, string> | undefined
  readonly ExpressionAttributeValues?: Record<string, AttributeValue> | undefined
}
type Item = Record<string, AttributeValue> | undefined

/**
 * Whether a condition holds for an item: terms joined by AND and OR (AND binds closer, as in
 * DynamoDB), each `attribute_exists(a)`, `attribute_not_exists(a)` or a comparison `a = :v`.
 * Parentheses and the other functions are refused, not ignored.
 */
export const holds = (expression: string, item: Item, names: Names): boolean =>
  expression
    .split(/\s+OR\s+/)
    .some((all) => all.split(/\s+AND\s+/).every((term) => termHolds(term.trim(), item, names)))

function termHolds(term: string, item: Item, names: Names): boolean {
  const [, call, attribute] =
    /^(attribute_exists|attribute_not_exists)\(\s*([#\w]+)\s*\)$/.exec(term) ?? []
  if (call && attribute) {
    const name = nameOf(attribute, names)
    const exists = item?.[name] !== undefined
    return call === 'attribute_exists' ? exists : !exists
  }
  const [, left, operator, right] = /^([#\w]+)\s*(=|<>|<=|>=|<|>)\s*(:\w+)$/.exec(term) ?? []
  if (!left || !operator || !right) throw invalid(`Syntax error near ${term}`)
  const expected = givenValue(right, names)
  const name = nameOf(left, names)
  const actual = item?.[name]
  return actual !== undefined && compare(actual, operator, expected)
}

/** Values compare within their type only; across types they are merely unequal. */
function compare(actual: AttributeValue, operator: string, expected: AttributeValue): boolean {
  const pair = scalars(actual, expected)
  if (!pair) return operator === '<>'
  const [a, b] = pair
  if (operator === '=') return a === b
  if (operator === '<>') return a !== b
  if (operator === '<') return a < b
  if (operator === '<=') return a <= b
  return operator === '>' ? a > b : a >= b
}

function scalars(a: AttributeValue, b: AttributeValue) {
  if (a.N !== undefined && b.N !== undefined) return [Number(a.N), Number(b.N)] as const
  if (a.S !== undefined && b.S !== undefined) return [a.S, b.S] as const
  return null
}

/** The attribute that an expression means by a name. Throws where a `#name` is not defined. */
export function nameOf(attribute: string, { ExpressionAttributeNames }: Names): string {
  if (!attribute.startsWith('#')) return attribute
  const name = ExpressionAttributeNames?.[attribute]
  if (!name) throw invalid(`An expression attribute name is not defined: ${attribute}`)
  return name
}

/** The value that an expression means by `:value`. Throws where it is not defined. */
export function givenValue(value: string, { ExpressionAttributeValues }: Names): AttributeValue {
  const given = ExpressionAttributeValues?.[value]
  if (!given) throw invalid(`An expression attribute value is not defined: ${value}`)
  return given
}

/** Every name and value that is given must be used, or the request is refused. */
export function checkNames(expressions: readonly string[], names: Names): void {
  const used = new Set(expressions.flatMap((expression) => expression.match(/[#:]\w+/g) ?? []))
  const given = {
    ExpressionAttributeNames: Object.keys(names.ExpressionAttributeNames ?? {}),
    ExpressionAttributeValues: Object.keys(names.ExpressionAttributeValues ?? {}),
  }
  for (const [option, keys] of Object.entries(given)) {
    if (expressions.length === 0 && keys.length > 0) {
      throw awsError(
        'ValidationException',
        `${option} can only be specified when using expressions`,
      )
    }
    const unused = keys.filter((key) => !used.has(key))
    if (unused.length > 0) {
      throw awsError(
        'ValidationException',
        `Value provided in ${option} unused in expressions: keys: {${unused.join(', ')}}`,
      )
    }
  }
}

const invalid = (message: string) =>
  awsError('ValidationException', `Invalid expression: ${message}`)
