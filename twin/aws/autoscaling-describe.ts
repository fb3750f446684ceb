import type {
  AutoScalingGroup,
  AutoScalingInstanceDetails,
  DescribeAutoScalingGroupsCommandInput,
  DescribeAutoScalingInstancesCommandInput,
  Filter,
} from '@aws-sdk/client-auto-scaling'
import { type Group, type Instance, invalid } from './groups.ts'
import { awsError } from './service.ts'

const recordsPerPageDefault = 50
const recordsPerPageMax = 100
// DescribeAutoScalingInstances takes fewer at a time, ids and records alike.
const instancesPerCallMax = 50

/** DescribeAutoScalingGroups with its names, its filters and its pages. */
export function describe(
  groups: ReadonlyMap<string, Group>,
  input: DescribeAutoScalingGroupsCommandInput,
): object {
  const { AutoScalingGroupNames: names, Filters: filters = [], MaxRecords, NextToken } = input
  const most = mostOf(MaxRecords, recordsPerPageMax)
  if ((names?.length ?? 0) > most) {
    throw invalid(`The number of group names must not exceed ${most}`)
  }
  const found = [...groups.values()]
    .filter((group) => !names?.length || names.includes(group.name))
    .filter((group) => filters.every((filter) => fits(group, filter)))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
  const { page, next } = pageOf(found, most, NextToken)
  return { AutoScalingGroups: page.map(toAws), ...next }
}

/** DescribeAutoScalingInstances: all there are, or those named; an unknown id is no error. */
export function describeInstances(
  groups: ReadonlyMap<string, Group>,
  input: DescribeAutoScalingInstancesCommandInput,
): object {
  const { InstanceIds: ids = [], MaxRecords, NextToken } = input
  const most = mostOf(MaxRecords, instancesPerCallMax)
  if (ids.length > instancesPerCallMax) {
    throw invalid(`The number of instance ids must not exceed ${instancesPerCallMax}`)
  }
  const found = [...groups.values()].flatMap((group) =>
    [...group.instances.values()]
      .filter(({ id }) => ids.length === 0 || ids.includes(id))
      .map((instance) => details(group, instance)),
  )
  const { page, next } = pageOf(found, most, NextToken)
  return { AutoScalingInstances: page, ...next }
}

function mostOf(asked: number | undefined, limit: number): number {
  const most = asked ?? recordsPerPageDefault
  if (most < 1 || most > limit) throw invalid(`MaxRecords must be between 1 and ${limit}`)
  return most
}

function pageOf<T>(found: readonly T[], most: number, token: string | undefined) {
  const from = token === undefined ? 0 : Number(/^page-(\d+)$/.exec(token)?.[1] ?? Number.NaN)
  if (Number.isNaN(from)) throw awsError('InvalidNextToken', 'The token is not valid.')
  const rest = from + most < found.length
  const next = rest ? { NextToken: `page-${from + most}` } : {}
  return { page: found.slice(from, from + most), next }
}

/** The values of one filter are alternatives; several filters must all fit. */
function fits({ tags }: Group, { Name = '', Values = [] }: Filter): boolean {
  if (Name === 'tag-key') return Values.some((key) => tags.has(key))
  if (Name === 'tag-value') return Values.some((value) => [...tags.values()].includes(value))
  if (Name.startsWith('tag:')) return Values.includes(tags.get(Name.slice('tag:'.length)) ?? '')
  throw invalid(`Filter type ${Name} is not correct.`)
}

const toAws = (group: Group): AutoScalingGroup => ({
  AutoScalingGroupName: group.name,
  AutoScalingGroupARN: group.arn,
  MinSize: group.minSize,
  MaxSize: group.maxSize,
  DesiredCapacity: group.desired,
  DefaultCooldown: 300,
  AvailabilityZones: [...group.zones],
  HealthCheckType: 'EC2',
  CreatedTime: new Date(0),
  Tags: [...group.tags].map(([Key, Value]) => ({
    ResourceId: group.name,
    ResourceType: 'auto-scaling-group',
    Key,
    Value,
    PropagateAtLaunch: true,
  })),
  CapacityRebalance: group.capacityRebalance,
  NewInstancesProtectedFromScaleIn: group.protectsNew,
  Instances: [...group.instances.values()].map((instance) => ({
    InstanceId: instance.id,
    AvailabilityZone: instance.zone,
    LifecycleState: instance.state,
    HealthStatus: instance.healthy ? 'Healthy' : 'Unhealthy',
    ProtectedFromScaleIn: instance.protectedFromScaleIn,
  })),
})

// This call gives the health in capitals, as its examples in the API reference do.
const details = (group: Group, instance: Instance): AutoScalingInstanceDetails => ({
  InstanceId: instance.id,
  AutoScalingGroupName: group.name,
  AvailabilityZone: instance.zone,
  LifecycleState: instance.state,
  HealthStatus: instance.healthy ? 'HEALTHY' : 'UNHEALTHY',
  ProtectedFromScaleIn: instance.protectedFromScaleIn,
})
