import { execFile } from 'node:child_process'
import { cpSync, mkdtempSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import {
  AutoScalingClient,
  CreateAutoScalingGroupCommand,
  CreateLaunchConfigurationCommand,
  DescribeAutoScalingGroupsCommand,
} from '@aws-sdk/client-auto-scaling'
import {
  CloudFormationClient,
  DescribeStackResourcesCommand,
  ListStacksCommand,
} from '@aws-sdk/client-cloudformation'
import { CloudWatchClient, GetMetricStatisticsCommand } from '@aws-sdk/client-cloudwatch'
import { CloudWatchLogsClient, DescribeLogGroupsCommand } from '@aws-sdk/client-cloudwatch-logs'
import { DynamoDBClient, ListTablesCommand } from '@aws-sdk/client-dynamodb'
import {
  EventBridgeClient,
  ListRulesCommand,
  ListTargetsByRuleCommand,
} from '@aws-sdk/client-eventbridge'
import { GetRolePolicyCommand, IAMClient, ListRolesCommand } from '@aws-sdk/client-iam'
import {
  GetFunctionCommand,
  LambdaClient,
  ListEventSourceMappingsCommand,
  ListFunctionsCommand,
} from '@aws-sdk/client-lambda'
import { ListBucketsCommand, S3Client } from '@aws-sdk/client-s3'
import {
  CreateQueueCommand,
  GetQueueAttributesCommand,
  ListQueuesCommand,
  SendMessageBatchCommand,
  SQSClient,
} from '@aws-sdk/client-sqs'
import { ListCommandsCommand, ListDocumentsCommand, SSMClient } from '@aws-sdk/client-ssm'
import fleet from '../fleet.config.ts'
import type { Moto } from './moto.ts'

/** What a test of the deployment asks AWS, and the fleet that it puts there. */

/** What every name that is deployed begins with: the fleet's name and the stage. */
export const prefix = 'talk-prod'

/** What roles are allowed to touch. */
export const arn = {
  groups: 'arn:aws:autoscaling:us-east-1:123456789012:autoScalingGroup:*:autoScalingGroupName/*',
  table: 'arn:aws:dynamodb:us-east-1:123456789012:table/talk-prod-state',
  index: 'arn:aws:dynamodb:us-east-1:123456789012:table/talk-prod-state/index/active',
  topic: (name: string) => `arn:aws:sns:us-east-1:123456789012:talk-prod-${name}`,
  queue: (name: string) => `arn:aws:sqs:us-east-1:123456789012:${name}`,
  log: (name: string) =>
    `arn:aws:logs:us-east-1:123456789012:log-group:/aws/lambda/talk-prod-${name}:*`,
}

export type Ended = { readonly code: number | string; readonly output: string }

/** A child process to its end; `code` is a word where it could not be started or was killed. */
export function run(
  command: string,
  args: readonly string[],
  options: { readonly cwd: string; readonly env: NodeJS.ProcessEnv; readonly timeout: number },
): Promise<Ended> {
  // A sweep's report of 70 queues is about 40 KB, its log as much again.
  const maxBuffer = 10_000_000
  return new Promise((done) => {
    execFile(
      command,
      args,
      { ...options, maxBuffer, killSignal: 'SIGKILL' },
      (error, stdout, stderr) =>
        done({ code: error ? (error.code ?? error.signal ?? '?') : 0, output: stdout + stderr }),
    )
  })
}

const ours = (names: readonly (string | undefined)[] = []) =>
  names.flatMap((name) => (name?.includes(prefix) ? name : [])).sort()

/** Everything that a deployment makes, by kind. */
export async function whatExists({ client }: Moto) {
  const calls = await Promise.all([
    new LambdaClient(client).send(new ListFunctionsCommand({})),
    new EventBridgeClient(client).send(new ListRulesCommand({})),
    new DynamoDBClient(client).send(new ListTablesCommand({})),
    new CloudWatchLogsClient(client).send(new DescribeLogGroupsCommand({})),
    new SQSClient(client).send(new ListQueuesCommand({ QueueNamePrefix: prefix })),
    new IAMClient(client).send(new ListRolesCommand({})),
    new S3Client({ ...client, forcePathStyle: true }).send(new ListBucketsCommand({})),
    new CloudFormationClient(client).send(new ListStacksCommand({})),
    new SSMClient(client).send(
      new ListDocumentsCommand({ Filters: [{ Key: 'Owner', Values: ['Self'] }] }),
    ),
    new LambdaClient(client).send(new ListEventSourceMappingsCommand({})),
  ])
  const [functions, rules, tables, logGroups, queues, roles, buckets, stacks, ...drain] = calls
  const [documents, mappings] = drain
  return {
    functions: ours(functions.Functions?.map(({ FunctionName }) => FunctionName)),
    // CloudFormation ends a name that it makes up with letters of its own.
    rules: ours(rules.Rules?.map(({ Name }) => Name?.replace(/Rule-[^-]*$/, ''))),
    tables: ours(tables.TableNames),
    logGroups: (logGroups.logGroups ?? []).map(({ logGroupName, retentionInDays }) => ({
      name: logGroupName,
      days: retentionInDays,
    })),
    queues: ours(queues.QueueUrls?.map((url) => url.slice(url.lastIndexOf('/') + 1))),
    roles: ours(roles.Roles?.map(({ RoleName }) => RoleName)).length,
    buckets: ours(buckets.Buckets?.map(({ Name }) => Name)).length,
    stacks: ours(
      stacks.StackSummaries?.filter(({ StackStatus }) => StackStatus !== 'DELETE_COMPLETE').map(
        ({ StackName }) => StackName,
      ),
    ),
    documents: ours(documents.DocumentIdentifiers?.map(({ Name }) => Name)),
    mappings: (mappings.EventSourceMappings ?? []).length,
  }
}

export const nothing: Awaited<ReturnType<typeof whatExists>> = {
  functions: [],
  rules: [],
  tables: [],
  logGroups: [],
  queues: [],
  roles: 0,
  buckets: 0,
  stacks: [],
  documents: [],
  mappings: 0,
}

export async function deployedFunction({ client }: Moto, name: string) {
  const command = new GetFunctionCommand({ FunctionName: `${prefix}-${name}` })
  const { Configuration } = await new LambdaClient(client).send(command)
  const { Runtime, Handler, MemorySize, Timeout, Environment } = Configuration ?? {}
  return { Runtime, Handler, MemorySize, Timeout, Environment }
}

/** Every rule with its one target; `input` is what a schedule hands on. */
export async function deployedRules({ client }: Moto) {
  const events = new EventBridgeClient(client)
  const { Rules = [] } = await events.send(new ListRulesCommand({}))
  const rules = Rules.map(async ({ Name, EventPattern, ScheduleExpression, State }) => {
    const { Targets = [] } = await events.send(new ListTargetsByRuleCommand({ Rule: Name }))
    const [target, ...others] = Targets
    if (!target || others.length > 0) throw new Error(`${Name} has ${Targets.length} targets`)
    return {
      every: ScheduleExpression ?? null,
      pattern: EventPattern ? JSON.parse(EventPattern) : null,
      state: State,
      target: target.Arn?.split(':').slice(2).join(':'),
      input: JSON.parse(target.Input ?? 'null'),
      retryPolicy: target.RetryPolicy,
      undelivered: target.DeadLetterConfig?.Arn?.split(':').at(-1),
    }
  })
  return Promise.all(rules)
}

/** Those of them that run by the clock, by what they start and by shard. */
export async function schedules(moto: Moto) {
  const rules = (await deployedRules(moto)).filter(({ every }) => every !== null)
  const key = ({ target, input }: (typeof rules)[number]) => `${target} ${input.shard}`
  return rules.sort((a, b) => (key(a) < key(b) ? -1 : 1))
}

/** The queues whose messages a function gets, with how it gets them. */
export async function mappingsOf({ client }: Moto, name: string) {
  // moto lists none by a function's name.
  const { EventSourceMappings = [] } = await new LambdaClient(client).send(
    new ListEventSourceMappingsCommand({}),
  )
  const own = EventSourceMappings.filter(({ FunctionArn }) =>
    FunctionArn?.endsWith(`:${prefix}-${name}`),
  )
  return own
    .map((mapping) => ({
      queue: mapping.EventSourceArn?.split(':').at(-1),
      batch: mapping.BatchSize,
      windowSeconds: mapping.MaximumBatchingWindowInSeconds,
      responses: mapping.FunctionResponseTypes,
      state: mapping.State,
    }))
    .sort((a, b) => (`${a.queue}` < `${b.queue}` ? -1 : 1))
}

export async function queueAttributes({ client, endpoint }: Moto, name: string) {
  const { Attributes = {} } = await new SQSClient({ ...client, useQueueUrlAsEndpoint: false }).send(
    new GetQueueAttributesCommand({
      QueueUrl: `${endpoint}/123456789012/${prefix}-${name}`,
      AttributeNames: ['All'],
    }),
  )
  return Attributes
}

/** The messages of a queue, as they are; it is left as it was a second ago. */
export const countOf = async (moto: Moto, name: string) => {
  const attributes = await queueAttributes(moto, name)
  const { ApproximateNumberOfMessages, ApproximateNumberOfMessagesDelayed } = attributes
  return Number(ApproximateNumberOfMessages) + Number(ApproximateNumberOfMessagesDelayed)
}

export async function commandsSent({ client }: Moto) {
  const { Commands = [] } = await new SSMClient(client).send(new ListCommandsCommand({}))
  return Commands.map(({ DocumentName, InstanceIds, MaxErrors, Parameters }) => ({
    ...{ DocumentName, MaxErrors, Parameters },
    // moto adds every instance that there is, as if the empty list of targets meant all.
    to: InstanceIds,
  }))
}

/** The physical names of the stack's resources of a type. */
export async function stackIds({ client }: Moto, type: string) {
  const command = new DescribeStackResourcesCommand({ StackName: prefix })
  const { StackResources = [] } = await new CloudFormationClient(client).send(command)
  return StackResources.filter(({ ResourceType }) => ResourceType === type).map(
    ({ PhysicalResourceId }) => PhysicalResourceId,
  )
}

type Statement = {
  readonly Effect: string
  readonly Action: string | string[]
  readonly Resource: unknown
  readonly Condition?: unknown
}

/** The policy of a function's role: its text, and by action what it allows and when. */
export async function rolePolicy(moto: Moto, name: string) {
  const roles = await stackIds(moto, 'AWS::IAM::Role')
  const RoleName = roles.find((role) => role?.toLowerCase().includes(`-${name}role`))
  const { PolicyDocument = '' } = await new IAMClient(moto.client).send(
    new GetRolePolicyCommand({ RoleName, PolicyName: name }),
  )
  // moto keeps a policy that came in a template as Python prints it.
  const text = decodeURIComponent(PolicyDocument).replaceAll("'", '"')
  const { Statement }: { Statement: Statement[] } = JSON.parse(text)
  const byAction = Statement.flatMap((one) =>
    [one.Action].flat().map((action) => ({ ...one, action })),
  )
  const grouped = [...Map.groupBy(byAction, ({ action }) => action)]
  const ofEach = <T>(part: (one: Statement) => T | undefined) =>
    Object.fromEntries(
      grouped.flatMap(([action, all]): [string, T | T[]][] => {
        const parts = all.flatMap((one) => part(one) ?? [])
        const [first, ...others] = parts
        return first === undefined ? [] : [[action, others.length === 0 ? first : parts]]
      }),
    )
  return {
    text,
    effects: [...new Set(byAction.map(({ Effect }) => Effect))],
    allowed: ofEach<unknown>(({ Resource }) => Resource),
    conditions: ofEach<unknown>(({ Condition }) => Condition),
  }
}

/** The queues and groups of fleet.config.ts, one instance each, and 20 messages for `invoice`. */
export async function makeFleet({ client, endpoint }: Moto): Promise<void> {
  const autoscaling = new AutoScalingClient(client)
  const sqs = new SQSClient({ ...client, useQueueUrlAsEndpoint: false })
  const LaunchConfigurationName = 'workers'
  await autoscaling.send(
    new CreateLaunchConfigurationCommand({
      LaunchConfigurationName,
      ImageId: 'ami-12345678',
      InstanceType: 't3.micro',
    }),
  )
  for (const { name, sqs: QueueName } of fleet.queues) {
    await sqs.send(new CreateQueueCommand({ QueueName }))
    await autoscaling.send(
      new CreateAutoScalingGroupCommand({
        AutoScalingGroupName: `${name}-workers`,
        LaunchConfigurationName,
        AvailabilityZones: ['us-east-1a'],
        MinSize: 0,
        MaxSize: 20,
        DesiredCapacity: 1,
        Tags: [{ Key: fleet.tags.queue, Value: name, PropagateAtLaunch: true }],
      }),
    )
  }
  const Entries = Array.from({ length: 10 }, (_, id) => ({ Id: `${id}`, MessageBody: 'task' }))
  const QueueUrl = `${endpoint}/123456789012/invoice`
  for (const _batch of [1, 2]) await sqs.send(new SendMessageBatchCommand({ QueueUrl, Entries }))
}

/** The instances of a group, and the state in which it shows each. */
export async function membersOf({ client }: Moto, group: string) {
  const command = new DescribeAutoScalingGroupsCommand({ AutoScalingGroupNames: [group] })
  const { AutoScalingGroups = [] } = await new AutoScalingClient(client).send(command)
  const { Instances = [] } = AutoScalingGroups[0] ?? {}
  return new Map(
    Instances.map(({ InstanceId = '', LifecycleState }) => [InstanceId, LifecycleState]),
  )
}

export async function desiredOf({ client }: Moto): Promise<Record<string, number>> {
  const command = new DescribeAutoScalingGroupsCommand({ MaxRecords: 100 })
  const { AutoScalingGroups = [] } = await new AutoScalingClient(client).send(command)
  return Object.fromEntries(
    AutoScalingGroups.map((group) => [
      group.AutoScalingGroupName ?? '',
      group.DesiredCapacity ?? Number.NaN,
    ]),
  )
}

/** The latest value of a metric, or undefined where there is none. */
export async function published({ client }: Moto, metric: string, queue?: string) {
  const now = Date.now()
  const { Datapoints } = await new CloudWatchClient(client).send(
    new GetMetricStatisticsCommand({
      Namespace: 'Celeriac',
      MetricName: metric,
      Dimensions: [
        { Name: 'Fleet', Value: fleet.name },
        ...(queue ? [{ Name: 'Queue', Value: queue }] : []),
      ],
      StartTime: new Date(now - 600_000),
      EndTime: new Date(now + 60_000),
      Period: 60,
      Statistics: ['Maximum'],
    }),
  )
  return Datapoints?.at(-1)?.Maximum
}

/** A working copy of its own, so that its `.serverless` and a changed fleet are nobody else's. */
export function workingCopy() {
  const folder = mkdtempSync(join(tmpdir(), 'celeriac-deploy-'))
  const files = ['serverless.yml', 'serverless.fleet.cjs', 'serverless.esbuild.cjs', 'package.json']
  for (const name of [...files, 'fleet.config.ts', 'functions', 'shared', 'events', 'worker'])
    cpSync(name, join(folder, name), { recursive: true })
  symlinkSync(resolve('node_modules'), join(folder, 'node_modules'))
  return folder
}
