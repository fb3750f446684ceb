import { type Decision, decide, type Snapshot } from '../../functions/backlog/decide.ts'
import { assignGroups } from '../../shared/assign.ts'
import type { Deps } from '../../shared/aws.ts'
import { isAsked, isLeaving, listDrains } from '../../shared/drains.ts'
import { describeGroups } from '../../shared/fleet.ts'
import { laneOf } from '../../shared/lanes.ts'
import { terminateHooks } from '../../shared/lifecycle.ts'
import {
  type OutlookNote,
  type OutlookReading,
  outlookFor,
  readOutlooks,
} from '../../shared/outlook.ts'
import type { Fleet, QueueConfig } from '../../shared/queue-config.ts'
import { queueUrl, readCounts } from '../../shared/queues.ts'
import { shardOf } from '../../shared/shards.ts'
import type { Workload } from '../../shared/sizing/types.ts'
import { workloadOf } from '../../shared/sizing/workload.ts'
import { readMemory } from '../../shared/state.ts'

export type LookDeps = Pick<
  Deps,
  'sqs' | 'autoscaling' | 'dynamodb' | 'clock' | 'stateTable' | 'drainName' | 'signal'
>

/** All that a sweep would see of a queue now, and what it would decide. */
export type Looked = {
  readonly queue: QueueConfig
  readonly workload: Workload
  readonly snapshot: Snapshot
  readonly reading: OutlookReading
  readonly note: OutlookNote
  readonly decision: Decision
  /** Seconds since the epoch. */
  readonly now: number
}

/** Reads what the backlog function reads, of one queue alone, and writes nothing. */
export async function lookAt(deps: LookDeps, fleet: Fleet, name: string): Promise<Looked> {
  const now = deps.clock.now()
  const groups = await describeGroups(deps, fleet)
  const [assigned] = assignGroups(fleet, groups, (queue) => queue === name)
  if (!assigned) {
    const names = fleet.queues.map((queue) => queue.name).join(', ')
    throw new Error(`There is no queue ${name} in fleet.config.ts; there are ${names}`)
  }
  if ('problem' in assigned) throw new Error(`${name}: ${assigned.problem}`)
  const { queue, group } = assigned
  const shard = { shard: shardOf(name, fleet.shards), of: fleet.shards }
  const [counts, memory, drains, hooks, outlooks] = await Promise.all([
    readCounts(deps, queueUrl(queue.sqs, group.arn)),
    readMemory(deps, shard, laneOf(queue)),
    listDrains(deps),
    terminateHooks(deps, group.name),
    readOutlooks(deps, [name]),
  ])
  const failed = outlooks.failed.get(name)
  if (failed !== undefined) throw failed
  const leaving = new Set(
    drains.flatMap(({ drain }) => (drain && isLeaving(drain, now) ? drain.instance : [])),
  )
  const isDoomed = group.members.filter(({ id, kind }) => kind === 'inService' && leaving.has(id))
  const reading = outlooks.found.get(name) ?? null
  const { outlook, note } = outlookFor(reading, now / 1_000)
  const asked = drains.some(({ drain }) => drain && isAsked(drain) && drain.group === group.name)
  const snapshot: Snapshot = {
    ...{ counts, group, draining: isDoomed.length, asked, outlook },
    hooked: hooks.some((hook) => hook.name === deps.drainName),
    remembered: memory.queues[name] ?? null,
  }
  const decision = decide(queue, snapshot, now)
  const workload = workloadOf(queue, group)
  return { queue, workload, snapshot, reading, note, decision, now: Math.round(now / 1_000) }
}
