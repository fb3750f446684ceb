import type { Group, GroupReading } from './fleet.ts'
import type { Fleet, QueueConfig } from './queue-config.ts'

/** A queue with the group that works for it, or the reason why that is not known. */
export type Assigned =
  | { readonly queue: QueueConfig; readonly group: Group }
  | { readonly queue: QueueConfig; readonly problem: string }

/** Groups by what finds them, so that a sweep of thousands of queues looks each one up. */
type Index = {
  readonly byName: ReadonlyMap<string, GroupReading>
  readonly byTag: ReadonlyMap<string, readonly GroupReading[]>
  /** The queue that names a group in the file, by the group. */
  readonly namedBy: ReadonlyMap<string, string>
}

/**
 * Which group works for which of `mine`: the one the file names, else the one whose tag does. A
 * tagged group whose queue the file does not have is adopted with the defaults. No group, two
 * groups for a queue, two queues for a group: the problem of the queues concerned, and no other's.
 */
export function assignGroups(
  fleet: Fleet,
  groups: readonly GroupReading[],
  mine: (queueName: string) => boolean,
): Assigned[] {
  const index = indexOf(fleet, groups)
  const listed = new Set(fleet.queues.map(({ name }) => name))
  const strangers = groups.flatMap(({ name, queue }) =>
    queue !== null && !listed.has(queue) && !index.namedBy.has(name) ? queue : [],
  )
  const adopted = fleet.adopt ? [...new Set(strangers)].map(fleet.adoptQueue) : []
  return [...fleet.queues, ...adopted]
    .filter(({ name }) => mine(name))
    .map((queue) => assign(queue, fleet, index))
}

function indexOf(fleet: Fleet, groups: readonly GroupReading[]): Index {
  const byTag = new Map<string, GroupReading[]>()
  for (const group of groups) {
    if (group.queue === null) continue
    byTag.set(group.queue, [...(byTag.get(group.queue) ?? []), group])
  }
  return {
    byName: new Map(groups.map((group) => [group.name, group])),
    byTag,
    namedBy: new Map(
      fleet.queues.flatMap(({ name, group }) => (group === null ? [] : [[group, name] as const])),
    ),
  }
}

function assign(queue: QueueConfig, fleet: Fleet, { byName, byTag, namedBy }: Index): Assigned {
  const named = queue.group === null ? undefined : byName.get(queue.group)
  // A group that the file names and another that the tag finds would share the queue uncounted.
  const own = [...new Set([...(named ? [named] : []), ...(byTag.get(queue.name) ?? [])])]
  const [group, second] = own.sort((a, b) => (a.name < b.name ? -1 : 1))
  if (!group || (queue.group !== null && !named)) {
    const tag = `with the tag ${fleet.tags.queue}=${queue.name}`
    const looked = queue.group === null ? tag : `named ${queue.group}`
    return { queue, problem: `there is no Auto Scaling group ${looked}` }
  }
  if (second) {
    return { queue, problem: `more than one group: ${own.map(({ name }) => name).join(', ')}` }
  }
  const rivals = [namedBy.get(group.name), group.queue]
  const rival = rivals.find((name) => name !== undefined && name !== null && name !== queue.name)
  if (rival) return { queue, problem: `group ${group.name} is claimed by ${rival} too` }
  if ('problem' in group) return { queue, problem: `group ${group.name}: ${group.problem}` }
  return { queue, group }
}

/**
 * The queue that a group works for: the one that names it in the file, else the one that its tag
 * names, when the file has it or adopts. Null: the group is none of this fleet's.
 */
export function queueOf(fleet: Fleet, group: GroupReading): QueueConfig | null {
  const namedBy = fleet.queues.find((queue) => queue.group === group.name)
  if (namedBy) return namedBy
  if (group.queue === null) return null
  if (fleet.tags.fleet !== null && group.fleet !== fleet.name) return null
  const listed = fleet.queues.find(({ name }) => name === group.queue)
  if (listed) return listed
  return fleet.adopt ? fleet.adoptQueue(group.queue) : null
}
