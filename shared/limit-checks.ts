import { type File, type Problem, pathIn } from './queue-checks.ts'
import type { Limit, QueueConfig } from './queue-config.ts'

type Limited = {
  readonly limits: readonly Limit[]
  readonly queues: readonly QueueConfig[]
  /** A queue that the file does not name, where such are adopted. */
  readonly adopted: QueueConfig | null
  readonly file: File
}

/** What keeps the fleet's limits from being kept; nothing where there are none. */
export function checkLimits(limited: Limited): Problem[] {
  const { limits } = limited
  if (limits.length === 0) return []
  return [
    ...checkShards(limited),
    ...limits.flatMap((limit) => checkFigures(limit, limited)),
    ...limits.flatMap((limit) => checkMins(limit, limited)),
  ]
}

/** Shards know nothing of each other, so that each would take the whole limit for itself. */
function checkShards({ file: { shards = 1 } }: Limited): Problem[] {
  if (shards === 1) return []
  const remedy = 'with limits one run must see every group; write 1, or remove limits'
  return [{ path: 'shards', value: shards, remedy }]
}

/** A queue without the figure would count as nothing. */
function checkFigures({ name, most }: Limit, { queues, adopted, file }: Limited): Problem[] {
  const example = `such as { ${name}: ${name === 'vcpus' ? 4 : 0.07} }`
  const reason = `limits.${name} ${most} needs what an instance of it counts, ${example}`
  const missing = queues.filter(({ instance }) => instance[name] === null)
  const problems = missing.map((queue) => ({
    ...{ path: `${pathIn(file, queue)}.instance.${name}`, value: undefined, remedy: reason },
  }))
  if (adopted === null || adopted.instance[name] !== null) return problems
  const remedy = `limits.${name} needs it for groups that are adopted, ${example}; or adopt: false`
  return [...problems, { path: `defaults.instance.${name}`, value: undefined, remedy }]
}

/** Mins that do not fit could never be kept, whatever waits. */
function checkMins({ name, most }: Limit, { queues }: Limited): Problem[] {
  const needed = queues.reduce((sum, { min, instance }) => sum + min * (instance[name] ?? 0), 0)
  if (needed <= most) return []
  const remedy = `the mins of all queues come to ${needed}; write that or more, or lower mins`
  return [{ path: `limits.${name}`, value: most, remedy }]
}
