import { foresee, type Seen } from './foresee.ts'
import type { Forecast } from './predict.ts'
import { ageOfOldest, arrivalsSince, bootedSeconds, capacityOf, type Launches, stillBooting, learnService, type Service, serviceSeconds } from './rates.ts'
import { type Needs, pictureOf, size } from './size.ts'
import type { Constants, Outlook, Sensed, Workload } from './types.ts'

/** One look at a queue: what is remembered of it, and the capacity that follows. */

export type Memory = {
  readonly at: number
  readonly counts: Pick<Sensed, 'visible' | 'notVisible' | 'delayed'>
  readonly inFlightMost: number
  readonly seen: Seen
  readonly service: Service
  readonly needs: Needs
  readonly budget: Budget
  readonly launches: Launches
}

/** Tasks started of late, and how many of them late. */
export type Budget = { readonly started: number; readonly late: number }

export type Step = {
  readonly desired: number
  readonly foreseen: Forecast
  readonly serviceSeconds: number
  readonly up: number
  readonly floor: number
  readonly memory: Memory
}

export function step(workload: Workload, outlook: Outlook, sensed: Sensed, memory: Memory | null): Step {
  const { now } = sensed
  const seconds = memory ? now - memory.at : workload.tickSeconds
  const capacity = capacityOf(sensed)
  const runningAll = Math.min(sensed.notVisible, (capacity.working + sensed.draining + sensed.doomed) * workload.slots)
  const service = learnService(
    memory?.service ?? { busySeconds: 0, done: 0 },
    memory && sensed.deleted !== null ? (memory.inFlightMost + runningAll) / 2 : 0,
    seconds,
    sensed.deleted ?? 0,
  )
  const mean = serviceSeconds(service, outlook.serviceSeconds ?? workload.taskSeconds)
  const came = memory ? arrivalsSince(sensed, memory.counts, seconds, memory.inFlightMost, mean) : (sensed.sent ?? 0)
  const { seen, foreseen } = foresee(workload, outlook.profiles, memory?.seen ?? null, { from: now - seconds, now, came })
  const age = ageOfOldest(seen.recent, now, sensed.visible)
  const budget = spendBudget(memory?.budget ?? { started: 0, late: 0 }, seconds, Math.max(0, came - (sensed.visible - (memory?.counts.visible ?? 0))), age > workload.startWithinSeconds)
  const launches = stillBooting(memory?.launches ?? [], capacity.booting, memory?.at ?? now)
  const constants = strained(outlook.constants, budget)
  const picture = pictureOf(sensed, { ...capacity, bootedSeconds: bootedSeconds(launches, now) }, workload.slots, age, mean, foreseen)
  const { instances, up, floor, needs } = size(workload, constants, picture, memory?.needs ?? [], now)
  const desired = Math.min(workload.max, Math.max(workload.min, instances) + sensed.doomed)
  const { visible, notVisible, delayed } = sensed
  return {
    desired, foreseen, serviceSeconds: mean, up, floor,
    memory: { at: now, counts: { visible, notVisible, delayed }, inFlightMost: runningAll, seen, service, needs, budget, launches },
  }
}

const budgetHalfLifeSeconds = 12 * 3_600
const lateShareMax = 0.004
const startedLeast = 250

export function spendBudget({ started, late }: Budget, seconds: number, since: number, isLate: boolean): Budget {
  const fade = 0.5 ** (seconds / budgetHalfLifeSeconds)
  return { started: started * fade + since, late: late * fade + (isLate ? since : 0) }
}

export function strained(constants: Constants, { started, late }: Budget): Constants {
  if (late <= lateShareMax * started || started < startedLeast) return constants
  return { ...constants, spend: Math.max(0.1, constants.spend - 0.1), margin: constants.margin + 1 }
}
