import * as z from 'zod/mini'
import { holds } from '../../twin/aws/condition.ts'
import { Refusal } from './wire.ts'
import { type Group, groupArn, queueOf, type World } from './world.ts'

/** What an action answers for a world and an input; it changes the world or throws a Refusal. */
type Action = (world: World, input: unknown) => object

/** Everything the stub can do. Whatever else is asked for, it refuses. */
export const actions: Readonly<Record<string, Action>> = {
  GetQueueAttributes: getQueueAttributes,
  DescribeAutoScalingGroups: describeAutoScalingGroups,
  SetDesiredCapacity: setDesiredCapacity,
  GetItem: getItem,
  PutItem: putItem,
  PutMetricData: putMetricData,
}

/** Strict schemas: a field that no schema knows is refused, for the stub would ignore it. */
function parse<T>(schema: z.ZodMiniType<T>, input: unknown): T {
  const parsed = schema.safeParse(input)
  if (parsed.success) return parsed.data
  const issues = parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`)
  throw new Refusal('ValidationException', issues.join('; '))
}

const queueAttributesSchema = z.strictObject({
  QueueUrl: z.string(),
  AttributeNames: z.optional(z.array(z.string())),
})

function getQueueAttributes(world: World, input: unknown): object {
  const { QueueUrl, AttributeNames = [] } = parse(queueAttributesSchema, input)
  const queue = queueOf(world, QueueUrl)
  if (!queue) {
    const message = 'The specified queue does not exist.'
    const queryCode = 'AWS.SimpleQueueService.NonExistentQueue'
    throw new Refusal('QueueDoesNotExist', message, 400, queryCode)
  }
  const all = AttributeNames.includes('All')
  const named = [...queue.attributes].filter(([name]) => all || AttributeNames.includes(name))
  return named.length > 0 ? { Attributes: Object.fromEntries(named) } : {}
}

const number = z.pipe(z.string().check(z.regex(/^\d+$/)), z.transform(Number))

const describeSchema = z.strictObject({
  AutoScalingGroupNames: z.optional(z.array(z.string())),
  Filters: z.optional(z.array(z.strictObject({ Name: z.string(), Values: z.array(z.string()) }))),
  MaxRecords: z.optional(number),
  NextToken: z.optional(z.string()),
})

// Auto Scaling's own: what a page holds unless told, and at most.
const recordsDefault = 50
const recordsMax = 100

function describeAutoScalingGroups(world: World, input: unknown): object {
  const { AutoScalingGroupNames: names, ...query } = parse(describeSchema, input)
  const { Filters = [], MaxRecords = recordsDefault, NextToken = 'from-0' } = query
  if (MaxRecords < 1 || MaxRecords > recordsMax) {
    throw new Refusal('ValidationError', `MaxRecords must be 1 to ${recordsMax}`)
  }
  const from = Number(/^from-(\d+)$/.exec(NextToken)?.[1] ?? Number.NaN)
  if (Number.isNaN(from)) throw new Refusal('InvalidNextToken', `Not a token: ${NextToken}`)
  const found = [...world.groups.values()]
    .filter(({ name }) => !names || names.includes(name))
    .filter((group) => Filters.every((filter) => fits(group, filter)))
  const to = from + MaxRecords
  return {
    AutoScalingGroups: found.slice(from, to).map(describe),
    NextToken: to < found.length ? `from-${to}` : undefined,
  }
}

function fits({ tags }: Group, filter: { Name: string; Values: string[] }): boolean {
  if (filter.Name === 'tag-key') return filter.Values.some((key) => tags.has(key))
  const key = /^tag:(.+)$/.exec(filter.Name)?.[1]
  if (key === undefined) throw new Refusal('ValidationError', `Not a filter: ${filter.Name}`)
  return filter.Values.includes(tags.get(key) ?? '')
}

/** As long as AWS writes it, although nobody reads the half: its size is what a client pays for. */
const describe = ({ name, tags, minSize, maxSize, desired, inService }: Group) => ({
  AutoScalingGroupName: name,
  AutoScalingGroupARN: groupArn(name),
  LaunchTemplate: launchTemplate,
  MinSize: minSize,
  MaxSize: maxSize,
  DesiredCapacity: desired,
  DefaultCooldown: 300,
  AvailabilityZones: ['us-east-1a', 'us-east-1b', 'us-east-1c'],
  LoadBalancerNames: [],
  TargetGroupARNs: [],
  HealthCheckType: 'EC2',
  HealthCheckGracePeriod: 300,
  Instances: Array.from({ length: inService }, (_, index) => ({
    InstanceId: `i-${name}-${index}`,
    InstanceType: 'c7g.xlarge',
    AvailabilityZone: 'us-east-1a',
    LifecycleState: 'InService',
    HealthStatus: 'Healthy',
    LaunchTemplate: launchTemplate,
    ProtectedFromScaleIn: false,
  })),
  CreatedTime: '2026-01-01T00:00:00.000Z',
  SuspendedProcesses: [],
  VPCZoneIdentifier: 'subnet-00000000000000001,subnet-00000000000000002',
  EnabledMetrics: [],
  Tags: [...tags].map(([Key, Value]) => ({
    ResourceId: name,
    ResourceType: 'auto-scaling-group',
    Key,
    Value,
    PropagateAtLaunch: true,
  })),
  TerminationPolicies: ['Default'],
  NewInstancesProtectedFromScaleIn: false,
  CapacityRebalance: true,
})

const launchTemplate = {
  LaunchTemplateId: 'lt-00000000000000001',
  LaunchTemplateName: 'workers',
  Version: '1',
}

const setDesiredSchema = z.strictObject({
  AutoScalingGroupName: z.string(),
  DesiredCapacity: number,
  HonorCooldown: z.literal('false'),
})

function setDesiredCapacity(world: World, input: unknown): object {
  const { AutoScalingGroupName, DesiredCapacity: desired } = parse(setDesiredSchema, input)
  const group = world.groups.get(AutoScalingGroupName)
  if (!group) throw new Refusal('ValidationError', 'AutoScalingGroup name not found')
  if (desired < group.minSize || desired > group.maxSize) {
    const bounds = `${group.minSize} to ${group.maxSize}`
    throw new Refusal('ValidationError', `New SetDesiredCapacity value ${desired} not in ${bounds}`)
  }
  group.desired = desired
  world.capacities.push({ group: group.name, desired })
  return {}
}

const attribute = z.union([
  z.strictObject({ S: z.string() }),
  z.strictObject({ N: z.string().check(z.regex(/^-?\d+(\.\d+)?$/)) }),
])
const getSchema = z.strictObject({
  TableName: z.string(),
  Key: z.strictObject({ pk: z.strictObject({ S: z.string() }) }),
  // Another consistency would make a run act on what an earlier one had not yet written.
  ConsistentRead: z.literal(true),
})
const putSchema = z.strictObject({
  TableName: z.string(),
  Item: z.intersection(
    z.object({ pk: z.strictObject({ S: z.string() }) }),
    z.record(z.string(), attribute),
  ),
  ConditionExpression: z.string(),
  ExpressionAttributeNames: z.optional(z.record(z.string(), z.string())),
  ExpressionAttributeValues: z.optional(z.record(z.string(), attribute)),
})

function getItem(world: World, input: unknown): object {
  const { TableName, Key } = parse(getSchema, input)
  checkTable(world, TableName)
  const Item = world.items.get(Key.pk.S)
  return Item ? { Item } : {}
}

function putItem(world: World, input: unknown): object {
  const { TableName, Item, ConditionExpression, ...names } = parse(putSchema, input)
  checkTable(world, TableName)
  if (!holds(ConditionExpression, world.items.get(Item.pk.S), names)) {
    throw new Refusal('ConditionalCheckFailedException', 'The conditional request failed')
  }
  world.items.set(Item.pk.S, Item)
  return {}
}

function checkTable(world: World, name: string): void {
  if (name === world.table) return
  throw new Refusal('ResourceNotFoundException', `Requested resource not found: ${name}`)
}

const dimension = z.strictObject({ Name: z.string(), Value: z.string() })
const metricSchema = z.strictObject({
  Namespace: z.string().check(z.regex(/^(?!AWS\/).+/)),
  MetricData: z
    .array(
      z.strictObject({
        MetricName: z.string(),
        Dimensions: z.array(dimension).check(z.maxLength(30)),
        Timestamp: z.number(),
        Value: z.number(),
        Unit: z.string(),
      }),
    )
    .check(z.minLength(1), z.maxLength(1_000)),
})

function putMetricData(world: World, input: unknown): object {
  const { Namespace: namespace, MetricData } = parse(metricSchema, input)
  for (const { MetricName: name, Dimensions, Value: value, Unit: unit } of MetricData) {
    const dimensions = Object.fromEntries(Dimensions.map(({ Name, Value }) => [Name, Value]))
    world.values.push({ namespace, name, dimensions, value, unit })
  }
  return {}
}
