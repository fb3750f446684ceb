import { randomUUID } from 'node:crypto'
import { setTimeout } from 'node:timers/promises'
import { AutoScalingClient } from '@aws-sdk/client-auto-scaling'
import { CloudWatchClient } from '@aws-sdk/client-cloudwatch'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { SNSClient } from '@aws-sdk/client-sns'
import { SQSClient } from '@aws-sdk/client-sqs'
import { SSMClient } from '@aws-sdk/client-ssm'

/**
 * All the power this project has over AWS, on one page: the only place that makes a client, reads
 * a clock or reads the environment. One maker per client, so that a bundle holds only the clients
 * its function calls. Every client is narrowed to `send`, the seam at which the twin stands in.
 */
export type Deps = {
  readonly sqs: Pick<SQSClient, 'send'>
  readonly autoscaling: Pick<AutoScalingClient, 'send'>
  readonly cloudwatch: Pick<CloudWatchClient, 'send'>
  readonly dynamodb: Pick<DynamoDBClient, 'send'>
  /** Epoch milliseconds. */
  readonly clock: { now(): number }
  /** The table that remembers what AWS cannot be asked. */
  readonly stateTable: string
  /** The name of the lifecycle hook that is ours, and of the document that drains. */
  readonly drainName: string
  readonly log: Log
  /** Another for each run: tells a run's own repeated write from another run's. */
  readonly runId: string
  /** Aborts whatever is under way shortly before the function would be killed. */
  readonly signal: AbortSignal
}

/** What backlog has beyond that. */
export type BacklogDeps = Deps & {
  /** The name of the queue whose delayed messages ask for looks at the fast lane. */
  readonly fastQueue: string
}

/** What drain has beyond that. */
export type DrainDeps = Deps & {
  readonly ssm: Pick<SSMClient, 'send'>
  /** The name of the queue whose delayed messages are drain's timer. */
  readonly timerQueue: string
}

/** What alerts has beyond that. */
export type AlertsDeps = Deps & {
  readonly sns: Pick<SNSClient, 'send'>
  readonly ssm: Pick<SSMClient, 'send'>
  readonly web: Web
  /** The ARN of the topic that every page goes to. */
  readonly alertsTopic: string
}

/** What is not AWS: the channels by which people are told. */
export type Web = {
  readonly fetch: (url: string, init: RequestInit) => Promise<Response>
  readonly wait: (milliseconds: number) => Promise<void>
  readonly pagerDutyUrl: string
}

/** One JSON line per call: a message and its fields. */
export type Log = Record<
  'info' | 'warn' | 'error',
  (message: string, fields: Record<string, unknown>) => void
>

const options = {
  // The next minute is the real retry. Four tries wait 3.5 s between them on average, 7 s at most.
  maxAttempts: 4,
  requestHandler: {
    // A healthy call takes 10 to 50 ms; past these the connection is dead and a new one is quicker.
    connectionTimeout: 1_000,
    requestTimeout: 4_000,
    // Without it the timeout is only a warning, and one silent call would hold the whole run.
    throwOnRequestTimeout: true,
    // As many sockets as calls that may be under way (see concurrencyMax), so none waits for one.
    httpsAgent: { maxSockets: 64 },
    httpAgent: { maxSockets: 64 },
  },
}

// The queue URL's host is the real AWS whatever endpoint is configured, so it must not be used.
export const makeSqs = () => new SQSClient({ ...options, useQueueUrlAsEndpoint: false })
export const makeAutoScaling = () => new AutoScalingClient(options)
export const makeCloudWatch = () => new CloudWatchClient(options)
// A hundred thousand values of a history take longer than any other answer.
const patient = { ...options.requestHandler, requestTimeout: 20_000 }
export const makeHistory = () => new CloudWatchClient({ ...options, requestHandler: patient })
export const makeDynamoDb = () => new DynamoDBClient(options)
export const makeSns = () => new SNSClient(options)
export const makeSsm = () => new SSMClient(options)

export const makeWeb = (): Web => ({
  fetch: (url, init) => fetch(url, init),
  wait: (milliseconds) => setTimeout(milliseconds),
  pagerDutyUrl: 'https://events.pagerduty.com/v2/enqueue',
})

// Not Lambda's request id: an event that is delivered twice comes with the same one.
export const newRunId = () => randomUUID()

export const systemClock = { now: () => Date.now() }

/** What serverless.yml tells a function. Throws where a variable is missing, naming it. */
export const environment = () => ({
  stateTable: required('CELERIAC_STATE_TABLE'),
  drainName: required('CELERIAC_DRAIN_NAME'),
})

/** What it tells backlog beyond that. */
export const backlogEnvironment = () => ({ fastQueue: required('CELERIAC_FAST_QUEUE') })

/** What it tells alerts beyond that. */
export const alertsEnvironment = () => ({ alertsTopic: required('CELERIAC_ALERTS_TOPIC') })

/** What it tells drain beyond that. */
export const drainEnvironment = () => ({ timerQueue: required('CELERIAC_TIMER_QUEUE') })

function required(name: string): string {
  const value = process.env[name]
  if (!value) throw new Error(`The environment variable ${name} is not set`)
  return value
}

/** Whether an error is the AWS error of that name, as in the service's API reference. */
export const isAwsError = (error: unknown, name: string) =>
  error instanceof Error && error.name === name
