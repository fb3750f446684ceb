import {
  type CommandInvocation,
  DescribeInstanceInformationCommand,
  ListCommandInvocationsCommand,
  SendCommandCommand,
} from '@aws-sdk/client-ssm'
import { type DrainDeps, isAwsError } from './aws.ts'
import type { Reason } from './events.ts'
import type { QueueConfig } from './queue-config.ts'

/** The command that drains: what worker/drain-document.json takes, and what came of it. */
export type Order = {
  readonly action: 'drain' | 'resume' | 'status'
  /** Epoch milliseconds; sent as whole seconds. */
  readonly deadline: number
  readonly reason: Reason
  readonly drainId: string
  readonly worker: QueueConfig['worker']
}

export type SendResult = {
  /** Systems Manager's id; null where nobody was left to send to. */
  readonly command: string | null
  /** Instances that Systems Manager does not have online. */
  readonly unregistered: readonly string[]
}

type Ssm = Pick<DrainDeps, 'ssm' | 'drainName' | 'signal' | 'clock'>

/** The most ids that one SendCommand call takes, and one page of invocations. */
export const instancesPerCommand = 50

// How long Systems Manager may try to deliver: its shortest, for nothing here waits longer for an
// acknowledgement, and a drain that starts late is no worse than none.
const deliverySecondsLeast = 30
const deliverySecondsMost = 600

/**
 * One order to at most 50 instances, which one of them that fails does not keep from the others.
 * SendCommand refuses all of them when one is no managed node: then the ones that are online are
 * asked for and the order is sent to those.
 */
export async function sendOrder(
  deps: Ssm,
  order: Order,
  instances: readonly string[],
): Promise<SendResult> {
  try {
    return { command: await send(deps, order, instances), unregistered: [] }
  } catch (error) {
    if (!isAwsError(error, 'InvalidInstanceId')) throw error
  }
  const online = instances.length === 1 ? new Set<string>() : await onlineOf(deps, instances)
  const unregistered = instances.filter((instance) => !online.has(instance))
  if (online.size === 0) return { command: null, unregistered }
  return { command: await send(deps, order, [...online]), unregistered }
}

async function send(deps: Ssm, order: Order, instances: readonly string[]) {
  const left = Math.floor((order.deadline - deps.clock.now()) / 1_000)
  const command = new SendCommandCommand({
    DocumentName: deps.drainName,
    InstanceIds: [...instances],
    Comment: `${order.action} ${order.drainId}`,
    TimeoutSeconds: Math.max(deliverySecondsLeast, Math.min(left, deliverySecondsMost)),
    MaxErrors: '100%',
    Parameters: {
      Action: [order.action],
      Deadline: [String(Math.floor(order.deadline / 1_000))],
      Reason: [order.reason],
      DrainId: [order.drainId],
      WorkerKind: [order.worker.kind],
      ...(order.worker.name === '' ? {} : { WorkerName: [order.worker.name] }),
    },
  })
  const { Command } = await deps.ssm.send(command, { abortSignal: deps.signal })
  if (!Command?.CommandId) throw new Error('SendCommand answered without a CommandId')
  return Command.CommandId
}

async function onlineOf(deps: Ssm, instances: readonly string[]): Promise<Set<string>> {
  const command = new DescribeInstanceInformationCommand({
    Filters: [
      { Key: 'InstanceIds', Values: [...instances] },
      { Key: 'PingStatus', Values: ['Online'] },
    ],
    MaxResults: instancesPerCommand,
  })
  const { InstanceInformationList = [] } = await deps.ssm.send(command, {
    abortSignal: deps.signal,
  })
  return new Set(InstanceInformationList.flatMap(({ InstanceId }) => InstanceId ?? []))
}

/** What came of a command on one instance. */
export type Answer = {
  readonly command: string
  readonly instance: string
  readonly status: string
  /** What the script printed, its first 2,500 characters. */
  readonly output: string
}

/** Every instance's answer to a command; pages of 50. */
export async function answersTo(deps: Ssm, command: string): Promise<Answer[]> {
  const answers: Answer[] = []
  let NextToken: string | undefined
  do {
    const list = new ListCommandInvocationsCommand({
      CommandId: command,
      Details: true,
      MaxResults: instancesPerCommand,
      ...(NextToken ? { NextToken } : {}),
    })
    const page = await deps.ssm.send(list, { abortSignal: deps.signal })
    answers.push(...(page.CommandInvocations ?? []).map((one) => toAnswer(command, one)))
    NextToken = page.NextToken
  } while (NextToken)
  return answers
}

const toAnswer = (command: string, { InstanceId, Status, CommandPlugins }: CommandInvocation) => ({
  command,
  instance: InstanceId ?? '',
  status: Status ?? '',
  output: (CommandPlugins ?? []).map(({ Output }) => Output ?? '').join('\n'),
})
