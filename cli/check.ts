import { backlogTarget } from '../functions/backlog/sizing.ts'
import { describeProblem, type QueueConfig } from '../shared/queue-config.ts'
import { seconds, short, table } from './format.ts'

/** Shows every queue as the functions see it. An invalid file throws all of its problems. */
export async function check({ json }: { readonly json?: true }): Promise<void> {
  const { default: fleet } = await import('../fleet.config.ts')
  if (json) {
    const { adoptQueue: _, ...plain } = fleet
    console.log(JSON.stringify(plain, null, 2))
    return
  }
  const head = ['queue', 'SQS', 'group', 'mode', 'start within', 'min', 'max', 'slots', 'target']
  console.log(
    table(
      head,
      fleet.queues.map((queue) => row(queue, fleet.tags.queue)),
    ),
  )
  for (const warning of fleet.warnings) console.error(`warning: ${describeProblem(warning)}`)
  const count = `${fleet.queues.length} queues in ${fleet.shards} shard`
  console.log(`\nFleet ${fleet.name}: ${count}${fleet.shards === 1 ? '' : 's'}, no problems.`)
}

const row = (queue: QueueConfig, tag: string) => [
  queue.name,
  queue.sqs,
  queue.group ?? `${tag}=${queue.name}`,
  queue.mode,
  seconds(queue.startWithinSeconds),
  String(queue.min),
  queue.max === null ? "the group's" : String(queue.max),
  String(queue.slotsPerInstance),
  short(backlogTarget(queue, queue.slotsPerInstance)),
]
