import {
  CreateDocumentCommand,
  type CreateDocumentCommandInput,
  DescribeInstanceInformationCommand,
  ListCommandInvocationsCommand,
  SendCommandCommand,
  type SendCommandCommandInput,
} from '@aws-sdk/client-ssm'
import type { Random } from '../../shared/random.ts'
import type { Engine } from '../engine.ts'
import { uuid } from './lifecycle.ts'
import { type Applied, answer, awsError, type Change, notInTwin, type Service } from './service.ts'
import {
  amountOf,
  begin,
  type Command,
  expire,
  finish,
  newInvocation,
  type Result,
  sendOn,
} from './ssm-command.ts'
import {
  executionSeconds,
  parseDocument,
  resolveParameters,
  type SsmDocument,
} from './ssm-document.ts'
import { type Agent, describeInstances, listInvocations } from './ssm-lists.ts'
import { applyParameters, type Parameters } from './ssm-parameters.ts'

/**
 * SSM: documents, commands, and the agents that run them. The world is the agent: told by the
 * change `ssm.command`, it says when it begins and how it ends. Whoever calls a method passes on
 * the changes that it returns; what times out is passed on from here.
 */
export type Ssm = Service & {
  /** An agent is there, or there again: it gets what was sent to it and has not begun. */
  register(instance: string): Change[]
  /** The agent answers no more, which SSM does not know: commands to it are accepted and wait. */
  silence(instance: string): void
  /** The instance is gone: no command can be sent to it. */
  unregister(instance: string): void
  /** The agent begins. `over`: it must not, for the command has ended there or has begun before. */
  started(command: string, instance: string): 'begun' | 'over'
  finished(now: number, command: string, instance: string, result: Result): Change[]
}

type Options = {
  readonly engine: Engine
  readonly random: Random
  readonly account: string
  readonly emit: (changes: readonly Change[]) => void
}

type State = Options & {
  readonly documents: Map<string, SsmDocument>
  readonly commands: Map<string, Command>
  /** Those whose time is not over. */
  readonly open: Set<Command>
  readonly agents: Map<string, Agent>
  readonly parameters: Parameters
}

// SSM's bounds and defaults for one SendCommand call.
const instancesPerCommandMax = 50
const timeoutSeconds = { least: 30, most: 2_592_000, usual: 3_600 }
const commentLengthMax = 100
const maxConcurrencyDefault = '50'
const maxErrorsDefault = '0'

export function createSsm(options: Options): Ssm {
  const state: State = {
    ...options,
    documents: new Map(),
    commands: new Map(),
    open: new Set(),
    agents: new Map(),
    parameters: new Map(),
  }
  const { engine, agents, open } = state
  return {
    apply: (now, command) => apply(state, now, command),
    register(instance) {
      agents.set(instance, { registeredAt: engine.now, silentSince: null })
      return [...open].flatMap((command) => handOver(state, command, [instance]))
    },
    silence(instance) {
      const agent = agents.get(instance)
      if (agent) agent.silentSince ??= engine.now
    },
    unregister(instance) {
      agents.delete(instance)
    },
    started(id, instance) {
      return begin(find(state, id), instance, engine.now)
    },
    finished(now, id, instance, result) {
      const command = find(state, id)
      return passOn(state, command, finish(command, instance, { now, result }))
    },
  }
}

function apply(state: State, now: number, command: object): Applied {
  if (command instanceof SendCommandCommand) return send(state, now, command.input)
  if (command instanceof ListCommandInvocationsCommand) {
    return answer(listInvocations(state.commands, command.input))
  }
  if (command instanceof DescribeInstanceInformationCommand) {
    return answer(describeInstances(state.agents, now, command.input))
  }
  if (command instanceof CreateDocumentCommand) return create(state, now, command.input)
  const applied = applyParameters(state.parameters, command)
  if (applied) return applied
  throw notInTwin('SSM', command)
}

function create({ documents }: State, now: number, input: CreateDocumentCommandInput): Applied {
  const document = parseDocument(input)
  if (documents.has(document.name)) {
    throw awsError('DocumentAlreadyExists', 'The specified document already exists.')
  }
  documents.set(document.name, document)
  const DocumentDescription = {
    Name: document.name,
    DocumentVersion: '1',
    LatestVersion: '1',
    DefaultVersion: '1',
    DocumentType: 'Command',
    DocumentFormat: 'JSON',
    SchemaVersion: document.content.schemaVersion,
    Hash: document.hash,
    HashType: 'Sha256',
    Status: 'Creating',
    CreatedDate: new Date(now),
  }
  return answer({ DocumentDescription }, [{ kind: 'ssm.document', document: document.name }])
}

function send(state: State, now: number, input: SendCommandCommandInput): Applied {
  const { InstanceIds: ids = [], Comment: comment = '', TimeoutSeconds } = input
  checkBounds(input)
  const document = documentOf(state, input)
  const parameters = resolveParameters(document, input.Parameters ?? {})
  if (new Set(ids).size < ids.length) {
    throw awsError(
      'DuplicateInstanceId',
      'You cannot specify an instance ID in more than one place',
    )
  }
  const unknown = ids.filter((id) => !state.agents.has(id))
  if (unknown.length > 0) {
    const message = `Instances [[${unknown.join(', ')}]] not in a valid state for account`
    throw awsError('InvalidInstanceId', `${message} ${state.account}`)
  }
  const seconds = TimeoutSeconds ?? timeoutSeconds.usual
  const { MaxConcurrency = maxConcurrencyDefault, MaxErrors = maxErrorsDefault } = input
  const command: Command = {
    ...{ id: uuid(state.random), document, parameters, comment, requestedAt: now },
    expiresAt: now + (seconds + executionSeconds(document, parameters)) * 1_000,
    // However small the share, one instance at a time it is at least.
    maxConcurrency: Math.max(1, amountOf(MaxConcurrency, ids.length)),
    maxErrors: amountOf(MaxErrors, ids.length),
    invocations: new Map(ids.map((id) => [id, newInvocation(id)])),
  }
  state.commands.set(command.id, command)
  state.open.add(command)
  state.engine.at(command.expiresAt, () => {
    state.open.delete(command)
    state.emit(passOn(state, command, expire(command, state.engine.now)))
  })
  const Command = {
    CommandId: command.id,
    DocumentName: document.name,
    DocumentVersion: '1',
    Comment: comment,
    ExpiresAfter: new Date(command.expiresAt),
    Parameters: input.Parameters ?? {},
    InstanceIds: [...ids],
    Targets: [],
    RequestedDateTime: new Date(now),
    Status: 'Pending',
    StatusDetails: 'Pending',
    ...{ MaxConcurrency, MaxErrors, TimeoutSeconds: seconds },
    ...{ TargetCount: ids.length, CompletedCount: 0, ErrorCount: 0, DeliveryTimedOutCount: 0 },
  }
  const sent: Change = {
    kind: 'ssm.sent',
    command: command.id,
    document: document.name,
    instances: ids,
  }
  return answer({ Command }, [sent, ...passOn(state, command, sendOn(command, now))])
}

function checkBounds(input: SendCommandCommandInput): void {
  const { InstanceIds: ids = [], Targets = [], Comment = '', TimeoutSeconds } = input
  if (Targets.length > 0) throw new Error("The twin's SendCommand takes InstanceIds alone")
  if (ids.length < 1 || ids.length > instancesPerCommandMax) {
    throw validation(
      'instanceIds',
      `${ids.length} ids, from 1 to ${instancesPerCommandMax} are taken`,
    )
  }
  if (Comment.length > commentLengthMax) {
    throw validation('comment', `at most ${commentLengthMax} characters`)
  }
  const { least, most, usual } = timeoutSeconds
  const seconds = TimeoutSeconds ?? usual
  if (!Number.isInteger(seconds) || seconds < least || seconds > most) {
    throw validation('timeoutSeconds', `${seconds} is not between ${least} and ${most}`)
  }
  if (!/^([1-9]\d*|[1-9]\d?%|100%)$/.test(input.MaxConcurrency ?? maxConcurrencyDefault)) {
    throw validation('maxConcurrency', `${input.MaxConcurrency}`)
  }
  if (!/^([1-9]\d*|0|[1-9]?\d%|100%)$/.test(input.MaxErrors ?? maxErrorsDefault)) {
    throw validation('maxErrors', `${input.MaxErrors}`)
  }
}

/** The document by its name or its ARN, in the one version that there is. */
function documentOf({ documents }: State, input: SendCommandCommandInput): SsmDocument {
  const { DocumentName = '', DocumentVersion = '$DEFAULT', DocumentHash } = input
  const document = documents.get(DocumentName.replace(/^arn:.*:document\//, ''))
  if (!document) throw awsError('InvalidDocument', `Document ${DocumentName} does not exist`)
  if (!['$DEFAULT', '$LATEST', '1'].includes(DocumentVersion)) {
    const message = `The document version ${DocumentVersion} is not valid or does not exist`
    throw awsError('InvalidDocumentVersion', message)
  }
  if (DocumentHash !== undefined && DocumentHash !== document.hash) {
    throw awsError('InvalidDocument', `The hash of ${DocumentName} is another`)
  }
  return document
}

/** After each change of status: agents get what has just been sent to them. */
function passOn(state: State, command: Command, changes: readonly Change[]): Change[] {
  const sent = changes.flatMap((change) =>
    change.kind === 'ssm.invocation' && change.status === 'InProgress' ? [change.instance] : [],
  )
  return [...changes, ...handOver(state, command, sent)]
}

/** What the agents of those instances are to begin. A silent one hears of it when it is back. */
function handOver({ agents }: State, command: Command, instances: readonly string[]): Change[] {
  return instances.flatMap((instance): Change[] => {
    const invocation = command.invocations.get(instance)
    if (invocation?.status !== 'InProgress' || invocation.startedAt !== null) return []
    if (agents.get(instance)?.silentSince !== null) return []
    const { id, document, parameters } = command
    return [{ kind: 'ssm.command', command: id, instance, document: document.name, parameters }]
  })
}

function find({ commands }: State, id: string): Command {
  const command = commands.get(id)
  if (!command) throw new Error(`The twin's SSM has no command ${id}`)
  return command
}

const validation = (field: string, message: string) =>
  awsError(
    'ValidationException',
    `1 validation error detected: Value at '${field}' failed to satisfy constraint: ${message}`,
  )
