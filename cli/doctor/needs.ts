import { parseDuration } from '../../shared/duration.ts'
import type { Fleet } from '../../shared/queue-config.ts'
import { defaults } from '../../shared/queue-schema.ts'
import type { Needs } from './facts.ts'

type Asked = { readonly taskTime?: string | undefined; readonly queue?: string | undefined }

/**
 * How long the tasks of a box run and its drains may take: as asked, else by the queues that its
 * workers take from, the longest of them. Throws where the question names no such queue.
 */
export function needsOf(
  fleet: Fleet,
  { taskTime, queue }: Asked,
  queues: readonly string[],
): Needs {
  if (taskTime !== undefined) {
    const taskSeconds = parseDuration(taskTime)
    if (taskSeconds === null) throw new Error(`--task-time ${taskTime}: write '90s', '3m' or '2h'`)
    const drainSeconds = Math.max(defaults.drainSecondsLeast, defaults.drainTasks * taskSeconds)
    return { taskSeconds, drainSeconds }
  }
  const names = queue === undefined ? queues : [queue]
  const own = fleet.queues.filter(({ name, sqs }) => names.includes(name) || names.includes(sqs))
  if (queue !== undefined && own.length === 0) {
    throw new Error(`There is no queue ${queue} in fleet.config.ts`)
  }
  if (own.length === 0) return null
  return {
    taskSeconds: Math.max(...own.map(({ taskSeconds }) => taskSeconds)),
    drainSeconds: Math.max(...own.map(({ drainSeconds }) => drainSeconds)),
  }
}
