import type { Log } from '../../shared/aws.ts'
import type { Tick } from '../../shared/looks.ts'
import type { Metric } from '../../shared/metrics.ts'
import type { Alert } from './alert.ts'
import type { Decision } from './decide.ts'
import type { MetricsRead } from './gather.ts'
import type { Told } from './tell.ts'

export type Run = {
  readonly tick: Tick
  /** Epoch seconds. */
  readonly now: number
  readonly decisions: readonly Decision[]
  /** True: another run had written what this one saw, so that this one told nobody anything. */
  readonly superseded: boolean
  /** Null where another shard tells. */
  readonly told: Told | null
  readonly metricsRead: MetricsRead
}

/** What a run answers when it succeeds: what fires, and what was told. */
export type Report = Tick & {
  readonly superseded: boolean
  readonly watched: number
  readonly metricsRead: MetricsRead
  readonly firing: readonly AlertReport[]
  readonly pages: readonly string[]
}
export type AlertReport = Readonly<Record<string, string | number | null>>

/** One line for each change of an alert, one for each page, and one for the run. */
export function logRun(log: Log, run: Run): Report {
  const { tick, decisions, superseded, told, metricsRead } = run
  for (const { queue, changes, refused } of decisions) {
    for (const change of changes) log.info('alert', { queue, ...change })
    if (Object.keys(refused).length > 0) log.warn('samples refused', { queue, ...refused })
  }
  for (const page of told?.pages ?? []) log.info('page', { ...page })
  for (const page of told?.dropped ?? []) log.error('page given up', { key: page.key })
  for (const { page, channel, reason, detail } of failed(told)) {
    log.error('channel failed', { key: page.key, channel, reason, detail })
  }
  const firing = decisions.reduce((sum, { alerts }) => sum + alerts.length, 0)
  const muted = told?.muted ?? 0
  log.info('watched', {
    ...{ ...tick, superseded, queues: decisions.length, firing, muted },
    ...metricsRead,
  })
  return {
    ...tick,
    superseded,
    watched: decisions.length,
    metricsRead,
    firing: decisions.flatMap(({ alerts }) => alerts.map(lineOf)),
    pages: (told?.pages ?? []).map(({ kind, title }) => `${kind}: ${title}`),
  }
}

const failed = (told: Told | null) =>
  (told?.deliveries ?? []).filter(({ reason }) => reason !== null)

function lineOf({ queue, rule, severity, value, threshold, peak, since }: Alert): AlertReport {
  return { queue, rule, severity, value, threshold, peak, since }
}

/** That it ran is a metric: whoever watches it from outside knows when it does not. */
export const metricsOf = ({ decisions, told }: Run): Metric[] => [
  { name: 'QueuesWatched', value: decisions.length },
  { name: 'AlertsFiring', value: decisions.reduce((sum, { alerts }) => sum + alerts.length, 0) },
  ...(told ? [{ name: 'PagesFailed', value: failed(told).length } as const] : []),
]
