import type { Log } from '../../shared/aws.ts'
import { type Drain, deadlineOf, isAsked, reasonOf } from '../../shared/drains.ts'
import type { Metric } from '../../shared/metrics.ts'
import type { Done } from './act.ts'
import type { Why } from './decide.ts'
import { type Ignored, isDone } from './fold.ts'
import type { Mail } from './mail.ts'

/** What one run came to for one instance. */
export type Outcome = {
  readonly instance: string
  /** The messages to bring back when it failed. */
  readonly ids: readonly string[]
} & (
  | {
      readonly kind: 'drain'
      /** Before this run; null when it begins with it. */
      readonly before: Drain | null
      readonly drain: Drain
      readonly why: Why
      readonly done: readonly Done[]
      readonly ignored: readonly Ignored[]
    }
  | { readonly kind: 'ignored'; readonly ignored: readonly (Ignored | 'foreign')[] }
  | { readonly kind: 'failed'; readonly error: unknown }
)

/** What one run came to. */
export type Run = {
  readonly mail: Mail
  readonly outcomes: readonly Outcome[]
  /** Groups of ours without our hook; null where the run did not look. */
  readonly hookless: readonly string[] | null
}

/** One line for each instance, and one for each message that could not be understood. */
export function logRun(log: Log, { mail, outcomes, hookless }: Run): void {
  if (hookless && hookless.length > 0) log.warn('groups without our hook', { groups: hookless })
  for (const { id, error } of mail.refused) log.error('message refused', { id, error })
  for (const what of mail.unknown) log.info('event ignored', { what })
  for (const outcome of outcomes) {
    const { instance } = outcome
    if (outcome.kind === 'failed') log.error('drain failed', { instance, error: outcome.error })
    if (outcome.kind === 'ignored') log.info('ignored', { instance, ignored: outcome.ignored })
    if (outcome.kind === 'drain') log.info('decided', lineOf(outcome))
  }
}

function lineOf({ drain, why, done, ignored }: Extract<Outcome, { kind: 'drain' }>) {
  const { instance, group, queue, worker, fault, ended } = drain
  const reason = reasonOf(drain)
  return {
    ...{ instance, group, queue, reason, why },
    deadline: reason === null ? null : new Date(deadlineOf(drain)).toISOString(),
    steps: done.map((one) => (one.ok ? describe(one) : `${describe(one)}: ${one.error}`)),
    ...(worker ? { phase: worker.phase, running: worker.running } : {}),
    ...(fault ? { fault: fault.name } : {}),
    ...(ended ? { ended: ended.how } : {}),
    ...(ignored.length > 0 ? { ignored } : {}),
  }
}

const describe = ({ step }: Done) =>
  step.do === 'send' ? `send ${step.action}` : 'why' in step ? `${step.do}: ${step.why}` : step.do

/** How fast and how well drains went, for what became known in this run. */
export function metricsOf({ mail, outcomes, hookless }: Run, now: number): Metric[] {
  const drains = outcomes.flatMap((outcome) => (outcome.kind === 'drain' ? outcome : []))
  const ignored = outcomes.flatMap((outcome) => (outcome.kind === 'ignored' ? outcome.ids : []))
  const failed = outcomes.filter(({ kind }) => kind === 'failed').length
  const failedSteps = drains.flatMap(({ done }) => done.filter(({ ok }) => !ok)).length
  const counts: Metric[] = [
    { name: 'NoticesIgnored', value: ignored.length + mail.unknown.length },
    { name: 'NoticesRefused', value: mail.refused.length },
    { name: 'DrainsFailed', value: failed + failedSteps },
  ]
  return [
    ...counts.filter(({ value }) => value > 0),
    ...(hookless ? [{ name: 'GroupsWithoutHook' as const, value: hookless.length }] : []),
    ...drains.flatMap(({ before, drain }) => progressOf(before, drain, now)),
  ]
}

const seconds = (from: number, to: number) => Math.max(0, (to - from) / 1_000)

/** The steps of a drain that this run was the first to know of. */
function progressOf(before: Drain | null, drain: Drain, now: number): Metric[] {
  // A question is no drain, and its times are none.
  if (isAsked(drain) || drain.sent?.asked) return []
  const { noticedAt, sent, acknowledgedAt, quietAt, idleAt, fault, worker } = drain
  const metrics: Metric[] = []
  const add = (name: Metric['name'], value: number) => metrics.push({ name, value })
  if (before === null) add('NoticeAgeSeconds', seconds(noticedAt, now))
  if (sent?.command && !before?.sent?.command) {
    add('NoticeToCommandSeconds', seconds(noticedAt, sent.at))
  }
  if (sent && acknowledgedAt !== null && before?.acknowledgedAt == null) {
    add('CommandToAcknowledgementSeconds', seconds(sent.at, acknowledgedAt))
  }
  if (acknowledgedAt !== null && quietAt !== null && before?.quietAt == null) {
    add('AcknowledgementToQuietSeconds', seconds(acknowledgedAt, quietAt))
  }
  if (quietAt !== null && idleAt !== null && before?.idleAt == null) {
    add('QuietToIdleSeconds', seconds(quietAt, idleAt))
  }
  if (fault && !before?.fault) add('DrainsUnreachable', 1)
  if (worker && isDone(drain) && !(before && isDone(before))) {
    add('TasksHandedBack', worker.handedBack)
    add('TasksFinished', worker.finished)
    add('TasksForced', worker.forced)
  }
  return metrics
}
