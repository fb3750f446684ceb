import type { Group, GroupReading } from './fleet.ts'
import type { Fleet, QueueConfig } from './queue-config.ts'

/** A queue with the group that works for it, or the reason why that is not known. */
export type Assigned =
  | { readonly queue: QueueConfig; readonly group: Group }
  | { readonly queue: QueueConfig; readonly problem: string }

/**
 * Which group works for which queue: the one the file names, else the one whose tag does. A tagged
 * group whose queue the file does not have is adopted with the defaults. No group, two groups for
 * a queue, two queues for a group: each is the problem of the queues concerned, and of no other.
 */
export function assignGroups(fleet: Fleet, groups: readonly GroupReading[]): Assigned[] {
  const listed = new Set(fleet.queues.map(({ name }) => name))
  const named = new Set(fleet.queues.flatMap(({ group }) => group ?? []))
  const strangers = groups.flatMap(({ name, queue }) =>
    queue !== null && !listed.has(queue) && !named.has(name) ? queue : [],
  )
  const adopted = fleet.adopt ? [...new Set(strangers)].map(fleet.adoptQueue) : []
  return [...fleet.queues, ...adopted].map((queue) => assign(queue, fleet, groups))
}

function assign(queue: QueueConfig, fleet: Fleet, groups: readonly GroupReading[]): Assigned {
  // A group that the file names and another that the tag finds would share the queue uncounted.
  const own = groups.filter(({ name, queue: tag }) => name === queue.group || tag === queue.name)
  const [group, second] = own.sort((a, b) => (a.name < b.name ? -1 : 1))
  const tag = `${fleet.tags.queue}=${queue.name}`
  if (!group || (queue.group && !own.some(({ name }) => name === queue.group))) {
    const looked = queue.group ? `named ${queue.group}` : `with the tag ${tag}`
    return { queue, problem: `there is no Auto Scaling group ${looked}` }
  }
  if (second) {
    return { queue, problem: `more than one group: ${own.map(({ name }) => name).join(', ')}` }
  }
  const rival =
    fleet.queues.find((other) => other.group === group.name && other.name !== queue.name)?.name ??
    (group.queue !== queue.name ? group.queue : null)
  if (rival !== null) return { queue, problem: `group ${group.name} is claimed by ${rival} too` }
  if ('problem' in group) return { queue, problem: `group ${group.name}: ${group.problem}` }
  return { queue, group }
}
