import type { Log } from '../../shared/aws.ts'
import type { Outcome } from '../../shared/each.ts'
import type { Dropped } from '../../shared/lanes.ts'
import type { Look } from '../../shared/looks.ts'
import type { Metric } from '../../shared/metrics.ts'
import type { QueueConfig } from '../../shared/queue-config.ts'
import type { Decided } from './decide.ts'

/** What went wrong for one queue, and nobody else. */
export type Failure = { readonly queue: string; readonly error: Error }

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

/** The items that failed, by queue, each with the step in its message and its cause kept. */
export function failuresOf(
  outcomes: readonly Outcome<{ readonly queue: QueueConfig }, unknown>[],
  step: 'measure' | 'act',
): Failure[] {
  return outcomes.flatMap((outcome) => {
    if (!('error' in outcome)) return []
    const { error: cause, item } = outcome
    const what = cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause)
    return { queue: item.queue.name, error: new Error(`${step}: ${what}`, { cause }) }
  })
}

/** One line a failure, as soon as it is known: what comes after may fail as a whole. */
export function logFailures(log: Log, failures: readonly Failure[]): void {
  for (const { queue, error } of failures) log.error('queue failed', { queue, error })
}

// The error reaches the failure destination together with its stack, which repeats it, and 256 KB
// is the most that a topic takes. The log names every queue.
const namedMax = 50

/** One error for all that failed, naming the queues; the errors themselves are its parts. */
export function errorOf(failures: readonly Failure[], queues: number): AggregateError {
  const names = failures.slice(0, namedMax).map(({ queue, error }) => `${queue}: ${error.message}`)
  if (failures.length > namedMax) names.push(`and ${failures.length - namedMax} more`)
  return new AggregateError(
    failures.map(({ error }) => error),
    `backlog: ${failures.length} of ${queues} queues failed: ${names.join('; ')}`,
  )
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

function reportOf({ queue, snapshot: { group, draining }, decision }: Decided): QueueReport {
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
