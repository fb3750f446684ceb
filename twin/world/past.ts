import type { QueueConfig } from '../../shared/queue-config.ts'
import { random } from '../../shared/random.ts'
import { sqsKey, totalKey } from '../aws/vending.ts'
import type { Twin } from '../twin.ts'
import type { Task } from './task.ts'
import type { QueueWorld } from './world.ts'

const minuteMs = 60_000
const minutesPerDay = 1_440

type Place = { readonly queue: QueueConfig; readonly world: QueueWorld; readonly group: string }

/**
 * What AWS published before the first moment: nobody simulates two weeks to judge a day. What
 * arrived is recorded, or drawn as the days to come are; of the last day also what follows where a
 * group keeps up: as much ends as comes, and what is in flight runs.
 */
export function addPast(twin: Twin<Task>, { queue, world, group }: Place, days: number): void {
  const sent = world.recordedPast ?? drawn(twin, queue.name, world, days * minutesPerDay)
  if (sent.length === 0) return
  const { vended } = twin.cloudwatch
  const end = Math.floor(twin.engine.now / minuteMs)
  vended.addPast(sqsKey('NumberOfMessagesSent', queue.sqs), end - sent.length, sent)
  const day = sent.slice(-minutesPerDay)
  const flying = inFlight(day, world.taskSeconds)
  const first = end - day.length
  vended.addPast(sqsKey('NumberOfMessagesDeleted', queue.sqs), first, day)
  vended.addPast(sqsKey('ApproximateNumberOfMessagesNotVisible', queue.sqs), first, flying)
  const inService = flying.map((count) => Math.max(world.minSize, Math.ceil(count / world.slots)))
  vended.addPast(totalKey(group), first, inService)
}

function drawn({ seed, engine }: Twin<Task>, queue: string, world: QueueWorld, minutes: number) {
  const draw = random(seed, `past/${queue}`)
  const from = engine.now - minutes * minuteMs
  return Float64Array.from({ length: minutes }, (_, minute) =>
    draw.poisson((world.rate(from + (minute + 0.5) * minuteMs) * minuteMs) / 1_000),
  )
}

/** Tasks that run at the end of each minute, by Little's law: each stays for its own time. */
function inFlight(sent: Float64Array, taskSeconds: number): Float64Array {
  const share = Math.min(1, 60 / taskSeconds)
  let running = ((sent[0] ?? 0) * taskSeconds) / 60
  return sent.map((count) => {
    running += ((count * taskSeconds) / 60 - running) * share
    return running
  })
}
