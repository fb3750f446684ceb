import { add, createDeque, type Deque, first, take } from '../deque.ts'
import type { Engine } from '../engine.ts'

export type Message<T> = {
  readonly id: number
  readonly body: string
  /** What the message means to the world. */
  readonly task: T
  readonly sentAt: number
  /** When it came to this queue: later than it was sent where a dead-letter queue has it. */
  readonly cameAt: number
  /** The queue that gave it up, and its number there; null where it was sent. */
  readonly from: { readonly queue: string; readonly id: number } | null
  receives: number
  /** When it was received first. */
  receivedAt: number | null
  place: 'delayed' | 'visible' | 'inFlight' | 'deleted'
  /** The number of the latest receive in this queue; a handle of an earlier one is stale. */
  receipt: number
  /** When the latest receive's visibility timeout ends. */
  invisibleUntil: number
}

/** One receive of a message: what a receipt handle stands for. */
export type Lease<T> = { readonly message: Message<T>; readonly receipt: number }

export type Queue<T> = {
  readonly name: string
  readonly url: string
  readonly visibilityMs: number
  readonly delayMs: number
  /** Where a message goes that was received that often and comes up again. */
  readonly redrive: Redrive<T> | null
  /** Every message not deleted. */
  readonly messages: Map<number, Message<T>>
  /** In order of becoming visible; may still hold messages deleted since. */
  readonly waiting: Deque<Message<T>>
  /** In order of their visibility timeouts; may still hold leases that have ended. */
  readonly leases: Deque<Lease<T> & { readonly until: number }>
  leaseTimer: boolean
  visible: number
  inFlight: number
  delayed: number
  /** Every message that ever came, from a queue that gave it up too; the latest has that number. */
  came: number
  /** Those that were sent here: what a dead-letter queue is given nobody sent. */
  sent: number
  received: number
  deleted: number
  /** When somebody last had to do with it. */
  touchedAt: number
  /** Told when a message becomes visible: an open long poll may take it. */
  onVisible: () => void
  /** Whether a long poll is open. */
  isPolled: () => boolean
}

export type Redrive<T> = {
  readonly target: Queue<T>
  readonly maxReceiveCount: number
  /** Told of a message that has moved, by its number here and there. */
  readonly moved: (message: number, to: number) => void
}

type QueueOptions<T> = Pick<
  Queue<T>,
  'name' | 'url' | 'visibilityMs' | 'delayMs' | 'redrive' | 'touchedAt'
>

export const createQueue = <T>(options: QueueOptions<T>): Queue<T> => ({
  ...options,
  messages: new Map(),
  waiting: createDeque(),
  leases: createDeque(),
  leaseTimer: false,
  visible: 0,
  inFlight: 0,
  delayed: 0,
  came: 0,
  sent: 0,
  received: 0,
  deleted: 0,
  onVisible: () => {},
  isPolled: () => false,
})

export function send<T>(
  engine: Engine,
  queue: Queue<T>,
  body: string,
  task: T,
  delayMs: number,
): Message<T> {
  queue.sent++
  queue.touchedAt = engine.now
  const message = enter(engine, queue, {
    body,
    task,
    sentAt: engine.now,
    from: null,
    receives: 0,
    receivedAt: null,
  })
  if (delayMs === 0) show(queue, message)
  else engine.at(engine.now + delayMs, () => show(queue, message))
  return message
}

type Entered<T> = Omit<Message<T>, 'id' | 'cameAt' | 'place' | 'receipt' | 'invisibleUntil'>

/** Where every message is before it is visible. */
function enter<T>(engine: Engine, queue: Queue<T>, entered: Entered<T>): Message<T> {
  const { body, task, sentAt, from, receives, receivedAt } = entered
  // Spread, they would cost each of a million messages several times as much.
  const message: Message<T> = {
    id: ++queue.came,
    body,
    task,
    sentAt,
    cameAt: engine.now,
    from,
    receives,
    receivedAt,
    place: 'delayed',
    receipt: 0,
    invisibleUntil: 0,
  }
  queue.messages.set(message.id, message)
  queue.delayed++
  return message
}

/** Up to `most` visible messages, oldest first, invisible to others for that long. */
export function receive<T>(
  engine: Engine,
  queue: Queue<T>,
  most: number,
  visibilityMs: number,
): Lease<T>[] {
  queue.touchedAt = engine.now
  const leases: Lease<T>[] = []
  while (leases.length < most && queue.visible > 0) {
    const message = take(queue.waiting)
    if (!message) break
    if (message.place !== 'visible') continue
    if (queue.redrive && message.receives >= queue.redrive.maxReceiveCount) {
      bury(engine, queue, message, queue.redrive)
      continue
    }
    queue.received++
    message.receives++
    message.receivedAt ??= engine.now
    message.receipt++
    queue.visible--
    queue.inFlight++
    message.place = 'inFlight'
    message.invisibleUntil = engine.now + visibilityMs
    const lease = { message, receipt: message.receipt }
    leases.push(lease)
    hold(engine, queue, lease, visibilityMs)
  }
  return leases
}

/** The dead-letter queue has it now, as old and as often received as it was. */
function bury<T>(
  engine: Engine,
  queue: Queue<T>,
  message: Message<T>,
  { target, moved }: Redrive<T>,
): void {
  queue.visible--
  message.place = 'deleted'
  queue.messages.delete(message.id)
  const { body, task, sentAt, receives, receivedAt, id } = message
  const from = message.from ?? { queue: queue.name, id }
  const there = enter(engine, target, { body, task, sentAt, from, receives, receivedAt })
  show(target, there)
  moved(id, there.id)
}

/** Deletes the message unless it was received again since; says whether it did. */
export function remove<T>(queue: Queue<T>, { message, receipt }: Lease<T>): boolean {
  if (message.place === 'deleted' || message.receipt !== receipt) return false
  if (message.place === 'visible') queue.visible--
  else queue.inFlight--
  queue.deleted++
  message.place = 'deleted'
  queue.messages.delete(message.id)
  return true
}

/** Changes how long the message stays invisible, counted from now; 0 hands it back at once. */
export function release<T>(
  engine: Engine,
  queue: Queue<T>,
  lease: Lease<T>,
  visibilityMs: number,
): void {
  lease.message.invisibleUntil = engine.now + visibilityMs
  if (visibilityMs === 0) expire(engine, queue, lease)
  else engine.at(lease.message.invisibleUntil, () => expire(engine, queue, lease))
}

/** The queue's own timeout ends leases in the order they began: one timer for the first of them. */
function hold<T>(engine: Engine, queue: Queue<T>, lease: Lease<T>, visibilityMs: number): void {
  if (visibilityMs !== queue.visibilityMs) {
    engine.at(engine.now + visibilityMs, () => expire(engine, queue, lease))
    return
  }
  const { message, receipt } = lease
  add(queue.leases, { message, receipt, until: engine.now + visibilityMs })
  if (!queue.leaseTimer) watchFirstLease(engine, queue)
}

function watchFirstLease<T>(engine: Engine, queue: Queue<T>): void {
  let lease = first(queue.leases)
  while (lease && !isHeld(lease)) {
    take(queue.leases)
    lease = first(queue.leases)
  }
  queue.leaseTimer = lease !== undefined
  if (!lease) return
  engine.at(lease.until, () => {
    const due = take(queue.leases)
    if (due) expire(engine, queue, due)
    watchFirstLease(engine, queue)
  })
}

const isHeld = ({ message, receipt }: Lease<unknown>) =>
  message.place === 'inFlight' && message.receipt === receipt

function expire<T>(engine: Engine, queue: Queue<T>, lease: Lease<T>): void {
  // It has been deleted, received again or extended since: whoever did that planned the next end.
  if (!isHeld(lease) || lease.message.invisibleUntil > engine.now) return
  queue.inFlight--
  // `show` counts it out of the delayed ones, where every message is before it is visible.
  queue.delayed++
  show(queue, lease.message)
}

function show<T>(queue: Queue<T>, message: Message<T>): void {
  queue.delayed--
  queue.visible++
  message.place = 'visible'
  add(queue.waiting, message)
  queue.onVisible()
}
