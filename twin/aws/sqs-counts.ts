import type { Engine } from '../engine.ts'
import type { Random } from '../random.ts'
import { awsError } from './service.ts'
import type { Queue } from './sqs-queue.ts'

type Counts = { readonly visible: number; readonly inFlight: number; readonly delayed: number }
type Reading = Counts & { readonly at: number }

// How stale a reading can be. AWS documents that counts may take a minute to settle and no more
// than that about how; here three readings in ten are 10 to 60 s old, the others are of now.
const sampleMilliseconds = 10_000
const samplesKept = 6
const staleProbability = 0.3
// Empty queues have been seen to show one or two messages for a minute: rarely, but they do.
const phantomProbability = 0.002

/** What GetQueueAttributes says of a queue: approximate as on AWS, one reading an instant. */
export function createReadings(
  engine: Engine,
  random: Random,
  queues: ReadonlyMap<string, Queue<unknown>>,
) {
  const samples = new Map<string, Counts[]>()
  const readings = new Map<string, Reading>()

  const sample = () => {
    for (const queue of queues.values()) {
      const kept = samples.get(queue.name) ?? []
      const { visible, inFlight, delayed } = queue
      kept.push({ visible, inFlight, delayed })
      if (kept.length > samplesKept) kept.shift()
      samples.set(queue.name, kept)
    }
    engine.at(engine.now + sampleMilliseconds, sample)
  }
  engine.at(engine.now, sample)

  const read = (now: number, queue: Queue<unknown>): Reading => {
    const last = readings.get(queue.name)
    if (last?.at === now) return last
    const kept = samples.get(queue.name) ?? []
    const stale = random.chance(staleProbability) ? kept[random.int(kept.length)] : undefined
    const { visible, inFlight, delayed } = stale ?? queue
    const phantom = visible === 0 && random.chance(phantomProbability) ? 1 + random.int(2) : 0
    const reading = { at: now, visible: visible + phantom, inFlight, delayed }
    readings.set(queue.name, reading)
    return reading
  }

  return {
    /** The named attributes, `All` for every one of them, as GetQueueAttributes returns them. */
    attributes(now: number, queue: Queue<unknown>, names: readonly string[]): object {
      const reading = read(now, queue)
      const all: Record<string, string> = {
        ApproximateNumberOfMessages: String(reading.visible),
        ApproximateNumberOfMessagesNotVisible: String(reading.inFlight),
        ApproximateNumberOfMessagesDelayed: String(reading.delayed),
        VisibilityTimeout: String(queue.visibilityMs / 1_000),
        DelaySeconds: String(queue.delayMs / 1_000),
      }
      const unknown = names.find((name) => name !== 'All' && !(name in all))
      if (unknown !== undefined) {
        throw awsError('InvalidAttributeName', `Unknown Attribute ${unknown}.`)
      }
      if (names.length === 0) return {}
      const asked = Object.entries(all).filter(
        ([name]) => names.includes('All') || names.includes(name),
      )
      return { Attributes: Object.fromEntries(asked) }
    },
  }
}
