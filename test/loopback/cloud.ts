import { readFileSync } from 'node:fs'
import {
  type AutoScalingGroup,
  CreateAutoScalingGroupCommand,
  DeleteAutoScalingGroupCommand,
  PutLifecycleHookCommand,
} from '@aws-sdk/client-auto-scaling'
import { CreateQueueCommand, SendMessageBatchCommand } from '@aws-sdk/client-sqs'
import { CreateDocumentCommand } from '@aws-sdk/client-ssm'
import { random } from '../../shared/random.ts'
import { createAutoScaling } from '../../twin/aws/autoscaling.ts'
import { createCloudWatch } from '../../twin/aws/cloudwatch.ts'
import { createDynamoDb } from '../../twin/aws/dynamodb.ts'
import type { Change } from '../../twin/aws/service.ts'
import { createSns } from '../../twin/aws/sns.ts'
import { createSqs } from '../../twin/aws/sqs.ts'
import { createSsm } from '../../twin/aws/ssm.ts'
import { createEngine } from '../../twin/engine.ts'
import type { Service } from './wire.ts'

/**
 * The AWS behind the loopback: the twin's own services, in real time. What a call does is written
 * once; what is here is what only the wire shows.
 */

/** Any account and region do; the handlers take both from a group's ARN. */
export const account = '123456789012'
export const region = 'us-east-1'

/** What a deployment would have made beside its table. */
export const drainName = 'wire-drain'
export const timerQueue = 'wire-timer'
export const fastQueue = 'wire-fast'
export const alertsTopic = `arn:aws:sns:${region}:${account}:wire-alerts`

/** One value of a PutMetricData call. */
export type Value = {
  readonly namespace: string
  readonly name: string
  readonly dimensions: Readonly<Record<string, string>>
  readonly value: number
  readonly unit: string
}

export type Cloud = ReturnType<typeof createCloud>

export function createCloud(table: string) {
  const engine = createEngine(Date.now())
  const changes: Change[] = []
  const emit = (more: readonly Change[]) => {
    changes.push(...more)
  }
  const place = { account, region }
  // Exact counts: how a sweep bears AWS's approximate ones is the twin's subject, not the wire's.
  const exact = { ...random(1, 'counts'), chance: () => false }
  const sqs = createSqs<null>({ engine, random: exact, emit, ...place, makeTask: () => null })
  const autoscaling = createAutoScaling({ engine, random: random(1, 'groups'), emit, ...place })
  const ssm = createSsm({ engine, random: random(1, 'ssm'), account, emit })
  const cloudwatch = createCloudWatch()
  const dynamodb = createDynamoDb([{ name: table, indexes: { active: 'active' } }])
  const sns = createSns([alertsTopic])
  const services = { sqs, autoscaling, sns, ssm, dynamodb, monitoring: cloudwatch }
  const cloud = {
    /** What happened, in order: by calls, by time and by a test's own hand. */
    changes: changes as readonly Change[],
    /** Every metric value received. */
    values: [] as Value[],
    /** Every capacity set, in order: also one that was set to what it had been. */
    capacities: [] as { readonly group: string; readonly desired: number }[],
    /** What becomes of a queue's attributes before they are answered, by the queue's name. */
    garbled: new Map<string, (attributes: Map<string, string>) => void>(),
    autoscaling,
    ssm,
    /** What people were told. */
    told: sns.published,
    /** What drain is told. */
    notices: sqs.createTextQueue({ QueueName: drainName }),
    /** What AWS's services publish, which here a test does. */
    vended: cloudwatch.vended,
    /** What drain's timers are. */
    timers: sqs.createTextQueue({ QueueName: timerQueue }),
    /** Looks at the fast lane that were asked for. */
    looks: sqs.createTextQueue({ QueueName: fastQueue }),
    /** Does what a command of that service says, at this moment. Throws AWS's errors. */
    apply(service: Service, command: object): object {
      engine.runUntil(Date.now())
      const applied = services[service].apply(engine.now, command)
      emit(applied.changes)
      return applied.output
    },
  }
  cloud.apply('ssm', documentOf(drainName))
  return cloud
}

const document = readFileSync(new URL('../../worker/drain-document.json', import.meta.url), 'utf8')

const documentOf = (Name: string) =>
  new CreateDocumentCommand({
    ...{ Name, Content: document, DocumentType: 'Command', DocumentFormat: 'JSON' },
  })

// The most messages of one SendMessageBatch call.
const messagesPerCall = 10

/** Makes the queue, or adds to it. */
export function addMessages(cloud: Cloud, QueueName: string, count: number): void {
  cloud.apply('sqs', new CreateQueueCommand({ QueueName }))
  const QueueUrl = `https://sqs.${region}.amazonaws.com/${account}/${QueueName}`
  for (let sent = 0; sent < count; sent += messagesPerCall) {
    const size = Math.min(messagesPerCall, count - sent)
    const Entries = Array.from({ length: size }, (_, id) => ({ Id: `${id}`, MessageBody: 'task' }))
    cloud.apply('sqs', new SendMessageBatchCommand({ QueueUrl, Entries }))
  }
}

export type Sizes = {
  readonly desired?: number
  readonly maxSize?: number
  /** The timeout of a terminate hook of our name; null or absent: it has none. */
  readonly hookSeconds?: number | null
}

/** A group whose instances are in service, and whose agents Systems Manager has online. */
export function addGroup(
  cloud: Cloud,
  name: string,
  tags: Readonly<Record<string, string>>,
  { desired = 1, maxSize = 20, hookSeconds = null }: Sizes = {},
): string[] {
  const create = new CreateAutoScalingGroupCommand({
    AutoScalingGroupName: name,
    MinSize: 0,
    MaxSize: maxSize,
    DesiredCapacity: desired,
    Tags: Object.entries(tags).map(([Key, Value]) => ({ Key, Value, PropagateAtLaunch: true })),
  })
  cloud.apply('autoscaling', create)
  if (hookSeconds !== null) {
    const hook = new PutLifecycleHookCommand({
      AutoScalingGroupName: name,
      LifecycleHookName: drainName,
      LifecycleTransition: 'autoscaling:EC2_INSTANCE_TERMINATING',
      HeartbeatTimeout: hookSeconds,
      DefaultResult: 'CONTINUE',
    })
    cloud.apply('autoscaling', hook)
  }
  const ids = membersOf(cloud, name).map(({ id }) => id)
  for (const id of ids) {
    cloud.autoscaling.enterService(Date.now(), name, id)
    cloud.ssm.register(id)
  }
  return ids
}

export function removeGroup(cloud: Cloud, AutoScalingGroupName: string): void {
  const input = { AutoScalingGroupName, ForceDelete: true }
  cloud.apply('autoscaling', new DeleteAutoScalingGroupCommand(input))
}

export const membersOf = ({ autoscaling }: Cloud, group: string) => [
  ...(autoscaling.groups.get(group)?.instances.values() ?? []),
]

const launchTemplate = {
  LaunchTemplateId: 'lt-00000000000000001',
  LaunchTemplateName: 'workers',
  Version: '1',
}

/** As long as AWS writes it, although nobody reads the half: its size is what a client pays for. */
export const dress = (group: AutoScalingGroup): AutoScalingGroup => ({
  ...group,
  LaunchTemplate: launchTemplate,
  LoadBalancerNames: [],
  TargetGroupARNs: [],
  HealthCheckGracePeriod: 300,
  Instances: group.Instances?.map((instance) => ({
    ...instance,
    InstanceType: 'c7g.xlarge',
    LaunchTemplate: launchTemplate,
  })),
  SuspendedProcesses: [],
  VPCZoneIdentifier: 'subnet-00000000000000001,subnet-00000000000000002',
  EnabledMetrics: [],
  TerminationPolicies: ['Default'],
})
