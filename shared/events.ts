import * as z from 'zod/mini'

/** What the schedule hands to a function that runs every minute: its part of the queues. */
export type Tick = { readonly shard: number; readonly of: number }

const tickSchema = z.strictObject({ shard: z.int().check(z.gte(0)), of: z.int().check(z.gte(1)) })

/**
 * The schedule's input, `{shard, of}` with 0 <= shard < of (serverless.yml writes it).
 * Throws for anything else: an AWS event by its source and detail type, a malformed one by field.
 */
export function parseTick(event: unknown): Tick {
  const parsed = tickSchema.safeParse(event)
  if (!parsed.success) {
    throw new Error(`This event is not a schedule's {shard, of}: ${whatItIs(event, parsed.error)}`)
  }
  const { shard, of } = parsed.data
  if (shard >= of) throw new Error(`The schedule's shard is ${shard}, not below its of, ${of}`)
  return { shard, of }
}

const awsEvent = z.object({ source: z.string(), 'detail-type': z.string() })

function whatItIs(event: unknown, error: z.core.$ZodError): string {
  const aws = awsEvent.safeParse(event)
  if (aws.success) return `it is '${aws.data['detail-type']}' from ${aws.data.source}`
  const fields = error.issues.map(({ path, message }) => `${path.join('.') || 'event'}: ${message}`)
  return fields.join('; ')
}
