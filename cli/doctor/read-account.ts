import { readFile } from 'node:fs/promises'
import {
  DescribeAutoScalingGroupsCommand,
  DescribeLifecycleHooksCommand,
} from '@aws-sdk/client-auto-scaling'
import { GetQueueAttributesCommand } from '@aws-sdk/client-sqs'
import { DescribeInstanceInformationCommand, GetDocumentCommand } from '@aws-sdk/client-ssm'
import * as z from 'zod/mini'
import { type Assigned, assignGroups } from '../../shared/assign.ts'
import { type DrainDeps, isAwsError } from '../../shared/aws.ts'
import { each, type Outcome } from '../../shared/each.ts'
import { describeGroups, type Group } from '../../shared/fleet.ts'
import { parseJson } from '../../shared/json.ts'
import type { Fleet } from '../../shared/queue-config.ts'
import { queueUrl } from '../../shared/queues.ts'
import type {
  AccountFacts,
  GroupFacts,
  HookFacts,
  InstanceFacts,
  Reading,
  SqsFacts,
  TagFacts,
} from './facts.ts'

/** Reads the account that a fleet's configuration speaks of, and changes nothing there. */

export type AccountDeps = Pick<
  DrainDeps,
  'autoscaling' | 'sqs' | 'ssm' | 'signal' | 'drainName'
> & { readonly region: string }

type Asked = {
  /** One queue alone. */
  readonly queue?: string | undefined
}

/** Throws where the groups cannot be listed, or `queue` is none of the fleet. */
export async function readAccount(
  deps: AccountDeps,
  fleet: Fleet,
  { queue }: Asked = {},
): Promise<AccountFacts> {
  const groups = await describeGroups(deps, fleet)
  const assigned = assignGroups(fleet, groups, (name) => queue === undefined || name === queue)
  if (queue !== undefined && assigned.length === 0) {
    throw new Error(`There is no queue ${queue} in fleet.config.ts, and no group with its tag`)
  }
  const own = assigned.flatMap((one) => ('group' in one ? [one.group] : []))
  const arns = groups.flatMap((group) => ('arn' in group ? [group.arn] : []))
  const [document, tags, agents, hooks, queues] = await Promise.all([
    readDocument(deps),
    readTags(deps, own),
    readAgents(deps, own),
    each(own, ({ name }) => readHooks(deps, name)),
    each(assigned, (one) => readSqs(deps, one, arns[0])),
  ])
  const hooksOf = new Map(hooks.map((outcome) => [outcome.item.name, readingOf(outcome)]))
  const facts = (group: Group): GroupFacts => ({
    name: group.name,
    capacityRebalance: group.capacityRebalance,
    hooks: hooksOf.get(group.name) ?? { unread: 'its hooks were not read' },
    tags: part(tags, (all) => all.get(group.name) ?? []),
    instances: part(agents, (all) => instancesOf(group, all)),
  })
  return {
    account: arns[0]?.split(':')[4] ?? null,
    region: deps.region,
    drainName: deps.drainName,
    document,
    ownDocument: await readFile(documentFile, 'utf8'),
    tags: { ...fleet.tags, fleet: fleetTagOf(fleet) },
    queues: queues.map((outcome) => ({
      queue: outcome.item.queue,
      sqs: readingOf(outcome),
      group: 'group' in outcome.item ? facts(outcome.item.group) : outcome.item,
    })),
  }
}

const documentFile = new URL('../../worker/drain-document.json', import.meta.url)

const fleetTagOf = ({ tags, name }: Fleet) =>
  tags.fleet === null ? null : { key: tags.fleet, value: name }

/** An error is that one item's: nobody could read it, and the message says why. */
const readingOf = <T, R>(outcome: Outcome<T, R>): Reading<R> =>
  'error' in outcome ? { unread: messageOf(outcome.error) } : outcome.value

const messageOf = (error: unknown) =>
  error instanceof Error ? `${error.name}: ${error.message}` : String(error)

const part = <T, R>(reading: Reading<T>, take: (value: T) => R): Reading<R> =>
  typeof reading === 'object' && reading !== null && 'unread' in reading ? reading : take(reading)

/** One piece of reading whose failure is an answer. */
async function attempt<R>(read: () => Promise<R>): Promise<Reading<R>> {
  const [outcome] = await each([read], (work) => work())
  return outcome ? readingOf(outcome) : { unread: 'nothing was read' }
}

const readDocument = ({ ssm, drainName, signal }: AccountDeps): Promise<AccountFacts['document']> =>
  attempt(async () => {
    const command = new GetDocumentCommand({ Name: drainName, DocumentFormat: 'JSON' })
    try {
      const { Content = '', DocumentVersion = '' } = await ssm.send(command, {
        abortSignal: signal,
      })
      return { version: DocumentVersion, content: Content }
    } catch (error) {
      if (isAwsError(error, 'InvalidDocument')) return null
      throw error
    }
  })

// The most names that one DescribeAutoScalingGroups call takes.
const groupsPerCall = 100

/** Every group's tags with what shared/fleet.ts leaves out: whether they propagate. */
const readTags = ({ autoscaling, signal }: AccountDeps, groups: readonly Group[]) =>
  attempt(async () => {
    const tags = new Map<string, TagFacts[]>()
    for (let from = 0; from < groups.length; from += groupsPerCall) {
      const AutoScalingGroupNames = groups.slice(from, from + groupsPerCall).map(({ name }) => name)
      const command = new DescribeAutoScalingGroupsCommand({
        AutoScalingGroupNames,
        MaxRecords: groupsPerCall,
      })
      const page = await autoscaling.send(command, { abortSignal: signal })
      for (const { AutoScalingGroupName: name = '', Tags = [] } of page.AutoScalingGroups ?? []) {
        const own = Tags.map(({ Key = '', Value = '', PropagateAtLaunch = false }) => ({
          ...{ key: Key, value: Value, propagates: PropagateAtLaunch },
        }))
        tags.set(name, own)
      }
    }
    return tags
  })

async function readHooks({ autoscaling, signal }: AccountDeps, group: string) {
  const command = new DescribeLifecycleHooksCommand({ AutoScalingGroupName: group })
  const { LifecycleHooks = [] } = await autoscaling.send(command, { abortSignal: signal })
  return LifecycleHooks.map(
    (hook): HookFacts => ({
      name: hook.LifecycleHookName ?? '',
      transition: hook.LifecycleTransition ?? '',
      heartbeatSeconds: hook.HeartbeatTimeout ?? heartbeatSecondsDefault,
      globalSeconds: hook.GlobalTimeout ?? globalSecondsOf(hook.HeartbeatTimeout),
      // As Auto Scaling has it where a hook does not say.
      defaultResult: hook.DefaultResult ?? 'ABANDON',
    }),
  )
}

// Auto Scaling's default, and how long a hook may be extended in all: a hundred times, 48 hours.
const heartbeatSecondsDefault = 3_600
const globalSecondsMost = 172_800
const globalSecondsOf = (heartbeat = heartbeatSecondsDefault) =>
  Math.min(100 * heartbeat, globalSecondsMost)

// The most ids that one filter of DescribeInstanceInformation is asked for, and one page.
const instancesPerCall = 50

type Agents = ReadonlyMap<string, NonNullable<InstanceFacts['agent']>>

const workingOf = ({ members }: Group) => members.filter(({ kind }) => kind === 'inService')

const readAgents = ({ ssm, signal }: AccountDeps, groups: readonly Group[]) =>
  attempt(async (): Promise<Agents> => {
    const ids = groups.flatMap(workingOf).map(({ id }) => id)
    const agents = new Map<string, NonNullable<InstanceFacts['agent']>>()
    for (let from = 0; from < ids.length; from += instancesPerCall) {
      const command = new DescribeInstanceInformationCommand({
        Filters: [{ Key: 'InstanceIds', Values: ids.slice(from, from + instancesPerCall) }],
        MaxResults: instancesPerCall,
      })
      const page = await ssm.send(command, { abortSignal: signal })
      for (const one of page.InstanceInformationList ?? []) {
        const agent = { ping: one.PingStatus ?? '', version: one.AgentVersion ?? '' }
        agents.set(one.InstanceId ?? '', agent)
      }
    }
    return agents
  })

const instancesOf = (group: Group, agents: Agents): InstanceFacts[] =>
  workingOf(group).map(({ id }) => ({ id, agent: agents.get(id) ?? null }))

const redriveSchema = z.object({
  // CloudFormation and the console write it as a number, some tools as text.
  maxReceiveCount: z.coerce.number(),
})

/** A queue without a group of its own is looked for where the others are. */
async function readSqs(
  { sqs, signal }: AccountDeps,
  assigned: Assigned,
  otherArn: string | undefined,
): Promise<SqsFacts | null> {
  const arn = 'group' in assigned ? assigned.group.arn : otherArn
  const name = assigned.queue.sqs
  if (arn === undefined && !name.includes('://')) {
    throw new Error('no group says in which account and region it is')
  }
  const command = new GetQueueAttributesCommand({
    QueueUrl: queueUrl(name, arn ?? ''),
    AttributeNames: ['VisibilityTimeout', 'RedrivePolicy'],
  })
  try {
    const { Attributes = {} } = await sqs.send(command, { abortSignal: signal })
    const redrive = redriveSchema.safeParse(parseJson(Attributes['RedrivePolicy'] ?? ''))
    return {
      visibilitySeconds: Number(Attributes['VisibilityTimeout']),
      maxReceiveCount: redrive.success ? redrive.data.maxReceiveCount : null,
    }
  } catch (error) {
    if (isAwsError(error, 'QueueDoesNotExist')) return null
    throw error
  }
}
