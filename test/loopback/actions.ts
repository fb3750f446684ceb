import {
  type AutoScalingGroup,
  CompleteLifecycleActionCommand,
  DescribeAutoScalingGroupsCommand,
  DescribeAutoScalingInstancesCommand,
  DescribeLifecycleHooksCommand,
  EnterStandbyCommand,
  ExitStandbyCommand,
  RecordLifecycleActionHeartbeatCommand,
  SetDesiredCapacityCommand,
  TerminateInstanceInAutoScalingGroupCommand,
} from '@aws-sdk/client-auto-scaling'
import { GetMetricDataCommand, PutMetricDataCommand } from '@aws-sdk/client-cloudwatch'
import {
  BatchGetItemCommand,
  GetItemCommand,
  PutItemCommand,
  QueryCommand,
} from '@aws-sdk/client-dynamodb'
import { PublishCommand } from '@aws-sdk/client-sns'
import {
  GetQueueAttributesCommand,
  SendMessageBatchCommand,
  SendMessageCommand,
} from '@aws-sdk/client-sqs'
import {
  DescribeInstanceInformationCommand,
  GetParametersCommand,
  ListCommandInvocationsCommand,
  SendCommandCommand,
} from '@aws-sdk/client-ssm'
import * as z from 'zod/mini'
import { account, type Cloud, dress } from './cloud.ts'
import { Refusal, type Service } from './wire.ts'

/**
 * What the functions ask for, as it comes over the wire, and the command that it stands for. The
 * schemas are strict: what no schema knows is refused, for nobody here would heed it.
 */
type Action = (cloud: Cloud, input: unknown) => object

const parse = <T>(schema: z.ZodMiniType<T>, input: unknown): T => {
  const parsed = schema.safeParse(input)
  if (parsed.success) return parsed.data
  const issues = parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`)
  throw new Refusal('ValidationException', issues.join('; '))
}

/** An action that is its command, and answers what the service answers. */
const passed =
  <T>(service: Service, schema: z.ZodMiniType<T>, toCommand: (input: T) => object): Action =>
  (cloud, input) =>
    cloud.apply(service, toCommand(parse(schema, input)))

const text = z.string()
const texts = z.array(text)
// The Query protocol has nothing but text.
const number = z.pipe(text.check(z.regex(/^\d+$/)), z.transform(Number))
const flag = z.pipe(
  z.enum(['true', 'false']),
  z.transform((word) => word === 'true'),
)

const ofGroup = { AutoScalingGroupName: text }
const standbySchema = z.strictObject({
  ...ofGroup,
  InstanceIds: texts,
  ShouldDecrementDesiredCapacity: flag,
})
const actionSchema = {
  ...ofGroup,
  LifecycleHookName: text,
  LifecycleActionToken: z.optional(text),
  InstanceId: text,
}
const describeSchema = z.strictObject({
  AutoScalingGroupNames: z.optional(texts),
  Filters: z.optional(z.array(z.strictObject({ Name: text, Values: texts }))),
  MaxRecords: z.optional(number),
  NextToken: z.optional(text),
})
const setDesiredSchema = z.strictObject({
  ...ofGroup,
  DesiredCapacity: number,
  // A cooldown that is honoured could make a capacity wait.
  HonorCooldown: z.pipe(
    z.literal('false'),
    z.transform(() => false),
  ),
})

const autoscaling: Readonly<Record<string, Action>> = {
  DescribeAutoScalingGroups: describeAutoScalingGroups,
  SetDesiredCapacity: setDesiredCapacity,
  DescribeAutoScalingInstances: passed(
    'autoscaling',
    z.strictObject({ InstanceIds: texts }),
    (input) => new DescribeAutoScalingInstancesCommand(input),
  ),
  DescribeLifecycleHooks: passed(
    'autoscaling',
    z.strictObject(ofGroup),
    (input) => new DescribeLifecycleHooksCommand(input),
  ),
  EnterStandby: passed('autoscaling', standbySchema, (input) => new EnterStandbyCommand(input)),
  ExitStandby: passed(
    'autoscaling',
    z.strictObject({ ...ofGroup, InstanceIds: texts }),
    (input) => new ExitStandbyCommand(input),
  ),
  TerminateInstanceInAutoScalingGroup: passed(
    'autoscaling',
    z.strictObject({ InstanceId: text, ShouldDecrementDesiredCapacity: flag }),
    (input) => new TerminateInstanceInAutoScalingGroupCommand(input),
  ),
  CompleteLifecycleAction: passed(
    'autoscaling',
    z.strictObject({ ...actionSchema, LifecycleActionResult: text }),
    (input) => new CompleteLifecycleActionCommand(input),
  ),
  RecordLifecycleActionHeartbeat: passed(
    'autoscaling',
    z.strictObject(actionSchema),
    (input) => new RecordLifecycleActionHeartbeatCommand(input),
  ),
}

function describeAutoScalingGroups(cloud: Cloud, input: unknown): object {
  const command = new DescribeAutoScalingGroupsCommand(parse(describeSchema, input))
  const answer: { AutoScalingGroups?: AutoScalingGroup[] } = cloud.apply('autoscaling', command)
  return { ...answer, AutoScalingGroups: answer.AutoScalingGroups?.map(dress) }
}

function setDesiredCapacity(cloud: Cloud, input: unknown): object {
  const parsed = parse(setDesiredSchema, input)
  const answer = cloud.apply('autoscaling', new SetDesiredCapacityCommand(parsed))
  const { AutoScalingGroupName: group, DesiredCapacity: desired } = parsed
  cloud.capacities.push({ group, desired })
  return answer
}

/** The twin knows its queues by name; over the wire another account's is another queue. */
const queueUrl = text.check(
  z.refine((url) => new URL(url).pathname.startsWith(`/${account}/`), {
    error: `no queue of ${account}`,
  }),
)
const entry = z.strictObject({ Id: text, DelaySeconds: z.optional(z.int()), MessageBody: text })
const attributeNames = [
  'All',
  'ApproximateNumberOfMessages',
  'ApproximateNumberOfMessagesNotVisible',
  'ApproximateNumberOfMessagesDelayed',
  'VisibilityTimeout',
  'RedrivePolicy',
] as const
const attributesSchema = z.strictObject({
  QueueUrl: queueUrl,
  AttributeNames: z.optional(z.array(z.enum(attributeNames))),
})

const sqs: Readonly<Record<string, Action>> = {
  GetQueueAttributes: getQueueAttributes,
  SendMessage: passed(
    'sqs',
    z.strictObject({ QueueUrl: queueUrl, MessageBody: text }),
    (input) => new SendMessageCommand(input),
  ),
  SendMessageBatch: passed(
    'sqs',
    z.strictObject({ QueueUrl: queueUrl, Entries: z.array(entry) }),
    (input) => new SendMessageBatchCommand(input),
  ),
}

function getQueueAttributes(cloud: Cloud, input: unknown): object {
  const { QueueUrl, AttributeNames } = parse(attributesSchema, input)
  const command = new GetQueueAttributesCommand({ QueueUrl, AttributeNames })
  const { Attributes }: { Attributes?: object } = cloud.apply('sqs', command)
  const garble = cloud.garbled.get(QueueUrl.slice(QueueUrl.lastIndexOf('/') + 1))
  if (!Attributes || !garble) return { Attributes }
  const attributes = new Map(Object.entries(Attributes))
  garble(attributes)
  return attributes.size > 0 ? { Attributes: Object.fromEntries(attributes) } : {}
}

const attribute = z.union([
  z.strictObject({ S: text }),
  z.strictObject({ N: text.check(z.regex(/^-?\d+(\.\d+)?$/)) }),
  // Bytes are base64 on the wire.
  z.strictObject({
    B: z.pipe(
      text.check(z.base64()),
      z.transform((base64) => Uint8Array.from(Buffer.from(base64, 'base64'))),
    ),
  }),
])
const item = z.record(text, attribute)
const expressions = {
  ExpressionAttributeNames: z.optional(z.record(text, text)),
  ExpressionAttributeValues: z.optional(z.record(text, attribute)),
}
// Another consistency would make a run act on what an earlier one had not yet written.
const consistent = z.literal(true)

const outlookKey = z.strictObject({
  pk: z.strictObject({ S: text.check(z.startsWith('outlook#')) }),
})

const alertsKey = z.strictObject({
  pk: z.strictObject({ S: text.check(z.regex(/^alerts#\d+\/\d+$/)) }),
})

const dynamodb: Readonly<Record<string, Action>> = {
  GetItem: passed(
    'dynamodb',
    z.strictObject({ TableName: text, Key: item, ConsistentRead: consistent }),
    (input) => new GetItemCommand(input),
  ),
  PutItem: passed(
    'dynamodb',
    z.strictObject({
      ...{ TableName: text, Item: item, ConditionExpression: text, ...expressions },
      ReturnValuesOnConditionCheckFailure: z.optional(z.literal('ALL_OLD')),
    }),
    (input) => new PutItemCommand(input),
  ),
  BatchGetItem: passed(
    'dynamodb',
    z.strictObject({
      RequestItems: z.record(
        text,
        z.union([
          z.strictObject({ Keys: z.array(item), ConsistentRead: consistent }),
          // An outlook of a moment ago is as good.
          z.strictObject({ Keys: z.array(outlookKey) }),
          // So are the alerts of another shard, of its last minute.
          z.strictObject({ Keys: z.array(alertsKey), ProjectionExpression: z.literal('alerts') }),
        ]),
      ),
    }),
    (input) => new BatchGetItemCommand(input),
  ),
  Query: passed(
    'dynamodb',
    z.strictObject({
      ...{ TableName: text, IndexName: text, KeyConditionExpression: text, ...expressions },
      ExclusiveStartKey: z.optional(item),
    }),
    (input) => new QueryCommand(input),
  ),
}

const filter = z.strictObject({ Key: text, Values: texts })

const ssm: Readonly<Record<string, Action>> = {
  SendCommand: passed(
    'ssm',
    z.strictObject({
      ...{ DocumentName: text, InstanceIds: texts, Comment: text, TimeoutSeconds: z.int() },
      // One bad instance must never keep the command from the others.
      MaxErrors: z.literal('100%'),
      Parameters: z.record(text, texts),
    }),
    (input) => new SendCommandCommand(input),
  ),
  ListCommandInvocations: passed(
    'ssm',
    z.strictObject({
      ...{ CommandId: text, Details: z.literal(true), MaxResults: z.int() },
      NextToken: z.optional(text),
    }),
    (input) => new ListCommandInvocationsCommand(input),
  ),
  DescribeInstanceInformation: passed(
    'ssm',
    z.strictObject({ Filters: z.array(filter), MaxResults: z.int() }),
    (input) => new DescribeInstanceInformationCommand(input),
  ),
  GetParameters: passed(
    'ssm',
    z.strictObject({ Names: texts, WithDecryption: z.literal(true) }),
    (input) => new GetParametersCommand(input),
  ),
}

const datum = z.strictObject({
  MetricName: text,
  Dimensions: z.array(z.strictObject({ Name: text, Value: text })),
  // Epoch seconds on the wire.
  Timestamp: z.pipe(
    z.number(),
    z.transform((seconds) => new Date(seconds * 1_000)),
  ),
  Value: z.number(),
  Unit: z.enum(['Count', 'Seconds', 'Milliseconds']),
})

function putMetricData(cloud: Cloud, input: unknown): object {
  const schema = z.strictObject({ Namespace: text, MetricData: z.array(datum) })
  const { Namespace, MetricData } = parse(schema, input)
  const answer = cloud.apply('monitoring', new PutMetricDataCommand({ Namespace, MetricData }))
  for (const { MetricName: name, Dimensions, Value: value, Unit: unit } of MetricData) {
    const dimensions = Object.fromEntries(Dimensions.map(({ Name, Value }) => [Name, Value]))
    cloud.values.push({ namespace: Namespace, name, dimensions, value, unit })
  }
  return answer
}

const seconds = z.pipe(
  z.number(),
  z.transform((value) => new Date(value * 1_000)),
)
const metricQuery = z.strictObject({
  Id: text,
  MetricStat: z.strictObject({
    Metric: z.strictObject({
      ...{ Namespace: text, MetricName: text },
      Dimensions: z.array(z.strictObject({ Name: text, Value: text })),
    }),
    ...{ Period: z.int(), Stat: text },
  }),
})
const getMetricData = passed(
  'monitoring',
  z.strictObject({
    MetricDataQueries: z.array(metricQuery),
    ...{ StartTime: seconds, EndTime: seconds, ScanBy: z.literal('TimestampAscending') },
    NextToken: z.optional(text),
  }),
  (input) => new GetMetricDataCommand(input),
)

const publish = passed(
  'sns',
  z.pipe(
    z.strictObject({
      ...{ TopicArn: text, Subject: text, Message: text },
      MessageAttributes: z.array(
        z.strictObject({
          Name: text,
          Value: z.strictObject({ DataType: z.literal('String'), StringValue: text }),
        }),
      ),
    }),
    z.transform(({ MessageAttributes, ...input }) => ({
      ...input,
      MessageAttributes: Object.fromEntries(
        MessageAttributes.map(({ Name, Value }) => [Name, Value]),
      ),
    })),
  ),
  (input) => new PublishCommand(input),
)

/** Everything that can be asked for, by service. Whatever else is, is refused. */
export const actions: Readonly<Record<Service, Readonly<Record<string, Action>>>> = {
  autoscaling,
  sqs,
  dynamodb,
  sns: { Publish: publish },
  ssm,
  monitoring: { GetMetricData: getMetricData, PutMetricData: putMetricData },
}
