import { awsError } from './service.ts'
import type { TargetTracking } from './target-tracking.ts'

/** Where an instance is in its life, in the words of Auto Scaling's answers. */
export type LifecycleState =
  | 'Pending'
  | 'Pending:Wait'
  | 'Pending:Proceed'
  | 'InService'
  | 'EnteringStandby'
  | 'Standby'
  | 'Terminating'
  | 'Terminating:Wait'
  | 'Terminating:Proceed'

export type Transition =
  | 'autoscaling:EC2_INSTANCE_LAUNCHING'
  | 'autoscaling:EC2_INSTANCE_TERMINATING'

export type ActionResult = 'CONTINUE' | 'ABANDON'

/** A lifecycle hook of a group. */
export type Hook = {
  readonly name: string
  readonly transition: Transition
  readonly heartbeatSeconds: number
  readonly defaultResult: ActionResult
  readonly metadata: string | null
}

/** A hook that holds an instance: what a lifecycle action token stands for. */
export type Action = {
  readonly hook: Hook
  readonly token: string
  /** When the heartbeat timeout ends it: each heartbeat moves this. */
  until: number
  /** When it ends whatever the heartbeats. */
  readonly untilMost: number
}

/** Why an instance goes. */
export type Cause = 'scale-in' | 'unhealthy' | 'api' | 'launch-abandoned'

export type Instance = {
  readonly id: string
  readonly zone: string
  readonly launchedAt: number
  /** The hooks that hold it at present, by their names. */
  readonly actions: Map<string, Action>
  state: LifecycleState
  healthy: boolean
  protectedFromScaleIn: boolean
  /** Whether its box is up and has passed a health check. */
  up: boolean
  inServiceAt: number | null
  /** Set once it leaves. */
  cause: Cause | null
}

export type Group = {
  readonly name: string
  readonly arn: string
  readonly zones: readonly string[]
  readonly tags: Map<string, string>
  readonly instances: Map<string, Instance>
  readonly policies: Map<string, TargetTracking>
  readonly hooks: Map<string, Hook>
  /** Seconds before a new instance counts as warm; null leaves it to the policy. */
  readonly warmupSeconds: number | null
  /** Shown, and nothing more: the twin launches no replacement on a rebalance recommendation. */
  readonly capacityRebalance: boolean
  readonly protectsNew: boolean
  /** Whether it publishes metrics of itself: off until they are asked for. */
  publishes: boolean
  minSize: number
  maxSize: number
  desired: number
}

/** What a group still counts on: neither on its way out nor set aside. */
export const isLive = ({ state }: Instance) => state === 'InService' || state.startsWith('Pending')

/** On its way out; in Terminating:Wait its box still runs. */
export const isLeaving = ({ state }: Instance) => state.startsWith('Terminating')

export const liveInstances = (group: Group) => [...group.instances.values()].filter(isLive)

/**
 * The default termination policy where all instances have one launch template: of those without
 * scale-in protection, in the zone with the most instances, the one closest to its next billing
 * hour. None where all are protected.
 */
export function victimOf(group: Group, now: number): Instance | undefined {
  const open = liveInstances(group).filter((instance) => !instance.protectedFromScaleIn)
  const zone = byLoad(group).findLast((name) => open.some((instance) => instance.zone === name))
  const hourMs = 3_600_000
  const intoHour = ({ launchedAt }: Instance) => (now - launchedAt) % hourMs
  const [victim] = open
    .filter((instance) => instance.zone === zone)
    .sort((a, b) => intoHour(b) - intoHour(a) || (a.id < b.id ? -1 : 1))
  return victim
}

/** The group's zones, the emptiest first. */
export function byLoad(group: Group): string[] {
  const live = liveInstances(group)
  const load = (zone: string) => live.filter((instance) => instance.zone === zone).length
  return [...group.zones].sort((a, b) => load(a) - load(b) || (a < b ? -1 : 1))
}

export function findGroup(groups: ReadonlyMap<string, Group>, name: string | undefined): Group {
  const group = groups.get(name ?? '')
  if (!group) throw invalid(`AutoScalingGroup name not found - AutoScalingGroup ${name} not found`)
  return group
}

/** Most of what Auto Scaling refuses is a ValidationError, told apart by its message alone. */
export const invalid = (message: string) => awsError('ValidationError', message)
