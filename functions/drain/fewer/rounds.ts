import { queueOf } from '../../../shared/assign.ts'
import type { DrainDeps } from '../../../shared/aws.ts'
import { type Drain, isAsked, type Kept, neverSeen, readDrains } from '../../../shared/drains.ts'
import { each } from '../../../shared/each.ts'
import { isEqual } from '../../../shared/equal.ts'
import { type Fewer, readFewer, writeFewer } from '../../../shared/fewer.ts'
import { describeNamed, type Group } from '../../../shared/fleet.ts'
import type { Fleet, QueueConfig } from '../../../shared/queue-config.ts'
import type { Wish } from '../../../shared/wish.ts'
import { fold, type Place } from '../fold.ts'
import { type Subject, seenOf } from '../gather.ts'
import type { Mail } from '../mail.ts'
import type { Outcome } from '../record.ts'
import { decide, newer, type Round } from './decide.ts'

/**
 * The next round of every group that should have fewer instances, whether a wish has come or one
 * that was asked has answered, or should have. What it comes to are notices of single instances.
 */
export async function addRounds(
  deps: DrainDeps,
  fleet: Fleet,
  { wishes }: Mail,
  subjects: readonly Subject[],
  now: number,
): Promise<{ readonly subjects: readonly Subject[]; readonly failures: readonly Outcome[] }> {
  const concerned = concernedBy(wishes, subjects, now)
  if (concerned.length === 0) return { subjects, failures: [] }
  const known = new Map(
    subjects
      .flatMap(({ at }) => (at && 'seen' in at ? [at.seen.group] : []))
      .map((group) => [group.name, group]),
  )
  const unread = concerned.map(({ name }) => name).filter((name) => !known.has(name))
  const read = new Map(
    (await describeNamed(deps, fleet, unread)).map((group) => [group.name, group]),
  )
  const outcomes = await each(concerned, async (one) => {
    const group = known.get(one.name) ?? read.get(one.name)
    const queue = group && queueOf(fleet, group)
    // What is no group of this fleet any more has no instances of ours.
    if (!group || !queue) return []
    if ('problem' in group) throw new Error(`group ${group.name}: ${group.problem}`)
    return nextRound(deps, { ...one, group, queue, subjects }, now)
  })
  const failures: Outcome[] = []
  const merged = new Map(subjects.map((subject) => [subject.instance, subject]))
  for (const outcome of outcomes) {
    if ('value' in outcome) for (const one of outcome.value) merged.set(one.instance, one)
    else {
      const { name: instance, ids } = outcome.item
      failures.push({ kind: 'failed', instance, ids, error: outcome.error })
    }
  }
  return { subjects: [...merged.values()], failures }
}

type Concerned = {
  readonly name: string
  readonly wish: Wish | null
  /** The messages that have brought it up. */
  readonly ids: readonly string[]
}

function concernedBy(
  wishes: Mail['wishes'],
  subjects: readonly Subject[],
  now: number,
): Concerned[] {
  const found = new Map<string, Concerned>()
  for (const { wish, id } of wishes) {
    const { wish: other = null, ids = [] } = found.get(wish.group) ?? {}
    const newest = other && other.at > wish.at ? other : wish
    found.set(wish.group, { name: wish.group, wish: newest, ids: [...ids, id] })
  }
  for (const { at, kept, notices, ids } of subjects) {
    if (!at || 'problem' in at) continue
    // A question that is answered by a stronger reason is none any more; a late report begins one.
    const drains = [kept.drain, foldAll(kept.drain, notices, at.place, now)]
    if (!drains.some((drain) => drain && isAsked(drain))) continue
    const name = at.place.group
    const known = found.get(name) ?? { name, wish: null, ids: [] }
    found.set(name, { ...known, ids: [...known.ids, ...ids] })
  }
  return [...found.values()]
}

const foldAll = (start: Drain | null, notices: Subject['notices'], place: Place, now: number) =>
  notices.reduce((drain, notice) => fold(drain, notice, place, now).drain, start)

type Scene = Concerned & {
  readonly group: Group
  readonly queue: QueueConfig
  readonly subjects: readonly Subject[]
}

// Two runs that meet at one group choose in turn; more than this many in a row is no accident.
const attemptsMax = 5

async function nextRound(deps: DrainDeps, scene: Scene, now: number): Promise<Subject[]> {
  const { group, wish } = scene
  const kept = await keptOf(deps, scene)
  const drains = drainsOf(scene, kept, now)
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    const { fewer: last, version } = await readFewer(deps, group.name)
    const fewer = wish ? newer(last, wish) : (last ?? unwished(group))
    const round = decide({ group, fewer, drains }, now)
    if (await isChosen(deps, { ...fewer, leaving: round.leaving }, last, version)) {
      logRound(deps, group, fewer, round)
      return told(scene, kept, round)
    }
  }
  throw new Error(`${group.name} was written by other runs ${attemptsMax} times in a row`)
}

/** Somebody was asked, and nobody remembers why: all are released. */
const unwished = ({ name, desired }: Group): Fewer => ({
  wish: { group: name, wanted: desired, from: desired, at: 0, until: 0 },
  leaving: {},
})

/** Written down before anybody leaves: of two runs at once, only the one that wrote it chooses. */
async function isChosen(deps: DrainDeps, next: Fewer, last: Fewer | null, version: number) {
  const isNothingNew = last ? isEqual(next, last) : next.wish.at === 0
  return isNothingNew || (await writeFewer(deps, next, version)) === 'written'
}

/** The drains of the instances that are in service, of those that this run has read already too. */
async function keptOf(deps: DrainDeps, { group, subjects }: Scene): Promise<Map<string, Kept>> {
  const own = new Map(subjects.map(({ instance, kept }) => [instance, kept]))
  const serving = group.members.filter(({ kind }) => kind === 'inService').map(({ id }) => id)
  // One that begins with its notice was not read: its state may be there all the same.
  const isRead = (id: string) => own.get(id)?.drain != null
  const read = await readDrains(
    deps,
    serving.filter((id) => !isRead(id)),
  )
  return new Map(serving.map((id) => [id, (isRead(id) ? own.get(id) : read.get(id)) ?? neverSeen]))
}

/** As they will be once they know of what was heard of them. */
function drainsOf(
  { group, queue, subjects }: Scene,
  kept: ReadonlyMap<string, Kept>,
  now: number,
): Map<string, Drain> {
  const heard = new Map(subjects.map(({ instance, notices }) => [instance, notices]))
  return new Map(
    [...kept].flatMap(([instance, { drain }]): [string, Drain][] => {
      const place = { instance, group: group.name, queue }
      const next = foldAll(drain, heard.get(instance) ?? [], place, now)
      return next ? [[instance, next]] : []
    }),
  )
}

/** Those that the round concerns, with its notices behind what was heard of them. */
function told(
  { group, queue, subjects, ids }: Scene,
  kept: ReadonlyMap<string, Kept>,
  { notices }: Round,
): Subject[] {
  const known = new Map(subjects.map((subject) => [subject.instance, subject]))
  return notices.map((notice): Subject => {
    const { instance } = notice
    const subject = known.get(instance)
    if (subject) return { ...subject, notices: [...subject.notices, notice] }
    const place = { instance, group: group.name, queue }
    const at = { place, seen: seenOf(group, instance) }
    return { instance, notices: [notice], ids, kept: kept.get(instance) ?? neverSeen, at }
  })
}

function logRound({ log }: DrainDeps, group: Group, { wish }: Fewer, { notices, surplus }: Round) {
  const of = (kind: string) => notices.flatMap((one) => (one.kind === kind ? one.instance : []))
  const { name, desired } = group
  const { wanted } = wish
  const chosen = { ask: of('ask'), release: of('release'), leave: of('leave') }
  log.info('fewer', { group: name, desired, wanted, surplus, ...chosen })
}
