import type { Limit } from '../../shared/queue-config.ts'
import type { LimitName } from '../../shared/queue-schema.ts'

/**
 * What all groups together may have, shared out where they want more. Raises are cut, in turn of
 * priority and urgency; what a lower priority has beyond its min is taken back for a higher one,
 * by a scale-in like any other, which lets running tasks end.
 */

/** What a queue wants, and what it would mean to get less. */
export type Claim = {
  readonly queue: string
  /** The higher wins. */
  readonly priority: number
  /** What an instance counts for each limit. */
  readonly instance: Readonly<Record<LimitName, number | null>>
  readonly min: number
  /** The group's desired capacity. */
  readonly present: number
  /** Instances that count at present: those that leave do until they are gone. */
  readonly held: number
  /** The desired capacity that its own rule decided. */
  readonly wanted: number
  readonly need: {
    readonly visible: number
    readonly ageSeconds: number
    readonly serviceSeconds: number
    readonly slots: number
    readonly startWithinSeconds: number
  }
}

/** Where a queue gets less than it wanted. */
export type Cut = {
  readonly limit: LimitName
  readonly instances: number
  /** Who got most of the limit, the largest share first. */
  readonly got: readonly string[]
  /** Whether what waits now will start too late. */
  readonly breaks: boolean
}

export type Share = { readonly desired: number; readonly cut: Cut | null }

/** What counts for each limit beside the claims. */
export type Used = Readonly<Record<LimitName, number>>

type Part = { readonly claim: Claim; desired: number }

/** By queue. The same whatever the order of the claims. */
export function share(
  limits: readonly Limit[],
  claims: readonly Claim[],
  others: Used,
): ReadonlyMap<string, Share> {
  const parts = claims.map((claim): Part => {
    return { claim, desired: Math.min(claim.present, claim.wanted) }
  })
  const held = claims.map((claim) => [claim, claim.held] as const)
  const full = give(parts, roomsOf(limits, others, held))
  const over = takeBack(parts, limits, others)
  const limit = full ?? over
  const most = limit === null ? [] : largest(parts, limit)
  return new Map(
    parts.map(({ claim, desired }): [string, Share] => {
      const { queue, wanted } = claim
      const instances = wanted - desired
      if (limit === null || instances <= 0) return [queue, { desired, cut: null }]
      const got = most.filter((name) => name !== queue).slice(0, gotMax)
      const breaks = nearness(claim, desired) > 1
      return [queue, { desired, cut: { limit, instances, got, breaks } }]
    }),
  )
}

// As many as a line of a log is read for.
const gotMax = 3

/** Who has most of a limit, and one more, for nobody is told of itself. */
function largest(parts: readonly Part[], limit: LimitName): string[] {
  const used = ({ claim, desired }: Part) => desired * countOf(claim, limit)
  return parts
    .filter((part) => used(part) > 0)
    .sort((a, b) => used(b) - used(a) || (a.claim.queue < b.claim.queue ? -1 : 1))
    .slice(0, gotMax + 1)
    .map(({ claim }) => claim.queue)
}

type Room = Limit & { room: number }

const countOf = ({ instance }: Pick<Claim, 'instance'>, limit: LimitName) => instance[limit] ?? 0

/** What is left of each limit when each claim has so many instances. */
const roomsOf = (
  limits: readonly Limit[],
  others: Used,
  having: readonly (readonly [Pick<Claim, 'instance'>, number])[],
): Room[] =>
  limits.map(({ name, most }) => ({
    ...{ name, most },
    room: having.reduce(
      (room, [claim, instances]) => room - instances * countOf(claim, name),
      most - others[name],
    ),
  }))

// Sums of dollars are not exact.
const tolerance = 1e-9

/**
 * Raises one instance at a time, always that of whom is next, until it does not fit: smaller ones
 * of others would otherwise take the room before it is ever enough. Answers which limit that was.
 */
function give(parts: readonly Part[], rooms: readonly Room[]): LimitName | null {
  const turns = parts.filter(isLacking).sort(inTurn)
  for (let next = turns.shift(); next; next = turns.shift()) {
    const full = lackingFor(next, rooms)
    if (full) return full.name
    raise(next, rooms)
    if (isLacking(next)) insert(turns, next)
  }
  return null
}

/** Puts it where its turn is now; the others' have not changed. */
function insert(turns: Part[], part: Part): void {
  let [from, to] = [0, turns.length]
  while (from < to) {
    const middle = (from + to) >> 1
    const there = turns[middle]
    if (there && inTurn(there, part) < 0) from = middle + 1
    else to = middle
  }
  turns.splice(from, 0, part)
}

const isLacking = ({ claim, desired }: Part) => desired < claim.wanted

const lackingFor = ({ claim }: Part, rooms: readonly Room[]) =>
  rooms.find(({ name, room }) => countOf(claim, name) > room + tolerance)

function raise(part: Part, rooms: readonly Room[], by: 1 | -1 = 1): void {
  part.desired += by
  for (const one of rooms) one.room -= by * countOf(part.claim, one.name)
}

/** Mins come first; then priority; then whose promise is nearer to breaking; then who has less. */
function inTurn(a: Part, b: Part): number {
  const byMin = Number(isBelowMin(b)) - Number(isBelowMin(a))
  if (byMin !== 0) return byMin
  if (a.claim.priority !== b.claim.priority) return b.claim.priority - a.claim.priority
  const [near, other] = [nearness(a.claim, a.desired), nearness(b.claim, b.desired)]
  if (near !== other) return near > other ? -1 : 1
  const [has, others] = [a.desired / a.claim.wanted, b.desired / b.claim.wanted]
  if (has !== others) return has - others
  return a.claim.queue < b.claim.queue ? -1 : 1
}

const firstOf = (parts: readonly Part[]): Part | undefined =>
  parts.reduce<Part | undefined>(
    (best, part) => (best && inTurn(best, part) < 0 ? best : part),
    undefined,
  )

const isBelowMin = ({ claim, desired }: Part) => desired < claim.min

/** When what waits will have started with so many instances, as a share of the promise. */
function nearness({ need }: Claim, instances: number): number {
  const { visible, ageSeconds, serviceSeconds, slots, startWithinSeconds } = need
  if (visible === 0) return 0
  return (ageSeconds + (visible * serviceSeconds) / (instances * slots)) / startWithinSeconds
}

/**
 * What is beyond a limit, and what those of a higher priority still lack, is taken from those who
 * would be raised last, and from nobody who is at its min. The room that is there once all have
 * left who leave already counts, or the same would be taken for each minute that they need.
 * Answers the limit that is exceeded, if one is.
 */
function takeBack(
  parts: readonly Part[],
  limits: readonly Limit[],
  others: Used,
): LimitName | null {
  const later = parts.map((part) => ({ ...part }))
  const rooms = roomsOf(
    limits,
    others,
    later.map(({ claim, desired }) => [claim, desired]),
  )
  const over = rooms.find(({ room }) => room < -tolerance)
  while (rooms.some(({ room }) => room < -tolerance) && takeOne(later, rooms));
  for (;;) {
    const next = firstOf(later.filter(isLacking))
    if (!next || !makeRoom(next, later, rooms)) break
    raise(next, rooms)
  }
  for (const [index, part] of parts.entries()) {
    part.desired = Math.min(part.desired, later[index]?.desired ?? 0)
  }
  return over?.name ?? null
}

/** Takes what one more of it needs, or nothing when that is not to be had. */
function makeRoom(next: Part, parts: readonly Part[], rooms: readonly Room[]): boolean {
  const taken: Part[] = []
  while (lackingFor(next, rooms)) {
    const isWorse = ({ claim }: Part) => isBelowMin(next) || claim.priority < next.claim.priority
    const victim = takeOne(parts.filter(isWorse), rooms)
    if (victim) taken.push(victim)
    else {
      for (const one of taken) raise(one, rooms)
      return false
    }
  }
  return true
}

/** Takes an instance of whom would be raised last; undefined where all are at their mins. */
function takeOne(parts: readonly Part[], rooms: readonly Room[]): Part | undefined {
  const able = parts.filter(({ claim, desired }) => desired > claim.min)
  const last = able.reduce<Part | undefined>(
    (worst, part) => (worst && inTurn(part, worst) < 0 ? worst : part),
    undefined,
  )
  if (last) raise(last, rooms, -1)
  return last
}
