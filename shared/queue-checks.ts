import type { QueueConfig } from './queue-config.ts'
import { countsSettleSeconds, lookSecondsOf } from './timing.ts'

/** What is wrong: where it stands in the file, what stands there, and what would be right. */
export type Problem = { readonly path: string; readonly value: unknown; readonly remedy: string }

export type File = {
  readonly shards?: number | undefined
  readonly queueNamePrefix?: string | undefined
  readonly queues?: Readonly<Record<string, unknown>> | undefined
  readonly defaultQueues?: readonly string[] | undefined
}

/** Where a queue stands in the file. */
export const pathIn = (file: File, { name }: Pick<QueueConfig, 'name'>) =>
  Object.hasOwn(file.queues ?? {}, name)
    ? `queues.${name}`
    : `defaultQueues.${file.defaultQueues?.indexOf(name)}`

/** The rules that no single field can tell, one small function each; all are asked. */
export function checkQueues(queues: readonly QueueConfig[], file: File): Problem[] {
  const pathOf = (queue: QueueConfig) => pathIn(file, queue)
  return [
    ...checkNoQueues(queues),
    ...checkListedTwice(file),
    ...queues.flatMap((queue) => checkMinAboveMax(queue, pathOf(queue))),
    ...queues.flatMap((queue) => checkPrefix(queue, pathOf(queue), file.queueNamePrefix ?? '')),
    ...checkShared(queues, pathOf, 'sqs', 'the SQS queue'),
    ...checkShared(queues, pathOf, 'group', 'the group'),
  ]
}

/**
 * A warning, not an error: from zero instances the first task waits for a look to notice it, for
 * the counts to settle and for a boot.
 */
export function checkStartFromZero(queue: QueueConfig, path: string): Problem[] {
  const lookSeconds = lookSecondsOf(queue)
  const fromZeroSeconds = queue.bootSeconds + lookSeconds + countsSettleSeconds
  if (queue.min > 0 || queue.startWithinSeconds >= fromZeroSeconds) return []
  return [
    {
      path: `${path}.startWithin`,
      value: `${queue.startWithinSeconds}s`,
      remedy:
        `from zero instances the promise cannot be kept: a boot of ${queue.bootSeconds} s, a ` +
        `look each ${lookSeconds} s and counts that settle in ${countsSettleSeconds} s make ` +
        `${fromZeroSeconds} s; set scaling.min to 1 or promise ${fromZeroSeconds}s`,
    },
  ]
}

function checkNoQueues(queues: readonly QueueConfig[]): Problem[] {
  if (queues.length > 0) return []
  return [{ path: 'queues', value: undefined, remedy: 'name at least one queue' }]
}

function checkListedTwice({ queues = {}, defaultQueues = [] }: File): Problem[] {
  return defaultQueues.flatMap((name, index) => {
    const first = defaultQueues.indexOf(name)
    const elsewhere =
      first < index
        ? `defaultQueues.${first}`
        : Object.hasOwn(queues, name)
          ? `queues.${name}`
          : null
    if (!elsewhere) return []
    return [
      {
        path: `defaultQueues.${index}`,
        value: name,
        remedy: `remove it, ${elsewhere} has it already`,
      },
    ]
  })
}

function checkMinAboveMax(queue: QueueConfig, path: string): Problem[] {
  if (queue.max === null || queue.min <= queue.max) return []
  const remedy = `min is above max ${queue.max}; lower min or raise max`
  return [{ path: `${path}.scaling.min`, value: queue.min, remedy }]
}

/** The role may read queues by their prefix alone, so that a queue without it would be denied. */
function checkPrefix(queue: QueueConfig, path: string, prefix: string): Problem[] {
  const name = queue.sqs.slice(queue.sqs.lastIndexOf('/') + 1)
  if (name.startsWith(prefix)) return []
  const remedy = `the queue's name must begin with queueNamePrefix '${prefix}'`
  return [{ path: `${path}.sqs`, value: queue.sqs, remedy }]
}

/** Two queues that mean one resource would each size it for themselves. */
function checkShared(
  queues: readonly QueueConfig[],
  pathOf: (queue: QueueConfig) => string,
  field: 'sqs' | 'group',
  what: string,
): Problem[] {
  const owners = new Map<string, QueueConfig>()
  return queues.flatMap((queue) => {
    const value = queue[field]
    if (value === null) return []
    const owner = owners.get(value)
    if (!owner) owners.set(value, queue)
    // A name listed twice is one mistake and has been reported as that.
    if (!owner || owner.name === queue.name) return []
    const remedy = `${what} belongs to ${pathOf(owner)} already; give each queue its own`
    return [{ path: `${pathOf(queue)}.${field}`, value, remedy }]
  })
}
