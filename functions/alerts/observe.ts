import { workloadOf } from '../../shared/sizing/workload.ts'
import type { Facts, Flow, Look, Minutes, Rates, Watched } from './facts.ts'

/** What a run adds to what is remembered of a queue. Pure; seconds throughout. */

const minuteSeconds = 60

/** Over how long messages that come back are counted: a few readings of the rates. */
export const returnedSeconds = 900
/** For how long looks and rates are kept: beyond that, a boot, and what makes a level of both. */
const keptSeconds = 1_800

// After a pause of that length what was seen before says nothing of what goes on.
const pauseSeconds = 600

const neverWatched = (now: number): Watched => ({
  ...{ looks: [], since: now, emptyAt: null, measuredAt: now, ageAt: null },
  ...{ ratesAt: null, flow: null, progressAt: now, cameAt: now, rolloutAt: null, states: {} },
})

/** What is remembered, or what there is to remember of a queue that is new or was left alone. */
export function recalled(watched: Watched | null, now: number): Watched {
  if (!watched) return neverWatched(now)
  const last = watched.looks.at(-1)?.at ?? watched.measuredAt
  if (now - last <= pauseSeconds) return watched
  // Who was told of something is to be told how it ended; and it may be that nothing could be read.
  const { states, measuredAt } = watched
  return { ...neverWatched(now), states, measuredAt }
}

export function observe(facts: Facts, watched: Watched, now: number): Watched {
  const { counts, group } = facts
  const looks = counts && group ? addLook(watched.looks, lookOf(facts, now), now) : watched.looks
  const isEmpty = counts && counts.visible + counts.notVisible + counts.delayed === 0
  const flow = facts.rates ? addFlow(watched.flow, facts.rates, now) : watched.flow
  const next = {
    ...watched,
    looks,
    emptyAt: isEmpty ? now : watched.emptyAt,
    measuredAt: counts && group ? now : watched.measuredAt,
    ageAt: newest(facts.ages) ?? watched.ageAt,
    ratesAt: facts.rates ? now : watched.ratesAt,
    flow,
    rolloutAt: facts.rollout ? now : watched.rolloutAt,
    cameAt: Math.max(watched.cameAt, facts.swept?.cameAt ?? 0, sentAt(facts.sent) ?? 0),
  }
  return { ...next, progressAt: progressOf(facts, next, now) }
}

function lookOf({ counts, group }: Facts, at: number): Look | null {
  if (!counts || !group) return null
  const { visible, notVisible } = counts
  const { desired, instances } = group
  return { at, visible, notVisible, desired, inService: instances.inService }
}

/** The same look again, of a run that is repeated, takes the place of the first. */
function addLook(looks: readonly Look[], look: Look | null, now: number): Look[] {
  const kept = looks.filter(({ at }) => at > now - keptSeconds && at < now)
  return look ? [...kept, look] : kept
}

/** The end of the newest minute that has a value. */
function newest(minutes: Minutes | null): number | null {
  if (!minutes) return null
  const { from, values } = minutes
  for (let index = values.length - 1; index >= 0; index--) {
    if (!Number.isNaN(values[index] ?? Number.NaN)) return from + (index + 1) * minuteSeconds
  }
  return null
}

/** The end of the last minute in which anything was sent. */
function sentAt(sent: Minutes | null): number | null {
  if (!sent) return null
  const index = Array.from(sent.values).findLastIndex((value) => value > 0)
  return index < 0 ? null : sent.from + (index + 1) * minuteSeconds
}

/** The minutes of both, where they overlap the newer, which are the fuller. */
function addFlow(flow: Flow | null, { received, deleted }: Rates, now: number): Flow {
  const oldest = Math.floor((now - keptSeconds) / minuteSeconds) * minuteSeconds
  const from = Math.max(oldest, Math.min(flow?.from ?? received.from, received.from))
  const until = received.from + received.values.length * minuteSeconds
  const steps = Math.max(0, (until - from) / minuteSeconds)
  const both = (kept: readonly (number | null)[] | undefined, read: Minutes) =>
    Array.from({ length: steps }, (_, step) => {
      const at = from + step * minuteSeconds
      const value = read.values[(at - read.from) / minuteSeconds] ?? Number.NaN
      // What no count can be counts as missing.
      if (Number.isFinite(value) && value >= 0) return value
      return flow ? (kept?.[(at - flow.from) / minuteSeconds] ?? null) : null
    })
  return { from, received: both(flow?.received, received), deleted: both(flow?.deleted, deleted) }
}

/** The end of the last minute of which the rates are known. */
export const flowUntil = ({ from, deleted }: Flow) =>
  from + (deleted.findLastIndex((value) => value !== null) + 1) * minuteSeconds

/** The end of the last minute in which anything was deleted; null: in none that is known. */
function deletedAt({ from, deleted }: Flow): number | null {
  const index = deleted.findLastIndex((value) => (value ?? 0) > 0)
  return index < 0 ? null : from + (index + 1) * minuteSeconds
}

type Seen = Omit<Watched, 'progressAt'> & { readonly progressAt: number }

/** When something was last done, or nothing could be expected to be. */
function progressOf(facts: Facts, watched: Seen, now: number): number {
  const { flow, progressAt } = watched
  if (isExcused(facts, watched, now)) return now
  const done = flow ? deletedAt(flow) : null
  return Math.max(progressAt, done ?? 0)
}

/** Nothing waits, nobody is there to work, or everybody works on something long. */
function isExcused(facts: Facts, { looks, flow }: Seen, now: number): boolean {
  const { counts, group, queue } = facts
  if (!counts || !group || counts.visible === 0) return true
  const slots = upSince(looks, now - queue.bootSeconds) * workloadOf(queue, group).slots
  if (slots === 0) return true
  return counts.notVisible >= slots && (flow === null || isReceiving(flow))
}

/** Instances that have been in service since then at least: their workers are up. */
export function upSince(looks: readonly Look[], since: number): number {
  if (looks.length === 0 || (looks[0]?.at ?? 0) > since) return 0
  const known = looks.filter(({ at }) => at >= since)
  return Math.min(...known.map(({ inService }) => inService))
}

// As many published minutes as one long poll or a slow publication may leave empty.
const receivingMinutes = 3

const isReceiving = ({ received }: Flow) =>
  received
    .filter((value) => value !== null)
    .slice(-receivingMinutes)
    .some((value) => value > 0)
