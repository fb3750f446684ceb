import type { Reason } from '../../functions/backlog/decide.ts'
import { type Errors, predictorNames } from '../../shared/sizing/predict.ts'
import { aheadOf } from '../../shared/sizing/size.ts'
import type { Looked } from './look.ts'

/** What is known of a queue and why its capacity is what it is, as data; times in seconds. */
export type Explanation = ReturnType<typeof explain>

/** Each reason in plain words. */
export const meanings: Readonly<Record<Reason, string>> = {
  steady: 'what is there is what is needed',
  backlog: 'more is needed for what waits and runs',
  rate: 'more is needed for what comes, as the last minutes have it',
  forecast: 'more is needed for what comes, as earlier hours and days have it',
  'capped-by-max': 'more is wanted than max allows',
  'below-min': 'fewer than min were desired',
  busy: 'fewer would do now, but were not enough within the last minutes',
  surplus: 'fewer do, and did for a while',
  settling: 'it looks empty, or no longer so, but not yet for as long as the counts need to settle',
  idle: 'it is empty',
  'broken-workers': 'messages wait while slots are free and nothing is done: more would not help',
  'no-capacity': 'what was launched does not arrive: more would not either',
  'counts-unreadable': 'SQS did not say what waits',
  observe: 'the mode leaves the group alone',
  'target-tracking': 'the mode leaves the group to its own policy',
  'fleet-limit': "the fleet's limits leave less than its own rule asks for",
  'no-hook': 'fewer would do, but without our terminate hook a scale-in would end running tasks',
}

export function explain(looked: Looked) {
  const { queue, workload, snapshot, reading, note, decision, now } = looked
  const { group, outlook, remembered } = snapshot
  const kept = reading === null || reading === 'unreadable' ? null : reading
  const measured = decision.kind === 'unreadable' ? null : decision
  const errors = measured?.memory.seen.errors ?? remembered?.seen.errors ?? null
  return {
    queue: queue.name,
    group: group.name,
    mode: queue.mode,
    at: now,
    promise: workload,
    counts: 'unreadable' in snapshot.counts ? null : snapshot.counts,
    instances: { ...group.instances, draining: snapshot.draining, desired: group.desired },
    lastLook: remembered && { at: remembered.at, secondsAgo: now - remembered.at },
    decision: {
      kind: decision.kind,
      reason: decision.reason,
      meaning: meanings[decision.reason],
      desired: 'desired' in decision ? decision.desired : group.desired,
      wanted: measured?.measures.wanted ?? null,
      shortfall: measured?.measures.shortfall ?? null,
    },
    forecast: {
      outlook: note,
      at: kept?.at ?? null,
      historyFrom: kept?.historyFrom ?? null,
      predictor: measured?.measures.predictor ?? null,
      ratePerSecond: measured?.measures.rate ?? null,
      aheadSeconds: aheadOf(workload),
      predictors: errors ? errorsOf(errors) : [],
    },
    constants: outlook.constants,
    rehearsal: kept?.rehearsal ?? null,
    service: {
      /** What the rule reckons with, and what it was told. */
      seconds: measured?.measures.serviceSeconds ?? outlook.serviceSeconds ?? workload.taskSeconds,
      measured: kept?.service ?? null,
      configured: queue.taskSeconds,
    },
  }
}

/** The rolling error of each predictor: tasks of a window, and as a share of what came in one. */
function errorsOf({ squares, arrivals, weight }: Errors) {
  const mean = weight > 0 ? arrivals / weight : 0
  return predictorNames.map((name, index) => {
    const tasks = weight > 0 ? Math.sqrt((squares[index] ?? 0) / weight) : null
    return { name, errorTasks: tasks, errorShare: tasks !== null && mean > 0 ? tasks / mean : null }
  })
}
