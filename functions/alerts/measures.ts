import type { Sample } from '../../shared/alerts/machine.ts'
import type { RuleName } from '../../shared/alerts/rules.ts'
import type { Profile } from '../../shared/sizing/types.ts'
import { conditionOf, isFlowFresh, type Picture, sumOf } from './conditions.ts'
import type { Facts, Look, Watched } from './facts.ts'
import { flowUntil, returnedSeconds } from './observe.ts'

/**
 * The number of each rule, as samples: one of now, or those minutes that CloudWatch has published
 * since. No sample: it is not watched at present; null: it should be and is not known. Pure.
 */

export type Seen = {
  readonly facts: Facts
  readonly watched: Watched
  readonly picture: Picture
  readonly now: number
}

type Measure = (seen: Seen) => readonly Sample[]

const minuteSeconds = 60
// SQS publishes a minute within two or three of its end.
const publishedAfterSeconds = 180

/** One sample of now. */
const sampled =
  (measure: (seen: Seen) => number | null): Measure =>
  (seen) => [{ at: seen.now, value: measure(seen) }]

/** Of a look at counts and group; null where one of them could not be read. */
const looked = (measure: (seen: Seen, look: Look) => number) =>
  sampled((seen) => {
    const look = seen.watched.looks.at(-1)
    return look && look.at === seen.now ? measure(seen, look) : null
  })

export const measures: Readonly<Record<RuleName, Measure>> = {
  'oldest-age': ages,
  depth: looked((_, { visible }) => visible),
  'time-to-breach': looked(secondsToBreach),
  stalled,
  orphaned: looked(beyondHeld),
  redelivery,
  'dead-letter': ({ facts, now }) =>
    facts.deadLetters === null ? [] : [{ at: now, value: facts.deadLetters }],
  'no-capacity': looked(missingInstances),
  'at-max': looked(wantedBeyondMax),
  'producer-silent': silence,
  blind: sampled(blindSeconds),
}

/** Those that CloudWatch has, or how old the oldest can be at most where nobody had to ask. */
function ages({ facts, watched, now }: Seen): Sample[] {
  if (!facts.ages) {
    const until = publishedUntil(now)
    const most = watched.emptyAt === null ? null : Math.max(0, until - watched.emptyAt)
    return most === null ? [] : [{ at: until, value: most }]
  }
  const isEmpty = watched.emptyAt === now
  const { from, values } = facts.ages
  const known = Array.from(values, (value, minute): Sample[] => {
    const at = from + (minute + 1) * minuteSeconds
    if (!Number.isNaN(value)) return [{ at, value }]
    // What is not published yet is no gap.
    if (at > publishedUntil(now)) return []
    return [isEmpty ? { at, value: null, idle: true } : { at, value: null }]
  })
  return known.flat()
}

export const publishedUntil = (now: number) =>
  Math.floor((now - publishedAfterSeconds) / minuteSeconds) * minuteSeconds

// "Not in sight", of a number that must be finite.
const neverSeconds = 86_400
// The sizing rule spends most of a promise on waiting: growth before that is its plan.
const spentShare = 0.9
// Over less than that a slope is noise.
const slopeSeconds = 240

/** How soon messages wait for longer than promised, with all that is desired at work. */
function secondsToBreach({ watched, picture, now }: Seen, { visible, desired }: Look): number {
  const { workload, promiseSeconds, serviceSeconds, throughput } = picture
  const since = now - slopeSeconds
  if (!workload || visible === 0 || (watched.looks[0]?.at ?? now) > since) return neverSeconds
  const looks = watched.looks.filter(({ at }) => at >= since)
  const growing = slopeOf(looks)
  const soon = Math.max(throughput, (desired * workload.slots) / serviceSeconds)
  const left = promiseSeconds * soon - visible
  if (visible < spentShare * promiseSeconds * soon) return neverSeconds
  if (left <= 0) return 0
  const grows = throughput + growing - soon
  return grows <= 0 ? neverSeconds : Math.min(neverSeconds, left / grows)
}

/** Messages a second, by least squares. */
export function slopeOf(looks: readonly Look[]): number {
  const mean = (of: (look: Look) => number) =>
    looks.reduce((sum, look) => sum + of(look), 0) / looks.length
  const [at, visible] = [mean((look) => look.at), mean((look) => look.visible)]
  const spread = mean((look) => (look.at - at) ** 2)
  const together = mean((look) => (look.at - at) * (look.visible - visible))
  return spread === 0 ? 0 : together / spread
}

/** Judged where the rates were just read: between two readings nobody knows. */
function stalled({ facts, watched, now }: Seen): Sample[] {
  const { flow, progressAt } = watched
  if (progressAt === now) return [{ at: now, value: 0 }]
  if (!facts.rates || !flow) return []
  return [{ at: now, value: Math.max(0, flowUntil(flow) - progressAt) }]
}

/** In flight beyond what all workers hold, those that leave included. */
function beyondHeld({ facts, picture, watched }: Seen, { notVisible }: Look): number {
  const { workload } = picture
  if (!workload || !facts.group) return 0
  const { inService, leaving, standby, pending, unhealthy } = facts.group.instances
  // Counts settle within a minute: what was there two looks ago may still be counted.
  const before = Math.max(0, ...watched.looks.slice(-3).map((look) => look.inService))
  const instances = Math.max(inService, before) + leaving + standby + pending + unhealthy
  return Math.max(0, notVisible - instances * workload.slots * facts.queue.prefetch)
}

/**
 * Instances that were desired throughout the last boot, and more than were ever in service in it:
 * however many are launched one after the other, those that arrive are not missed.
 */
function missingInstances({ watched, picture, now }: Seen): number {
  const since = now - picture.bootSeconds
  const looks = watched.looks.filter(({ at }) => at >= since)
  // Before the first look nobody knows what was desired.
  if ((watched.looks[0]?.at ?? now) > since) return 0
  const desired = Math.min(...looks.map((look) => look.desired))
  const inService = Math.max(...looks.map((look) => look.inService))
  return Math.max(0, desired - inService)
}

// What is wanted for what is foreseen alone leaves slots free.
const busyShare = 0.8

/** Instances that the sweep wants beyond max, while those that there are have enough to do. */
function wantedBeyondMax({ facts, picture }: Seen, { notVisible, inService }: Look): number {
  const slots = inService * (picture.workload?.slots ?? 0)
  return notVisible < busyShare * slots ? 0 : (facts.swept?.shortfall ?? 0)
}

// Counts settle within a minute, and looks are a minute apart: what was in flight at a moment is
// between the least and the most of these readings around it.
const aroundSeconds = 150
const levelLooks = 3

/** As the workers count; where none has anything to tell, or none has the package, an estimate. */
function redelivery(seen: Seen): Sample[] {
  const { again } = seen.picture
  return again > 0 ? [{ at: seen.now, value: again }] : estimated(seen)
}

/**
 * Messages that were received, neither deleted nor in flight any more: those that came back,
 * without what our own drains gave back. An estimate, for counts and rates are approximate.
 */
function estimated({ facts, watched, now }: Seen): Sample[] {
  const { flow, looks } = watched
  if (!facts.rates || !flow || !isFlowFresh(watched, now, 2 * publishedAfterSeconds)) return []
  const returned = returnedOf(flow, looks)
  if (returned === null) return []
  return [{ at: now, value: Math.max(0, returned.messages - (facts.handedBack ?? 0)) }]
}

/**
 * At least so many, since that moment; null where it is not known what was in flight at the
 * beginning or the end.
 */
export function returnedOf(
  flow: NonNullable<Watched['flow']>,
  looks: readonly Look[],
): { readonly messages: number; readonly since: number } | null {
  const until = flowUntil(flow)
  const earliest = Math.max(flow.from, until - returnedSeconds)
  const first = looks.find(({ at }) => at >= earliest)
  const since = first ? Math.floor(first.at / minuteSeconds) * minuteSeconds : 0
  const start = levelsAt(looks, since)
  const end = levelsAt(looks, until)
  if (!first || start.length < levelLooks || end.length < levelLooks) return null
  const skip = Math.max(0, (since - flow.from) / minuteSeconds)
  const received = sumOf(flow.received.slice(skip))
  const deleted = sumOf(flow.deleted.slice(skip))
  return { messages: received - deleted - (Math.max(...end) - Math.min(...start)), since }
}

/** What was in flight around that moment. */
const levelsAt = (looks: readonly Look[], moment: number) =>
  looks.flatMap(({ at, notVisible }) => (Math.abs(at - moment) <= aroundSeconds ? notVisible : []))

// Where so many should have come, it is no chance that none did.
const expectedLeast = 30

/**
 * Counts miss what comes and goes between two looks: that nothing was sent is CloudWatch's to say,
 * where it is asked, which is where the counts have shown nothing for long.
 */
function silence(seen: Seen): Sample[] {
  const { facts, watched, now } = seen
  if (!seemsSilent(seen)) return [{ at: now, value: 0 }]
  if (!facts.sent) return []
  return [{ at: now, value: Math.max(0, publishedUntil(now) - watched.cameAt) }]
}

/** Whether nothing has come, as the counts have it, for longer than it may. */
export function seemsSilent({ facts, watched, picture, now }: Seen): boolean {
  const settings = facts.queue.alerts['producer-silent']
  if (!settings) return false
  const { threshold } = conditionOf('producer-silent', settings, picture)
  const silent = now - watched.cameAt
  if (silent <= threshold) return false
  if (settings.threshold !== null) return true
  const expected = Object.values(facts.profiles).map((profile) =>
    foreseen(profile, watched.cameAt, now),
  )
  return expected.length > 0 && Math.min(...expected) >= expectedLeast
}

/** Arrivals that a profile has between two moments. */
function foreseen({ from, stepSeconds, counts }: Profile, since: number, now: number): number {
  let sum = 0
  for (let step = 0; step < counts.length; step++) {
    const at = from + step * stepSeconds
    const overlap = Math.min(at + stepSeconds, now) - Math.max(at, since)
    if (overlap > 0) sum += ((counts[step] ?? 0) * overlap) / stepSeconds
  }
  return sum
}

// A queue that was touched for that long is published minute by minute; before, SQS may lag.
const activeSeconds = 900

/** For how long something that should be known each minute has not been. */
function blindSeconds({ facts, watched, now }: Seen): number {
  const unread = now - watched.measuredAt
  const unswept = now - Math.max(facts.swept?.at ?? watched.since, watched.since)
  const isActive = now - watched.since > activeSeconds
  const unaged =
    facts.ages && isActive && watched.emptyAt !== now
      ? publishedUntil(now) - Math.max(watched.ageAt ?? 0, watched.since + activeSeconds)
      : 0
  return Math.max(0, unread, unswept, unaged)
}
