import type { Group } from '../../shared/fleet.ts'
import type { OutlookNote } from '../../shared/outlook.ts'
import type { QueueConfig } from '../../shared/queue-config.ts'
import type { Counts, CountsReading } from '../../shared/queues.ts'
import { type Memory, type Step, step } from '../../shared/sizing/step.ts'
import type { Outlook, Sensed } from '../../shared/sizing/types.ts'
import type { Reason as SizingReason } from '../../shared/sizing/verdict.ts'
import { workloadOf } from '../../shared/sizing/workload.ts'
import type { Cut } from './share.ts'
import { backlogTarget } from './sizing.ts'

/** All that a decision may rest on: what AWS said of one queue in this run, and of the last. */
export type Snapshot = {
  readonly counts: CountsReading
  readonly group: Group
  /** Instances in service whose drain has begun: they take no more work. */
  readonly draining: number
  /** Whether any of its instances is asked at present whether it is idle. */
  readonly asked: boolean
  /** Whether the group waits for a drain before it ends an instance; asked when it matters. */
  readonly hooked: boolean
  /** What the forecast knows of the queue. */
  readonly outlook: Outlook
  /** Which that is, for the log; absent where nobody reads it. */
  readonly outlookNote?: OutlookNote
  readonly remembered: Memory | null
}

/** What the counts mean for the group: published, logged, and what the decision reads. */
export type Measures = Counts & {
  readonly backlogPerInstance: number
  readonly backlogSeconds: number
  /** Messages per instance at which the promise still holds. */
  readonly target: number
  /** Instances the rule wants, before min and max. */
  readonly wanted: number
  /** Instances wanted beyond max. */
  readonly shortfall: number
  /** For how long the oldest of the waiting tasks has waited, as the arrivals have it. */
  readonly ageSeconds: number
  /** Tasks a second that are foreseen, and how long one takes. */
  readonly rate: number
  readonly serviceSeconds: number
  readonly predictor: string
}

export type Reason =
  | SizingReason
  /** The counts are missing or no numbers. */
  | 'counts-unreadable'
  /** The mode leaves the group alone. */
  | 'observe'
  /** The mode leaves the group to its own policy. */
  | 'target-tracking'
  /** Fewer would do, but the group has no terminate hook and would end its victim as it works. */
  | 'no-hook'
  /** The fleet's limits leave less than its own rule asks for. */
  | 'fleet-limit'

export type Decision =
  | { readonly kind: 'unreadable'; readonly reason: 'counts-unreadable'; readonly detail: string }
  | (Measured & { readonly kind: 'hold' })
  | (Measured & { readonly kind: 'resize'; readonly desired: number })
  /** Fewer are wanted while work runs: drain finds those that are idle. */
  | (Measured & { readonly kind: 'fewer'; readonly desired: number })

/** A queue, what was seen of it and what follows: one line of a run. */
export type Decided = {
  readonly queue: QueueConfig
  readonly snapshot: Snapshot
  readonly decision: Decision
}

type Measured = {
  readonly reason: Exclude<Reason, 'counts-unreadable'>
  readonly measures: Measures
  /** To be remembered until the next run. */
  readonly memory: Memory
  /** What the fleet's limits have cut. */
  readonly cut?: Cut
}

/** Whether this queue's group is to be resized, to what, and why. `now` in epoch milliseconds. */
export function decide(queue: QueueConfig, snapshot: Snapshot, now: number): Decision {
  const { counts, group, outlook, remembered } = snapshot
  if ('unreadable' in counts) {
    return { kind: 'unreadable', reason: 'counts-unreadable', detail: counts.unreadable }
  }
  const workload = workloadOf(queue, group)
  const told = step(workload, outlook, sense(snapshot, counts, now), remembered)
  const measures = measure(queue, snapshot, counts, workload.slots, told)
  const { memory, desired } = told
  const hold = (reason: Measured['reason']) => ({ kind: 'hold', reason, measures, memory }) as const
  if (queue.mode !== 'direct') return hold(queue.mode)
  if (desired === group.desired) return hold(told.reason)
  const isLess = desired < group.desired && told.reason !== 'idle'
  if (isLess && !snapshot.hooked) return hold('no-hook')
  // A max that was lowered holds at once.
  const kind = isLess && group.desired <= workload.max ? 'fewer' : 'resize'
  return { kind, reason: told.reason, desired, measures, memory }
}

/** The rates are not read: what the counts say of them is as good, and costs nothing. */
function sense({ group, draining }: Snapshot, counts: Counts, now: number): Sensed {
  const { inService, pending, leaving, standby } = group.instances
  return {
    // Whole, for what is remembered of it must not differ in the last digit.
    now: Math.round(now / 1_000),
    ...counts,
    ...{ sent: null, deleted: null },
    ...{ inService, pending, draining: leaving + standby },
    // Those that still count in their group though they take no more work.
    doomed: draining,
    desired: group.desired,
  }
}

function measure(
  queue: QueueConfig,
  { group, draining }: Snapshot,
  counts: Counts,
  slots: number,
  told: Step,
): Measures {
  const inService = group.instances.inService - draining
  const target = backlogTarget(queue, slots)
  return {
    ...counts,
    backlogPerInstance: backlogPerInstance(counts.visible, inService, target),
    backlogSeconds: backlogSeconds(queue, counts.visible, inService * slots, slots),
    target,
    wanted: told.wanted,
    shortfall: told.shortfall,
    ageSeconds: told.ageSeconds,
    rate: told.rate,
    serviceSeconds: told.serviceSeconds,
    predictor: told.foreseen.predictor,
  }
}

/**
 * With instances, visible messages for each of them. With none, the whole backlog as if for one,
 * and at least twice the target: a policy multiplies what it has by metric / target, and must be
 * able to leave zero for a single message.
 */
function backlogPerInstance(visible: number, inService: number, target: number): number {
  if (inService > 0) return visible / inService
  return visible > 0 ? Math.max(visible, 2 * target) : 0
}

/**
 * How long the slots in service need for what is visible, arrivals left aside, so that it is
 * defined while the queue grows. With none in service: a boot, and the slots of one instance.
 */
function backlogSeconds(queue: QueueConfig, visible: number, inService: number, one: number) {
  if (visible === 0) return 0
  const work = visible * queue.taskSeconds
  return inService > 0 ? work / inService : queue.bootSeconds + work / one
}
