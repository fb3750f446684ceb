import * as z from 'zod/mini'
import { parseTick, type Tick } from './looks.ts'
import { awsEvent, fieldsOf, malformed, parseJson } from './malformed.ts'
import { type Wish, wishMessage } from './wish.ts'

/** Why a worker is drained, the weakest first: a stronger reason replaces a weaker one. */
export const reasons = [
  /** Its group may have one too many: whether it is idle is all that is asked. */
  'surplus',
  ...(['manual', 'rollout', 'health', 'rebalance', 'scale_in', 'spot'] as const),
] as const
export type Reason = (typeof reasons)[number]

/** How far the drain of a box has come, as worker/drain.sh reports it. */
export const phases = [
  'started',
  'quiet',
  'running',
  /** Asked only: it is quiet, and nothing runs. */
  'idle',
  /** Asked only: something runs, and it works on. */
  'busy',
  'drained',
  'handed-back',
  'nothing',
  'resumed',
  'failed',
] as const
export type Phase = (typeof phases)[number]

/** Times are epoch milliseconds; `at` is when the event says that it happened. */
type About = { readonly instance: string; readonly at: number }

/** An event that drain handles, by what it means. */
export type Notice =
  /** EC2 takes the instance: a Spot interruption, or the end of a borrowed reservation. */
  | (About & { readonly kind: 'interruption' })
  /** EC2 thinks that an interruption has become likely. */
  | (About & { readonly kind: 'rebalance' })
  /** The group ends the instance, or puts it into its warm pool, and waits for the hook. */
  | (About & { readonly kind: 'hook'; readonly group: string; readonly hook: OpenHook })
  | (About & { readonly kind: 'state'; readonly state: string })
  /** Maintenance at `startsAt`, or its cancellation. */
  | (About & { readonly kind: 'health'; readonly startsAt: number; readonly cancelled: boolean })
  | (About & { readonly kind: 'invocation'; readonly command: string; readonly status: string })
  | (About & { readonly kind: 'report'; readonly report: Report })
  /** A person wants the instance drained and replaced, or does not any more. */
  | (About & { readonly kind: 'request'; readonly deadline: number | null })
  | (About & { readonly kind: 'withdrawal' })
  /** Fewer are wanted: is it idle? It answers by then, or works on. */
  | (About & { readonly kind: 'ask'; readonly deadline: number })
  /** It is not to leave for being one too many. */
  | (About & { readonly kind: 'release' })
  /** It is the one that leaves, and its group is lowered by it. */
  | (About & { readonly kind: 'leave' })

export type OpenHook = {
  readonly name: string
  /** Null where it was found by looking at the group. */
  readonly token: string | null
  readonly toWarmPool: boolean
}

/** What a box says of its drain. */
export type Report = {
  readonly phase: Phase
  readonly reason: Reason
  /** Epoch milliseconds. */
  readonly deadline: number
  readonly drainId: string | null
  /** Tasks, over all workers of the box. */
  readonly running: number
  readonly handedBack: number
  readonly finished: number
  readonly forced: number
}

/** One message of drain's queues: notices, or a reason to look again. */
export type Message =
  | { readonly kind: 'notices'; readonly notices: readonly Notice[] }
  | { readonly kind: 'timer'; readonly instances: readonly string[] }
  | { readonly kind: 'sweep'; readonly tick: Tick }
  | { readonly kind: 'fewer'; readonly wish: Wish }
  /** Well-formed and none of ours. */
  | { readonly kind: 'unknown'; readonly what: string }

const instanceId = z.string().check(z.regex(/^i-[0-9a-f]{8,17}$/, { error: 'no instance id' }))
const time = z.pipe(
  z.string().check(z.refine((text) => !Number.isNaN(Date.parse(text)), { error: 'no time' })),
  z.transform((text) => Date.parse(text)),
)
const envelope = z.object({ time, detail: z.record(z.string(), z.unknown()) })
const count = z.int().check(z.gte(0))
// Unix seconds of this century, so that milliseconds by mistake are refused.
const unixSeconds = z.number().check(z.gte(1_000_000_000), z.lte(9_999_999_999))

/** An event whose detail has that shape, as notices; a malformed one throws, naming the field. */
const read =
  <T extends z.ZodMiniType>(
    shape: T,
    toNotices: (detail: z.output<T>, at: number) => readonly Notice[],
  ) =>
  (event: unknown, what: string): readonly Notice[] => {
    const around = envelope.safeParse(event)
    if (!around.success) throw malformed(what, fieldsOf(around.error, 'event'))
    const detail = shape.safeParse(around.data.detail)
    if (!detail.success) throw malformed(what, `detail.${fieldsOf(detail.error, '')}`)
    return toNotices(detail.data, around.data.time)
  }

const interruption = read(z.object({ 'instance-id': instanceId }), (detail, at) => [
  { kind: 'interruption', instance: detail['instance-id'], at },
])

const hookDetail = z.object({
  EC2InstanceId: instanceId,
  AutoScalingGroupName: z.string(),
  LifecycleHookName: z.string(),
  LifecycleActionToken: z.string(),
  LifecycleTransition: z.literal('autoscaling:EC2_INSTANCE_TERMINATING'),
  Destination: z.optional(z.string()),
})

const healthDetail = z.object({
  service: z.string(),
  eventTypeCategory: z.string(),
  startTime: time,
  statusCode: z.optional(z.string()),
  affectedEntities: z.array(z.object({ entityValue: z.string() })),
})

const reportDetail = z.object({
  'instance-id': instanceId,
  'drain-id': z.nullable(z.string()),
  reason: z.enum(reasons),
  deadline: unixSeconds,
  phase: z.enum(phases),
  at: unixSeconds,
  running: count,
  handedBack: count,
  finished: count,
  forced: count,
})

const requestDetail = z.object({
  'instance-id': instanceId,
  action: z.enum(['drain', 'withdraw']),
  deadline: z.optional(unixSeconds),
})

/** By source and detail type: what drain handles, and what its rules match (rules.ts). */
const readers: Readonly<Record<string, (event: unknown, what: string) => readonly Notice[]>> = {
  'aws.ec2/EC2 Spot Instance Interruption Warning': interruption,
  'aws.ec2/EC2 Capacity Reservation Instance Interruption Warning': interruption,
  'aws.ec2/EC2 Instance Rebalance Recommendation': read(
    z.object({ 'instance-id': instanceId }),
    (detail, at) => [{ kind: 'rebalance', instance: detail['instance-id'], at }],
  ),
  'aws.ec2/EC2 Instance State-change Notification': read(
    z.object({ 'instance-id': instanceId, state: z.string() }),
    ({ state, ...detail }, at) => [{ kind: 'state', instance: detail['instance-id'], at, state }],
  ),
  'aws.autoscaling/EC2 Instance-terminate Lifecycle Action': read(hookDetail, (detail, at) => [
    {
      kind: 'hook',
      instance: detail.EC2InstanceId,
      group: detail.AutoScalingGroupName,
      at,
      hook: {
        name: detail.LifecycleHookName,
        token: detail.LifecycleActionToken,
        toWarmPool: detail.Destination === 'WarmPool',
      },
    },
  ]),
  'aws.health/AWS Health Event': read(healthDetail, (detail, at) => {
    if (detail.service !== 'EC2' || detail.eventTypeCategory !== 'scheduledChange') return []
    // One event names every instance concerned; what is no instance (a volume) is not ours.
    return detail.affectedEntities.flatMap(({ entityValue: instance }) =>
      instanceId.safeParse(instance).success
        ? {
            ...({ kind: 'health', instance, at, startsAt: detail.startTime } as const),
            cancelled: detail.statusCode === 'closed',
          }
        : [],
    )
  }),
  'aws.ssm/EC2 Command Invocation Status-change Notification': read(
    z.object({ 'command-id': z.string(), 'instance-id': instanceId, status: z.string() }),
    ({ status, ...detail }, at) => [
      {
        ...({ kind: 'invocation', instance: detail['instance-id'], at } as const),
        command: detail['command-id'],
        status,
      },
    ],
  ),
  'celeriac.worker/Celeriac Drain Progress': read(reportDetail, (detail) => [
    {
      ...({ kind: 'report', instance: detail['instance-id'], at: detail.at * 1_000 } as const),
      report: { ...detail, deadline: detail.deadline * 1_000, drainId: detail['drain-id'] },
    },
  ]),
  'celeriac.operator/Celeriac Drain Request': read(requestDetail, (detail, at) => {
    const about = { instance: detail['instance-id'], at }
    if (detail.action === 'withdraw') return [{ kind: 'withdrawal', ...about }]
    const deadline = detail.deadline === undefined ? null : detail.deadline * 1_000
    return [{ kind: 'request', ...about, deadline }]
  }),
}

/** The kinds of events that drain handles, as `source/detail-type`. */
export const handledEvents = Object.keys(readers)

const asked = z.object({ fewer: z.unknown() })
const timerSchema = z.strictObject({ timer: z.array(instanceId) })

/**
 * The body of a message of drain's queues: an EventBridge event, a timer `{timer: [instance ids]}`,
 * a wish `{fewer: {...}}` or the sweep's `{shard, of}`. Throws for a malformed one, naming the
 * field.
 */
export function parseMessage(body: string): Message {
  const event = parseJson(body)
  const aws = awsEvent.safeParse(event)
  if (aws.success) {
    const what = aws.data['detail-type']
    const reader = readers[`${aws.data.source}/${what}`]
    if (!reader) return { kind: 'unknown', what: `'${what}' from ${aws.data.source}` }
    return { kind: 'notices', notices: reader(event, what) }
  }
  const timer = timerSchema.safeParse(event)
  if (timer.success) return { kind: 'timer', instances: timer.data.timer }
  if (asked.safeParse(event).success) {
    const wish = wishMessage.safeParse(event)
    if (!wish.success) throw malformed('fewer', fieldsOf(wish.error, 'message'))
    return { kind: 'fewer', wish: wish.data.fewer }
  }
  return { kind: 'sweep', tick: parseTick(event) }
}
