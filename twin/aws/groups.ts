import type { Random } from '../random.ts'
import type { Change } from './service.ts'
import type { TargetTracking } from './target-tracking.ts'

export type Instance = {
  readonly id: string
  readonly zone: string
  readonly launchedAt: number
  state: 'Pending' | 'InService' | 'Terminating' | 'Standby'
  healthy: boolean
  inServiceAt: number | null
}

export type Group = {
  readonly name: string
  readonly arn: string
  readonly zones: readonly string[]
  readonly tags: Map<string, string>
  readonly instances: Map<string, Instance>
  readonly policies: Map<string, TargetTracking>
  /** Seconds before a new instance counts as warm; null leaves it to the policy. */
  readonly warmupSeconds: number | null
  minSize: number
  maxSize: number
  desired: number
}

/** What a group still counts on: neither terminating nor set aside. */
export const isLive = ({ state }: Instance) => state === 'Pending' || state === 'InService'

export const liveInstances = (group: Group) => [...group.instances.values()].filter(isLive)

/**
 * What Auto Scaling does of its own accord: replaces the unhealthy, launches what is missing, and
 * scales in what is too many. It does not know, and does not ask, who is busy.
 */
export function settle(group: Group, now: number, random: Random): Change[] {
  const changes: Change[] = []
  for (const instance of liveInstances(group)) {
    if (!instance.healthy) changes.push(terminate(group, instance, 'unhealthy'))
  }
  while (liveInstances(group).length > group.desired) {
    changes.push(terminate(group, victimOf(group, now), 'scale-in'))
  }
  while (liveInstances(group).length < group.desired) changes.push(launch(group, now, random))
  return changes
}

function launch(group: Group, now: number, random: Random): Change {
  const zone = byLoad(group)[0] ?? ''
  const hex = () => random.int(0x1_0000).toString(16).padStart(4, '0')
  const id = `i-0${hex()}${hex()}${hex()}${hex()}`
  const instance = { id, zone, launchedAt: now, state: 'Pending', healthy: true } as const
  group.instances.set(id, { ...instance, inServiceAt: null })
  return { kind: 'autoscaling.launched', group: group.name, instance: id }
}

function terminate(group: Group, instance: Instance, cause: 'scale-in' | 'unhealthy'): Change {
  instance.state = 'Terminating'
  return { kind: 'autoscaling.terminating', group: group.name, instance: instance.id, cause }
}

/**
 * The default termination policy where all instances have one launch template: in the zone with
 * the most instances, the one closest to its next billing hour.
 */
function victimOf(group: Group, now: number): Instance {
  const zone = byLoad(group).at(-1)
  const hourMs = 3_600_000
  const intoHour = ({ launchedAt }: Instance) => (now - launchedAt) % hourMs
  const [victim] = liveInstances(group)
    .filter((instance) => instance.zone === zone)
    .sort((a, b) => intoHour(b) - intoHour(a) || (a.id < b.id ? -1 : 1))
  if (!victim) throw new Error(`The group ${group.name} has no instance to scale in`)
  return victim
}

/** The group's zones, the emptiest first. */
function byLoad(group: Group): string[] {
  const live = liveInstances(group)
  const load = (zone: string) => live.filter((instance) => instance.zone === zone).length
  return [...group.zones].sort((a, b) => load(a) - load(b) || (a < b ? -1 : 1))
}
