import type { Log } from '../../shared/aws.ts'
import type { Failure } from '../../shared/failures.ts'
import type { Dropped } from '../../shared/lanes.ts'
import type { Look } from '../../shared/looks.ts'
import type { Metric } from '../../shared/metrics.ts'
import type { Decided } from './decide.ts'

/** What a run answers when it succeeds: what it saw and did, one line a queue. */
export type Report = {
  readonly shard: number
  readonly of: number
  /** Why a fast look was not taken; absent where it was. */
  readonly dropped?: Dropped
  /** True: another run had written the shard's memory, so this one left everything as it was. */
  readonly superseded: boolean
  readonly queues: readonly QueueReport[]
}
export type QueueReport = Record<string, string | number | null>

export type Run = {
  readonly look: Look
  readonly now: number
  readonly decided: readonly Decided[]
  /** Those that another run acts on. */
  readonly superseded: readonly Decided[]
}

/** One structured line a queue; the same lines are the report. */
export function logRun(log: Log, run: Run): Report {
  const decided = run.decided.map(reportOf)
  const superseded = run.superseded.map(reportOf)
  for (const line of decided) log.info('decided', line)
  for (const line of superseded) log.info('superseded', line)
  const { shard, of } = run.look
  const isSuperseded = decided.length === 0 && superseded.length > 0
  return { shard, of, superseded: isSuperseded, queues: [...decided, ...superseded] }
}

function reportOf({ queue, snapshot, decision }: Decided): QueueReport {
  const { group, draining, outlookNote = null } = snapshot
  const { inService, pending, leaving, standby, unhealthy } = group.instances
  return {
    queue: queue.name,
    group: group.name,
    mode: queue.mode,
    decision: decision.kind,
    reason: decision.reason,
    desired: group.desired,
    to: 'desired' in decision ? decision.desired : group.desired,
    ...(decision.kind === 'unreadable' ? { detail: decision.detail } : decision.measures),
    ...cutOf(decision),
    outlook: outlookNote,
    ...{ inService, draining, pending, leaving, standby, unhealthy },
  }
}

function cutOf(decision: Decided['decision']): QueueReport {
  if (decision.kind === 'unreadable' || !decision.cut) return {}
  const { instances, limit, got, breaks } = decision.cut
  return { cut: instances, limit, got: got.join(', '), promise: breaks ? 'breaks' : 'holds' }
}

/** A fast look publishes what went wrong, and leaves the rest to the run of the minute. */
export const failed = (failures: readonly Failure[]): Metric[] =>
  failures.length === 0 ? [] : [{ name: 'QueuesFailed', value: failures.length }]

/** BacklogPerInstance always; the others where the configuration asks, for each costs money. */
export function metricsOf(
  decided: readonly Decided[],
  failures: readonly Failure[],
  sweepMilliseconds: number,
): Metric[] {
  const perQueue = decided.flatMap(({ queue, decision }): Metric[] => {
    if (decision.kind === 'unreadable') return []
    const { backlogPerInstance, backlogSeconds, wanted, shortfall } = decision.measures
    const values = { BacklogSeconds: backlogSeconds, WantedCapacity: wanted, Shortfall: shortfall }
    return [
      { name: 'BacklogPerInstance', queue: queue.name, value: backlogPerInstance },
      ...queue.metrics.map((name) => ({ name, queue: queue.name, value: values[name] })),
    ]
  })
  const measured = decided.filter(({ decision }) => decision.kind !== 'unreadable').length
  return [
    ...perQueue,
    { name: 'QueuesMeasured', value: measured },
    { name: 'QueuesFailed', value: failures.length },
    { name: 'SweepMilliseconds', value: sweepMilliseconds },
  ]
}
