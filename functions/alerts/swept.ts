import { ageOfOldest } from '../../shared/sizing/rates.ts'
import type { QueueMemory } from '../../shared/state.ts'
import type { Swept } from './facts.ts'

// Half a message, for arrivals are estimated from counts.
const cameLeast = 0.5

/** What backlog's memory of a queue says to alerts. Pure; epoch seconds. */
export function sweptOf(memory: QueueMemory, now: number): Swept {
  const { at, shortfall, serviceSeconds, seen, counts: held } = memory
  const { minute, counts } = seen.recent
  const last = counts.findLastIndex((count) => count >= cameLeast)
  const cameAt = last < 0 ? null : Math.min(at, minute - (counts.length - 2 - last) * 60)
  const waitedSeconds = ageOfOldest(seen.recent, now, held.visible)
  return { at, shortfall, serviceSeconds, waitedSeconds, cameAt }
}
