import * as z from 'zod/mini'
import type { Answer } from '../../shared/commands.ts'
import { type Drain, deadlineOf, reasonOf } from '../../shared/drains.ts'
import type { Notice, Phase } from '../../shared/events.ts'
import { parseJson } from '../../shared/json.ts'
import { ackSeconds, statusSeconds } from './decide.ts'

/** Commands whose answers have not come as events, and are due. */
export function answersWanted(drain: Drain, now: number): string[] {
  if (drain.ended) return []
  const { sent, acknowledgedAt, fault, status, worker } = drain
  const due = (at: number) => now >= at + ackSeconds * 1_000
  const wanted: string[] = []
  if (sent?.command && acknowledgedAt === null && !fault && due(sent.at)) wanted.push(sent.command)
  // A report that came meanwhile is the answer, and one that never came is asked for anew.
  const open = status !== null && (worker?.at ?? 0) < status.at
  const current = open && now < status.at + statusSeconds * 1_000
  if (status?.command && current && due(status.at)) wanted.push(status.command)
  return wanted
}

/** What the answers say of one drain, as the events that did not come would have. */
export function noticesOf(drain: Drain, answers: readonly Answer[], now: number): Notice[] {
  return answers.flatMap(({ command, instance, status, output }): Notice[] => {
    if (instance !== drain.instance) return []
    if (command === drain.sent?.command) {
      return [{ kind: 'invocation', instance, at: now, command, status }]
    }
    const said = command === drain.status?.command ? statusIn(output) : null
    const reason = reasonOf(drain)
    if (!said || reason === null) return []
    const { phase, ...counts } = said
    const report = { phase, reason, deadline: deadlineOf(drain), drainId: null, ...counts }
    return [{ kind: 'report', instance, at: now, report }]
  })
}

const count = z.int().check(z.gte(0))
const statusSchema = z.object({
  phase: z.enum(['working', 'quieting', 'quiet', 'idle', 'gone']),
  running: count,
  handedBack: count,
  finished: count,
})

const phaseOf: Readonly<Record<z.output<typeof statusSchema>['phase'], Phase>> = {
  ...{
    working: 'resumed',
    quieting: 'started',
    quiet: 'running',
    idle: 'running',
    gone: 'drained',
  },
}

/** The line that `drain.sh --status` prints; null where there is none. */
function statusIn(output: string) {
  const line = output.split('\n').findLast((text) => text.startsWith('{'))
  const parsed = statusSchema.safeParse(line === undefined ? null : parseJson(line))
  if (!parsed.success) return null
  const { phase, ...counts } = parsed.data
  return { phase: phaseOf[phase], ...counts, forced: 0 }
}
