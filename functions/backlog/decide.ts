import type { Group } from '../../shared/fleet.ts'
import type { QueueConfig } from '../../shared/queue-config.ts'
import type { Counts, CountsReading } from '../../shared/queues.ts'
import type { QueueMemory } from '../../shared/state.ts'
import { countsSettleSeconds } from '../../shared/timing.ts'
import { backlogTarget, wantedCapacity } from './sizing.ts'

/** All that a decision may rest on: what AWS said of one queue in this run, and of the last. */
export type Snapshot = {
  readonly counts: CountsReading
  readonly group: Group
  /** Instances in service whose drain has begun: they take no more work. */
  readonly draining: number
  /** Whether the group waits for a drain before it ends an instance; asked when it matters. */
  readonly hooked: boolean
  readonly remembered: QueueMemory | null
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
}

export type Reason =
  /** The counts are missing or no numbers. */
  | 'counts-unreadable'
  /** The mode leaves the group alone. */
  | 'observe'
  /** The mode leaves the group to its own policy. */
  | 'target-tracking'
  /** The capacity is what it should be. */
  | 'steady'
  /** More is needed for what waits and runs. */
  | 'backlog'
  /** More is wanted than max allows. */
  | 'capped-by-max'
  /** Fewer than min were desired. */
  | 'below-min'
  /** Fewer would do, but not for as long yet as makes a boot worth undoing. */
  | 'busy'
  /** Fewer have done for a while: down to the most of them; a drain lets running tasks end. */
  | 'surplus'
  /** The same, but the group has no terminate hook and would end its victim as it works. */
  | 'no-hook'
  /** It looks empty, but not yet for as long as the counts take to settle. */
  | 'settling'
  /** It is empty: down to min. */
  | 'idle'

export type Decision =
  | { readonly kind: 'unreadable'; readonly reason: 'counts-unreadable'; readonly detail: string }
  | (Measured & { readonly kind: 'hold' })
  | (Measured & { readonly kind: 'resize'; readonly desired: number })

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
  readonly memory: QueueMemory
}

// A scale-in wants every reading empty for as long as the counts take to settle. Two runs a minute
// apart must do: the schedule starts a run some seconds early or late, hence the margin.
const emptyMilliseconds = (countsSettleSeconds - 10) * 1_000

// An instance that is not needed is kept this long: work comes in waves, most of them with the hour
// or the half hour, and a boot that a wave undoes costs more than waiting for it. Measured on the
// example's day: 10 minutes double the launches of 30, for a fiftieth of the instance-hours.
const surplusSecondsLeast = 1_800
// A boot of many minutes is undone later still.
const surplusBoots = 3

/** Whether this queue's group is to be resized, to what, and why. `now` in epoch milliseconds. */
export function decide(queue: QueueConfig, snapshot: Snapshot, now: number): Decision {
  const { counts, group, remembered } = snapshot
  if ('unreadable' in counts) {
    return { kind: 'unreadable', reason: 'counts-unreadable', detail: counts.unreadable }
  }
  // 1. What is there, what would fit, and since when. The doomed still count in the group.
  const { min, max } = bounds(queue, group)
  const measures = measure(queue, snapshot, counts, max)
  const capacity = Math.max(min, Math.min(measures.wanted, max))
  const fitting = Math.min(capacity + snapshot.draining, max)
  const empty = counts.visible + counts.notVisible === 0
  const memory = {
    emptySince: empty ? (remembered?.emptySince ?? now) : null,
    surplus: surplusOf(remembered, fitting, group.desired, now),
  }
  const hold = (reason: Measured['reason']) => ({ kind: 'hold', reason, measures, memory }) as const
  const resize = (reason: Measured['reason'], desired: number) =>
    ({ kind: 'resize', reason, desired, measures, memory }) as const

  // 2. Modes that only publish.
  if (queue.mode !== 'direct') return hold(queue.mode)

  // 3. More, at once: a task that waits is the promise at stake.
  const capped = measures.shortfall > 0 ? 'capped-by-max' : null
  if (fitting > group.desired) {
    return resize(capped ?? (measures.wanted < min ? 'below-min' : 'backlog'), fitting)
  }
  if (memory.surplus === null) return hold(capped ?? 'steady')

  // 4. Less: all of it when nothing waits or runs, on more than a single reading; else what was not
  //    wanted for a while, and only where a drain lets running tasks end.
  if (memory.emptySince !== null) {
    const settled = now - memory.emptySince >= emptyMilliseconds
    return settled ? resize('idle', fitting) : hold('settling')
  }
  const { since, most } = memory.surplus
  const surplusSeconds = Math.max(surplusSecondsLeast, surplusBoots * queue.bootSeconds)
  if (now - since < surplusSeconds * 1_000) return hold('busy')
  if (!snapshot.hooked) return hold('no-hook')
  return { ...resize('surplus', Math.min(most, max)), memory: { ...memory, surplus: null } }
}

/** What was wanted since less than the capacity is wanted; a capacity that changed begins anew. */
function surplusOf(
  remembered: QueueMemory | null,
  fitting: number,
  desired: number,
  now: number,
): QueueMemory['surplus'] {
  if (fitting >= desired) return null
  const { since, most } = remembered?.surplus ?? { since: now, most: fitting }
  return most < desired ? { since, most: Math.max(most, fitting) } : { since: now, most: fitting }
}

/**
 * The tighter of the file's bounds and the group's own. The file's max wins over its min, but
 * not over the group's: Auto Scaling refuses a capacity below MinSize.
 */
function bounds(queue: QueueConfig, { minSize, maxSize }: Group) {
  const max = Math.max(Math.min(queue.max ?? maxSize, maxSize), minSize)
  return { min: Math.min(Math.max(queue.min, minSize), max), max }
}

function measure(
  queue: QueueConfig,
  { group, draining }: Snapshot,
  counts: Counts,
  max: number,
): Measures {
  const slots = group.slotsPerInstance ?? queue.slotsPerInstance
  const inService = group.instances.inService - draining
  const target = backlogTarget(queue, slots)
  const wanted = wantedCapacity(queue, slots, counts)
  return {
    ...counts,
    backlogPerInstance: backlogPerInstance(counts.visible, inService, target),
    backlogSeconds: backlogSeconds(queue, counts.visible, inService * slots, slots),
    target,
    wanted,
    shortfall: Math.max(0, wanted - max),
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
