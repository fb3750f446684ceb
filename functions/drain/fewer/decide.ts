import { type Drain, isAsked } from '../../../shared/drains.ts'
import type { Notice, Phase } from '../../../shared/events.ts'
import type { Fewer } from '../../../shared/fewer.ts'
import type { Group } from '../../../shared/fleet.ts'
import type { Wish } from '../../../shared/wish.ts'
import { answerSeconds, askSeconds, chosenSeconds, isIdle, nothingRuns } from '../asked.ts'

/** What is known of a group that should have fewer instances. */
export type Look = {
  readonly group: Group
  readonly fewer: Fewer
  /** Its instances' drains, those that have ended too. */
  readonly drains: ReadonlyMap<string, Drain>
}

/** Who is asked, who is let be, and who leaves. */
export type Round = {
  readonly notices: readonly Notice[]
  readonly leaving: Fewer['leaving']
  /** How many more are to go. */
  readonly surplus: number
}

// One that was busy is not asked again within this: it holds for about as long as a wish.
const restSeconds = 150

// How many more than are to go are asked at once: most are busy, and a round takes 15 seconds.
const moreAsked = 2

// Nobody is looked for forever: after this many busy ones for each that is to go, and a few, one
// of them goes when its tasks have ended, as it would without any question.
const busyPerSurplus = 3
const busyMore = 3

const within = (at: number | null | undefined, seconds: number, now: number) =>
  at !== null && at !== undefined && now < at + seconds * 1_000

/** The newer of two wishes for a group. */
export const newer = (known: Fewer | null, wish: Wish): Fewer =>
  known && known.wish.at >= wish.at ? known : { leaving: known?.leaving ?? {}, wish }

/**
 * The next round: those found idle leave, as many as are one too many; those who were busy or said
 * nothing work on, and others are asked. A wish that is over releases all.
 */
export function decide({ group, fewer, drains }: Look, now: number): Round {
  const chosen = Object.entries(fewer.leaving).filter(([, at]) => within(at, chosenSeconds, now))
  const serving = group.members.filter(({ kind, state }) => kind === 'inService' && state !== '')
  const ids = serving.map(({ id }) => id).filter((id) => !chosen.some(([other]) => other === id))
  const surplus = surplusOf(group, fewer.wish, serving.length - ids.length, now)
  const open = ids.filter((id) => isOpen(drains.get(id)))
  const idle = open.filter((id) => isIdle(drains.get(id), now)).slice(0, surplus)
  const rest = surplus - idle.length
  const waiting = open.filter((id) => rest > 0 && isWaiting(drains.get(id), now))
  const busy = ids.filter((id) => wasBusy(drains.get(id), now))
  const isTired = rest === 0 || busy.length >= rest * busyPerSurplus + busyMore
  const asked = isTired ? [] : whomToAsk(ids, drains, { rest, waiting: waiting.length }, now)
  const isOver = asked.length + waiting.length === 0
  const leaves = [...idle, ...(isOver ? leastBusy(busy, drains).slice(0, rest) : [])]
  const released = open.filter((id) => !leaves.includes(id) && !waiting.includes(id))
  const notices = [
    ...leaves.map((instance): Notice => ({ kind: 'leave', instance, at: now })),
    ...released.map((instance): Notice => ({ kind: 'release', instance, at: now })),
    ...asked.map((instance): Notice => {
      return { kind: 'ask', instance, at: now, deadline: now + askSeconds * 1_000 }
    }),
  ]
  const leaving = { ...Object.fromEntries(chosen), ...Object.fromEntries(leaves.map(at(now))) }
  return { notices, leaving, surplus }
}

const at = (now: number) => (id: string) => [id, now] as const

/** How many are one too many: above what was wished for and min, those chosen already aside. */
function surplusOf(group: Group, wish: Wish, chosen: number, now: number): number {
  const isWanted = now < wish.until && group.desired <= wish.from
  if (!isWanted) return 0
  return Math.max(0, group.desired - Math.max(wish.wanted, group.minSize) - chosen)
}

const isOpen = (drain: Drain | undefined) =>
  drain !== undefined && isAsked(drain) && drain.leaveAt === null

const unanswered: readonly Phase[] = ['started', 'quiet', 'running']

/** Whether an answer may still come. */
function isWaiting(drain: Drain | undefined, now: number): boolean {
  const askedAt = drain?.causes.surplus?.at
  const phase = drain?.worker?.phase ?? 'started'
  return within(askedAt, answerSeconds, now) && unanswered.includes(phase)
}

/** Whether it was found busy, or did not answer, of late. */
function wasBusy(drain: Drain | undefined, now: number): boolean {
  if (drain === undefined) return false
  if (isAsked(drain)) return isOpen(drain) && !isIdle(drain, now) && !isWaiting(drain, now)
  const wasIdle = drain.worker !== null && nothingRuns.includes(drain.worker.phase)
  return drain.ended !== null && !wasIdle && within(drain.calledOff.surplus, restSeconds, now)
}

/** Those of whom nothing is known, oldest first; never so many that none works on. */
function whomToAsk(
  ids: readonly string[],
  drains: Look['drains'],
  { rest, waiting }: { readonly rest: number; readonly waiting: number },
  now: number,
): string[] {
  const isFree = (drain: Drain | undefined) =>
    drain === undefined || (drain.ended !== null && !wasBusy(drain, now))
  const free = ids.filter((id) => isFree(drains.get(id)))
  const most = Math.min(rest + moreAsked, Math.max(1, Math.floor(ids.length / 2))) - waiting
  return free.slice(0, Math.max(0, most))
}

/** Those that have the least to finish first, as far as they said. */
const leastBusy = (ids: readonly string[], drains: Look['drains']) => {
  const running = (id: string) => drains.get(id)?.worker?.running ?? 0
  return [...ids].sort((a, b) => running(a) - running(b))
}
