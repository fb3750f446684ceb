import type { CommandInvocationStatus } from '@aws-sdk/client-ssm'
import type { Change } from './service.ts'
import type { Parameters, SsmDocument } from './ssm-document.ts'

/** A command's part on one instance. */
export type Invocation = {
  readonly instance: string
  status: CommandInvocationStatus
  details: string
  startedAt: number | null
  endedAt: number | null
  /** -1 until the agent has said. */
  exitCode: number
  output: string
}

export type Command = {
  readonly id: string
  readonly document: SsmDocument
  readonly parameters: Parameters
  readonly comment: string
  readonly requestedAt: number
  /** What an agent has not answered by then has timed out. */
  readonly expiresAt: number
  readonly maxConcurrency: number
  /** One error more stops the sending. */
  readonly maxErrors: number
  /** By instance, in the order in which they were named. */
  readonly invocations: ReadonlyMap<string, Invocation>
}

export const newInvocation = (instance: string): Invocation => ({
  instance,
  status: 'Pending',
  details: 'Pending',
  startedAt: null,
  endedAt: null,
  exitCode: -1,
  output: '',
})

/** A number, or a share of so many: 10 % of 50 are 5. */
export const amountOf = (text: string, of: number): number =>
  text.endsWith('%') ? Math.floor((Number(text.slice(0, -1)) * of) / 100) : Number(text)

const isOver = ({ endedAt }: Invocation) => endedAt !== null

/**
 * Sends on to as many instances as may run at once, and gives up on the rest once there are too
 * many errors: on those that wait, and on those whose agent has not begun.
 */
export function sendOn(command: Command, now: number): Change[] {
  const all = [...command.invocations.values()]
  const errors = all.filter(({ status }) => status === 'Failed' || status === 'TimedOut').length
  if (errors > command.maxErrors) {
    return all
      .filter((one) => !isOver(one) && one.startedAt === null)
      .map((one) => end(command, one, { at: now, status: 'Cancelled', details: 'Terminated' }))
  }
  const under = all.filter(({ status }) => status === 'InProgress').length
  return all
    .filter(({ status }) => status === 'Pending')
    .slice(0, Math.max(0, command.maxConcurrency - under))
    .map((one) => {
      one.status = 'InProgress'
      one.details = 'InProgress'
      return changed(command, one)
    })
}

/** The time of a command is over: what has not ended times out. */
export function expire(command: Command, now: number): Change[] {
  const due = [...command.invocations.values()].filter((one) => !isOver(one))
  const changes = due.map((one) => {
    const details = one.startedAt === null ? 'DeliveryTimedOut' : 'ExecutionTimedOut'
    return end(command, one, { at: now, status: 'TimedOut', details })
  })
  return [...changes, ...sendOn(command, now)]
}

/** The agent begins; says whether it may: what is over is not begun. */
export function begin(command: Command, instance: string, now: number): 'begun' | 'over' {
  const invocation = command.invocations.get(instance)
  if (!invocation || isOver(invocation) || invocation.startedAt !== null) return 'over'
  invocation.startedAt = now
  return 'begun'
}

export type Result = {
  readonly status: 'Success' | 'Failed'
  readonly exitCode: number
  readonly output: string
}

/** The agent's answer. One that comes too late changes nothing. */
export function finish(
  command: Command,
  instance: string,
  { now, result }: { readonly now: number; readonly result: Result },
): Change[] {
  const invocation = command.invocations.get(instance)
  if (!invocation || isOver(invocation)) return []
  invocation.startedAt ??= now
  invocation.exitCode = result.exitCode
  invocation.output = result.output
  const { status } = result
  const change = end(command, invocation, { at: now, status, details: status })
  return [change, ...sendOn(command, now)]
}

type End = {
  readonly at: number
  readonly status: CommandInvocationStatus
  readonly details: string
}

function end(command: Command, invocation: Invocation, { at, status, details }: End): Change {
  invocation.endedAt = at
  invocation.status = status
  invocation.details = details
  return changed(command, invocation)
}

const changed = (command: Command, { instance, status }: Invocation): Change => ({
  kind: 'ssm.invocation',
  command: command.id,
  instance,
  document: command.document.name,
  status,
  requestedAt: command.requestedAt,
})
