import * as z from 'zod/mini'

/** What is said of an event that cannot be understood: which it is, and which of its fields. */

export const awsEvent = z.object({ source: z.string(), 'detail-type': z.string() })

export function whatItIs(event: unknown, error: z.core.$ZodError): string {
  const aws = awsEvent.safeParse(event)
  if (aws.success) return `it is '${aws.data['detail-type']}' from ${aws.data.source}`
  return fieldsOf(error, 'event')
}

export const fieldsOf = (error: z.core.$ZodError, whole: string) =>
  error.issues.map(({ path, message }) => `${path.join('.') || whole}: ${message}`).join('; ')

export const malformed = (what: string, fields: string) =>
  new Error(`'${what}' is malformed: ${fields}`)

export function parseJson(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause
    throw new Error(`The message is not JSON: ${cause.message}`, { cause })
  }
}
