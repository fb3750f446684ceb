import { type Drain, deadlineOf, type Fault } from '../../shared/drains.ts'
import { isEqual } from '../../shared/equal.ts'
import type { Notice, Phase, Reason } from '../../shared/events.ts'
import type { QueueConfig } from '../../shared/queue-config.ts'
import { spotNoticeSeconds } from '../../shared/timing.ts'
import { askSeconds } from './asked.ts'

/** Where an instance belongs, and what its queue's configuration says of drains. */
export type Place = {
  readonly instance: string
  readonly group: string
  readonly queue: QueueConfig
}

/** What a notice changed: the drain as it is now, if there is one, or why it changed nothing. */
export type Folded =
  | { readonly drain: Drain }
  | { readonly drain: Drain | null; readonly ignored: Ignored }

export type Ignored =
  /** It has been heard already, or something stronger has. */
  | 'known'
  /** Its moment has passed: nothing that could be done now would be in time. */
  | 'stale'
  /** There is no drain that it could be about. */
  | 'no-drain'
  /** Tasks are short enough to end within the notice of a real interruption. */
  | 'short-tasks'

// EventBridge's times are whole seconds, and a box's clock is not ours: how much earlier than the
// notice a report of the same drain may seem to be.
const skewMilliseconds = 60_000

// Maintenance ends the box at a time that is only announced: its drain ends this long before.
const healthMarginSeconds = 300

/**
 * What is known of a drain once it is known of this notice too. Notices may come twice and in any
 * order: whatever the order, the same notices leave the same drain.
 */
export function fold(drain: Drain | null, notice: Notice, place: Place, now: number): Folded {
  switch (notice.kind) {
    case 'interruption':
    case 'rebalance':
    case 'hook':
    case 'health':
    case 'request':
    case 'withdrawal':
    case 'ask':
    case 'leave':
    case 'release':
      return foldCause(drain, notice, place, now)
    case 'report':
      return foldReport(drain, notice, place, now)
    default:
      if (!drain || drain.ended) return { drain, ignored: 'no-drain' }
      return notice.kind === 'state' ? foldState(drain, notice) : foldInvocation(drain, notice)
  }
}

type Of<K extends Notice['kind']> = Extract<Notice, { kind: K }>
type Question = 'ask' | 'leave' | 'release'
type Cause = 'interruption' | 'rebalance' | 'hook' | 'health' | 'request'
type CauseNotice = Of<Cause | 'withdrawal' | Question>

// What AWS has begun it does not take back; the rest may be withdrawn, by a person or by AWS.
const withdrawable: readonly Reason[] = ['surplus', 'manual', 'rollout', 'health', 'rebalance']

function foldCause(drain: Drain | null, notice: CauseNotice, place: Place, now: number): Folded {
  const { reason, startsAt, deadline } = causeOf(notice, place.queue)
  const forced = !withdrawable.includes(reason)
  if (drain && notice.at <= (drain.calledOff[reason] ?? 0)) return { drain, ignored: 'known' }
  if (drain?.ended && !isAnew(drain, notice, forced)) return { drain, ignored: 'known' }
  const before = drain ?? begin(place, notice.at)
  if (isWithdrawal(notice)) return withdraw(before, notice)
  if (deadline <= now) return { drain, ignored: 'stale' }
  if (notice.kind === 'rebalance' && !place.queue.drainsOnRebalance && !drain) {
    return { drain, ignored: 'short-tasks' }
  }
  const known = drain?.ended ? again(drain, place, notice.at) : before
  const cause = combine(known.causes[reason], { at: notice.at, startsAt, deadline }, reason)
  const next: Drain = {
    ...known,
    noticedAt: Math.min(known.noticedAt, notice.at),
    causes: { ...known.causes, [reason]: cause },
    hook: notice.kind === 'hook' ? hookOf(known, notice) : known.hook,
    leaveAt: notice.kind === 'leave' ? notice.at : known.leaveAt,
  }
  return changed(drain, next)
}

const isWithdrawal = (notice: CauseNotice): boolean =>
  notice.kind === 'withdrawal' ||
  notice.kind === 'release' ||
  (notice.kind === 'health' && notice.cancelled)

function causeOf(notice: CauseNotice, { drainSeconds }: QueueConfig) {
  const { at } = notice
  const budget = at + drainSeconds * 1_000
  switch (notice.kind) {
    case 'interruption':
      return { reason: 'spot', startsAt: at, deadline: at + spotNoticeSeconds * 1_000 } as const
    case 'hook':
      return { reason: 'scale_in', startsAt: at, deadline: budget } as const
    case 'rebalance':
      return { reason: 'rebalance', startsAt: at, deadline: budget } as const
    case 'health': {
      const deadline = notice.startsAt - healthMarginSeconds * 1_000
      return { reason: 'health', startsAt: deadline - drainSeconds * 1_000, deadline } as const
    }
    case 'request':
      return { reason: 'manual', startsAt: at, deadline: notice.deadline ?? budget } as const
    case 'withdrawal':
      return { reason: 'manual', startsAt: at, deadline: budget } as const
    case 'ask':
      return { reason: 'surplus', startsAt: at, deadline: notice.deadline } as const
    case 'leave':
    case 'release':
      return { reason: 'surplus', startsAt: at, deadline: at + askSeconds * 1_000 } as const
  }
}

/** The same reason twice: AWS may move maintenance, whose last word counts; else the earlier. */
function combine(
  known: Drain['causes'][Reason],
  cause: NonNullable<Drain['causes'][Reason]>,
  reason: Reason,
) {
  if (!known) return cause
  if (reason === 'health') return cause.at > known.at ? cause : known
  return cause.deadline < known.deadline ? cause : known
}

/** Removes what may be withdrawn and is not newer; remembers it, for what may come late. */
function withdraw(drain: Drain, notice: CauseNotice): Folded {
  const reasons = withdrawnBy(notice)
  const causes = { ...drain.causes }
  const calledOff = { ...drain.calledOff }
  for (const reason of reasons) {
    if ((causes[reason]?.at ?? 0) <= notice.at) delete causes[reason]
    calledOff[reason] = Math.max(calledOff[reason] ?? 0, notice.at)
  }
  const leaveAt = causes.surplus ? drain.leaveAt : null
  return changed(drain, { ...drain, causes, calledOff, leaveAt })
}

function withdrawnBy({ kind }: CauseNotice): readonly Reason[] {
  if (kind === 'health') return ['health']
  return kind === 'release' ? ['surplus'] : withdrawable
}

/** Whether a notice about an instance whose drain has ended begins another. */
function isAnew({ ended, hook }: Drain, notice: CauseNotice, forced: boolean): boolean {
  if (ended === null) return false
  // A hook waits for somebody, even where its instance was taken before its group noticed.
  if (notice.kind === 'hook') {
    // One that was found by looking has no token: what is older than its end is the same.
    if (hook?.token === null) return notice.at > ended.at
    return notice.hook.token !== hook?.token
  }
  if (ended.how === 'left') return false
  // What was withdrawn says itself which notices came before.
  return forced || ended.how === 'withdrawn' || notice.at > ended.at
}

function hookOf(drain: Drain, { hook, at }: Of<'hook'>): Drain['hook'] {
  // A token names one action: the same again is a duplicate, another a new wait.
  if (drain.hook && (drain.hook.token === hook.token || hook.token === null)) return drain.hook
  // Of one that was found by looking nobody knows how long it has waited: it is extended at once.
  const extendedAt = hook.token === null ? 0 : at
  return { ...hook, openedAt: at, extendedAt, timeoutSeconds: null, completed: null }
}

const order: Readonly<Record<Phase, number>> = {
  ...{ started: 0, quiet: 1, running: 2, idle: 3, busy: 4, failed: 5, resumed: 6 },
  ...{ nothing: 7, 'handed-back': 8, drained: 9 },
}

/** Whether nothing runs on the box any more, nor will; a later command questions that again. */
export function isDone({ worker, sent }: Drain): boolean {
  if (!worker || order[worker.phase] < order.nothing) return false
  // A box that was only asked left no note for a worker that starts later.
  return worker.phase !== 'nothing' || sent === null || (sent.at < worker.at && !sent.asked)
}

function foldReport(drain: Drain | null, notice: Of<'report'>, place: Place, now: number): Folded {
  const { report, at } = notice
  if (!drain || drain.ended) {
    // The watcher on the box may know before we do: its report is a notice as well. After an end
    // only the first report of another drain is: the others may be late ones of the last.
    const { ended } = drain ?? {}
    const anew = ended ? report.phase === 'started' && at > ended.at : !speaksOfNoDrain(report)
    if (!anew || report.deadline <= now || ended?.how === 'left') {
      return { drain, ignored: 'no-drain' }
    }
    const cause = { at, startsAt: at, deadline: report.deadline }
    const fresh = drain ? again(drain, place, at) : begin(place, at)
    const begun = { ...fresh, causes: { [report.reason]: cause } }
    return { drain: heard(begun, notice) }
  }
  if (at < drain.noticedAt - skewMilliseconds) return { drain, ignored: 'stale' }
  return changed(drain, heard(drain, notice))
}

const speaksOfNoDrain = ({ phase }: Of<'report'>['report']) =>
  phase === 'resumed' || phase === 'nothing'

const earliest = (a: number | null, b: number) => (a === null ? b : Math.min(a, b))

/** A report: the newest one counts, and the first that says a thing dates it. */
function heard(drain: Drain, { report, at }: Of<'report'>): Drain {
  const { phase, running, handedBack, finished, forced } = report
  const worker = { phase, at, running, handedBack, finished, forced }
  const newer =
    drain.worker === null ||
    at > drain.worker.at ||
    (at === drain.worker.at && order[phase] > order[drain.worker.phase])
  const done = order[phase] >= order.nothing
  const quiet = done || phase === 'quiet' || phase === 'running' || phase === 'idle'
  return {
    ...drain,
    worker: newer ? worker : drain.worker,
    acknowledgedAt: phase === 'failed' ? drain.acknowledgedAt : earliest(drain.acknowledgedAt, at),
    fault: !newer ? drain.fault : phase === 'failed' ? faultOf(drain, 'drain-failed', at) : null,
    quietAt: quiet ? earliest(drain.quietAt, at) : drain.quietAt,
    idleAt: done || (quiet && running === 0) ? earliest(drain.idleAt, at) : drain.idleAt,
  }
}

const faultOf = (drain: Drain, name: Fault, at: number) => drain.fault ?? { name, at }

const goneStates = ['shutting-down', 'terminated', 'stopping', 'stopped']

function foldState(drain: Drain, { state, at }: Of<'state'>): Folded {
  if (!goneStates.includes(state)) return { drain, ignored: 'known' }
  return changed(drain, { ...drain, goneAt: earliest(drain.goneAt, at) })
}

const unanswered = ['Pending', 'InProgress', 'Delayed']

function foldInvocation(drain: Drain, { command, status, at }: Of<'invocation'>): Folded {
  // The event may be faster than the note of the command's id; another's id is another's.
  const own = drain.sent !== null && (drain.sent.command ?? command) === command
  if (!own) return { drain, ignored: 'no-drain' }
  if (unanswered.includes(status)) return { drain, ignored: 'known' }
  if (status === 'Success') {
    const acknowledgedAt = earliest(drain.acknowledgedAt, at)
    return changed(drain, { ...drain, acknowledgedAt, fault: null })
  }
  if (drain.acknowledgedAt !== null) return { drain, ignored: 'known' }
  const name = status === 'Failed' ? 'script-failed' : 'agent-unreachable'
  return changed(drain, { ...drain, fault: faultOf(drain, name, at) })
}

function begin({ instance, group, queue }: Place, at: number): Drain {
  const nothing = { sent: null, acknowledgedAt: null, fault: null, worker: null, quietAt: null }
  return {
    ...{ instance, group, queue: queue.name, causes: {}, calledOff: {}, noticedAt: at },
    ...{ ...nothing, idleAt: null, status: null, hook: null, goneAt: null, asideAt: null },
    ...{ leaveAt: null, terminatedAt: null, lookAt: null, ended: null },
  }
}

/** Another drain of an instance: what was withdrawn still matters, and that it has gone. */
const again = ({ calledOff, ended, goneAt }: Drain, place: Place, at: number): Drain => ({
  ...begin(place, at),
  calledOff,
  goneAt: ended?.how === 'left' ? (goneAt ?? ended.at) : null,
})

function changed(before: Drain | null, after: Drain): Folded {
  return isEqual(before, after) ? { drain: before, ignored: 'known' } : { drain: after }
}

/** How much nearer the deadline is than the one that was sent; null where none was. */
export const nearerBy = (drain: Drain): number | null =>
  drain.sent === null ? null : drain.sent.deadline - deadlineOf(drain)
