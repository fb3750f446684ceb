import type { Random } from '../../shared/random.ts'
import type { Engine } from '../engine.ts'
import { awsError } from './service.ts'
import type { Queue, Redrive } from './sqs-queue.ts'

type Counts = { readonly visible: number; readonly inFlight: number; readonly delayed: number }
/** What was read, and the truth at that moment. */
type Reading = Counts & { readonly at: number; readonly of: Counts }

// How stale a reading can be. AWS documents that counts may take a minute to settle and no more
// than that about how; here three readings in ten are 10 to 60 s old, the others are of now.
const sampleMilliseconds = 10_000
const samplesKept = 6
const staleProbability = 0.3
// Empty queues have been seen to show one or two messages for a minute: rarely, but they do.
const phantomProbability = 0.002

/**
 * What GetQueueAttributes says of a queue: approximate as on AWS. Asked twice at one instant, with
 * nothing changed in between, it says the same, so that a run and its repetition see one world.
 */
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
    const { visible, inFlight, delayed } = queue
    if (last?.at === now && same(last.of, queue)) return last
    const kept = samples.get(queue.name) ?? []
    const stale = random.chance(staleProbability) ? kept[random.int(kept.length)] : undefined
    const seen = stale ?? queue
    const phantom = seen.visible === 0 && random.chance(phantomProbability) ? 1 + random.int(2) : 0
    const reading = {
      visible: seen.visible + phantom,
      inFlight: seen.inFlight,
      delayed: seen.delayed,
      at: now,
      of: { visible, inFlight, delayed },
    }
    readings.set(queue.name, reading)
    return reading
  }

  return {
    /** The named attributes, `All` for every one of them, as GetQueueAttributes returns them. */
    attributes: (now: number, queue: Queue<unknown>, names: readonly string[]) =>
      attributesOf(read(now, queue), queue, names),
  }
}

function attributesOf(reading: Counts, queue: Queue<unknown>, names: readonly string[]): object {
  const all: Record<string, string> = {
    ApproximateNumberOfMessages: String(reading.visible),
    ApproximateNumberOfMessagesNotVisible: String(reading.inFlight),
    ApproximateNumberOfMessagesDelayed: String(reading.delayed),
    VisibilityTimeout: String(queue.visibilityMs / 1_000),
    DelaySeconds: String(queue.delayMs / 1_000),
    QueueArn: arnOf(queue),
    ...(queue.redrive ? { RedrivePolicy: policyOf(queue.redrive) } : {}),
  }
  // A queue without one is asked for it all the same, and answers nothing.
  if (!queue.redrive && names.includes('RedrivePolicy')) {
    return attributesOf(
      reading,
      queue,
      names.filter((name) => name !== 'RedrivePolicy'),
    )
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
}

/** The ARN of the queue that a URL names: its region and account are in the URL. */
export function arnOf({ url, name }: Pick<Queue<unknown>, 'url' | 'name'>): string {
  const [, region, account] = /^https:\/\/sqs\.([\w-]+)\.\S+\/(\d+)\//.exec(url) ?? []
  return `arn:aws:sqs:${region}:${account}:${name}`
}

const policyOf = ({ target, maxReceiveCount }: Redrive<unknown>) =>
  JSON.stringify({ deadLetterTargetArn: arnOf(target), maxReceiveCount })

const same = (a: Counts, b: Counts) =>
  a.visible === b.visible && a.inFlight === b.inFlight && a.delayed === b.delayed
