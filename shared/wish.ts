import * as z from 'zod/mini'

/**
 * A group should have fewer instances: backlog says so to drain, which finds those that are idle.
 * Each replaces the one before. Times are epoch milliseconds.
 */
export const wishSchema = z.strictObject({
  group: z.string(),
  /** The capacity that is wanted. */
  wanted: z.int().check(z.gte(0)),
  /** What the group's capacity was then: where it is more by now, somebody wants more. */
  from: z.int().check(z.gte(0)),
  at: z.number(),
  /** After this nobody knows whether it is still wanted. */
  until: z.number(),
})
export type Wish = z.output<typeof wishSchema>

/** As a message of drain's queue. */
export const wishMessage = z.strictObject({ fewer: wishSchema })

// Two ticks and the slack of a schedule: the next wish is here by then, or its message was lost.
const wishSeconds = 140

export const wishOf = (
  { name, desired }: { readonly name: string; readonly desired: number },
  wanted: number,
  now: number,
): Wish => ({ group: name, wanted, from: desired, at: now, until: now + wishSeconds * 1_000 })
