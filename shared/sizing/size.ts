import type { Forecast } from './predict.ts'
import { type Capacity, runningOf } from './rates.ts'
import type { Constants, Sensed, Workload } from './types.ts'

/**
 * The sizing rule: how many instances a queue needs, from where its tasks are, what is foreseen and
 * how long a task and a boot take. All of it is arithmetic on one look and a short memory.
 */

// Boots differ: nearly all are over by then.
export const bootsLate = 1.2

/** How far ahead a launch must look: until what the next look launches could have booted. */
export const aheadOf = ({ bootSeconds, tickSeconds }: Workload) =>
  bootsLate * bootSeconds + tickSeconds

// Where the whole promise may be spent on waiting, arrivals still matter this share of a boot
// ahead: less for what is launched, more for what is kept, so that the two do not chase each other.
const leastAheadUp = 0.5
const leastAheadKeep = 0.9

/** What the rule remembers: the needs of late that nothing newer exceeds, the newest last. */
export type Needs = readonly { readonly at: number; readonly instances: number }[]

export type Picture = {
  readonly visible: number
  readonly running: number
  readonly capacity: Capacity
  /** For how long the oldest waiting task has waited. */
  readonly age: number
  readonly serviceSeconds: number
  readonly foreseen: Forecast
}

export type Size = {
  readonly instances: number
  /** Fewer would be too few at present. */
  readonly up: number
  readonly floor: number
  readonly needs: Needs
}

export function pictureOf(
  sensed: Sensed,
  capacity: Capacity,
  slots: number,
  age: number,
  serviceSeconds: number,
  foreseen: Forecast,
): Picture {
  const running = runningOf(sensed, capacity, slots)
  return { visible: sensed.visible, running, capacity, age, serviceSeconds, foreseen }
}

export function size(
  workload: Workload,
  constants: Constants,
  picture: Picture,
  before: Needs,
  now: number,
): Size {
  const have = picture.capacity.working + picture.capacity.booting
  const rule = { workload, constants, picture }
  const up = launched(rule)
  const kept = needed(rule, constants.release * constants.spend, leastAheadKeep)
  const needs = remember(before, now, Math.max(kept, up), constants.holdSeconds)
  const floor = needs[0]?.instances ?? 0
  const instances = up > have ? up : Math.min(have, Math.max(up, floor))
  return { instances, up, floor, needs }
}

type Rule = {
  readonly workload: Workload
  readonly constants: Constants
  readonly picture: Picture
}

/** Arrivals within the next seconds, with the margin. */
function arriving({ workload, constants, picture: { foreseen } }: Rule, seconds: number): number {
  const share = (foreseen.arrivals * seconds) / aheadOf(workload)
  return share + constants.margin * Math.sqrt(foreseen.dispersion * share)
}

const aheadFor = ({ bootSeconds, tickSeconds }: Workload, waits: number, least: number) => {
  const lead = bootsLate * bootSeconds
  return Math.max(lead + tickSeconds - waits, least * lead)
}

// Rounding up must not make two of 1.0000000001.
const whole = (value: number) => Math.ceil(value - 1e-9)

/**
 * Instances with which all that is there, and all that comes before a later launch could help,
 * starts within the share of the promise that is spent: "tasks per slot".
 */
function needed(rule: Rule, spend: number, least: number): number {
  const { workload, picture } = rule
  const waits = spend * workload.startWithinSeconds
  const h = aheadFor(workload, waits, least)
  const tasks = picture.visible + picture.running + arriving(rule, h)
  return whole(tasks / (workload.slots * (1 + (h + waits) / picture.serviceSeconds)))
}

/** The same for a launch, where slots that boot count from when they are ready only. */
function launched(rule: Rule): number {
  const { workload, constants, picture } = rule
  const most = picture.visible + picture.running + arriving(rule, aheadOf(workload))
  return Math.min(
    whole(most / workload.slots),
    Math.max(
      needed(rule, constants.spend, leastAheadUp),
      lacking(rule),
      waiting(rule),
    ),
  )
}


/** With what the slots that are there and those that boot will not have started by then. */
function lacking(rule: Rule): number {
  const { workload, constants, picture } = rule
  const { working, booting, bootedSeconds } = picture.capacity
  const waits = constants.spend * workload.startWithinSeconds
  const h = aheadFor(workload, waits, leastAheadUp)
  const lead = bootsLate * workload.bootSeconds
  const startedBy = (bootLeft: number) =>
    1 + Math.max(0, h + waits - Math.max(0, bootLeft)) / picture.serviceSeconds
  const each = startedBy(lead)
  const own = working * startedBy(0) + booting * startedBy(lead - bootedSeconds)
  const lack = picture.visible + picture.running + arriving(rule, h) - own * workload.slots
  return lack > 0 ? working + booting + whole(lack / (workload.slots * each)) : 0
}

// A promise that is hardly longer than a boot leaves no time to count on slots that free up.
const bootsPromised = 0.8

/** With a new slot for each waiting task that no present or booting one can start in time. */
function waiting({ workload, constants, picture }: Rule): number {
  const { slots, bootSeconds, startWithinSeconds } = workload
  if (startWithinSeconds <= bootsPromised * bootSeconds) return 0
  const { visible, running, age, serviceSeconds } = picture
  const { working, booting, bootedSeconds } = picture.capacity
  const x = Math.max(constants.grace * startWithinSeconds - age / 2, bootSeconds)
  const startedBy = (bootLeft: number) =>
    slots * (1 + Math.max(0, x - Math.max(0, bootLeft)) / serviceSeconds)
  const each = startedBy(bootSeconds)
  const free = working * slots - running
  const short = visible - free - (working * slots * x) / serviceSeconds - booting * startedBy(bootSeconds - bootedSeconds)
  return short > 0 ? working + booting + whole(short / each) : 0
}

function remember(needs: Needs, now: number, instances: number, holdSeconds: number): Needs {
  const kept = needs.filter((need) => need.at > now - holdSeconds && need.instances > instances)
  return [...kept, { at: now, instances }]
}
