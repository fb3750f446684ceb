import type { Random } from '../../shared/random.ts'
import { type Lease, type Queue, receive, release, remove } from '../aws/sqs-queue.ts'
import { add, createDeque, type Deque, take } from '../deque.ts'
import type { Engine } from '../engine.ts'
import { endOf, isPolled, type Spells } from './spells.ts'
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
  /** Told to poll no more: what lands of the open poll, and what waits, is handed back. */
  drain: WorkerDrain | null
}

/** How far a worker's drain is. */
export type WorkerDrain = {
  /** Whether its open poll has landed: from then on nothing new starts. */
  quiet: boolean
  handedBack: number
  finished: number
  readonly onChange: () => void
}

/** What a worker of a box says when it is asked. */
export type WorkerState = { readonly running: number; readonly drain: WorkerDrain | null }

export type WorkerEvents = {
  started(task: Task): void
  /** For the first time: a task that runs twice is completed once. */
  completed(task: Task): void
  killed(task: Task): void
  /** Cut short at the deadline of a drain, and its message handed back. */
  forced(task: Task): void
  /** A message has landed at a worker, for so many times. */
  received(instance: string, receives: number): void
}

export type Workers = {
  start(instance: string, slots: number, prefetch: number): void
  /** The box goes as it is: what runs is lost, what is held stays in flight until its timeout. */
  kill(instance: string): void
  /** The worker of that box, or null. */
  look(instance: string): WorkerState | null
  /** Polls no more; when the open poll has landed, hands back what does not run. */
  quiet(instance: string, onChange: () => void): void
  /** Polls again. */
  resume(instance: string): void
  /** Ends the worker: what still runs is cut short and handed back. How many that were. */
  stop(instance: string): number
  readonly running: number
  /** Workers that are up, those that drain among them. */
  readonly online: number
}

// kombu's wait_time_seconds: how long an open poll may take to land.
const waitSeconds = 10

// The most that kombu asks of one ReceiveMessage call, and SQS gives.
const messagesPerPoll = 10

type Parts = {
  readonly engine: Engine
  readonly queue: Queue<Task>
  readonly random: Random
  readonly events: WorkerEvents
  readonly spells: Spells
}

type State = Parts & {
  readonly workers: Map<string, Worker>
  /** Those whose long poll is open. */
  readonly pollers: Worker[]
  running: number
}

/** All workers of one queue. */
export function createWorkers(parts: Parts): Workers {
  const { queue, events } = parts
  const state: State = { ...parts, workers: new Map(), pollers: [], running: 0 }
  queue.onVisible = () => answerPoll(state)
  queue.isPolled = () => state.pollers.some(isPolling)
  planSpells(state)
  return {
    start(instance, slots, prefetch) {
      const held = {
        running: new Set<Lease<Task>>(),
        stash: createDeque<Lease<Task>>(),
        stashed: 0,
      }
      const worker = {
        instance,
        slots,
        prefetch,
        ...held,
        alive: true,
        polling: false,
        drain: null,
      }
      state.workers.set(instance, worker)
      poll(state, worker)
    },
    kill(instance) {
      const worker = state.workers.get(instance)
      if (!worker) return
      worker.alive = false
      state.workers.delete(instance)
      state.running -= worker.running.size
      for (const { message } of worker.running) events.killed(message.task)
    },
    look(instance) {
      const worker = state.workers.get(instance)
      return worker ? { running: worker.running.size, drain: worker.drain } : null
    },
    quiet(instance, onChange) {
      const worker = state.workers.get(instance)
      if (worker) quieten(state, worker, onChange)
    },
    resume(instance) {
      const worker = state.workers.get(instance)
      if (!worker?.drain) return
      // What was fetched ahead goes back all the same, once an open poll has landed.
      handBack(state, worker, worker.drain)
      worker.drain = null
      poll(state, worker)
    },
    stop: (instance) => stop(state, instance),
    get running() {
      return state.running
    },
    get online() {
      return state.workers.size
    },
  }
}

/** Open polls end with the first moment of a spell; with its last one all poll again. */
function planSpells(state: State): void {
  const { engine, spells, workers, pollers } = state
  for (const span of [spells.hangs, spells.deaf]) {
    if (!span) continue
    engine.at(span.at, () => {
      for (const worker of pollers.splice(0)) worker.polling = false
    })
    engine.at(span.until, () => {
      for (const worker of workers.values()) poll(state, worker)
    })
  }
}

function quieten(state: State, worker: Worker, onChange: () => void): void {
  const drain = { quiet: false, handedBack: 0, finished: 0, onChange }
  worker.drain = drain
  const landing = worker.polling ? state.random.int(waitSeconds * 1_000) : 0
  state.engine.at(state.engine.now + landing, () => {
    if (!worker.alive || worker.drain !== drain) return
    drain.quiet = true
    worker.polling = false
    handBack(state, worker, drain)
    onChange()
  })
}

function handBack(state: State, worker: Worker, drain: WorkerDrain): void {
  for (let lease = take(worker.stash); lease; lease = take(worker.stash)) {
    worker.stashed--
    drain.handedBack++
    release(state.engine, state.queue, lease, 0)
  }
}

function stop(state: State, instance: string): number {
  const worker = state.workers.get(instance)
  if (!worker) return 0
  worker.alive = false
  state.workers.delete(instance)
  state.running -= worker.running.size
  for (const lease of worker.running) {
    state.events.forced(lease.message.task)
    release(state.engine, state.queue, lease, 0)
  }
  return worker.running.size
}

/** Takes what there is room for; with room left and nothing to take, a long poll stays open. */
function poll(state: State, worker: Worker): void {
  if (worker.polling || worker.drain || !isPolled(state.spells, state.engine.now)) return
  for (;;) {
    const room = worker.prefetch - worker.running.size - worker.stashed
    if (room <= 0) return
    const most = Math.min(room, messagesPerPoll)
    const leases = receive(state.engine, state.queue, most, state.queue.visibilityMs)
    if (leases.length === 0) break
    for (const lease of leases) accept(state, worker, lease)
  }
  worker.polling = true
  state.pollers.push(worker)
}

/** A message is visible: SQS answers one of the open long polls, no matter which. */
function answerPoll(state: State): void {
  const { pollers, random } = state
  while (pollers.length > 0) {
    const index = random.int(pollers.length)
    const worker = pollers[index]
    const last = pollers.pop()
    if (last && last !== worker) pollers[index] = last
    if (!worker || !isPolling(worker)) continue
    worker.polling = false
    land(state, worker)
    return
  }
}

/** Entries may be left of polls that have ended: of the dead, of the quiet, of the resumed. */
const isPolling = ({ alive, polling }: Worker) => alive && polling

/** An open poll brings what is visible; a worker that quietens opens no other after it. */
function land(state: State, worker: Worker): void {
  if (!worker.drain) {
    poll(state, worker)
    return
  }
  const most = Math.min(worker.prefetch - worker.running.size - worker.stashed, messagesPerPoll)
  const leases = receive(state.engine, state.queue, most, state.queue.visibilityMs)
  for (const lease of leases) accept(state, worker, lease)
}

function accept(state: State, worker: Worker, lease: Lease<Task>): void {
  state.events.received(worker.instance, lease.message.receives)
  if (worker.running.size < worker.slots) {
    run(state, worker, lease)
    return
  }
  add(worker.stash, lease)
  worker.stashed++
}

function run(state: State, worker: Worker, lease: Lease<Task>): void {
  const { engine, events } = state
  worker.running.add(lease)
  state.running++
  const { task } = lease.message
  task.firstStartAt ??= engine.now
  task.starts++
  events.started(task)
  const end = endOf(state.spells, engine.now, task.durationMs)
  engine.at(end, () => finish(state, worker, lease))
}

function finish(state: State, worker: Worker, lease: Lease<Task>): void {
  if (!worker.alive) return
  worker.running.delete(lease)
  state.running--
  // Of a child that has crashed nobody acknowledges the message: it comes again.
  if (!lease.message.task.crashes) complete(state, lease)
  const next = take(worker.stash)
  if (next) {
    worker.stashed--
    run(state, worker, next)
  }
  if (worker.drain?.quiet) {
    worker.drain.finished++
    worker.drain.onChange()
  }
  poll(state, worker)
}

function complete({ engine, queue, events }: State, lease: Lease<Task>): void {
  const { task } = lease.message
  if (task.completedAt === null) {
    task.completedAt = engine.now
    events.completed(task)
  }
  // With acks_late the acknowledgement comes last; a stale handle acknowledges nothing.
  remove(queue, lease)
}
