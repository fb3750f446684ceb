import type { Queue } from '../aws/sqs-queue.ts'
import type { Task } from './task.ts'
import type { WorkerEvents } from './workers.ts'

/** What became of one queue's tasks, counted as it happens. */
export type Tally = WorkerEvents & {
  readonly promiseMs: number
  readonly slots: number
  /** First start minus enqueue of every task started, milliseconds. */
  readonly waits: number[]
  tasks: number
  startedInTime: number
  completedTasks: number
  completedMs: number
  killedRuns: number
  forcedRuns: number
  runTwice: number
  peakDepth: number
  /** The queue's remaining messages; set by watch. */
  messages: Queue<Task>['messages']
  enqueued(task: Task): Task
  /** Looks at the queue's depth from now on; tells `onDepth` that it has grown. */
  watch(queue: Queue<Task>, onDepth: () => void): void
}

export function createTally(promiseSeconds: number, slots: number): Tally {
  const tally: Tally = {
    promiseMs: promiseSeconds * 1_000,
    slots,
    waits: [],
    tasks: 0,
    startedInTime: 0,
    completedTasks: 0,
    completedMs: 0,
    killedRuns: 0,
    forcedRuns: 0,
    runTwice: 0,
    peakDepth: 0,
    messages: new Map(),
    enqueued(task) {
      tally.tasks++
      return task
    },
    started(task) {
      if (task.starts === 2) tally.runTwice++
      if (task.starts > 1 || task.firstStartAt === null) return
      const wait = task.firstStartAt - task.enqueuedAt
      tally.waits.push(wait)
      if (wait <= tally.promiseMs) tally.startedInTime++
    },
    completed(task) {
      tally.completedTasks++
      tally.completedMs += task.durationMs
    },
    killed() {
      tally.killedRuns++
    },
    forced() {
      tally.forcedRuns++
    },
    watch(queue, onDepth) {
      const poll = queue.onVisible
      tally.messages = queue.messages
      queue.onVisible = () => {
        poll()
        tally.peakDepth = Math.max(tally.peakDepth, queue.visible)
        onDepth()
      }
    },
  }
  return tally
}
