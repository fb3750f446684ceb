import { backlogTarget } from '../functions/backlog/sizing.ts'
import { laneOf } from '../shared/lanes.ts'
import type { Fleet } from '../shared/queue-config.ts'
import { describeProblem, type QueueConfig } from '../shared/queue-config.ts'
import { lookSecondsOf } from '../shared/timing.ts'
import { fastLaneCost } from './fast-lane-cost.ts'
import { seconds, short, table, whole } from './format.ts'

/** Shows every queue as the functions see it. An invalid file throws all of its problems. */
export async function check({ json }: { readonly json?: true }): Promise<void> {
  const { default: fleet } = await import('../fleet.config.ts')
  if (json) {
    const { adoptQueue: _, ...plain } = fleet
    console.log(JSON.stringify(plain, null, 2))
    return
  }
  const head = [
    'queue',
    'SQS',
    'group',
    'mode',
    'start within',
    'look',
    'min',
    'max',
    'slots',
    'target',
  ]
  console.log(
    table(
      head,
      fleet.queues.map((queue) => row(queue, fleet.tags.queue)),
    ),
  )
  for (const line of describeFastLane(fleet)) console.log(line)
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
  seconds(lookSecondsOf(queue)),
  String(queue.min),
  queue.max === null ? "the group's" : String(queue.max),
  String(queue.slotsPerInstance),
  short(backlogTarget(queue, queue.slotsPerInstance)),
]

function describeFastLane(fleet: Fleet): string[] {
  const lines = fastLaneCost(fleet)
  if (lines.length === 0) return []
  const names = fleet.queues.filter((queue) => laneOf(queue) === 'fast').map(({ name }) => name)
  const total = lines.reduce((sum, { cost }) => sum + cost, 0)
  const money = (value: number) => `$${value.toFixed(2)}`
  return [
    `\nThe fast lane (${names.join(', ')}) costs about ${money(total)} a month:`,
    table(
      ['', 'a month', 'cost'],
      lines.map(({ what, perMonth, cost }) => [what, whole(perMonth), money(cost)]),
    ),
  ]
}
