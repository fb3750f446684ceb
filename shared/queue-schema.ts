import * as z from 'zod/mini'
import { alertsSchema, notifySchema } from './alerts/schema.ts'
import type { Duration } from './duration.ts'
import { duration, flag, oneOf, positive, text, whole } from './schema-parts.ts'

/**
 * The schema of `fleet.config.ts`: what a user writes, and the defaults. queue-config.ts resolves
 * it into what the code reads.
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
  /** Celery's own. */
  prefetch: 4,
  /** Nothing is resized until a person says so. */
  mode: 'observe' satisfies ScalingMode,
  /** An idle queue costs nothing; the group's own MinSize still holds. */
  min: 0,
  /**
   * How long a drain waits for running tasks where nothing harder ends it: ten usual tasks, for
   * P99 is about three of them, and ten minutes at least, for usual is only a prior.
   */
  drainTasks: 10,
  drainSecondsLeast: 600,
  /** By the length of the tasks: only long ones need more than the two minutes of a Spot notice. */
  onRebalance: 'auto',
  /** Instances learn their queue and concurrency from these tags when they start. */
  tagQueue: 'celery:queue',
  tagConcurrency: 'celery:concurrency',
  /** All alike; the higher of two wins, and a queue that can wait has less than this. */
  priority: 0,
  /** One shard sweeps about a thousand queues well within its minute. */
  shards: 1,
} as const

const scalingSchema = z.strictObject(
  {
    /** `observe` and `target-tracking` publish only; `direct` also sets the desired capacity. */
    mode: z.optional(oneOf(scalingModes)),
    /** Instances kept whatever the backlog. */
    min: z.optional(whole(0)),
    /** Instances never exceeded; without it the group's own MaxSize is the limit. */
    max: z.optional(whole(1)),
    /** Messages per instance a target-tracking policy aims at; without it, from the promise. */
    target: z.optional(positive),
  },
  { error: "write an object such as { mode: 'direct', min: 1, max: 20 }" },
)

/** What the whole fleet may have at most. */
export const limitNames = ['instances', 'vcpus', 'dollarsPerHour'] as const
export type LimitName = (typeof limitNames)[number]

const someLimit = 'write at least one of them, such as { instances: 200 }'
const limitsSchema = z
  .strictObject(
    {
      instances: z.optional(whole(1)),
      vcpus: z.optional(positive),
      dollarsPerHour: z.optional(positive),
    },
    { error: someLimit },
  )
  .check(z.refine((limits) => Object.keys(limits).length > 0, { error: someLimit }))
const instanceSchema = z.strictObject(
  { vcpus: z.optional(positive), dollarsPerHour: z.optional(positive) },
  { error: 'write an object such as { vcpus: 4, dollarsPerHour: 0.07 }' },
)

// As many steps as anyone can tell apart.
const priorityMax = 9
const aPriority = `write a whole number from ${-priorityMax} to ${priorityMax}, the higher wins`

export const rebalancePolicies = ['auto', 'drain', 'ignore'] as const

const drainSchema = z.strictObject(
  {
    /** How long running tasks may go on once their instance is to leave, Spot aside. */
    within: z.optional(duration),
    /** Whether EC2's recommendation to rebalance drains; `auto` does where tasks are long. */
    onRebalance: z.optional(oneOf(rebalancePolicies)),
  },
  { error: "write an object such as { within: '1h' }" },
)

/** The ways in which worker/drain.sh is told which worker is meant. */
export const workerKinds = ['unit', 'program', 'container', 'pidfile'] as const

// What the command's document lets through: nothing that a shell could read as more than a name.
const workerName = z.optional(
  text(/^[\w@.:/][\w@.:/-]{0,199}$/, 'write a name of letters, digits and @ . : / _ -'),
)
const oneName = "name one of them, such as { unit: 'celery.service' }"
const workerSchema = z
  .strictObject(
    { unit: workerName, program: workerName, container: workerName, pidfile: workerName },
    { error: oneName },
  )
  .check(z.refine((names) => Object.keys(names).length === 1, { error: oneName }))

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
  /** Celery's `worker_prefetch_multiplier`: messages that a worker holds for each of its slots. */
  prefetch: z.optional(whole(1)),
  /** Who gets more where the fleet's limits are too tight for all. */
  priority: z.optional(
    z
      .int({ error: aPriority })
      .check(z.gte(-priorityMax, { error: aPriority }), z.lte(priorityMax, { error: aPriority })),
  ),
  /** What one instance counts for the fleet's limits. */
  instance: z.optional(instanceSchema),
  /** How long a drain may take, and what begins one. */
  drain: z.optional(drainSchema),
  /** What keeps the worker on its box; without it a drain takes every worker there. */
  worker: z.optional(workerSchema),
  /** What is watched, and from when on somebody is told. */
  alerts: z.optional(alertsSchema),
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

export const fleetSchema = z.strictObject(
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
    /** What all groups together are raised to at most. */
    limits: z.optional(limitsSchema),
    /** Who is told of alerts, and how often. */
    notify: z.optional(notifySchema),
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

/** A queue's settings, or those of `defaults`, as they stand in the file. */
export type Settings = z.output<typeof queueSchema>
