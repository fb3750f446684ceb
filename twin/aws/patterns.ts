import { awsError } from './service.ts'

type Scalar = string | number | boolean | null
type Filter = Scalar | { readonly [operator: string]: unknown }
type Fields = Readonly<Record<string, unknown>>

/**
 * Whether an EventBridge rule's pattern matches an event: every field of the pattern, by one of
 * its values. Known are exact values, nested fields, `prefix`, `exists` and `anything-but`.
 * Throws InvalidEventPatternException for a pattern that is none, naming the field, whatever the
 * event; and an error of the twin's own for an operator that EventBridge has and the twin has not.
 */
export function matches(pattern: unknown, event: object): boolean {
  if (!isFields(pattern) || Object.keys(pattern).length === 0) {
    throw invalid('the pattern', 'must be an object with at least one field')
  }
  check(pattern, '')
  return fieldsMatch(pattern, event)
}

/** Fields of one object of the event, or of any one object of an array of them. */
function fieldsMatch(pattern: Fields, event: unknown): boolean {
  if (Array.isArray(event)) return event.some((part) => fieldsMatch(pattern, part))
  return Object.entries(pattern).every(([name, wanted]) => {
    const value = isFields(event) ? event[name] : undefined
    if (isFilters(wanted)) return filtersMatch(wanted, leaves(value))
    return isFields(wanted) && fieldsMatch(wanted, value)
  })
}

/** One of the filters must fit: an array of values if it fits any one of them. */
const filtersMatch = (filters: readonly Filter[], values: readonly Scalar[]) =>
  filters.some((filter) => {
    if (!isFields(filter)) return values.includes(filter)
    // Only leaves exist: a field that holds an object is none, and neither is an empty array.
    if ('exists' in filter) return filter['exists'] === values.length > 0
    return values.some((value) => fits(filter, value))
  })

function fits(filter: Fields, value: Scalar): boolean {
  if ('prefix' in filter) return startsWith(value, filter['prefix'])
  const but = filter['anything-but']
  if (isFields(but)) return !startsWith(value, but['prefix'])
  return Array.isArray(but) ? !but.includes(value) : value !== but
}

const startsWith = (value: Scalar, prefix: unknown) =>
  typeof value === 'string' && typeof prefix === 'string' && value.startsWith(prefix)

function leaves(value: unknown): Scalar[] {
  if (Array.isArray(value)) return value.flatMap(leaves)
  return isScalar(value) ? [value] : []
}

function check(pattern: Fields, above: string): void {
  for (const [name, wanted] of Object.entries(pattern)) {
    const field = above + name
    if (name.startsWith('$')) throw notInTwin(name, field)
    if (isFields(wanted)) {
      if (Object.keys(wanted).length === 0) throw invalid(field, 'must not be empty')
      check(wanted, `${field}.`)
      continue
    }
    if (!Array.isArray(wanted)) throw invalid(field, 'must be an object or an array')
    if (wanted.length === 0) throw invalid(field, 'must not be an empty array')
    for (const filter of wanted) checkFilter(filter, field)
  }
}

// What EventBridge knows beside these: a pattern with one of them is right, and not for the twin.
const others = ['cidr', 'equals-ignore-case', 'numeric', 'suffix', 'wildcard']

function checkFilter(filter: unknown, field: string): void {
  if (isScalar(filter)) return
  if (!isFields(filter)) throw invalid(field, 'must hold values, not arrays')
  const [[operator, operand] = ['', undefined], ...more] = Object.entries(filter)
  if (more.length > 0) throw invalid(field, 'must have one operator in each object')
  if (others.includes(operator)) throw notInTwin(operator, field)
  if (operator === 'exists') {
    if (typeof operand !== 'boolean') throw invalid(field, 'must have true or false for exists')
  } else if (operator === 'prefix') {
    if (typeof operand !== 'string') throw invalid(field, 'must have a text for prefix')
  } else if (operator === 'anything-but') checkAnythingBut(operand, field)
  else throw invalid(field, `has an unknown operator: ${operator}`)
}

function checkAnythingBut(operand: unknown, field: string): void {
  if (isFields(operand)) {
    const [[operator, prefix] = ['', undefined], ...more] = Object.entries(operand)
    if (others.includes(operator)) throw notInTwin(`anything-but ${operator}`, field)
    if (operator === 'prefix' && typeof prefix === 'string' && more.length === 0) return
    throw invalid(field, 'must have values, or a prefix, for anything-but')
  }
  const values = Array.isArray(operand) ? operand : [operand]
  const known = values.every((value) => typeof value === 'string' || typeof value === 'number')
  if (known && values.length > 0) return
  throw invalid(field, 'must have texts or numbers for anything-but')
}

const isFilters = (value: unknown): value is readonly Filter[] => Array.isArray(value)

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const isScalar = (value: unknown): value is Scalar =>
  value === null || ['string', 'number', 'boolean'].includes(typeof value)

const invalid = (field: string, reason: string) =>
  awsError('InvalidEventPatternException', `Event pattern is not valid. Reason: ${field} ${reason}`)

const notInTwin = (operator: string, field: string) =>
  new Error(`The twin's EventBridge does not know ${operator}, in the pattern of ${field}`)
