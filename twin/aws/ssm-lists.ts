import type {
  DescribeInstanceInformationCommandInput,
  ListCommandInvocationsCommandInput,
} from '@aws-sdk/client-ssm'
import { awsError } from './service.ts'
import type { Command, Invocation } from './ssm-command.ts'

/** What SSM knows of an instance's agent, and what it does not know yet. */
export type Agent = { readonly registeredAt: number; silentSince: number | null }

// The bounds of a page of each list.
const invocationsPerPage = { least: 1, most: 50 }
const instancesPerPage = { least: 5, most: 50 }
// The most of a step's output that the list of invocations holds.
const outputLengthMax = 2_500
// Agents report every five minutes; one whose report is overdue counts as lost.
const pingMs = 300_000
// Newer than the first that can pass parameters as environment variables.
const agentVersion = '3.3.3572.0'

/** ListCommandInvocations: of one command or of all, on one instance or on all. */
export function listInvocations(
  commands: ReadonlyMap<string, Command>,
  input: ListCommandInvocationsCommandInput,
): object {
  const { CommandId: id, InstanceId, Details, NextToken, Filters = [] } = input
  if (Filters.length > 0) throw new Error("The twin's ListCommandInvocations knows no filters")
  const command = commands.get(id ?? '')
  if (id !== undefined && !command)
    throw awsError('InvalidCommandId', `The command ID ${id} is not valid`)
  const found = (command ? [command] : [...commands.values()]).flatMap((one) =>
    [...one.invocations.values()]
      .filter(({ instance }) => InstanceId === undefined || instance === InstanceId)
      .map((invocation) => toAws(one, invocation, Details ? 'details' : 'status')),
  )
  const { page, next } = pageOf(found, { ...invocationsPerPage, ...input }, NextToken)
  return { CommandInvocations: page, ...next }
}

function toAws(command: Command, invocation: Invocation, show: 'details' | 'status') {
  const { document, comment } = command
  const { instance, status, details } = invocation
  return {
    CommandId: command.id,
    InstanceId: instance,
    Comment: comment,
    DocumentName: document.name,
    DocumentVersion: '1',
    RequestedDateTime: new Date(command.requestedAt),
    Status: status,
    StatusDetails: details,
    CommandPlugins: show === 'details' ? plugins(command, invocation) : [],
  }
}

/** One entry a step; the world's agent runs them all at once, so that they share their end. */
function plugins({ document }: Command, invocation: Invocation) {
  const { status, details, startedAt, endedAt, exitCode, output } = invocation
  return document.content.mainSteps.map(({ name }) => ({
    Name: name,
    Status: status,
    StatusDetails: details,
    ResponseCode: exitCode,
    ...(startedAt === null ? {} : { ResponseStartDateTime: new Date(startedAt) }),
    ...(endedAt === null ? {} : { ResponseFinishDateTime: new Date(endedAt) }),
    Output: output.slice(0, outputLengthMax),
  }))
}

/** DescribeInstanceInformation; an instance that nobody knows is not in it, and is no error. */
export function describeInstances(
  agents: ReadonlyMap<string, Agent>,
  now: number,
  input: DescribeInstanceInformationCommandInput,
): object {
  const { Filters = [], InstanceInformationFilterList: old = [], NextToken } = input
  if (old.length > 0) throw new Error('The twin knows Filters, not InstanceInformationFilterList')
  const found = [...agents].map(([id, agent]) => ({
    InstanceId: id,
    ...ping(agent, now),
    AgentVersion: agentVersion,
    PlatformType: 'Linux',
    ResourceType: 'EC2Instance',
  }))
  const kept = found.filter((one) =>
    Filters.every(({ Key, Values = [] }) => {
      if (Key === 'InstanceIds') return Values.includes(one.InstanceId)
      if (Key === 'PingStatus') return Values.includes(one.PingStatus)
      throw awsError('InvalidFilterKey', `The filter key ${Key} is not valid`)
    }),
  )
  const { page, next } = pageOf(kept, { ...instancesPerPage, ...input }, NextToken)
  return { InstanceInformationList: page, ...next }
}

function ping({ registeredAt, silentSince }: Agent, now: number) {
  const heard = (silentSince ?? now) - registeredAt
  const last = registeredAt + Math.floor(heard / pingMs) * pingMs
  return {
    PingStatus: now - last > pingMs ? 'ConnectionLost' : 'Online',
    LastPingDateTime: new Date(last),
  }
}

type Bounds = {
  readonly least: number
  readonly most: number
  readonly MaxResults?: number | undefined
}

function pageOf<T>(found: readonly T[], bounds: Bounds, token: string | undefined) {
  const { least, most, MaxResults: size = most } = bounds
  if (size < least || size > most) {
    const message = `Value at 'maxResults' must be between ${least} and ${most}`
    throw awsError('ValidationException', `1 validation error detected: ${message}`)
  }
  const from = token === undefined ? 0 : Number(/^page-(\d+)$/.exec(token)?.[1] ?? Number.NaN)
  if (Number.isNaN(from)) throw awsError('InvalidNextToken', 'The specified token is not valid.')
  const next = from + size < found.length ? { NextToken: `page-${from + size}` } : {}
  return { page: found.slice(from, from + size), next }
}
