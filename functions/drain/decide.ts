import { type Drain, deadlineOf, isAsked, reasonOf, startOf } from '../../shared/drains.ts'
import type { Reason } from '../../shared/events.ts'
import type { Group, Member } from '../../shared/fleet.ts'
import { followQuestion, mayEnd, nextQuestion, whyResume } from './asked.ts'
import { isDone, nearerBy } from './fold.ts'

/** What AWS shows of the instance at this moment. */
export type Seen = {
  readonly group: Group
  /** Null: its group has it no more. */
  readonly member: Member | null
  /** How many more of the group's instances may be put on standby without exceeding its max. */
  readonly room: number
}

/** What is to be done for one instance, in this order. */
export type Step =
  | {
      readonly do: 'send'
      readonly action: Action
      readonly deadline: number
      readonly reason: Reason
    }
  | { readonly do: 'set-aside' }
  | { readonly do: 'take-back' }
  | { readonly do: 'extend' }
  | { readonly do: 'complete'; readonly why: Why }
  /** `lower`: its group is lowered by it, and gets no other in its place. */
  | { readonly do: 'terminate'; readonly why: Why; readonly lower: boolean }

/** What the command asks of the box. */
export type Action = 'drain' | 'resume' | 'status'

/** Why a drain moved on: each is logged, and those that end one are counted. */
export type Why =
  /** Maintenance is ahead; there is time. */
  | 'scheduled'
  | 'draining'
  /** It is only asked whether it is idle. */
  | 'asked'
  /** It was chosen: its group has one too many. */
  | 'surplus'
  /** Nothing runs on the box any more. */
  | 'idle'
  /** Its time is over, and the box has handed back what ran, or will have. */
  | 'budget'
  /** Neither the command nor any report reached us. */
  | 'unreachable'
  /** The instance is gone. */
  | 'gone'
  /** Every reason was withdrawn. */
  | 'withdrawn'
  /** It had ended already. */
  | 'ended'

export type Decision = {
  readonly drain: Drain
  readonly steps: readonly Step[]
  readonly why: Why
}

// A command that has not been acknowledged by then has a fault: an agent that is alive answers in
// a second or two, and the box's own watcher polls every five.
export const ackSeconds = 10

// A send whose answer was never noted down is sent again: the run died between the two.
const unansweredSeconds = 5

// How much nearer a deadline must come to be sent again: deadlines are sent in steps of this.
export const deadlineStepSeconds = 5

// How long the second channel has to make itself heard once the first has failed: the watcher's
// poll, a quiet phase and a report take half a minute.
const unreachableSeconds = 120

// From the deadline until the box's last report has had time to arrive.
const lastReportSeconds = 15

// Where no report comes (the role may not put events), the box is asked this often.
export const statusSeconds = 60

// How long it holds that a box had nothing to drain: longer than the report takes to arrive, and
// shorter than a worker takes to start.
const nothingSeconds = 15

// A terminate that Auto Scaling took has shown itself by then: a hook's event, or the end.
export const terminateSeconds = 60

// A hook whose timeout is not known yet is extended within the shortest there is.
const hookTimeoutSecondsLeast = 30

const after = (at: number, seconds: number) => at + seconds * 1_000

/** What follows for this instance from all that is known of it. Epoch milliseconds. */
export function decide(drain: Drain, seen: Seen, now: number): Decision {
  if (drain.ended) return { drain, steps: [], why: 'ended' }
  if (isGone(drain, seen.member)) return gone(drain, seen.member, now)
  const reason = reasonOf(drain)
  if (reason === null) return withdrawn(drain, seen, now)
  if (reason === 'surplus') return followQuestion(drain, seen, now)
  if (startOf(drain) > now) return { drain, steps: [], why: 'scheduled' }

  // 1. The command, and the fault that it was not heard.
  const steps: Step[] = []
  let next = faulted(drain, now)
  if (mustSend(next, now)) {
    const deadline = deadlineOf(next)
    steps.push({ do: 'send', action: 'drain', deadline, reason })
    next = { ...next, sent: { at: now, deadline, asked: false, command: null } }
  } else if (mustAsk(next, now)) {
    steps.push({ do: 'send', action: 'status', deadline: deadlineOf(next), reason })
    next = { ...next, status: { at: now, command: null } }
  }

  // 2. Its replacement, where Auto Scaling would not start one by itself.
  if (mustSetAside(drain, seen)) {
    steps.push({ do: 'set-aside' })
    next = { ...next, asideAt: now }
  }

  // 3. Its end.
  const follow = isWaiting(next, seen) ? followHook(next, now) : followInstance(next, seen, now)
  return { ...follow, steps: [...steps, ...follow.steps] }
}

/** Lifecycle states from which no way leads back, and in which nobody waits for us. */
const isGone = ({ goneAt }: Drain, member: Member | null) =>
  goneAt !== null ||
  member === null ||
  /^(Terminating:Proceed|Terminated|Warmed:)/.test(member.state)

const end = (drain: Drain, how: string, now: number): Drain => ({
  ...drain,
  ended: { how, at: now },
})

const complete = (drain: Drain, why: Why, now: number): Decision => ({
  drain: drain.hook
    ? end({ ...drain, hook: { ...drain.hook, completed: why } }, endOf(drain), now)
    : drain,
  steps: [{ do: 'complete', why }],
  why,
})

/** Only what left for good is never heard of again. */
const endOf = ({ hook }: Drain) => (hook?.toWarmPool ? 'pooled' : 'left')

function gone(drain: Drain, member: Member | null, now: number): Decision {
  if (drain.hook && drain.hook.completed === null) return complete(drain, 'gone', now)
  // A box in its warm pool may come back under its id.
  const how = member?.state.startsWith('Warmed:') ? 'pooled' : 'left'
  // On standby nobody checks its health: its group would list it for good.
  const listed = member?.kind === 'standby'
  const steps = listed ? [{ do: 'terminate', why: 'gone', lower: false } as const] : []
  const terminatedAt = listed ? now : drain.terminatedAt
  return { drain: { ...end(drain, how, now), terminatedAt }, steps, why: 'gone' }
}

function withdrawn(drain: Drain, { member }: Seen, now: number): Decision {
  const steps: Step[] = []
  const reason = whyResume(drain)
  if (reason) {
    const deadline = drain.sent?.deadline ?? now
    steps.push({ do: 'send', action: 'resume', deadline, reason })
  }
  if (member?.kind === 'standby') steps.push({ do: 'take-back' })
  return { drain: end(drain, 'withdrawn', now), steps, why: 'withdrawn' }
}

/**
 * A box that had nothing to drain may have been booting, and its worker be there by now; one that
 * works again was resumed by somebody, or never drained. Both are told again, before anything is
 * ended on the strength of what they said.
 */
function mustSendAgain({ sent, worker }: Drain, now: number): boolean {
  if (!worker || (sent && sent.at >= worker.at)) return false
  const stale = worker.phase === 'nothing' && now >= after(worker.at, nothingSeconds)
  return stale || worker.phase === 'resumed'
}

/** Sent, no acknowledgement in time, and no reason known yet: the agent does not answer. */
function faulted(drain: Drain, now: number): Drain {
  const { sent, acknowledgedAt, fault } = drain
  if (!sent?.command || acknowledgedAt !== null || fault) return drain
  if (now < after(sent.at, ackSeconds)) return drain
  return { ...drain, fault: { name: 'agent-unreachable', at: now } }
}

function mustSend(drain: Drain, now: number): boolean {
  if (deadlineOf(drain) <= now) return false
  if (mustSendAgain(drain, now)) return true
  if (isDone(drain)) return false
  if (!drain.sent) return true
  // It goes to work again by itself unless it is told, but for one that its group is ending.
  if (drain.sent.asked) return drain.hook === null || !mayEnd(drain, now)
  if ((nearerBy(drain) ?? 0) >= deadlineStepSeconds * 1_000) return true
  const lost = drain.sent.command === null && drain.acknowledgedAt === null && !drain.fault
  return lost && now >= after(drain.sent.at, unansweredSeconds)
}

/** When the box was last heard of, or told or asked something. */
const lastHeard = ({ sent, acknowledgedAt, worker, status }: Drain) =>
  Math.max(sent?.at ?? 0, acknowledgedAt ?? 0, worker?.at ?? 0, status?.at ?? 0)

const mustAsk = (drain: Drain, now: number) =>
  drain.acknowledgedAt !== null &&
  !isDone(drain) &&
  now < deadlineOf(drain) &&
  now >= after(lastHeard(drain), statusSeconds)

/**
 * A hook keeps the instance out of its group already, and Capacity Rebalancing refills the group.
 * With the first command or not at all: the same notice again must change nothing, even where
 * room has come up meanwhile.
 */
const mustSetAside = (drain: Drain, { group, member, room }: Seen) =>
  (drain.sent === null || drain.sent.asked) &&
  drain.hook === null &&
  member?.state === 'InService' &&
  room > 0 &&
  !group.capacityRebalance &&
  !isDone(drain)

const isWaiting = ({ hook }: Drain, { member }: Seen) =>
  hook !== null && hook.completed === null && member?.state === 'Terminating:Wait'

/** The second channel had its time as well, and nothing came of it. */
const isUnreachable = (drain: Drain, now: number) =>
  drain.fault !== null &&
  drain.acknowledgedAt === null &&
  drain.worker === null &&
  now >= after(watchedSince(drain), unreachableSeconds)

/** Since when the box's watcher has something to see, and ours alone has failed. */
const watchedSince = ({ fault, hook }: Drain) => Math.max(fault?.at ?? 0, hook?.openedAt ?? 0)

function followHook(drain: Drain, now: number): Decision {
  if (isDone(drain) || mayEnd(drain, now)) return complete(drain, 'idle', now)
  if (now >= after(deadlineOf(drain), lastReportSeconds)) return complete(drain, 'budget', now)
  if (isUnreachable(drain, now)) return complete(drain, 'unreachable', now)
  if (!drain.hook || now < extendAt(drain.hook)) return { drain, steps: [], why: 'draining' }
  const hook = { ...drain.hook, extendedAt: now }
  return { drain: { ...drain, hook }, steps: [{ do: 'extend' }], why: 'draining' }
}

/** Half of the timeout, so that a look that fails leaves time for another. */
const extendAt = ({ extendedAt, timeoutSeconds }: NonNullable<Drain['hook']>) =>
  after(extendedAt, (timeoutSeconds ?? hookTimeoutSecondsLeast) / 2)

function followInstance(drain: Drain, { member }: Seen, now: number): Decision {
  const going = member?.kind === 'leaving' || !canTerminate(drain, now)
  if (going) return { drain, steps: [], why: 'draining' }
  const over = now >= after(deadlineOf(drain), lastReportSeconds)
  const heard = drain.acknowledgedAt !== null || drain.worker !== null
  if (isDone(drain) || (over && (heard || reasonOf(drain) === 'spot'))) {
    const why = isDone(drain) ? 'idle' : 'budget'
    const step = { do: 'terminate', why, lower: false } as const
    return { drain: { ...drain, terminatedAt: now }, steps: [step], why }
  }
  if (reasonOf(drain) === 'spot' || !(over || isUnreachable(drain, now))) {
    return { drain, steps: [], why: 'draining' }
  }
  // Nobody told its worker to stop: it works on, and leaving it in service loses nothing.
  const steps = member?.kind === 'standby' ? [{ do: 'take-back' } as const] : []
  return { drain: end(drain, 'unreachable', now), steps, why: 'unreachable' }
}

const canTerminate = ({ terminatedAt }: Drain, now: number) =>
  terminatedAt === null || now >= after(terminatedAt, terminateSeconds)

/**
 * When this drain wants to be looked at next; null where nothing is planned, so that only news of
 * it or the sweep, which looks at every drain each minute, changes anything.
 */
export function nextLook(drain: Drain, now: number): number | null {
  if (drain.ended || reasonOf(drain) === null) return null
  const { sent, acknowledgedAt, fault, hook, terminatedAt, status } = drain
  if (isAsked(drain)) return nextQuestion(drain, now)
  const moments = [
    drain.sent ? null : startOf(drain),
    sent && acknowledgedAt === null && !fault
      ? after(sent.at, sent.command === null ? unansweredSeconds : ackSeconds)
      : null,
    fault && acknowledgedAt === null ? after(watchedSince(drain), unreachableSeconds) : null,
    acknowledgedAt !== null && !isDone(drain) ? after(lastHeard(drain), statusSeconds) : null,
    status?.command ? after(status.at, ackSeconds) : null,
    hook && hook.completed === null ? extendAt(hook) : null,
    after(deadlineOf(drain), lastReportSeconds),
    terminatedAt === null ? null : after(terminatedAt, terminateSeconds),
  ]
  const ahead = moments.filter((moment) => moment !== null).filter((moment) => moment > now)
  return ahead.length === 0 ? null : Math.min(...ahead)
}
