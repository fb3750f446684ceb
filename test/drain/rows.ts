import { type Decision, decide, type Seen, type Step } from '../../functions/drain/decide.ts'
import { fold, type Ignored, type Place } from '../../functions/drain/fold.ts'
import type { Drain } from '../../shared/drains.ts'
import type { Notice, Phase, Report } from '../../shared/events.ts'
import type { Member } from '../../shared/fleet.ts'
import { groupOf, queueOf } from '../fixtures.ts'

/** One instance of a queue of ten-minute tasks, and what may be heard of it. Seconds from `t0`. */

export const t0 = Date.parse('2026-01-06T15:00:00Z')
export const instance = 'i-0123456789abcdef0'
export const at = (seconds: number) => t0 + seconds * 1_000

export const longTasks = queueOf({ taskTime: '10m', drain: { within: '1h' } })
export const shortTasks = queueOf({ taskTime: '10s' })
export const placeOf = (queue = longTasks): Place => ({ instance, group: 'video-workers', queue })

const about = (seconds: number) => ({ instance, at: at(seconds) })
export const interruption = (seconds: number): Notice => ({
  kind: 'interruption',
  ...about(seconds),
})
export const rebalance = (seconds: number): Notice => ({ kind: 'rebalance', ...about(seconds) })
export const hook = (seconds: number, token = 'token-1'): Notice => ({
  ...{ kind: 'hook', ...about(seconds), group: 'video-workers' },
  hook: { name: 'talk-drain', token, toWarmPool: false },
})
export const state = (seconds: number, name: string): Notice => ({
  ...{ kind: 'state', ...about(seconds), state: name },
})
export const health = (seconds: number, startsIn: number, cancelled = false): Notice => ({
  ...{ kind: 'health', ...about(seconds), startsAt: at(startsIn), cancelled },
})
export const request = (seconds: number, deadlineIn: number | null = null): Notice => ({
  ...{ kind: 'request', ...about(seconds) },
  deadline: deadlineIn === null ? null : at(deadlineIn),
})
export const ask = (seconds: number, deadlineIn: number): Notice => ({
  ...{ kind: 'ask', ...about(seconds), deadline: at(deadlineIn) },
})
export const release = (seconds: number): Notice => ({ kind: 'release', ...about(seconds) })
export const withdrawal = (seconds: number): Notice => ({ kind: 'withdrawal', ...about(seconds) })
export const invocation = (seconds: number, status: string, command = 'command-1'): Notice => ({
  ...{ kind: 'invocation', ...about(seconds), command, status },
})
export const report = (seconds: number, phase: Phase, own: Partial<Report> = {}): Notice => ({
  ...{ kind: 'report', ...about(seconds) },
  report: {
    ...{ phase, reason: 'scale_in', deadline: at(3_600), drainId: 'run-1' },
    ...{ running: 0, handedBack: 0, finished: 0, forced: 0, ...own },
  },
})

export const member = (lifecycle: string, kind: Member['kind'] = 'inService'): Member => ({
  ...{ id: instance, state: lifecycle, kind },
})
export const inService = member('InService')
export const waiting = member('Terminating:Wait', 'leaving')
export const standby = member('Standby', 'standby')

export const seen = (shown: Member | null = inService, own: Partial<Seen> = {}): Seen => ({
  ...{ group: groupOf({ desired: 2, maxSize: 4 }), member: shown, room: 2, ...own },
})

/** Folds the notices one after the other, as they come; the last word on each that was ignored. */
export function foldAll(notices: readonly Notice[], now: number, place = placeOf()) {
  const ignored: Ignored[] = []
  let drain: Drain | null = null
  for (const notice of notices) {
    const folded = fold(drain, notice, place, now)
    drain = folded.drain
    if ('ignored' in folded) ignored.push(folded.ignored)
  }
  return { drain, ignored }
}

/** The same drain once it is known of that notice too. */
export function foldOnto(drain: Drain, notice: Notice): Drain {
  return fold(drain, notice, placeOf(), notice.at).drain ?? drain
}

/** The drain that these notices leave, with a command sent at that second. */
export function drainOf(notices: readonly Notice[], own: Partial<Drain> = {}): Drain {
  const { drain } = foldAll(notices, t0)
  if (!drain) throw new Error('these notices begin no drain')
  return { ...drain, ...own }
}

export const sentAt = (seconds: number, deadlineIn: number): Partial<Drain> => ({
  sent: { at: at(seconds), deadline: at(deadlineIn), asked: false, command: 'command-1' },
})

/** Steps in words: `send drain spot 120`, `complete idle`. */
export const words = ({ steps }: Pick<Decision, 'steps'>) => steps.map(inWords)

function inWords(step: Step): string {
  if (step.do === 'send') {
    return `send ${step.action} ${step.reason} ${(step.deadline - t0) / 1_000}`
  }
  return 'why' in step ? `${step.do} ${step.why}` : step.do
}

export const decided = (drain: Drain, look: Seen, seconds: number) =>
  decide(drain, look, at(seconds))
