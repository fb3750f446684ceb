import * as z from 'zod/mini'
import { fieldsOf, malformed, parseJson, whatItIs } from './malformed.ts'

/** What starts a function that runs by a schedule: its part of the queues, and which of them. */

/** What the schedule hands to a function that runs every minute: its part of the queues. */
export type Tick = { readonly shard: number; readonly of: number }

/** A run of backlog: the schedule's, or a look at groups of the fast lane that was asked for. */
export type Look = Tick & { readonly fast?: FastLook }

/** `dueAt` in epoch milliseconds. */
export type FastLook = { readonly dueAt: number; readonly groups: readonly string[] }

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
  return checkTick(parsed.data)
}

function checkTick({ shard, of }: Tick): Tick {
  if (shard >= of) throw new Error(`The schedule's shard is ${shard}, not below its of, ${of}`)
  return { shard, of }
}

// A batch of one: each look is a run of its own.
const lookBatch = z.object({ Records: z.tuple([z.object({ body: z.string() })]) })
const lookSchema = z.strictObject({
  ...tickSchema.shape,
  dueAt: z.number(),
  groups: z.array(z.string()),
})

/** What starts backlog: the schedule's input, or a message of the fast lane (shared/lanes.ts). */
export function parseLook(event: unknown): Look {
  const batch = lookBatch.safeParse(event)
  if (!batch.success) return parseTick(event)
  const look = lookSchema.safeParse(parseJson(batch.data.Records[0].body))
  if (!look.success) throw malformed('fast look', fieldsOf(look.error, 'message'))
  const { dueAt, groups } = look.data
  return { ...checkTick(look.data), fast: { dueAt, groups } }
}
