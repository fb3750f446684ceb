import { defineFleet } from '../../shared/queue-config.ts'
import type { Traffic } from '../traces/traffic.ts'
import type { Scenario } from '../world/world.ts'

/** One queue, its group and its promise; the traffic is recorded. */
export type ReplaySettings = {
  readonly promiseSeconds: number
  readonly slots: number
  readonly bootSeconds: number
  readonly min: number
  readonly max: number
  /** How often Spot takes an instance: its chance in an hour. */
  readonly spotPerHour: number
}

/** The queue of every replay. */
export const replayed = 'replayed'

// What SQS and Celery's documentation ask of a visibility timeout: beyond the longest task, for a
// message that comes up again while it is worked on runs twice.
const visibilityMarginSeconds = 300
const visibilitySecondsMax = 43_200

/** Recorded traffic through one queue; what is before its days warms up and does not count. */
export function replay(traffic: Traffic, settings: ReplaySettings): Scenario {
  const { tasks, service, startAt, daysFrom, historyPerMinute } = traffic
  const { promiseSeconds, slots, bootSeconds, min, max, spotPerHour } = settings
  const fleet = defineFleet({
    name: 'replay',
    queues: {
      [replayed]: {
        startWithin: `${promiseSeconds}s`,
        // A prior as good as a user could give: the mean.
        taskTime: `${Number(service.meanSeconds.toFixed(3))}s`,
        bootTime: `${bootSeconds}s`,
        concurrency: slots,
        scaling: { mode: 'direct', min, max },
        // Scale-in ends no work, however long a task is.
        drain: { within: `${Math.ceil(service.maxSeconds) + visibilityMarginSeconds}s` },
      },
    },
  })
  // The last of the history is simulated, and publishes its metrics itself.
  const warmUpMinutes = Math.round((daysFrom - startAt) / 60_000)
  const visibilitySeconds = Math.ceil(service.maxSeconds) + visibilityMarginSeconds
  return {
    name: 'replay',
    startAt,
    countedFrom: daysFrom,
    fleet,
    queue: () => ({
      rate: () => 0,
      recorded: tasks,
      recordedPast: historyPerMinute.slice(0, historyPerMinute.length - warmUpMinutes),
      taskSeconds: service.meanSeconds,
      taskVariation: Math.sqrt(service.cv2),
      visibilitySeconds: Math.min(visibilitySeconds, visibilitySecondsMax),
      ...{ slots, bootSeconds, minSize: min, maxSize: max, prefetchMultiplier: 1 },
    }),
    market: { reclaimsPerDay: spotPerHour * 24, storms: [] },
  }
}
