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
  termsOf(expression).some((all) => all.every((term) => termHolds(term, item, names)))

type Term =
  | { readonly call: string; readonly attribute: string }
  | { readonly left: string; readonly operator: string; readonly right: string }
  | { readonly wrong: string }

// There are as many as there are in the code: a few.
const known = new Map<string, readonly (readonly Term[])[]>()

/** The alternatives, and what must hold in each. */
function termsOf(expression: string): readonly (readonly Term[])[] {
  const found = known.get(expression)
  if (found) return found
  const alternatives = expression.split(/\s+OR\s+/)
  const terms = alternatives.map((all) => all.split(/\s+AND\s+/).map((term) => termOf(term.trim())))
  known.set(expression, terms)
  return terms
}

function termOf(term: string): Term {
  const [, call, attribute] =
    /^(attribute_exists|attribute_not_exists)\(\s*([#\w]+)\s*\)$/.exec(term) ?? []
  if (call && attribute) return { call, attribute }
  const [, left, operator, right] = /^([#\w]+)\s*(=|<>|<=|>=|<|>)\s*(:\w+)$/.exec(term) ?? []
  return left && operator && right ? { left, operator, right } : { wrong: term }
}

function termHolds(term: Term, item: Item, names: Names): boolean {
  if ('wrong' in term) throw invalid(`Syntax error near ${term.wrong}`)
  if ('call' in term) {
    // Asked of no item as well: a name that is not given is refused all the same.
    const name = nameOf(term.attribute, names)
    const exists = item?.[name] !== undefined
    return term.call === 'attribute_exists' ? exists : !exists
  }
  const { left, operator, right } = term
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
