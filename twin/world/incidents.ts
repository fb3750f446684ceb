import { CreateQueueCommand } from '@aws-sdk/client-sqs'
import { random } from '../../shared/random.ts'
import { arnOf } from '../aws/sqs-counts.ts'
import { send } from '../aws/sqs-queue.ts'
import type { Twin } from '../twin.ts'
import type { Spells } from './spells.ts'
import type { Task } from './task.ts'
import type { QueueWorld, Scenario } from './world.ts'

/** What befalls a queue, and what it has against it; nothing does unless a scenario says so. */
export type QueueIncidents = Spells & {
  readonly poison?: Poison
  /** The queue has a dead-letter queue, of the same name and `-dlq`. */
  readonly deadLetter?: { readonly maxReceiveCount: number }
}

/** Messages whose tasks crash their worker's child, run after run. */
export type Poison = {
  readonly at: number
  readonly count: number
  /** From one to the next; without it all come at once. */
  readonly everySeconds?: number
}

// A task that crashes does it soon: while it reads what it was given.
const crashSeconds = { from: 2, to: 8 }
// Auto Scaling tries again to launch what it could not, about once a minute.
const retrySeconds = { from: 0, to: 60 }

/** What befalls the whole fleet. */
export function startIncidents(twin: Twin<Task>, { market, metricsLost }: Scenario): void {
  if (metricsLost) twin.cloudwatch.vended.lose('AWS/SQS', metricsLost)
  const draw = random(twin.seed, 'shortages')
  const { engine, autoscaling, emit } = twin
  for (const span of market.shortages ?? []) {
    autoscaling.shortages.push(span)
    // A try before the end changes nothing, so that only the first one after it is planned.
    engine.at(span.until, () => {
      for (const name of autoscaling.groups.keys()) {
        const after = draw.between(retrySeconds.from, retrySeconds.to) * 1_000
        engine.at(engine.now + after, () => emit(autoscaling.retry(name)))
      }
    })
  }
}

export function sendPoison({ engine, sqs, seed }: Twin<Task>, name: string, poison: Poison): void {
  const queue = sqs.queue(name)
  const draw = random(seed, `poison/${name}`)
  const { at, count, everySeconds = 0 } = poison
  for (let index = 0; index < count; index++) {
    const durationMs = Math.round(draw.between(crashSeconds.from, crashSeconds.to) * 1_000)
    engine.at(at + index * everySeconds * 1_000, () => {
      const task: Task = {
        ...{ enqueuedAt: engine.now, durationMs, crashes: true },
        ...{ firstStartAt: null, starts: 0, completedAt: null },
      }
      send(engine, queue, '', task, queue.delayMs)
    })
  }
}

/** Those of CreateQueue; the dead-letter queue, where there is to be one, is made before. */
export function attributesOf(twin: Twin<Task>, name: string, world: QueueWorld) {
  const VisibilityTimeout = String(world.visibilitySeconds)
  if (!world.deadLetter) return { VisibilityTimeout }
  const QueueName = `${name}-dlq`
  twin.sqs.apply(twin.engine.now, new CreateQueueCommand({ QueueName }))
  const { maxReceiveCount } = world.deadLetter
  const deadLetterTargetArn = arnOf(twin.sqs.queue(QueueName))
  return {
    VisibilityTimeout,
    RedrivePolicy: JSON.stringify({ deadLetterTargetArn, maxReceiveCount }),
  }
}
