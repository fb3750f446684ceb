import type { AttributeValue } from '@aws-sdk/client-dynamodb'
import { awsError } from './service.ts'

type Names = {
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
  const expected = names.ExpressionAttributeValues?.[right]
  if (!expected) throw invalid(`An expression attribute value is not defined: ${right}`)
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

function nameOf(attribute: string, { ExpressionAttributeNames }: Names): string {
  if (!attribute.startsWith('#')) return attribute
  const name = ExpressionAttributeNames?.[attribute]
  if (!name) throw invalid(`An expression attribute name is not defined: ${attribute}`)
  return name
}

const invalid = (message: string) =>
  awsError('ValidationException', `Invalid ConditionExpression: ${message}`)
