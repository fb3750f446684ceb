import type { Group } from '../fleet.ts'
import type { QueueConfig } from '../queue-config.ts'
import { lookSecondsOf } from '../timing.ts'
import type { Workload } from './types.ts'

/** What the queue promises on this group, within the tighter of the file's bounds and its own. */
export function workloadOf(queue: QueueConfig, group: Group): Workload {
  // The file's max wins over its min, but not over the group's: Auto Scaling refuses a capacity
  // below MinSize.
  const max = Math.max(Math.min(queue.max ?? group.maxSize, group.maxSize), group.minSize)
  return {
    startWithinSeconds: queue.startWithinSeconds,
    bootSeconds: queue.bootSeconds,
    tickSeconds: lookSecondsOf(queue),
    slots: group.slotsPerInstance ?? queue.slotsPerInstance,
    min: Math.min(Math.max(queue.min, group.minSize), max),
    max,
    taskSeconds: queue.taskSeconds,
  }
}
