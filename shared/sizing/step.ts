import { type Budget, fullBudget, spend, strained } from './budget.ts'
import { capacityOf, type Group, staying } from './capacity.ts'
import { foresee, type Seen } from './foresee.ts'
import type { Forecast } from './predict.ts'
import {
  ageOfOldest,
  arrivalsSince,
  learnService,
  nothingDone,
  type Service,
  serviceSeconds,
} from './rates.ts'
import { type Needs, type Picture, type Size, size } from './size.ts'
import type { Constants, Outlook, Sensed, Workload } from './types.ts'
import { type Verdict, verdictOf } from './verdict.ts'

/** What is remembered of a queue from look to look. */
export type Memory = {
  readonly at: number
  /** Since when the queue was looked at without a long pause. */
  readonly since: number
  readonly counts: Pick<Sensed, 'visible' | 'notVisible' | 'delayed'>
  /** Tasks that ran, leaving instances included. */
  readonly running: number
  readonly seen: Seen
  readonly service: Service
  /** What that comes to. */
  readonly serviceSeconds: number
  readonly needs: Needs
  readonly group: Group
  readonly budget: Budget
  /** Since when every look found the queue empty; null when the last did not. */
  readonly emptySince: number | null
  /** Since when none did. */
  readonly filledSince: number | null
  /** Since when messages wait, slots are free and nothing is done; null when that is not so. */
  readonly stuckSince: number | null
  /** Instances that were wanted beyond max. */
  readonly shortfall: number
}

export type Step = Verdict & {
  /** Tasks a second that are foreseen. */
  readonly rate: number
  readonly serviceSeconds: number
  readonly foreseen: Forecast
  readonly ageSeconds: number
  readonly constants: Constants
  readonly sized: Size
  readonly memory: Memory
}

// After a pause of that length the last look says nothing about this one.
const pauseSeconds = 1_800

/** One look at a queue: the capacity that follows, why, and what to remember. */
export function step(
  workload: Workload,
  outlook: Outlook,
  sensed: Sensed,
  remembered: Memory | null,
): Step {
  const { now } = sensed
  const memory = remembered && now - remembered.at > pauseSeconds ? null : remembered
  const { capacity, group } = capacityOf(workload, sensed, memory?.group ?? null)
  const learned = learn(workload, outlook, sensed, memory)
  const { seen, foreseen } = foresee(workload, outlook.profiles, memory?.seen ?? null, learned)
  const ageSeconds = ageOfOldest(seen.recent, now, sensed.visible)
  const budget = spend(memory?.budget ?? fullBudget, {
    seconds: Math.max(0, now - learned.from),
    started: Math.max(0, learned.came - sensed.visible + (memory?.counts.visible ?? 0)),
    areLate: ageSeconds > workload.startWithinSeconds,
  })
  // As this look leaves it: the same look again comes to the same.
  const constants = strained(outlook.constants, budget)
  const picture: Picture = {
    visible: sensed.visible,
    ...{ running: capacity.running, capacity },
    ...{ ageSeconds, foreseen, serviceSeconds: learned.mean },
  }
  const sized = size(workload, constants, picture, memory?.needs ?? [], now)
  const next = {
    at: now,
    since: memory?.since ?? now,
    counts: { visible: sensed.visible, notVisible: sensed.notVisible, delayed: sensed.delayed },
    running: learned.running,
    service: learned.service,
    serviceSeconds: learned.mean,
    ...{ seen, group, needs: sized.needs },
    budget,
    emptySince: isEmpty(sensed) ? (memory?.emptySince ?? now) : null,
    filledSince: isEmpty(sensed) ? null : memory ? (memory.filledSince ?? now) : 0,
    stuckSince: isStuck(workload, sensed, capacity.working) ? (memory?.stuckSince ?? now) : null,
  }
  const verdict = verdictOf({
    ...{ workload, constants, sensed, picture, sized },
    memory: next,
  })
  const rate = foreseen.arrivals / foreseen.seconds
  const told = { rate, serviceSeconds: learned.mean, foreseen, ageSeconds, constants, sized }
  return { ...verdict, ...told, memory: { ...next, shortfall: verdict.shortfall } }
}

/** What came since the last look, and how long a task takes. */
function learn(workload: Workload, outlook: Outlook, sensed: Sensed, memory: Memory | null) {
  const { now } = sensed
  const prior = outlook.serviceSeconds ?? workload.taskSeconds
  const { inService } = staying(sensed)
  const slots = (inService + sensed.draining + sensed.doomed) * workload.slots
  const running = Math.min(sensed.notVisible, slots)
  if (!memory) {
    const from = now - workload.tickSeconds
    return { now, from, came: sensed.sent ?? 0, running, service: nothingDone, mean: prior }
  }
  const seconds = Math.max(0, now - memory.at)
  // What ran in between is half of what ran then and runs now; unknown, it teaches nothing.
  const service =
    sensed.deleted === null
      ? memory.service
      : learnService(memory.service, (memory.running + running) / 2, seconds, sensed.deleted)
  const mean = serviceSeconds(service, prior)
  const came = arrivalsSince(sensed, memory.counts, memory.running, seconds, mean)
  return { now, from: memory.at, came, running, service, mean }
}

const isEmpty = ({ visible, notVisible }: Sensed) => visible + notVisible === 0

/**
 * Messages wait, slots are free and nothing is done: the workers do not take what is there. Where
 * deletes are not read, that nothing is done is seen only where nothing runs: a busy queue of short
 * tasks always has a few waiting and a few slots that are just between two tasks.
 */
const isStuck = ({ slots }: Workload, sensed: Sensed, working: number) =>
  working > 0 &&
  sensed.visible > 0 &&
  (sensed.deleted === null
    ? sensed.notVisible === 0
    : sensed.deleted === 0 && sensed.notVisible < working * slots)
