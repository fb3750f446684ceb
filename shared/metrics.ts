import {
  type MetricDatum,
  PutMetricDataCommand,
  type StandardUnit,
} from '@aws-sdk/client-cloudwatch'
import type { Deps } from './aws.ts'

/** The namespace of every metric; each role may write to this one only. */
export const namespace = 'Celeriac'

/** Every metric this project publishes, with its unit and what it means. */
export const metricTable = {
  /** Visible messages for each instance that takes work; see backlogPerInstance in decide.ts. */
  BacklogPerInstance: { unit: 'Count', per: 'queue' },
  /** How long the present capacity needs for what is visible. */
  BacklogSeconds: { unit: 'Seconds', per: 'queue' },
  /** Instances that the sizing rule wants, before min and max. */
  WantedCapacity: { unit: 'Count', per: 'queue' },
  /** Instances wanted beyond max. */
  Shortfall: { unit: 'Count', per: 'queue' },
  /** Queues whose counts and group were read. */
  QueuesMeasured: { unit: 'Count', per: 'fleet' },
  /** Queues that could not be measured or resized. */
  QueuesFailed: { unit: 'Count', per: 'fleet' },
  /** Looks at the fast lane that came too late, or twice. */
  LooksDropped: { unit: 'Count', per: 'fleet' },
  /** From the start of the run until its last write before this one. */
  SweepMilliseconds: { unit: 'Milliseconds', per: 'fleet' },
  /** How old a notice was when it was first dealt with. */
  NoticeAgeSeconds: { unit: 'Seconds', per: 'fleet' },
  /** From a notice's own time until Systems Manager had the command. */
  NoticeToCommandSeconds: { unit: 'Seconds', per: 'fleet' },
  /** From the command until the box had begun, by the command's success or the box's report. */
  CommandToAcknowledgementSeconds: { unit: 'Seconds', per: 'fleet' },
  /** From then until the box polled no more and had handed back what did not run. */
  AcknowledgementToQuietSeconds: { unit: 'Seconds', per: 'fleet' },
  /** From then until nothing ran on the box. */
  QuietToIdleSeconds: { unit: 'Seconds', per: 'fleet' },
  /** Messages that drained boxes gave back before any work on them had begun. */
  TasksHandedBack: { unit: 'Count', per: 'fleet' },
  /** Tasks that ended by themselves while their box was drained. */
  TasksFinished: { unit: 'Count', per: 'fleet' },
  /** Tasks that were cut short at the deadline, and their messages given back. */
  TasksForced: { unit: 'Count', per: 'fleet' },
  /** Drains whose command was not acknowledged in time; the log has the fault's name. */
  DrainsUnreachable: { unit: 'Count', per: 'fleet' },
  /** Steps of drains that failed, and drains that could not be dealt with. */
  DrainsFailed: { unit: 'Count', per: 'fleet' },
  /** Notices of instances that are none of the fleet's, too late or known already. */
  NoticesIgnored: { unit: 'Count', per: 'fleet' },
  /** Messages that could not be understood. */
  NoticesRefused: { unit: 'Count', per: 'fleet' },
  /** Queues whose alerts were evaluated: none of it for some minutes is a fleet nobody watches. */
  QueuesWatched: { unit: 'Count', per: 'fleet' },
  /** Rules that fire. */
  AlertsFiring: { unit: 'Count', per: 'fleet' },
  /** Pages that a channel did not take; they are tried again. */
  PagesFailed: { unit: 'Count', per: 'fleet' },
  /** Groups of the fleet without our terminate hook: their scale-in cannot be drained. */
  GroupsWithoutHook: { unit: 'Count', per: 'fleet' },
} as const satisfies Record<string, { unit: StandardUnit; per: 'queue' | 'fleet' }>

export type MetricName = keyof typeof metricTable
export type Metric = { readonly name: MetricName; readonly queue?: string; readonly value: number }

// The most that one PutMetricData call takes.
const metricsPerCall = 1_000

/** One PutMetricData call for each 1,000 values. Throws CloudWatch's own errors. */
export async function publish(
  deps: Pick<Deps, 'cloudwatch' | 'signal'>,
  fleet: string,
  metrics: readonly Metric[],
  now: number,
): Promise<void> {
  const data = metrics.map((metric) => toDatum(fleet, metric, now))
  for (let from = 0; from < data.length; from += metricsPerCall) {
    const MetricData = data.slice(from, from + metricsPerCall)
    const command = new PutMetricDataCommand({ Namespace: namespace, MetricData })
    await deps.cloudwatch.send(command, { abortSignal: deps.signal })
  }
}

function toDatum(fleet: string, { name, queue, value }: Metric, now: number): MetricDatum {
  const Dimensions = [{ Name: 'Fleet', Value: fleet }]
  if (queue !== undefined) Dimensions.push({ Name: 'Queue', Value: queue })
  return {
    MetricName: name,
    Dimensions,
    Timestamp: new Date(now),
    Value: value,
    Unit: metricTable[name].unit,
  }
}
