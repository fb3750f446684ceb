import type { Queue } from '../aws/sqs-queue.ts'
import type { Task } from './task.ts'

export type Depths = ReturnType<typeof watchDepths>

/** How many messages are visible over all queues. */
export function watchDepths() {
  const queues: Queue<Task>[] = []
  // No depth can be more: what becomes visible is looked at one by one.
  let most = 0
  const now = () => {
    let sum = 0
    for (const { visible } of queues) sum += visible
    return sum
  }
  const depths = {
    peak: 0,
    now,
    add: (queue: Queue<Task>) => {
      queues.push(queue)
    },
    look: () => {
      // Adding up all queues for each message takes longer than anything else that becomes of it.
      if (++most <= depths.peak) return
      most = now()
      depths.peak = Math.max(depths.peak, most)
    },
  }
  return depths
}
