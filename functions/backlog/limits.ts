import { queueOf } from '../../shared/assign.ts'
import type { Group, GroupReading } from '../../shared/fleet.ts'
import type { Fleet } from '../../shared/queue-config.ts'
import { workloadOf } from '../../shared/sizing/workload.ts'
import type { Decided } from './decide.ts'
import { type Claim, type Share, share, type Used } from './share.ts'

/**
 * The same decisions within the fleet's limits: what was cut says so. Pure, as all that decides.
 * `groups` are all of the fleet's, for also those count that nobody resizes here.
 */
export function withinLimits(
  fleet: Fleet,
  decided: readonly Decided[],
  groups: readonly GroupReading[],
): Decided[] {
  const claims = decided.flatMap((one) => claimOf(one) ?? [])
  const shares = share(fleet.limits, claims, usedByOthers(fleet, decided, groups))
  return decided.map((one) => limited(one, shares.get(one.queue.name)))
}

function claimOf({ queue, snapshot: { group }, decision }: Decided): Claim | null {
  if (queue.mode !== 'direct' || decision.kind === 'unreadable') return null
  const { slots, min, startWithinSeconds } = workloadOf(queue, group)
  const { visible, ageSeconds, serviceSeconds } = decision.measures
  return {
    ...{ queue: queue.name, priority: queue.priority, instance: queue.instance, min },
    ...{ present: group.desired, held: heldBy(group) },
    wanted: 'desired' in decision ? decision.desired : group.desired,
    need: { visible, ageSeconds, serviceSeconds, slots, startWithinSeconds },
  }
}

/** What is on its way, and what has not gone yet: both are paid, and count for a quota. */
function heldBy({ desired, instances }: Group): number {
  const { inService, pending, leaving, standby, unhealthy } = instances
  return Math.max(desired, inService + pending + leaving + standby + unhealthy)
}

/** What groups have that claim nothing: another mode, or counts that could not be read. */
function usedByOthers(
  fleet: Fleet,
  decided: readonly Decided[],
  groups: readonly GroupReading[],
): Used {
  const claiming = new Set(decided.flatMap((one) => (claimOf(one) ? one.snapshot.group.name : [])))
  const used = { instances: 0, vcpus: 0, dollarsPerHour: 0 }
  for (const group of groups) {
    const queue = queueOf(fleet, group)
    if (queue === null || 'problem' in group || claiming.has(group.name)) continue
    for (const { name } of fleet.limits) used[name] += heldBy(group) * (queue.instance[name] ?? 0)
  }
  return used
}

function limited(one: Decided, share: Share | undefined): Decided {
  const { decision, snapshot } = one
  if (!share?.cut || decision.kind === 'unreadable') return one
  const { cut, desired } = share
  const { memory, measures: before } = decision
  const measures = { ...before, shortfall: before.shortfall + cut.instances }
  const told = { reason: 'fleet-limit', measures, memory, cut } as const
  const present = snapshot.group.desired
  if (desired === present) return { ...one, decision: { kind: 'hold', ...told } }
  const kind = desired < present ? 'fewer' : 'resize'
  return { ...one, decision: { kind, desired, ...told } }
}

/** Whether the limits lower a busy group, for which nobody has looked for its hook yet. */
export const isTakenBack = ({ snapshot, decision }: Decided) =>
  'desired' in decision &&
  decision.reason === 'fleet-limit' &&
  decision.desired < snapshot.group.desired

/** Nothing is taken from whom a scale-in would cut short. */
export function withoutHook(one: Decided): Decided {
  const { decision } = one
  if (decision.kind === 'unreadable') return one
  const { memory, measures: told, cut } = decision
  const measures = { ...told, shortfall: told.shortfall - (cut?.instances ?? 0) }
  return { ...one, decision: { kind: 'hold', reason: 'no-hook', measures, memory } }
}
