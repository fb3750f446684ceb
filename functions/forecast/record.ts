import type { Log } from '../../shared/aws.ts'
import type { Tick } from '../../shared/looks.ts'
import type { Decision, Task } from './decide.ts'

/** What a run answers when it succeeds: one line a queue. */
export type Report = Tick & { readonly queues: readonly QueueReport[] }
export type QueueReport = Readonly<Record<string, string | number | null>>

export type Done = {
  readonly task: Task
  /** Null: what is there is fresh, and nothing was read of it. */
  readonly decision: Decision | null
  /** `superseded`: another run has written one that is as new. */
  readonly written: 'written' | 'superseded' | 'kept'
}

/** One structured line a queue; the same lines are the report. */
export function logRun(log: Log, tick: Tick, done: readonly Done[]): Report {
  const queues = done.map(reportOf)
  for (const line of queues) log.info('forecast', line)
  return { ...tick, queues }
}

function reportOf({ task: { queue, group, due }, decision, written }: Done): QueueReport {
  const named = { queue: queue.name, group: group.name, due, written }
  if (!decision) return { ...named, reason: 'fresh' }
  const { reason, outlook } = decision
  const { rehearsal, service } = outlook
  return {
    ...named,
    reason,
    profiles: Object.keys(outlook.profiles).length,
    historyDays: outlook.historyFrom === null ? 0 : (outlook.at - outlook.historyFrom) / 86_400,
    serviceSeconds: service.seconds,
    serviceFrom: service.source,
    ...(rehearsal && {
      ...rehearsal.constants,
      kept: rehearsal.outcome.kept,
      rehearsedAt: rehearsal.at,
      tried: rehearsal.tried,
    }),
  }
}
