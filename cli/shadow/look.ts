import * as z from 'zod'
import type { Sensed } from '../../shared/sizing/types.ts'

/** A look as others write it: one JSON object a line, seconds and counts. */

const error = 'write a number, 0 or more'
const count = z.number({ error }).gte(0, { error })
const orNull = 'write a number, 0 or more, or null'
const unsure = z.number({ error: orNull }).gte(0, { error: orNull }).nullable()

const look = z.object(
  {
    now: count,
    visible: count,
    notVisible: count,
    delayed: count,
    oldestAge: unsure,
    sent: unsure,
    deleted: unsure,
    inService: count,
    pending: count,
    draining: count,
    doomed: count,
    desired: count,
  },
  { error: 'write a JSON object' },
)

/** The look of a line, or what is wrong with it: every field at once. */
export function parseLook(text: string): { sensed: Sensed } | { error: string } {
  const json = parseJson(text)
  if ('error' in json) return json
  // With what was there, for that is how a missing field is told from a wrong one.
  const parsed = look.safeParse(json.value, { reportInput: true })
  if (parsed.success) return { sensed: parsed.data }
  const problems = parsed.error.issues.map(({ path, message, input }) => {
    const field = path.join('.')
    if (field === '') return message
    return `${field}: ${input === undefined ? 'missing; ' : ''}${message}`
  })
  return { error: problems.join('; ') }
}

function parseJson(text: string): { value: unknown } | { error: string } {
  try {
    return { value: JSON.parse(text) }
  } catch (error) {
    if (error instanceof SyntaxError) return { error: `no JSON: ${error.message}` }
    throw error
  }
}
