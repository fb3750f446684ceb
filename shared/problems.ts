import {
  $ZodArray,
  type $ZodIssue,
  $ZodObject,
  $ZodOptional,
  $ZodRecord,
  type $ZodType,
} from 'zod/v4/core'
import type { Problem } from './queue-checks.ts'

/** Zod's issues as problems: an unknown key lists the known ones, values stand by their paths. */
export function problemsOf(
  schema: $ZodType,
  issues: readonly $ZodIssue[],
  input: unknown,
): Problem[] {
  return issues.flatMap((issue): Problem[] => {
    const path = issue.path.map(String)
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) => ({
        path: [...path, key].join('.'),
        value: valueAt(input, [...path, key]),
        remedy: `there is no such setting; there are ${keysAt(schema, path).join(', ')}`,
      }))
    }
    const remedy = issue.code === 'invalid_key' ? issue.issues[0]?.message : issue.message
    const value = issue.code === 'invalid_key' ? path.at(-1) : valueAt(input, path)
    return [{ path: path.join('.'), value, remedy: remedy ?? issue.message }]
  })
}

/** The settings that the schema knows at that path. */
function keysAt(schema: $ZodType | undefined, [key, ...rest]: string[]): string[] {
  if (schema instanceof $ZodOptional) {
    return keysAt(schema._zod.def.innerType, key === undefined ? [] : [key, ...rest])
  }
  if (schema instanceof $ZodRecord) return keysAt(schema._zod.def.valueType, rest)
  if (schema instanceof $ZodArray) return keysAt(schema._zod.def.element, rest)
  if (!(schema instanceof $ZodObject)) return []
  const { shape } = schema._zod.def
  return key === undefined ? Object.keys(shape) : keysAt(shape[key], rest)
}

function valueAt(input: unknown, path: string[]): unknown {
  let value = input
  for (const key of path) {
    if (typeof value !== 'object' || value === null) return undefined
    value = Object.entries(value).find(([name]) => name === key)?.[1]
  }
  return value
}
