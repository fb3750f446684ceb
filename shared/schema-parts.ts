import * as z from 'zod/mini'
import { type Duration, parseDuration } from './duration.ts'

/** What settings are made of: each part says what would be right where something does not fit. */

export const duration = z.custom<Duration>((value) => parseDuration(value) !== null, {
  error: "write a positive number and a unit, such as '90s', '3m' or '2h'",
})

export const whole = (least: number) =>
  z
    .int({ error: `write a whole number, ${least} or more` })
    .check(z.gte(least, { error: `write a whole number, ${least} or more` }))

export const text = (pattern: RegExp, remedy: string) =>
  z.string({ error: remedy }).check(z.regex(pattern, { error: remedy }))

export const oneOf = <const T extends readonly string[]>(values: T) =>
  z.enum(values, { error: `write one of ${values.map((value) => `'${value}'`).join(', ')}` })

export const flag = z.boolean({ error: 'write true or false' })

export const positive = z
  .number({ error: 'write a number above 0' })
  .check(z.gt(0, { error: 'write a number above 0' }))
