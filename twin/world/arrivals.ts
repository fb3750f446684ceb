import { send } from '../aws/sqs-queue.ts'
import type { Random } from '../random.ts'
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
  const minute = () => {
    const count = random.poisson((rate(engine.now + minuteMs / 2) * minuteMs) / 1_000)
    for (let i = 0; i < count; i++) {
      engine.at(engine.now + Math.floor(random.next() * minuteMs), () => {
        send(engine, queue, '', makeTask(engine.now), queue.delayMs)
      })
    }
    engine.at(engine.now + minuteMs, minute)
  }
  engine.at(engine.now, minute)
}
