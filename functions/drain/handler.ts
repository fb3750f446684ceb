import * as z from 'zod/mini'
import fleet from '../../fleet.config.ts'
import {
  type DrainDeps,
  drainEnvironment,
  environment,
  makeAutoScaling,
  makeCloudWatch,
  makeDynamoDb,
  makeSqs,
  makeSsm,
  systemClock,
} from '../../shared/aws.ts'
import { each } from '../../shared/each.ts'
import { lambda } from '../../shared/lambda.ts'
import { publish } from '../../shared/metrics.ts'
import type { Fleet } from '../../shared/queue-config.ts'
import { startTimers } from '../../shared/timer.ts'
import { act, type Done, settle } from './act.ts'
import { type Claimed, type Common, claim, conclude, type Idle, plan } from './claim.ts'
import { addRounds } from './fewer/rounds.ts'
import { gather, hookTimeouts, type Subject } from './gather.ts'
import { sortMail } from './mail.ts'
import { logRun, metricsOf, type Outcome, type Run } from './record.ts'

/** A batch of drain's queues, as Lambda hands it over; what else a record has is not read. */
export type Batch = z.output<typeof batchSchema>
const batchSchema = z.object({
  Records: z.array(z.object({ messageId: z.string(), body: z.string() })),
})

/** Lambda's event of a batch of messages. Throws for anything else, naming the field. */
export function parseBatch(event: unknown): Batch {
  const parsed = batchSchema.safeParse(event)
  if (parsed.success) return parsed.data
  const fields = parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`)
  throw new Error(`This event is not a batch of SQS messages: ${fields.join('; ')}`)
}

/** The messages that come back: those that were refused, and those whose instance failed. */
export type Response = {
  readonly batchItemFailures: readonly { readonly itemIdentifier: string }[]
}

/** On every notice, timer and minute: drain the worker, follow it, and let its instance go. */
export const drain =
  (fleet: Fleet) =>
  async (batch: Batch, deps: DrainDeps): Promise<Response> => {
    const now = deps.clock.now()
    const mail = sortMail(batch.Records)
    const { subjects: heard, hookless } = await gather(deps, fleet, mail, now)
    const { subjects, failures } = await addRounds(deps, fleet, mail, heard, now)
    const { claims, outcomes } = await claimAll(deps, subjects, now)
    const done = await act(deps, claims.map(toClaim))
    const concluded = await concludeAll(deps, claims, done)
    return record(deps, fleet, {
      mail,
      hookless,
      outcomes: [...failures, ...outcomes, ...concluded],
    })
  }

const toClaim = ({ kept: { drain }, located, steps }: Claimed) => ({
  ...{ drain, worker: located.place.queue.worker, steps },
})

/** The write of the state comes first: of two runs at once, only the one that wrote it acts. */
async function claimAll(deps: DrainDeps, subjects: readonly Subject[], now: number) {
  const known = subjects.flatMap(({ kept }) => kept.drain ?? [])
  const timeouts = await hookTimeouts(deps, known)
  const rooms = new Map<string, number>()
  for (const { at } of subjects) if (at && 'seen' in at) rooms.set(at.place.group, at.seen.room)
  const common: Common = { now, rooms, timeouts }
  const claims: Claimed[] = []
  const outcomes: Outcome[] = []
  for (const outcome of await each(subjects, (subject) => claimOne(deps, subject, common))) {
    const { instance, ids } = outcome.item
    if ('error' in outcome) {
      outcomes.push({ kind: 'failed', instance, ids, error: outcome.error })
    } else if (outcome.value.kind === 'claimed') claims.push(outcome.value)
    else outcomes.push({ kind: 'ignored', instance, ids, ignored: outcome.value.ignored })
  }
  return { claims, outcomes }
}

async function claimOne(
  deps: DrainDeps,
  subject: Subject,
  common: Common,
): Promise<Claimed | Idle> {
  const { at } = subject
  if (at === null) return { kind: 'idle', ignored: ['foreign'] }
  if ('problem' in at) throw new Error(at.problem)
  return claim(deps, subject, at, common)
}

/** Timers first: a run that dies between the two is looked after once more, not once less. */
async function concludeAll(
  deps: DrainDeps,
  claims: readonly Claimed[],
  done: readonly Done[],
): Promise<Outcome[]> {
  const now = deps.clock.now()
  const ofInstance = Map.groupBy(done, ({ instance }) => instance)
  const items = claims.map((claimed) => {
    const own = ofInstance.get(claimed.kept.drain.instance) ?? []
    return { claimed, own, timerAt: plan(settle(claimed.kept.drain, own), own, now) }
  })
  const timers = items.flatMap(({ claimed, timerAt }) =>
    timerAt === null ? [] : { instance: claimed.kept.drain.instance, at: timerAt },
  )
  const arn = claims[0]?.located.seen.group.arn ?? ''
  const [started] = await each([timers], (list) => startTimers(deps, list, arn))
  const failed = started && 'error' in started ? started : null
  const outcomes = await each(items, async ({ claimed, own, timerAt }) => {
    // A timer that was not started is not on its way: the message that comes back starts it.
    const drain = await conclude(deps, claimed, own, failed ? null : timerAt)
    if (failed && timerAt !== null) throw failed.error
    return drain
  })
  return outcomes.map((outcome): Outcome => {
    const { claimed, own } = outcome.item
    const { subject, before, why, ignored } = claimed
    const about = { instance: subject.instance, ids: subject.ids }
    if ('error' in outcome) return { kind: 'failed', ...about, error: outcome.error }
    return { kind: 'drain', ...about, before, drain: outcome.value, why, done: own, ignored }
  })
}

/** Ends in no error of its own: it names the messages that come back, and SQS keeps the rest. */
async function record(deps: DrainDeps, fleet: Fleet, run: Run): Promise<Response> {
  logRun(deps.log, run)
  const { mail, outcomes } = run
  const now = deps.clock.now()
  const metrics = metricsOf(run, now)
  // Metrics that are lost are no reason to do everything again.
  const [published] = await each([metrics], (list) => publish(deps, fleet.name, list, now))
  if (published && 'error' in published) deps.log.error('publish failed', { ...published })
  const failed = outcomes.flatMap((outcome) => (outcome.kind === 'failed' ? outcome.ids : []))
  const ids = new Set([...mail.refused.map(({ id }) => id), ...failed])
  return { batchItemFailures: [...ids].map((itemIdentifier) => ({ itemIdentifier })) }
}

const clients = {
  sqs: makeSqs(),
  autoscaling: makeAutoScaling(),
  cloudwatch: makeCloudWatch(),
  dynamodb: makeDynamoDb(),
  ssm: makeSsm(),
  clock: systemClock,
}

export const handler = lambda('drain', parseBatch, (batch, run) =>
  drain(fleet)(batch, { ...clients, ...environment(), ...drainEnvironment(), ...run }),
)
