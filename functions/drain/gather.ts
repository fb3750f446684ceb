import { queueOf } from '../../shared/assign.ts'
import type { DrainDeps } from '../../shared/aws.ts'
import { type Answer, answersTo } from '../../shared/commands.ts'
import { type Drain, type Kept, listDrains, neverSeen, readDrains } from '../../shared/drains.ts'
import { each } from '../../shared/each.ts'
import type { Notice } from '../../shared/events.ts'
import { describeGroups, describeNamed, type Group, type GroupReading } from '../../shared/fleet.ts'
import { groupsOf, terminateHooks } from '../../shared/lifecycle.ts'
import type { Fleet } from '../../shared/queue-config.ts'
import { shardOf } from '../../shared/shards.ts'
import { answersWanted, noticesOf } from './answers.ts'
import { type Seen, terminateSeconds } from './decide.ts'
import type { Place } from './fold.ts'
import type { Letter, Mail } from './mail.ts'

/** An instance, what was heard of it, what is remembered and what AWS shows of it now. */
export type Subject = {
  readonly instance: string
  readonly notices: readonly Notice[]
  readonly ids: readonly string[]
  readonly kept: Kept
  /** Null: the instance belongs to no group of this fleet. */
  readonly at: Located | { readonly problem: string } | null
}

export type Located = { readonly place: Place; readonly seen: Seen }

const causes: readonly Notice['kind'][] = ['interruption', 'rebalance', 'hook', 'health', 'request']

/** Whether a letter may begin a drain: then its instance is usually new, and nothing is read. */
const mayBegin = ({ notices }: Letter) => notices.some(({ kind }) => causes.includes(kind))

// Of an instance without a drain, only these say something.
const speaksAlone: readonly Notice['kind'][] = [...causes, 'report', 'withdrawal']

/**
 * What is needed to decide. A new notice costs two calls, its instance's group and that group; its
 * state is not read, for the first write tells when there is one already.
 */
export async function gather(
  deps: DrainDeps,
  fleet: Fleet,
  mail: Mail,
  now: number,
): Promise<Gathered> {
  const swept = await sweep(deps, fleet, mail)
  const letters = new Map([...swept.letters, ...mail.letters])
  const toRead = [...letters].flatMap(([instance, letter]) =>
    swept.kept.has(instance) || mayBegin(letter) ? [] : instance,
  )
  const kept = new Map([...swept.kept, ...(await readDrains(deps, toRead))])
  const keptOf = (instance: string) => kept.get(instance) ?? neverSeen
  const answers = await hear(deps, [...letters.keys()].map(keptOf), now)
  const concerned = [...letters].filter(([instance, { notices }]) => {
    const { drain } = keptOf(instance)
    const alive = drain !== null && drain.ended === null
    return alive || notices.some(({ kind }) => speaksAlone.includes(kind))
  })
  const places = await locate(deps, fleet, { concerned, keptOf, known: swept.groups })
  const subjects = concerned.map(([instance, { notices, ids }]) => ({
    instance,
    notices: [...notices, ...(answers.get(instance) ?? [])],
    ids,
    kept: keptOf(instance),
    at: places.get(instance) ?? null,
  }))
  return { subjects, hookless: swept.hookless }
}

export type Gathered = {
  readonly subjects: readonly Subject[]
  /** Groups of ours without our hook; null where this run did not look. */
  readonly hookless: readonly string[] | null
}

type Swept = {
  readonly letters: ReadonlyMap<string, Letter>
  readonly kept: ReadonlyMap<string, Kept>
  readonly groups: readonly GroupReading[]
  readonly hookless: Gathered['hookless']
}

/**
 * Once a minute: every drain that goes on, and every instance that waits for our hook and of which
 * nothing was heard, for EventBridge may lose an event and a hook's timeout is an hour.
 */
async function sweep(deps: DrainDeps, fleet: Fleet, { sweeps }: Mail): Promise<Swept> {
  if (sweeps.length === 0) {
    return { letters: new Map(), kept: new Map(), groups: [], hookless: null }
  }
  const ids = sweeps.map(({ id }) => id)
  const mine = (queue: string) => sweeps.some(({ tick }) => shardOf(queue, tick.of) === tick.shard)
  const [all, groups] = await Promise.all([listDrains(deps), describeGroups(deps, fleet)])
  const kept = new Map(all.flatMap((one) => (one.drain ? [[one.drain.instance, one]] : [])))
  const letters = new Map<string, Letter>()
  for (const { drain } of all) {
    if (drain && !drain.ended && mine(drain.queue))
      letters.set(drain.instance, { notices: [], ids })
  }
  const ours = groups.flatMap((group) => {
    const queue = queueOf(fleet, group)
    return 'problem' in group || !queue || !mine(queue.name) ? [] : group
  })
  for (const group of ours) {
    for (const notice of await straysOf(deps, group, kept)) {
      letters.set(notice.instance, { notices: [notice], ids })
    }
  }
  return { letters, kept, groups, hookless: await hooklessOf(deps, ours) }
}

const hourMinutes = 60

/** Once an hour, for hooks come and go with deployments: groups that would end work as it runs. */
async function hooklessOf(deps: DrainDeps, groups: readonly Group[]): Promise<string[] | null> {
  if (Math.floor(deps.clock.now() / 60_000) % hourMinutes !== 0) return null
  const outcomes = await each(groups, ({ name }) => terminateHooks(deps, name))
  return outcomes.flatMap((outcome) => {
    // What could not be read is not known to lack it; the next hour looks again.
    if ('error' in outcome) deps.log.error('hooks unknown', { ...outcome })
    const hooks = 'value' in outcome ? outcome.value : null
    return hooks && !hooks.some(({ name }) => name === deps.drainName) ? outcome.item.name : []
  })
}

const hasJustBeenTerminated = (drain: Drain | null | undefined, now: number) =>
  drain?.terminatedAt != null && now < drain.terminatedAt + terminateSeconds * 1_000

/** Instances of the group that wait for our hook and have no drain that knows of it. */
async function straysOf(
  deps: DrainDeps,
  group: Group,
  kept: ReadonlyMap<string, Kept>,
): Promise<Notice[]> {
  const now = deps.clock.now()
  const waiting = group.members.filter(({ state }) => state === 'Terminating:Wait')
  const unlisted = waiting.flatMap(({ id }) => (kept.has(id) ? [] : id))
  const ended = await readDrains(deps, unlisted)
  const strays = waiting.filter(({ id }) => {
    const drain = (kept.get(id) ?? ended.get(id))?.drain
    const knows = drain?.hook && (!drain.ended || drain.ended.how === 'left')
    // Where we asked for its end ourselves, the hook's event is on its way.
    return !knows && !hasJustBeenTerminated(drain, now)
  })
  if (strays.length === 0) return []
  const hook = (await terminateHooks(deps, group.name)).find(({ name }) => name === deps.drainName)
  if (!hook) return []
  const found = { name: hook.name, token: null, toWarmPool: false }
  return strays.map(({ id: instance }) => ({
    ...{ kind: 'hook', instance, group: group.name, at: now, hook: found },
  }))
}

/** The answers that are due, as notices: one call for each command, however many it went to. */
async function hear(
  deps: DrainDeps,
  kept: readonly Kept[],
  now: number,
): Promise<ReadonlyMap<string, readonly Notice[]>> {
  const drains = kept.flatMap(({ drain }) => drain ?? [])
  const commands = new Set(drains.flatMap((drain) => answersWanted(drain, now)))
  const outcomes = await each([...commands], (command) => answersTo(deps, command))
  const answers: Answer[] = []
  for (const outcome of outcomes) {
    // Without the answer a drain goes on as if there were none: the next look asks again.
    if ('error' in outcome) deps.log.error('answers unknown', { ...outcome })
    else answers.push(...outcome.value)
  }
  return new Map(drains.map((drain) => [drain.instance, noticesOf(drain, answers, now)]))
}

type Concerned = {
  readonly concerned: readonly (readonly [string, Letter])[]
  readonly keptOf: (instance: string) => Kept
  readonly known: readonly GroupReading[]
}

/** The group of each instance and what is seen of it there; none for those that are not ours. */
async function locate(
  deps: DrainDeps,
  fleet: Fleet,
  { concerned, keptOf, known }: Concerned,
): Promise<ReadonlyMap<string, NonNullable<Subject['at']>>> {
  const names = new Map<string, string>()
  for (const [instance, { notices }] of concerned) {
    const hook = notices.find((notice) => notice.kind === 'hook')
    const name = keptOf(instance).drain?.group ?? hook?.group
    if (name !== undefined) names.set(instance, name)
  }
  const homeless = concerned.map(([instance]) => instance).filter((id) => !names.has(id))
  for (const [instance, name] of await groupsOf(deps, homeless)) names.set(instance, name)
  const groups = new Map(known.map((group) => [group.name, group]))
  const unread = [...new Set(names.values())].filter((name) => !groups.has(name))
  for (const group of await describeNamed(deps, fleet, unread)) groups.set(group.name, group)
  return new Map(
    [...names].flatMap(([instance, name]): [string, NonNullable<Subject['at']>][] => {
      const group = groups.get(name)
      const queue = group && queueOf(fleet, group)
      if (!group || !queue) return []
      if ('problem' in group) return [[instance, { problem: `group ${name}: ${group.problem}` }]]
      const place = { instance, group: name, queue }
      return [[instance, { place, seen: seenOf(group, instance) }]]
    }),
  )
}

export const seenOf = (group: Group, instance: string): Seen => ({
  group,
  member: group.members.find(({ id }) => id === instance) ?? null,
  room: group.maxSize - group.desired - group.instances.standby,
})

/** The timeout of our hook in each of these groups, where it has one. */
export async function hookTimeouts(
  deps: DrainDeps,
  drains: readonly Drain[],
): Promise<ReadonlyMap<string, number>> {
  const unknown = drains.filter(({ hook, sent }) => hook && sent && hook.timeoutSeconds === null)
  const groups = [...new Set(unknown.map(({ group }) => group))]
  const outcomes = await each(groups, (group) => terminateHooks(deps, group))
  return new Map(
    outcomes.flatMap((outcome) => {
      const hooks = 'value' in outcome ? outcome.value : []
      const own = hooks.find(({ name }) => name === deps.drainName)
      return own ? [[outcome.item, own.timeoutSeconds] as const] : []
    }),
  )
}
