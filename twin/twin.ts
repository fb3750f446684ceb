import type { AlertsDeps, BacklogDeps, DrainDeps } from '../shared/aws.ts'
import { random } from '../shared/random.ts'
import { type AutoScaling, createAutoScaling } from './aws/autoscaling.ts'
import { type CloudWatch, createCloudWatch } from './aws/cloudwatch.ts'
import { createDynamoDb } from './aws/dynamodb.ts'
import type { TableDefinition } from './aws/item.ts'
import type { Change, Service } from './aws/service.ts'
import { createSns, type Sns } from './aws/sns.ts'
import { createSqs, type Sqs } from './aws/sqs.ts'
import { createSsm, type Ssm } from './aws/ssm.ts'
import { startVending } from './aws/vending.ts'
import { createEngine, type Engine } from './engine.ts'

/** An AWS in this process, in virtual time. `T` is what the world knows of a message. */
export type Twin<T> = {
  readonly seed: number
  readonly engine: Engine
  readonly sqs: Sqs<T>
  readonly autoscaling: AutoScaling
  readonly cloudwatch: CloudWatch
  readonly dynamodb: Service
  readonly sns: Sns
  readonly ssm: Ssm
  /** What one run of a function is given: the same `send` as the SDK clients, an id of its own. */
  readonly deps: TwinDeps
  /** Every line that functions logged, newest last; for tests and reports. */
  readonly logged: LogLine[]
  /** Calls that were sent and not answered yet: none may be left when a handler resolves. */
  inFlight(): number
  /** Makes calls fail until it is called again; see Fault. */
  inject(faults: readonly Fault[]): void
  /** Whether any calls are made to fail at present. */
  isFailing(): boolean
  /** Tells the listener of every change, by a call or by time. */
  onChange(listener: (change: Change) => void): void
  /** Passes on changes that time made, as calls do by themselves. */
  emit(changes: readonly Change[]): void
}

export type TwinDeps = DrainDeps & BacklogDeps & AlertsDeps

export type LogLine = {
  readonly level: 'info' | 'warn' | 'error'
  readonly message: string
  readonly fields: Record<string, unknown>
}

/** A call that fails: by the command's name and, where given, a word its input must contain. */
export type Fault = { readonly command: string; readonly about?: string; readonly error: Error }

export const twinAccount = '123456789012'
export const twinRegion = 'us-east-1'
const stateTable = 'state'
/** The lifecycle hook and the document that drain, as a deployment would name them. */
export const twinDrainName = 'talk-prod-drain'
export const twinTimerQueue = 'talk-prod-timer'
export const twinFastQueue = 'talk-prod-fast'
export const twinAlertsTopic = `arn:aws:sns:${twinRegion}:${twinAccount}:talk-prod-alerts`

// What the deployment's stack has made.
const tables: readonly TableDefinition[] = [{ name: stateTable, indexes: { active: 'active' } }]

// Log lines are for looking back a little: a simulated day would log 100,000.
const logLinesKept = 1_000

type Options<T> = {
  readonly seed: number
  readonly startAt: number
  readonly makeTask: (queue: string, body: string, now: number) => T
  /** Tables beside the ones that the deployment's stack makes. */
  readonly moreTables?: readonly TableDefinition[]
}

export function createTwin<T>({ seed, startAt, makeTask, moreTables = [] }: Options<T>): Twin<T> {
  const engine = createEngine(startAt)
  const place = { account: twinAccount, region: twinRegion }
  const listeners: ((change: Change) => void)[] = []
  const emit = (changes: readonly Change[]) => {
    for (const change of changes) for (const listener of listeners) listener(change)
  }
  const counts = random(seed, 'sqs/counts')
  const sqs = createSqs<T>({ engine, random: counts, emit, ...place, makeTask })
  const launches = random(seed, 'autoscaling')
  const autoscaling = createAutoScaling({ engine, random: launches, emit, ...place })
  const cloudwatch = createCloudWatch()
  const dynamodb = createDynamoDb([...tables, ...moreTables])
  const ssm = createSsm({ engine, random: random(seed, 'ssm'), account: twinAccount, emit })
  const sns = createSns([twinAlertsTopic])
  const activity = random(seed, 'sqs/activity')
  startVending({ engine, random: activity, sqs, autoscaling, cloudwatch })
  const wire: Wire = { engine, faults: [], inFlight: 0, emit }
  const { logged, log } = createLog()
  const services = { sqs, autoscaling, cloudwatch, dynamodb, sns, ssm }
  const common = {
    ...clientsOf(wire, services),
    clock: { now: () => engine.now },
    ...{ stateTable, drainName: twinDrainName, log },
    ...{ timerQueue: twinTimerQueue, fastQueue: twinFastQueue, alertsTopic: twinAlertsTopic },
    web: noWeb,
    signal: new AbortController().signal,
  }
  let runs = 0
  return {
    seed,
    engine,
    ...services,
    get deps() {
      return { ...common, runId: `run-${++runs}` }
    },
    logged,
    inFlight: () => wire.inFlight,
    inject(next) {
      wire.faults = next
    },
    isFailing: () => wire.faults.length > 0,
    onChange(listener) {
      listeners.push(listener)
    },
    emit,
  }
}

// The world of the twin has no channels beside its topic.
const noWeb: TwinDeps['web'] = {
  fetch: () => Promise.reject(new Error('The twin has no web')),
  wait: () => Promise.resolve(),
  pagerDutyUrl: 'https://events.pagerduty.com/v2/enqueue',
}

function createLog() {
  const logged: LogLine[] = []
  const log = (level: LogLine['level']) => (message: string, fields: LogLine['fields']) => {
    logged.push({ level, message, fields })
    if (logged.length > logLinesKept) logged.splice(0, logLinesKept / 2)
  }
  return { logged, log: { info: log('info'), warn: log('warn'), error: log('error') } }
}

type Services = Record<'sqs' | 'autoscaling' | 'cloudwatch' | 'dynamodb' | 'sns' | 'ssm', Service>

/** The one cast: the twin's `send` takes any command, the clients' have one signature for each. */
const clientsOf = (wire: Wire, { sqs, autoscaling, cloudwatch, dynamodb, sns, ssm }: Services) =>
  ({
    sqs: { send: send(wire, sqs) },
    autoscaling: { send: send(wire, autoscaling) },
    cloudwatch: { send: send(wire, cloudwatch) },
    dynamodb: { send: send(wire, dynamodb) },
    sns: { send: send(wire, sns) },
    ssm: { send: send(wire, ssm) },
  }) as unknown as Pick<TwinDeps, keyof Services>

type Wire = {
  readonly engine: Engine
  readonly emit: (changes: readonly Change[]) => void
  faults: readonly Fault[]
  inFlight: number
}

/** Answers in a later turn of the event loop, as a network does: what is not awaited shows. */
const send = (wire: Wire, service: Service) => (command: object) => {
  wire.inFlight++
  return new Promise((resolve, reject) => {
    setImmediate(() => {
      wire.inFlight--
      try {
        const fault = wire.faults.find((one) => concerns(one, command))
        if (fault) throw fault.error
        const { output, changes } = service.apply(wire.engine.now, command)
        wire.emit(changes)
        resolve(output)
      } catch (error) {
        reject(error)
      }
    })
  })
}

const concerns = ({ command: name, about }: Fault, command: object) =>
  command.constructor.name === name &&
  (about === undefined || JSON.stringify(command).includes(about))
