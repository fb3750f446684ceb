import type { Random } from '../../shared/random.ts'
import { send } from '../aws/sqs-queue.ts'
import type { Recorded } from '../traces/traffic.ts'
import type { Twin } from '../twin.ts'
import type { Task } from './task.ts'

/** Tasks a second at a moment of virtual time. */
export type Rate = (at: number) => number

const minuteMs = 60_000

/**
 * Tasks arrive as a Poisson process whose rate may change each minute: each minute draws how many
 * come, and when within it.
 */
export function startArrivals(
  twin: Twin<Task>,
  queueName: string,
  rate: Rate,
  random: Random,
  makeTask: (now: number) => Task,
): void {
  const { engine, sqs } = twin
  const queue = sqs.queue(queueName)
  const arrive = () => {
    send(engine, queue, '', makeTask(engine.now), queue.delayMs)
  }
  const minute = () => {
    const count = random.poisson((rate(engine.now + minuteMs / 2) * minuteMs) / 1_000)
    for (let i = 0; i < count; i++) {
      engine.at(engine.now + Math.floor(random.next() * minuteMs), arrive)
    }
    engine.at(engine.now + minuteMs, minute)
  }
  engine.at(engine.now, minute)
}

/** Tasks arrive when they were recorded, each with the time that it took. */
export function startRecorded(
  twin: Twin<Task>,
  queueName: string,
  { at, durationMs }: Recorded,
  enqueued: (task: Task) => Task,
): void {
  const { engine, sqs } = twin
  const queue = sqs.queue(queueName)
  let next = 0
  // Each plans the next: a heap that held all of them would be slow at every event.
  const arrive = () => {
    const task = {
      enqueuedAt: engine.now,
      durationMs: durationMs[next] ?? 0,
      ...{ firstStartAt: null, starts: 0, completedAt: null },
    }
    send(engine, queue, '', enqueued(task), queue.delayMs)
    plan(++next)
  }
  const plan = (index: number) => {
    const due = at[index]
    if (due !== undefined) engine.at(due, arrive)
  }
  plan(next)
}
