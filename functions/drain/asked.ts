import { type Drain, deadlineOf } from '../../shared/drains.ts'
import type { Phase, Reason } from '../../shared/events.ts'
import type { Decision, Seen } from './decide.ts'

/** An instance that may be one too many: whether it is idle is asked before anything is ended. */

// For how long a box that is asked stays quiet at most, whoever else may have died: an answer, the
// choice, its termination and its hook's event take half a minute.
export const askSeconds = 120

// A box answers when its open poll has landed, 20 s at most, and its agent and reports take some
// seconds more; one that has not answered by then does not.
export const answerSeconds = 45

// A group shows that an instance leaves within this of its being chosen, or it was never told.
export const chosenSeconds = 60

// From an answer's end of being true until nobody may act on it any more.
const marginSeconds = 15

/** What a box says where nothing runs. */
export const nothingRuns: readonly Phase[] = ['idle', 'nothing', 'drained', 'handed-back']

/** Whether it has answered that nothing runs, and keeps quiet still. */
export const isIdle = (drain: Drain | undefined, now: number): boolean =>
  isQuiet(drain, now) && drain?.worker != null && nothingRuns.includes(drain.worker.phase)

/**
 * Whether nothing runs and nothing will start, so that it may end at once. A worker that was not
 * there when it was asked may be there by now, and is to be told.
 */
export const mayEnd = (drain: Drain, now: number): boolean =>
  isQuiet(drain, now) && drain.worker?.phase === 'idle'

const isQuiet = (drain: Drain | undefined, now: number) =>
  drain?.sent?.asked === true && now < drain.sent.deadline - marginSeconds * 1_000

/** Why the box must be told to work again; null where it does so by itself, or was never told. */
export function whyResume({ sent, worker, calledOff }: Drain): Reason | null {
  const isReleased = (calledOff.surplus ?? 0) > (calledOff.manual ?? 0)
  // A person who withdraws wants a worker there, whoever stopped it.
  if (!isReleased) return sent || calledOff.manual !== undefined ? 'manual' : null
  if (sent && !sent.asked) return 'manual'
  const works = worker?.phase === 'busy' || worker?.phase === 'resumed'
  // What was only asked is taken back, and nothing that somebody else has begun meanwhile.
  return works || (sent ?? worker) === null ? null : 'surplus'
}

const after = (at: number, seconds: number) => at + seconds * 1_000

/**
 * One that may be one too many: it is asked, or ended by its group once it is chosen. The rest of
 * its way, and its tasks' if it is busy, is that of any scale-in.
 */
export function followQuestion(drain: Drain, { member }: Seen, now: number): Decision {
  const { leaveAt, terminatedAt, acknowledgedAt } = drain
  const isChosen = leaveAt !== null && now < after(leaveAt, chosenSeconds)
  if (isChosen) {
    if (terminatedAt !== null || member?.state !== 'InService') {
      return { drain, steps: [], why: 'surplus' }
    }
    const step = { do: 'terminate', why: 'surplus', lower: true } as const
    return { drain: { ...drain, terminatedAt: now }, steps: [step], why: 'surplus' }
  }
  // Its group did not take it: it is one among the others again.
  const next = leaveAt === null ? drain : { ...drain, leaveAt: null, terminatedAt: null }
  if (drain.sent || acknowledgedAt !== null || member?.state !== 'InService') {
    return { drain: next, steps: [], why: 'asked' }
  }
  const deadline = deadlineOf(drain)
  const send = { do: 'send', action: 'drain', deadline, reason: 'surplus' } as const
  const sent = { at: now, deadline, asked: true, command: null }
  return { drain: { ...next, sent }, steps: [send], why: 'asked' }
}

/** When its answer should have come, and when it should have left. */
export function nextQuestion({ causes, leaveAt }: Drain, now: number): number | null {
  const moments = [
    causes.surplus ? after(causes.surplus.at, answerSeconds) : null,
    leaveAt === null ? null : after(leaveAt, chosenSeconds),
  ]
  return moments.filter((moment) => moment !== null).find((moment) => moment > now) ?? null
}
