import type { Queue } from '../aws/sqs-queue.ts'
import type { Task } from './task.ts'
import type { WorkerEvents } from './workers.ts'

/** What became of one queue's tasks, counted as it happens. */
export type Tally = Omit<WorkerEvents, 'received'> & {
  readonly promiseMs: number
  readonly slots: number
  /** Tasks enqueued before are those of a warm-up: they take their slots and count nowhere. */
  readonly countedFrom: number
  /** First start minus enqueue of every task started, milliseconds. */
  readonly waits: number[]
  tasks: number
  startedInTime: number
  completedTasks: number
  /** Work of the tasks completed, whenever they were enqueued. */
  completedMs: number
  /** Every task completed, those of the warm-up too, and their work. */
  readonly served: { tasks: number; ms: number }
  killedRuns: number
  forcedRuns: number
  runTwice: number
  peakDepth: number
  /** The queue's remaining messages, and those of its dead-letter queue; set by watch. */
  messages: Queue<Task>['messages']
  buried: Queue<Task>['messages']
  enqueued(task: Task): Task
  /** Looks at the queue's depth from now on; tells `onDepth` that it has grown. */
  watch(queue: Queue<Task>, onDepth: () => void): void
}

type Options = Pick<Tally, 'promiseMs' | 'slots' | 'countedFrom'>

/** Poison is nobody's work: it is not waited for, and it never ends. */
export const isCounted = ({ enqueuedAt, crashes }: Task, countedFrom: number) =>
  enqueuedAt >= countedFrom && !crashes

export function createTally({ promiseMs, slots, countedFrom }: Options): Tally {
  const counts = (task: Task) => isCounted(task, countedFrom)
  const tally: Tally = {
    ...{ promiseMs, slots, countedFrom },
    waits: [],
    tasks: 0,
    startedInTime: 0,
    completedTasks: 0,
    completedMs: 0,
    served: { tasks: 0, ms: 0 },
    killedRuns: 0,
    forcedRuns: 0,
    runTwice: 0,
    peakDepth: 0,
    messages: new Map(),
    buried: new Map(),
    enqueued(task) {
      if (counts(task)) tally.tasks++
      return task
    },
    started(task) {
      if (!counts(task)) return
      if (task.starts === 2) tally.runTwice++
      if (task.starts > 1 || task.firstStartAt === null) return
      const wait = task.firstStartAt - task.enqueuedAt
      tally.waits.push(wait)
      if (wait <= tally.promiseMs) tally.startedInTime++
    },
    completed(task) {
      tally.served.tasks++
      tally.served.ms += task.durationMs
      if (counts(task)) tally.completedTasks++
      // The work of the warm-up that ends here makes up for what is cut off at the end.
      if (task.completedAt !== null && task.completedAt >= countedFrom) {
        tally.completedMs += task.durationMs
      }
    },
    killed(task) {
      if (counts(task)) tally.killedRuns++
    },
    forced(task) {
      if (counts(task)) tally.forcedRuns++
    },
    watch(queue, onDepth) {
      const poll = queue.onVisible
      tally.messages = queue.messages
      tally.buried = queue.redrive?.target.messages ?? tally.buried
      queue.onVisible = () => {
        poll()
        tally.peakDepth = Math.max(tally.peakDepth, queue.visible)
        onDepth()
      }
    },
  }
  return tally
}
