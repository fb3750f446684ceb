import type { QueueConfig } from '../../shared/queue-config.ts'
import { tickSeconds } from '../../shared/timing.ts'

/** What the rule reads of a queue. */
export type Workload = Pick<QueueConfig, 'startWithinSeconds' | 'taskSeconds' | 'bootSeconds'>

/**
 * How many waiting tasks one slot can take in turn with the last of them still starting in time,
 * when the slot has yet to be noticed as missing (a tick) and to boot. Never less than one: a
 * promise shorter than that asks for a slot for each task, and no rule can do more.
 */
export const tasksPerSlot = ({ startWithinSeconds, taskSeconds, bootSeconds }: Workload) =>
  Math.max(1, 1 + (startWithinSeconds - bootSeconds - tickSeconds) / taskSeconds)

/** Messages per instance that keep the promise: what a target-tracking policy aims at. */
export const backlogTarget = (
  queue: Workload & Pick<QueueConfig, 'target'>,
  slotsPerInstance: number,
) => queue.target ?? slotsPerInstance * tasksPerSlot(queue)
