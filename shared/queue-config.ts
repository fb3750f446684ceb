import { checkAlerts, checkRunningTask } from './alerts/checks.ts'
import { checkMaintenance } from './alerts/maintenance.ts'
import { type AlertSettings, type Notify, resolveAlerts, resolveNotify } from './alerts/settings.ts'
import { parseDuration } from './duration.ts'
import { checkLimits } from './limit-checks.ts'
import { problemsOf } from './problems.ts'
import { checkQueues, checkStartFromZero, type Problem, pathIn } from './queue-checks.ts'
import {
  defaults,
  type ExtraMetric,
  type FleetInput,
  fleetSchema,
  type LimitName,
  limitNames,
  type ScalingMode,
  type Settings,
  workerKinds,
} from './queue-schema.ts'
import { spotNoticeSeconds } from './timing.ts'

/**
 * The typed configuration that every function shares: `fleet.config.ts`, checked and with every
 * default filled in.
 */

/** One queue with everything resolved: what the functions read. */
export type QueueConfig = {
  readonly name: string
  /** The SQS queue's name, or its URL. */
  readonly sqs: string
  /** The group's name, or null where the tag finds it. */
  readonly group: string | null
  readonly startWithinSeconds: number
  readonly taskSeconds: number
  readonly bootSeconds: number
  /** Slots of an instance whose group has no concurrency tag. */
  readonly slotsPerInstance: number
  readonly mode: ScalingMode
  readonly min: number
  /** Null: the group's MaxSize is the limit. */
  readonly max: number | null
  /** Null: derived from the promise. */
  readonly target: number | null
  /** The higher wins. */
  readonly priority: number
  /** What one instance counts for each limit; null where the file does not say. */
  readonly instance: Readonly<Record<LimitName, number | null>>
  /** Messages that a worker holds for each of its slots, those that run included. */
  readonly prefetch: number
  readonly alerts: AlertSettings
  readonly metrics: readonly ExtraMetric[]
  readonly drainSeconds: number
  /** Whether a rebalance recommendation drains. */
  readonly drainsOnRebalance: boolean
  readonly worker: { readonly kind: 'all' | (typeof workerKinds)[number]; readonly name: string }
}

export type Limit = { readonly name: LimitName; readonly most: number }

export type Fleet = {
  readonly name: string
  readonly queueNamePrefix: string
  readonly tags: {
    readonly queue: string
    readonly concurrency: string
    readonly fleet: string | null
  }
  readonly shards: number
  /** What all groups together are raised to at most; none in most fleets. */
  readonly limits: readonly Limit[]
  readonly notify: Notify
  readonly adopt: boolean
  readonly queues: readonly QueueConfig[]
  /** What the file allows and an engineer should know. */
  readonly warnings: readonly Problem[]
  /** The configuration of a tagged group's queue that the file does not name. */
  readonly adoptQueue: (name: string) => QueueConfig
}

/** A problem on one line: where, what is there, what to write instead. */
export const describeProblem = ({ path, value, remedy }: Problem) =>
  value === undefined
    ? `${path || 'fleet'}: missing; ${remedy}`
    : `${path || 'fleet'}: ${JSON.stringify(value) ?? String(value)} does not fit; ${remedy}`

/**
 * The fleet, checked and with every default filled in.
 * Throws one error that lists every violation with its path, its value and the remedy.
 */
export function defineFleet(input: FleetInput): Fleet {
  const checked = checkFleet(input)
  if (checked.fleet) return checked.fleet
  const lines = checked.problems.map((problem) => `  ${describeProblem(problem)}`)
  const count = lines.length === 1 ? '1 problem' : `${lines.length} problems`
  throw new Error(`The fleet's configuration has ${count}:\n${lines.join('\n')}`)
}

/** The same without the throw: a fleet, or every problem that keeps it from being one. */
export function checkFleet(
  input: unknown,
): { fleet: Fleet; problems: [] } | { fleet: null; problems: Problem[] } {
  const parsed = fleetSchema.safeParse(input)
  if (!parsed.success)
    return { fleet: null, problems: problemsOf(fleetSchema, parsed.error.issues, input) }
  const file = parsed.data
  const resolve = (name: string, own: Settings) =>
    resolveQueue(name, file.queueNamePrefix ?? '', { ...file.defaults }, own)
  const queues = [
    ...Object.entries(file.queues ?? {}).map(([name, own]) => resolve(name, own)),
    ...(file.defaultQueues ?? []).map((name) => resolve(name, {})),
  ]
  const adopted = resolve('', {})
  const limits = limitNames.flatMap((name) => {
    const most = file.limits?.[name]
    return most === undefined ? [] : { name, most }
  })
  const notify = resolveNotify(file.notify)
  const names = queues.map(({ name }) => name)
  const maintenance = checkMaintenance(notify.maintenance, names)
  const problems = [
    ...checkQueues(queues, file),
    ...queues.flatMap((queue) => checkAlerts(queue, pathIn(file, queue))),
    ...checkLimits({ limits, queues, adopted: (file.adopt ?? true) ? adopted : null, file }),
    ...maintenance.problems,
  ]
  if (problems.length > 0) return { fleet: null, problems }
  const fleet: Fleet = {
    name: file.name,
    queueNamePrefix: file.queueNamePrefix ?? '',
    tags: {
      queue: file.tags?.queue ?? defaults.tagQueue,
      concurrency: file.tags?.concurrency ?? defaults.tagConcurrency,
      fleet: file.tags?.fleet ?? null,
    },
    shards: file.shards ?? defaults.shards,
    limits,
    notify,
    adopt: file.adopt ?? true,
    queues,
    warnings: [
      ...queues.flatMap((queue) => [
        ...checkStartFromZero(queue, pathIn(file, queue)),
        ...checkRunningTask(queue, pathIn(file, queue)),
      ]),
      ...maintenance.warnings,
    ],
    adoptQueue: (name) => resolve(name, {}),
  }
  return { fleet, problems: [] }
}

function resolveQueue(name: string, prefix: string, shared: Settings, own: Settings): QueueConfig {
  const scaling = { ...shared.scaling, ...own.scaling }
  const seconds = (field: 'startWithin' | 'taskTime' | 'bootTime') =>
    parseDuration(own[field] ?? shared[field] ?? defaults[field]) ?? 0
  const taskSeconds = seconds('taskTime')
  return {
    name,
    sqs: own.sqs ?? prefix + name,
    group: own.group ?? null,
    startWithinSeconds: seconds('startWithin'),
    taskSeconds,
    bootSeconds: seconds('bootTime'),
    slotsPerInstance: own.concurrency ?? shared.concurrency ?? defaults.concurrency,
    mode: scaling.mode ?? defaults.mode,
    min: scaling.min ?? defaults.min,
    max: scaling.max ?? null,
    target: scaling.target ?? null,
    priority: own.priority ?? shared.priority ?? defaults.priority,
    instance: resolveInstance({ ...shared.instance, ...own.instance }),
    prefetch: own.prefetch ?? shared.prefetch ?? defaults.prefetch,
    alerts: resolveAlerts(shared.alerts, own.alerts),
    metrics: own.metrics ?? shared.metrics ?? [],
    ...resolveDrain(taskSeconds, { ...shared.drain, ...own.drain }),
    worker: resolveWorker(own.worker ?? shared.worker ?? {}),
  }
}

const resolveInstance = ({ vcpus, dollarsPerHour }: Settings['instance'] & object) => ({
  ...{ instances: 1, vcpus: vcpus ?? null, dollarsPerHour: dollarsPerHour ?? null },
})

// The last task that starts before its worker is quiet has what is left of the two minutes after
// notice, command and hand-back, some thirty seconds; P99 is about three usual tasks.
const longTaskSeconds = (spotNoticeSeconds - 30) / 3

function resolveDrain(taskSeconds: number, { within, onRebalance }: Settings['drain'] & object) {
  const least = Math.max(defaults.drainSecondsLeast, defaults.drainTasks * taskSeconds)
  const policy = onRebalance ?? defaults.onRebalance
  return {
    drainSeconds: parseDuration(within) ?? least,
    drainsOnRebalance: policy === 'drain' || (policy === 'auto' && taskSeconds > longTaskSeconds),
  }
}

function resolveWorker(names: Settings['worker'] & object): QueueConfig['worker'] {
  for (const kind of workerKinds) {
    const name = names[kind]
    if (name !== undefined) return { kind, name }
  }
  return { kind: 'all', name: '' }
}
