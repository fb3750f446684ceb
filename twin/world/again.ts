import type { Engine } from '../engine.ts'

/** What celeriac_worker does of messages that are received again and again: it counts and tells. */
export type Recounts = {
  /** A worker has received a message for that many times. */
  note(instance: string, receives: number): void
}

// As in worker/celeriac_worker/received.py.
const receivesLeast = 3
const gatherMs = 1_000
const reportMs = 60_000

type Recount = { messages: number; nextAt: number; planned: boolean }

/** Each worker tells by itself, at most once a minute, and only where there is something. */
export function createRecounts(
  engine: Engine,
  tell: (instance: string, messages: number) => void,
): Recounts {
  const recounts = new Map<string, Recount>()
  return {
    note(instance, receives) {
      if (receives < receivesLeast) return
      const recount = recounts.get(instance) ?? { messages: 0, nextAt: 0, planned: false }
      recounts.set(instance, recount)
      recount.messages++
      if (recount.planned) return
      recount.planned = true
      engine.at(Math.max(engine.now + gatherMs, recount.nextAt), () => {
        tell(instance, recount.messages)
        Object.assign(recount, { messages: 0, nextAt: engine.now + reportMs, planned: false })
      })
    },
  }
}
