import { table } from '../cli/format.ts'
import { decide, type Snapshot } from '../functions/backlog/decide.ts'
import type { Group } from '../shared/fleet.ts'
import { profilesOf } from '../shared/forecast/history.ts'
import { checkFleet, type QueueConfig } from '../shared/queue-config.ts'
import { random } from '../shared/random.ts'
import type { Memory } from '../shared/sizing/step.ts'
import { noOutlook } from '../shared/sizing/types.ts'
import { type Line, median } from './parts.ts'

/**
 * How long the decisions of one sweep take: a shard's queues, each with an hour of looks behind it
 * and the profiles of all seasons, as they are in production. No calls, no handler.
 *
 *     npx node bench/decide.ts
 *
 * A slow machine is over the bar; that is for a person to judge.
 */

// What one shard is meant to carry.
const queues = 1_000
const barMilliseconds = 100

// More than an hour, so that every list that a memory has is as long as it gets.
const minutesBefore = 90
const sweeps = 21

const startSeconds = Date.parse('2026-01-20T15:00:00Z') / 1_000
const historyDays = 15

/** Fifteen days of a rate that differs with the hour, for the profiles of every season. */
const history = {
  from: startSeconds - historyDays * 86_400,
  counts: Float64Array.from(
    { length: historyDays * 1_440 + minutesBefore },
    (_, minute) => 60 + 40 * Math.sin((2 * Math.PI * minute) / 1_440),
  ),
}

type Queue = { readonly config: QueueConfig; readonly group: Group; remembered: Memory | null }

function makeQueue(config: QueueConfig, index: number): Queue {
  const desired = 5 + (index % 200)
  const instances = { inService: desired, pending: 0, leaving: 0, standby: 0, unhealthy: 0 }
  const group = {
    ...{ name: `${config.name}-workers`, arn: 'arn', queue: config.name, fleet: null },
    ...{ slotsPerInstance: 1 + (index % 4), minSize: 0, maxSize: 500, desired, instances },
    ...{ members: [], capacityRebalance: false },
  }
  return { config, group, remembered: null }
}

const fleet = checkFleet({
  name: 'bench',
  defaults: { startWithin: '5m', taskTime: '30s', scaling: { mode: 'direct' } },
  defaultQueues: Array.from({ length: queues }, (_, index) => `work-${index}`),
}).fleet
if (!fleet) throw new Error('The fleet of the bench is not valid')

const all = fleet.queues.map(makeQueue)
const draw = random(1, 'counts')
const outlook = { ...noOutlook, profiles: profilesOf(history, startSeconds) }

/** A sweep at that minute: what the counts are is drawn before the time is taken. */
function sweep(minute: number): number {
  const snapshots = all.map(
    ({ group, remembered }): Snapshot => ({
      counts: { visible: draw.int(50), notVisible: draw.int(group.desired * 4), delayed: 0 },
      ...{ group, draining: 0, asked: false, hooked: true, outlook, remembered },
    }),
  )
  const now = (startSeconds + minute * 60) * 1_000
  const started = performance.now()
  const decisions = all.map(({ config }, index) => {
    const snapshot = snapshots[index]
    return snapshot && decide(config, snapshot, now)
  })
  const milliseconds = performance.now() - started
  decisions.forEach((decision, index) => {
    const queue = all[index]
    if (queue && decision && decision.kind !== 'unreadable') queue.remembered = decision.memory
  })
  return milliseconds
}

const first = sweep(-minutesBefore)
for (let minute = 1 - minutesBefore; minute < 0; minute++) sweep(minute)
const warm = Array.from({ length: sweeps }, (_, minute) => sweep(minute))

const line = (what: string, value: number): Line => {
  const verdict = value <= barMilliseconds ? 'met' : 'over'
  return [what, `${value.toFixed(1)} ms`, `<= ${barMilliseconds} ms`, verdict]
}
const lines = [
  line('the first, nothing remembered', first),
  line(`with an hour behind it, median of ${warm.length}`, median(warm)),
  line('with an hour behind it, longest', Math.max(...warm)),
]
console.log(table([`${queues} decisions`, 'measured', 'bar', ''], lines))
