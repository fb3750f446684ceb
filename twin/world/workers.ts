import { type Lease, type Queue, receive, remove } from '../aws/sqs-queue.ts'
import { add, createDeque, type Deque, take } from '../deque.ts'
import type { Engine } from '../engine.ts'
import type { Random } from '../random.ts'
import type { Task } from './task.ts'

/** A Celery worker of one instance: prefork, `acks_late`, one queue. */
export type Worker = {
  readonly instance: string
  readonly slots: number
  /** Messages it holds unacknowledged at most: slots x the prefetch multiplier. */
  readonly prefetch: number
  readonly running: Set<Lease<Task>>
  /** Received, and waiting for a slot. */
  readonly stash: Deque<Lease<Task>>
  stashed: number
  alive: boolean
  /** Whether its long poll is open: it has room, and there was nothing to receive. */
  polling: boolean
}

export type WorkerEvents = {
  started(task: Task): void
  /** For the first time: a task that runs twice is completed once. */
  completed(task: Task): void
  killed(task: Task): void
}

export type Workers = {
  start(instance: string, slots: number, prefetch: number): void
  /** The box goes as it is: what runs is lost, what is held stays in flight until its timeout. */
  kill(instance: string): void
  readonly running: number
}

// The most that kombu asks of one ReceiveMessage call, and SQS gives.
const messagesPerPoll = 10

/** All workers of one queue. */
export function createWorkers(
  engine: Engine,
  queue: Queue<Task>,
  random: Random,
  events: WorkerEvents,
): Workers {
  const workers = new Map<string, Worker>()
  const pollers: Worker[] = []
  let running = 0

  const run = (worker: Worker, lease: Lease<Task>) => {
    worker.running.add(lease)
    running++
    const { task } = lease.message
    task.firstStartAt ??= engine.now
    task.starts++
    events.started(task)
    engine.at(engine.now + task.durationMs, () => complete(worker, lease))
  }
  const complete = (worker: Worker, lease: Lease<Task>) => {
    if (!worker.alive) return
    worker.running.delete(lease)
    running--
    const { task } = lease.message
    if (task.completedAt === null) {
      task.completedAt = engine.now
      events.completed(task)
    }
    // With acks_late the acknowledgement comes last; a stale handle acknowledges nothing.
    remove(queue, lease)
    const next = take(worker.stash)
    if (next) {
      worker.stashed--
      run(worker, next)
    }
    poll(worker)
  }
  const poll = (worker: Worker) => {
    if (worker.polling) return
    for (;;) {
      const room = worker.prefetch - worker.running.size - worker.stashed
      if (room <= 0) return
      const most = Math.min(room, messagesPerPoll)
      const leases = receive(engine, queue, most, queue.visibilityMs)
      if (leases.length === 0) break
      for (const lease of leases) accept(worker, lease)
    }
    worker.polling = true
    pollers.push(worker)
  }
  const accept = (worker: Worker, lease: Lease<Task>) => {
    if (worker.running.size < worker.slots) return run(worker, lease)
    add(worker.stash, lease)
    worker.stashed++
  }
  // SQS answers one of the open long polls, no matter which.
  queue.onVisible = () => {
    while (pollers.length > 0) {
      const index = random.int(pollers.length)
      const worker = pollers[index]
      const last = pollers.pop()
      if (last && last !== worker) pollers[index] = last
      if (!worker?.alive) continue
      worker.polling = false
      return poll(worker)
    }
  }
  return {
    start(instance, slots, prefetch) {
      const held = {
        running: new Set<Lease<Task>>(),
        stash: createDeque<Lease<Task>>(),
        stashed: 0,
      }
      const worker = { instance, slots, prefetch, ...held, alive: true, polling: false }
      workers.set(instance, worker)
      poll(worker)
    },
    kill(instance) {
      const worker = workers.get(instance)
      if (!worker) return
      worker.alive = false
      workers.delete(instance)
      running -= worker.running.size
      for (const { message } of worker.running) events.killed(message.task)
    },
    get running() {
      return running
    },
  }
}
