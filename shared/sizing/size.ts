import type { Capacity } from './capacity.ts'
import type { Forecast } from './predict.ts'
import type { Constants, Workload } from './types.ts'

/**
 * The sizing rule: how many instances a queue needs, from where its tasks are, what is foreseen and
 * how long a task and a boot take. All of it is arithmetic on one look and a short memory.
 */

export type Picture = {
  readonly visible: number
  readonly running: number
  readonly capacity: Omit<Capacity, 'running'>
  /** For how long the oldest waiting task has waited. */
  readonly ageSeconds: number
  readonly serviceSeconds: number
  readonly foreseen: Forecast
}

/** What the rule remembers: the needs of late that nothing newer exceeds, the newest last. */
export type Needs = readonly { readonly at: number; readonly instances: number }[]

export type Size = {
  /** To have, before min and max. */
  readonly instances: number
  /** Fewer would be too few. */
  readonly least: number
  /** More than this may go. */
  readonly keep: number
  readonly needs: Needs
}

/** How many instances to have, between what is needed and what was needed of late. */
export function size(
  workload: Workload,
  constants: Constants,
  picture: Picture,
  before: Needs,
  now: number,
): Size {
  const rule = { workload, constants, picture }
  const have = picture.capacity.working + picture.capacity.booting
  const least = launched(rule)
  const kept = needed(rule, spanOf(rule, constants.release * constants.spend, leastAheadKeep))
  // What boots was needed when it was launched: held until it could be there, no longer.
  const booting = Math.min(picture.capacity.oldestSeconds, leadOf(workload))
  const held = Math.max(constants.holdSeconds, booting)
  const needs = remember(before, now, Math.max(kept, least), held)
  const keep = needs[0]?.instances ?? least
  const wanted = Math.max(least, Math.min(have, keep))
  return { instances: lasting(rule, wanted, have), least, keep, needs }
}

/**
 * What goes must not be asked back by the next look: with fewer at work what waits may be late, or
 * lack a slot. Those are kept that it would ask for.
 */
function lasting(rule: Rule, wanted: number, have: number): number {
  let instances = wanted
  while (instances < have) {
    const again = Math.min(have, launched(withOnly(rule, instances)))
    if (again <= instances) return instances
    instances = again
  }
  return instances
}

/** The same look at a smaller group: those that boot are the last to go. */
function withOnly(rule: Rule, instances: number): Rule {
  const { picture, workload } = rule
  const booting = Math.min(picture.capacity.booting, instances)
  const working = instances - booting
  const running = Math.min(picture.running, working * workload.slots)
  const capacity = { ...picture.capacity, booting, working, running }
  return { ...rule, picture: { ...picture, capacity, running } }
}

// Boots differ: nearly all are over by this much of their mean.
const bootsLate = 1.2

const leadOf = ({ bootSeconds }: Workload) => bootsLate * bootSeconds

/** How far ahead a launch must look: until what the next look launches could have booted. */
export const aheadOf = (workload: Workload) => leadOf(workload) + workload.tickSeconds

// Where all of that may be spent on waiting, arrivals still matter this share of a boot ahead:
// less for what is launched, more for what is kept, so that the two do not chase each other.
const leastAheadUp = 0.5
const leastAheadKeep = 0.9

type Rule = {
  readonly workload: Workload
  readonly constants: Constants
  readonly picture: Picture
}

/** Seconds of arrivals that must be provided for now, when each may wait `waits`. */
const horizonOf = (workload: Workload, waits: number, least: number) =>
  Math.max(aheadOf(workload) - waits, least * leadOf(workload))

/** Arrivals within so many seconds, with the margin. */
function arriving({ workload, constants, picture: { foreseen } }: Rule, seconds: number): number {
  const mean = (foreseen.arrivals * seconds) / aheadOf(workload)
  return mean + constants.margin * Math.sqrt(foreseen.dispersion * mean)
}

// Rounding up must not make two of 1.0000000001, nor a negative zero of nothing.
const wholeUp = (value: number) => Math.max(0, Math.ceil(value - 1e-9))

/** Tasks that one slot starts within so many seconds, with the one that it has now. */
const perSlot = (seconds: number, { serviceSeconds }: Picture) =>
  1 + Math.max(0, seconds) / serviceSeconds

/** What is provided for now: what comes meanwhile, and by when it must start. */
type Span = { readonly coming: number; readonly by: number }

function spanOf(rule: Rule, spend: number, leastAhead: number): Span {
  const waits = spend * rule.workload.startWithinSeconds
  const horizon = horizonOf(rule.workload, waits, leastAhead)
  return { coming: arriving(rule, horizon), by: horizon + waits }
}

/**
 * Instances with which all that is there, and all that comes before a later launch could help,
 * starts in time when that share of the promise is spent on waiting: "tasks per slot".
 */
function needed(rule: Rule, { coming, by }: Span): number {
  const { workload, picture } = rule
  const present = picture.visible + picture.running
  if (present === 0 && canBeEmpty(rule)) return 0
  return wholeUp((present + coming) / (workload.slots * perSlot(by, picture)))
}

// Launch to work, and shutdown: what a return from zero costs beside the work.
const shutdownSeconds = 30

/** Whether an empty group serves the next task in time, and at less than an idle instance costs. */
function canBeEmpty({ workload, picture: { foreseen } }: Rule): boolean {
  const { startWithinSeconds, bootSeconds, tickSeconds } = workload
  const inTime = leadOf(workload) + 2 * tickSeconds <= startWithinSeconds
  const rate = foreseen.arrivals / foreseen.seconds
  return inTime && rate * (bootSeconds + shutdownSeconds) < 1
}

/** The most that either view of the lack asks for; never more than a slot for each task. */
function launched(rule: Rule): number {
  const { workload, constants, picture } = rule
  const present = picture.visible + picture.running
  if (present === 0 && canBeEmpty(rule)) return 0
  const tasks = present + arriving(rule, aheadOf(workload))
  const span = spanOf(rule, constants.spend, leastAheadUp)
  return Math.min(
    wholeUp(tasks / workload.slots),
    Math.max(needed(rule, span), lacking(rule, span), waiting(rule)),
  )
}

/** With what is there too late or not at all, where slots that boot count once they are ready. */
function lacking({ workload, picture }: Rule, { coming, by }: Span): number {
  const { working, booting, bootedSeconds } = picture.capacity
  const lead = leadOf(workload)
  const soon = booting * perSlot(by - Math.max(0, lead - bootedSeconds), picture)
  const started = (working * perSlot(by, picture) + soon) * workload.slots
  const lack = picture.visible + picture.running + coming - started
  if (lack <= 0) return 0
  return working + booting + wholeUp(lack / (workload.slots * perSlot(by - lead, picture)))
}

// A promise much shorter than a boot is not to be kept by launching for what waits already.
const bootsPromised = 0.8
// Of tasks that are to end by a moment so many standard deviations fewer are counted on: with long
// tasks on few slots, chance keeps them all busy for longer than the mean says.
const endsDoubted = 0.5

/** With a new slot for each waiting task that no present or booting one can start in time. */
function waiting({ workload, constants, picture }: Rule): number {
  const { slots, bootSeconds, startWithinSeconds } = workload
  if (startWithinSeconds <= bootsPromised * bootSeconds) return 0
  const { visible, running, ageSeconds, serviceSeconds } = picture
  const { working, booting, bootedSeconds } = picture.capacity
  const by = Math.max(constants.grace * startWithinSeconds - ageSeconds / 2, bootSeconds)
  const free = Math.max(0, working * slots - running)
  const ends = (working * slots * by) / serviceSeconds
  const sure = Math.max(0, ends - endsDoubted * Math.sqrt(ends))
  const soon = booting * slots * perSlot(by - Math.max(0, bootSeconds - bootedSeconds), picture)
  const late = visible - free - sure - soon
  if (late <= 0) return 0
  return working + booting + wholeUp(late / (slots * perSlot(by - bootSeconds, picture)))
}

function remember(needs: Needs, now: number, instances: number, holdSeconds: number): Needs {
  const kept = needs.filter((need) => need.at > now - holdSeconds && need.instances > instances)
  kept.push({ at: now, instances })
  return kept
}
