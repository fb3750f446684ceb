import {
  type AutoScalingGroup,
  DescribeAutoScalingGroupsCommand,
  type DescribeAutoScalingGroupsCommandInput,
  type Instance,
  SetDesiredCapacityCommand,
} from '@aws-sdk/client-auto-scaling'
import type { Deps } from './aws.ts'
import type { Fleet } from './queue-config.ts'

/** An Auto Scaling group as this project sees it. */
export type Group = {
  readonly name: string
  readonly arn: string
  /** The queue its tag names, or null. */
  readonly queue: string | null
  /** The fleet its tag names, where fleets are told by a tag; or null. */
  readonly fleet: string | null
  /** Tasks that one instance runs at a time, by its tag, or null. */
  readonly slotsPerInstance: number | null
  readonly minSize: number
  readonly maxSize: number
  readonly desired: number
  readonly instances: InstanceCounts
  readonly members: readonly Member[]
  /** Whether Auto Scaling itself replaces instances that Spot is likely to take. */
  readonly capacityRebalance: boolean
}

/** One instance of a group, as Auto Scaling shows it. */
export type Member = {
  readonly id: string
  /** Auto Scaling's own name for it: InService, Terminating:Wait, Standby... */
  readonly state: string
  readonly kind: keyof InstanceCounts
}

/** A group, or what is wrong with its description: its queue's problem, and no other queue's. */
export type GroupReading = Group | Unreadable
type Unreadable = Pick<Group, 'name' | 'queue' | 'fleet'> & { readonly problem: string }

/**
 * The group's instances by what they can do. Only `inService` take work: one that boots does not
 * yet, one in standby or unhealthy does not any more, and one that terminates (a scale-in, a Spot
 * reclaim, a replacement) is doomed, whatever it still runs.
 */
export type InstanceCounts = {
  readonly inService: number
  readonly pending: number
  readonly leaving: number
  readonly standby: number
  readonly unhealthy: number
}

// The most that one DescribeAutoScalingGroups call returns, and the most names it takes.
const groupsPerCall = 100

/**
 * All groups that carry the fleet's tags, and those the file names. Pages of 100; a second listing
 * only for named groups that the tags did not show. Throws Auto Scaling's own errors.
 */
export async function describeGroups(
  deps: Pick<Deps, 'autoscaling' | 'signal'>,
  fleet: Fleet,
): Promise<GroupReading[]> {
  const named = fleet.queues.flatMap(({ group }) => group ?? [])
  const byTag = fleet.adopt || named.length < fleet.queues.length
  const tagged = byTag ? await describePages(deps, { Filters: tagFilters(fleet) }) : []
  const seen = new Set(tagged.map((group) => group.AutoScalingGroupName))
  const missing = named.filter((name) => !seen.has(name))
  const others = await describeNamed(deps, fleet, missing)
  return [...tagged.map((group) => toGroup(group, fleet)), ...others]
}

/** The groups of these names that exist, whatever their tags; one call for each 100 names. */
export async function describeNamed(
  deps: Pick<Deps, 'autoscaling' | 'signal'>,
  fleet: Fleet,
  names: readonly string[],
): Promise<GroupReading[]> {
  const groups: AutoScalingGroup[] = []
  for (let from = 0; from < names.length; from += groupsPerCall) {
    const AutoScalingGroupNames = names.slice(from, from + groupsPerCall)
    groups.push(...(await describePages(deps, { AutoScalingGroupNames })))
  }
  return groups.map((group) => toGroup(group, fleet))
}

/** Writes the desired capacity at once, whatever cooldown a simple scaling policy left behind. */
export async function setDesired(
  deps: Pick<Deps, 'autoscaling' | 'signal'>,
  group: Group,
  desired: number,
): Promise<void> {
  const command = new SetDesiredCapacityCommand({
    AutoScalingGroupName: group.name,
    DesiredCapacity: desired,
    HonorCooldown: false,
  })
  await deps.autoscaling.send(command, { abortSignal: deps.signal })
}

const tagFilters = ({ tags, name }: Fleet) => [
  { Name: 'tag-key', Values: [tags.queue] },
  ...(tags.fleet ? [{ Name: `tag:${tags.fleet}`, Values: [name] }] : []),
]

async function describePages(
  deps: Pick<Deps, 'autoscaling' | 'signal'>,
  which: DescribeAutoScalingGroupsCommandInput,
): Promise<AutoScalingGroup[]> {
  const groups: AutoScalingGroup[] = []
  let NextToken: string | undefined
  do {
    const input = { ...which, MaxRecords: groupsPerCall, ...(NextToken ? { NextToken } : {}) }
    const command = new DescribeAutoScalingGroupsCommand(input)
    const page = await deps.autoscaling.send(command, { abortSignal: deps.signal })
    groups.push(...(page.AutoScalingGroups ?? []))
    NextToken = page.NextToken
  } while (NextToken)
  return groups
}

/** Reads what is needed and names the first field that is missing or malformed. */
function toGroup(group: AutoScalingGroup, { tags }: Fleet): GroupReading {
  const tag = (key: string) => group.Tags?.find(({ Key }) => Key === key)?.Value
  const { AutoScalingGroupARN: arn, MinSize, MaxSize, DesiredCapacity, Instances = [] } = group
  const identity = {
    name: group.AutoScalingGroupName ?? '',
    queue: tag(tags.queue) ?? null,
    fleet: tags.fleet === null ? null : (tag(tags.fleet) ?? null),
  }
  const slots = tag(tags.concurrency) ?? null
  const lacks = (field: string) => ({ ...identity, problem: `its description lacks ${field}` })
  if (arn === undefined) return lacks('AutoScalingGroupARN')
  if (MinSize === undefined) return lacks('MinSize')
  if (MaxSize === undefined) return lacks('MaxSize')
  if (DesiredCapacity === undefined) return lacks('DesiredCapacity')
  if (slots !== null && !/^[1-9]\d{0,3}$/.test(slots)) {
    const problem = `its tag ${tags.concurrency} is '${slots}', not a number of 1 or more`
    return { ...identity, problem }
  }
  return {
    ...identity,
    arn,
    slotsPerInstance: slots === null ? null : Number(slots),
    minSize: MinSize,
    maxSize: MaxSize,
    desired: DesiredCapacity,
    instances: countInstances(Instances),
    members: Instances.map((instance) => ({
      id: instance.InstanceId ?? '',
      state: instance.LifecycleState ?? '',
      kind: kindOf(instance),
    })),
    capacityRebalance: group.CapacityRebalance ?? false,
  }
}

function countInstances(instances: readonly Instance[]): InstanceCounts {
  const counts = { inService: 0, pending: 0, leaving: 0, standby: 0, unhealthy: 0 }
  for (const instance of instances) counts[kindOf(instance)]++
  return counts
}

/** Unknown states count as leaving: capacity that nobody can vouch for is not capacity. */
function kindOf({ LifecycleState, HealthStatus }: Instance): keyof InstanceCounts {
  const state = LifecycleState ?? ''
  if (state.startsWith('Pending')) return 'pending'
  if (state === 'Standby' || state === 'EnteringStandby') return 'standby'
  if (state !== 'InService') return 'leaving'
  return HealthStatus?.toLowerCase() === 'unhealthy' ? 'unhealthy' : 'inService'
}
