import { SendMessageBatchCommand } from '@aws-sdk/client-sqs'
import type { Deps } from './aws.ts'
import type { Tick } from './looks.ts'
import type { Fleet, QueueConfig } from './queue-config.ts'
import { queueUrl } from './queues.ts'
import { fastLookSeconds, lookSecondsOf, tickSeconds } from './timing.ts'

/**
 * The fast lane: queues whose promise is too short for a look each minute. The run of the minute
 * looks at them as at all others, and sends delayed messages that ask for the looks in between, so
 * that no function sleeps and nothing goes on for ever: a minute without a run has no looks.
 */
export type Lane = 'minute' | 'fast'

export const laneOf = (queue: QueueConfig): Lane =>
  lookSecondsOf(queue) < tickSeconds ? 'fast' : 'minute'

// Any name will do: what is adopted has the defaults.
const stranger = 'stranger'

/** The lanes that the fleet's queues and those that it may adopt are in, the fast one first. */
export function lanesOf(fleet: Fleet): readonly Lane[] {
  const queues = fleet.adopt ? [...fleet.queues, fleet.adoptQueue(stranger)] : fleet.queues
  return queues.some((queue) => laneOf(queue) === 'fast') ? ['fast', 'minute'] : ['minute']
}

/** When the looks between two runs of the schedule are due, in seconds after the first. */
export const fastOffsets = Array.from(
  { length: tickSeconds / fastLookSeconds - 1 },
  (_, index) => (index + 1) * fastLookSeconds,
)

type SenderDeps = Pick<Deps, 'sqs' | 'clock' | 'signal'> & { readonly fastQueue: string }

/**
 * Asks for the looks of this minute at these groups, which the run has just seen. The queue is
 * where they are, by an ARN of theirs. Throws where any message was refused.
 */
export async function askForLooks(
  deps: SenderDeps,
  { shard, of }: Tick,
  groups: readonly { readonly name: string; readonly arn: string }[],
  now: number,
): Promise<void> {
  const [first] = groups
  if (!first) return
  const sinceSeconds = (deps.clock.now() - now) / 1_000
  const names = groups.map(({ name }) => name)
  const command = new SendMessageBatchCommand({
    QueueUrl: queueUrl(deps.fastQueue, first.arn),
    Entries: fastOffsets.map((offset) => ({
      Id: String(offset),
      DelaySeconds: Math.max(0, Math.round(offset - sinceSeconds)),
      MessageBody: JSON.stringify({ shard, of, dueAt: now + offset * 1_000, groups: names }),
    })),
  })
  const { Failed = [] } = await deps.sqs.send(command, { abortSignal: deps.signal })
  const [refused] = Failed
  if (refused) throw new Error(`SQS refused a fast look: ${refused.Code}: ${refused.Message}`)
}

/** Why a look that was asked for is not taken. */
export type Dropped =
  /** It was due so long ago that a newer one is due or was taken. */
  | 'late'
  /** The lane was looked at a moment ago: the message came twice, or late. */
  | 'too-soon'

// Two looks later.
const lateMilliseconds = 2 * fastLookSeconds * 1_000
// A third of the usual distance: closer, the counts are the same and the rule learns nothing.
const tooSoonMilliseconds = (fastLookSeconds / 3) * 1_000

/** Times are epoch milliseconds; `last` is that of the lane's last look, null where none was. */
export function whyDropped(dueAt: number, last: number | null, now: number): Dropped | null {
  if (now - dueAt > lateMilliseconds) return 'late'
  return last !== null && now - last < tooSoonMilliseconds ? 'too-soon' : null
}
