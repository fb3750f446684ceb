import type {
  AutoScalingGroup,
  DescribeAutoScalingGroupsCommandInput,
  Filter,
} from '@aws-sdk/client-auto-scaling'
import type { Group } from './groups.ts'
import { awsError } from './service.ts'

const recordsPerPageDefault = 50
const recordsPerPageMax = 100

/** DescribeAutoScalingGroups with its names, its filters and its pages. */
export function describe(
  groups: ReadonlyMap<string, Group>,
  input: DescribeAutoScalingGroupsCommandInput,
): object {
  const { AutoScalingGroupNames: names, Filters: filters = [], MaxRecords, NextToken } = input
  const most = MaxRecords ?? recordsPerPageDefault
  if (most < 1 || most > recordsPerPageMax) {
    throw awsError('ValidationError', `MaxRecords must be between 1 and ${recordsPerPageMax}`)
  }
  if ((names?.length ?? 0) > most) {
    throw awsError('ValidationError', `The number of group names must not exceed ${most}`)
  }
  const from =
    NextToken === undefined ? 0 : Number(/^page-(\d+)$/.exec(NextToken)?.[1] ?? Number.NaN)
  if (Number.isNaN(from)) throw awsError('InvalidNextToken', 'The token is not valid.')
  const found = [...groups.values()]
    .filter((group) => !names?.length || names.includes(group.name))
    .filter((group) => filters.every((filter) => fits(group, filter)))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
  const page = found.slice(from, from + most)
  const rest = from + most < found.length
  return {
    AutoScalingGroups: page.map(toAws),
    ...(rest ? { NextToken: `page-${from + most}` } : {}),
  }
}

/** The values of one filter are alternatives; several filters must all fit. */
function fits({ tags }: Group, { Name = '', Values = [] }: Filter): boolean {
  if (Name === 'tag-key') return Values.some((key) => tags.has(key))
  if (Name === 'tag-value') return Values.some((value) => [...tags.values()].includes(value))
  if (Name.startsWith('tag:')) return Values.includes(tags.get(Name.slice('tag:'.length)) ?? '')
  throw awsError('ValidationError', `Filter type ${Name} is not correct.`)
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
  Instances: [...group.instances.values()].map((instance) => ({
    InstanceId: instance.id,
    AvailabilityZone: instance.zone,
    LifecycleState: instance.state,
    HealthStatus: instance.healthy ? 'Healthy' : 'Unhealthy',
    ProtectedFromScaleIn: false,
  })),
})
