import type { Log } from './aws.ts'
import type { Outcome } from './each.ts'
import type { QueueConfig } from './queue-config.ts'

/** What went wrong for one queue, and nobody else. */
export type Failure = { readonly queue: string; readonly error: Error }

/** The items that failed, by queue, each with the step in its message and its cause kept. */
export function failuresOf(
  outcomes: readonly Outcome<{ readonly queue: QueueConfig }, unknown>[],
  step: string,
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
export function errorOf(
  name: string,
  failures: readonly Failure[],
  queues: number,
): AggregateError {
  const names = failures.slice(0, namedMax).map(({ queue, error }) => `${queue}: ${error.message}`)
  if (failures.length > namedMax) names.push(`and ${failures.length - namedMax} more`)
  return new AggregateError(
    failures.map(({ error }) => error),
    `${name}: ${failures.length} of ${queues} queues failed: ${names.join('; ')}`,
  )
}
