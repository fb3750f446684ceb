import type { Random } from '../../shared/random.ts'
import type { Queue } from './sqs-queue.ts'

const minuteMs = 60_000
// AWS holds a queue for active this long after the last call that concerned it.
const activeMs = 6 * 3_600_000
// From a queue's awakening until its metrics are there, AWS says, it takes up to 15 minutes, and
// no more: neither how long it mostly takes, nor whether the minutes of it come later. Here they
// are lost, which is the harder case for whoever watches by the metrics.
const lagMs = { from: 0, to: 15 * minuteMs }

/**
 * Of which queues SQS publishes anything: of the active ones, which hold messages or with which
 * somebody had to do in the last hours. One that has slept is late at first; a new one is not, for
 * of a deployment's queues nobody wants to know how young they are.
 */
export function createActivity(random: Random) {
  /** From when on a queue is published; null while it sleeps. */
  const published = new WeakMap<object, { from: number } | null>()
  return {
    /** Asked at the end of each minute, of the minute that is over. */
    isPublished(queue: Queue<unknown>, now: number): boolean {
      if (queue.messages.size > 0 || queue.isPolled()) queue.touchedAt = now
      if (now - queue.touchedAt >= activeMs) {
        published.set(queue, null)
        return false
      }
      const known = published.get(queue)
      if (known === undefined) return true
      const { from } = known ?? { from: now - minuteMs + random.between(lagMs.from, lagMs.to) }
      published.set(queue, { from })
      return now >= from
    },
  }
}
