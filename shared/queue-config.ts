import * as z from 'zod/mini'
import { type Duration, parseDuration } from './duration.ts'
import { checkQueues, checkStartFromZero, type Problem, pathIn } from './queue-checks.ts'

/**
 * The typed configuration that every function shares: one schema, whose inferred type is what a
 * user writes in `fleet.config.ts`, and the resolved form that the code reads.
 */

/** What is published per queue beside BacklogPerInstance; each costs $0.30 per queue and month. */
export const extraMetrics = ['BacklogSeconds', 'WantedCapacity', 'Shortfall'] as const
export type ExtraMetric = (typeof extraMetrics)[number]

export const scalingModes = ['observe', 'target-tracking', 'direct'] as const
export type ScalingMode = (typeof scalingModes)[number]

/** Every default on one page, each with its reason. */
export const defaults = {
  /** Background work that nobody watches; a queue that somebody waits for states its own. */
  startWithin: '5m' satisfies Duration,
  /** A prior only: the usual web product's task takes seconds, its slow ones a minute. */
  taskTime: '30s' satisfies Duration,
  /** A prior only: launch, boot and worker start on a prepared AMI take one to three minutes. */
  bootTime: '2m' satisfies Duration,
  /** One slot never overstates what an instance can do. */
  concurrency: 1,
  /** Nothing is resized until a person says so. */
  mode: 'observe' satisfies ScalingMode,
  /** An idle queue costs nothing; the group's own MinSize still holds. */
  min: 0,
  /** Instances learn their queue and concurrency from these tags when they start. */
  tagQueue: 'celery:queue',
  tagConcurrency: 'celery:concurrency',
  /** One shard sweeps about a thousand queues well within its minute. */
  shards: 1,
} as const

const duration = z.custom<Duration>((value) => parseDuration(value) !== null, {
  error: "write a positive number and a unit, such as '90s', '3m' or '2h'",
})
const whole = (least: number) =>
  z
    .int({ error: `write a whole number, ${least} or more` })
    .check(z.gte(least, { error: `write a whole number, ${least} or more` }))
const text = (pattern: RegExp, remedy: string) =>
  z.string({ error: remedy }).check(z.regex(pattern, { error: remedy }))
const oneOf = <const T extends readonly string[]>(values: T) =>
  z.enum(values, { error: `write one of ${values.map((value) => `'${value}'`).join(', ')}` })
const flag = z.boolean({ error: 'write true or false' })

const scalingSchema = z.strictObject(
  {
    /** `observe` and `target-tracking` publish only; `direct` also sets the desired capacity. */
    mode: z.optional(oneOf(scalingModes)),
    /** Instances kept whatever the backlog. */
    min: z.optional(whole(0)),
    /** Instances never exceeded; without it the group's own MaxSize is the limit. */
    max: z.optional(whole(1)),
    /** Messages per instance a target-tracking policy aims at; without it, from the promise. */
    target: z.optional(
      z
        .number({ error: 'write a number above 0' })
        .check(z.gt(0, { error: 'write a number above 0' })),
    ),
  },
  { error: "write an object such as { mode: 'direct', min: 1, max: 20 }" },
)

const settings = {
  /** The promise: a task starts within this time of being enqueued. */
  startWithin: z.optional(duration),
  /** How long a task usually runs. */
  taskTime: z.optional(duration),
  /** From launch to the first task taken. */
  bootTime: z.optional(duration),
  /** Tasks that one instance runs at a time, where the group has no concurrency tag. */
  concurrency: z.optional(whole(1)),
  scaling: z.optional(scalingSchema),
  /** Metrics published for the queue beside BacklogPerInstance. */
  metrics: z.optional(z.array(oneOf(extraMetrics), { error: 'write a list of metric names' })),
}
const anObject = { error: "write an object such as { startWithin: '3m' }" }
const defaultsSchema = z.strictObject(settings, anObject)
const queueSchema = z.strictObject(
  {
    ...settings,
    /** The SQS queue's name or URL, where it is not the prefix and the queue's own name. */
    sqs: z.optional(
      text(
        /^(https?:\/\/\S+\/)?[\w-]{1,80}(\.fifo)?$/,
        'write the name or the URL of an SQS queue',
      ),
    ),
    /** The Auto Scaling group's name, where it is not found by its tag. */
    group: z.optional(text(/^\S.{0,254}$/, "write the Auto Scaling group's name")),
  },
  anObject,
)
const queueName = text(
  /^[\w-]{1,80}(\.fifo)?$/,
  'name a queue with 1 to 80 letters, digits, hyphens and underscores',
)
const tagKey = text(/^[\w.:/=+@-]{1,128}$/, 'write a tag key of 1 to 128 characters')

const fleetSchema = z.strictObject(
  {
    /** Names everything that is deployed and the metrics' Fleet dimension. */
    name: text(/^[a-z][a-z0-9-]{0,29}$/, 'write 1 to 30 lower-case letters, digits and hyphens'),
    /** Celery's own `queue_name_prefix`: what every SQS queue's name begins with. */
    queueNamePrefix: z.optional(
      text(/^[\w-]{0,60}$/, 'write letters, digits, hyphens, underscores'),
    ),
    tags: z.optional(
      z.strictObject(
        {
          queue: z.optional(tagKey),
          concurrency: z.optional(tagKey),
          /** Where several fleets share an account: only groups whose tag says `name` count. */
          fleet: z.optional(tagKey),
        },
        { error: "write an object such as { queue: 'celery:queue' }" },
      ),
    ),
    /** How many functions share a sweep. */
    shards: z.optional(whole(1)),
    /** Whether a tagged group that is not in this file is taken care of, with the defaults. */
    adopt: z.optional(flag),
    defaults: z.optional(defaultsSchema),
    /** Queues with settings of their own. */
    queues: z.optional(z.record(queueName, queueSchema, { error: 'write a map of queues' })),
    /** Queues that the defaults suit, by name. */
    defaultQueues: z.optional(z.array(queueName, { error: 'write a list of queue names' })),
  },
  { error: 'write an object with the name of the fleet and its queues' },
)

export type FleetInput = z.input<typeof fleetSchema>
type Settings = z.output<typeof queueSchema>

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
  readonly metrics: readonly ExtraMetric[]
}

export type Fleet = {
  readonly name: string
  readonly queueNamePrefix: string
  readonly tags: {
    readonly queue: string
    readonly concurrency: string
    readonly fleet: string | null
  }
  readonly shards: number
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
  if (!parsed.success) return { fleet: null, problems: problemsOf(parsed.error.issues, input) }
  const file = parsed.data
  const resolve = (name: string, own: Settings) =>
    resolveQueue(name, file.queueNamePrefix ?? '', { ...file.defaults }, own)
  const queues = [
    ...Object.entries(file.queues ?? {}).map(([name, own]) => resolve(name, own)),
    ...(file.defaultQueues ?? []).map((name) => resolve(name, {})),
  ]
  const problems = checkQueues(queues, file)
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
    adopt: file.adopt ?? true,
    queues,
    warnings: queues.flatMap((queue) => checkStartFromZero(queue, pathIn(file, queue))),
    adoptQueue: (name) => resolve(name, {}),
  }
  return { fleet, problems: [] }
}

function resolveQueue(
  name: string,
  prefix: string,
  shared: z.output<typeof defaultsSchema>,
  own: Settings,
): QueueConfig {
  const scaling = { ...shared.scaling, ...own.scaling }
  const seconds = (field: 'startWithin' | 'taskTime' | 'bootTime') =>
    parseDuration(own[field] ?? shared[field] ?? defaults[field]) ?? 0
  return {
    name,
    sqs: own.sqs ?? prefix + name,
    group: own.group ?? null,
    startWithinSeconds: seconds('startWithin'),
    taskSeconds: seconds('taskTime'),
    bootSeconds: seconds('bootTime'),
    slotsPerInstance: own.concurrency ?? shared.concurrency ?? defaults.concurrency,
    mode: scaling.mode ?? defaults.mode,
    min: scaling.min ?? defaults.min,
    max: scaling.max ?? null,
    target: scaling.target ?? null,
    metrics: own.metrics ?? shared.metrics ?? [],
  }
}

/** Zod's issues as problems: an unknown key lists the known ones, values stand by their paths. */
function problemsOf(issues: readonly z.core.$ZodIssue[], input: unknown): Problem[] {
  return issues.flatMap((issue): Problem[] => {
    const path = issue.path.map(String)
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) => ({
        path: [...path, key].join('.'),
        value: valueAt(input, [...path, key]),
        remedy: `there is no such setting; there are ${knownKeys(path).join(', ')}`,
      }))
    }
    const remedy = issue.code === 'invalid_key' ? issue.issues[0]?.message : issue.message
    const value = issue.code === 'invalid_key' ? path.at(-1) : valueAt(input, path)
    return [{ path: path.join('.'), value, remedy: remedy ?? issue.message }]
  })
}

function knownKeys(path: string[]): string[] {
  if (path.at(-1) === 'scaling') return Object.keys(scalingSchema.shape)
  if (path[0] === 'queues') return Object.keys(queueSchema.shape)
  if (path[0] === 'defaults') return Object.keys(settings)
  if (path[0] === 'tags') return ['queue', 'concurrency', 'fleet']
  return Object.keys(fleetSchema.shape)
}

function valueAt(input: unknown, path: string[]): unknown {
  let value = input
  for (const key of path) {
    if (typeof value !== 'object' || value === null) return undefined
    value = Object.entries(value).find(([name]) => name === key)?.[1]
  }
  return value
}
