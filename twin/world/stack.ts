import { readFileSync } from 'node:fs'
import { PutLifecycleHookCommand } from '@aws-sdk/client-auto-scaling'
import { SendMessageCommand } from '@aws-sdk/client-sqs'
import { CreateDocumentCommand } from '@aws-sdk/client-ssm'
import type { SQSEvent } from 'aws-lambda'
import { createEventSource, type EventSource } from '../aws/event-source.ts'
import type { Queue } from '../aws/sqs-queue.ts'
import {
  type Twin,
  twinAccount,
  twinDrainName,
  twinFastQueue,
  twinRegion,
  twinTimerQueue,
} from '../twin.ts'
import type { Task } from './task.ts'

/** What a deployment makes beside its functions: queues, their mappings, and drain's document. */
export type Stack = {
  readonly drainQueue: Queue<null>
  readonly timerQueue: Queue<null>
  /** Messages that failed every time. */
  readonly undelivered: Queue<null>
  readonly sources: readonly EventSource[]
  /** What the mappings invoke; whoever runs the world sets them. */
  drain: (event: SQSEvent) => Promise<unknown>
  fastLook: (event: SQSEvent) => Promise<unknown>
  report: (event: SQSEvent) => Promise<unknown>
  /** Errors of invocations, which Lambda would count. */
  readonly errors: unknown[]
  /** Hands a body to drain's queue, as a rule with that input does. */
  send(body: string): void
  /** Hands an event to alerts. */
  sendReport(body: string): void
}

// As in serverless.yml.
const undeliveredName = 'talk-prod-undelivered'
const reportsName = 'talk-prod-reports'
const visibilitySeconds = 30
const receivesMax = 5
const functionTimeoutSeconds = 15
const batchSize = 100
const batchingWindowSeconds = 1
const maximumConcurrency = 10
const fastLane = {
  ...{ batchSize: 1, batchingWindowSeconds: 0, maximumConcurrency },
  ...{ functionTimeoutSeconds: 50, visibilitySeconds: 60 },
}

const document = readFileSync(new URL('../../worker/drain-document.json', import.meta.url), 'utf8')

export function createStack(twin: Twin<Task>): Stack {
  const { engine, sqs, ssm, emit } = twin
  const undelivered = sqs.createTextQueue({ QueueName: undeliveredName })
  const deadLetterTargetArn = `arn:aws:sqs:${twinRegion}:${twinAccount}:${undeliveredName}`
  const redrive = JSON.stringify({ deadLetterTargetArn, maxReceiveCount: receivesMax })
  const attributes = { VisibilityTimeout: String(visibilitySeconds), RedrivePolicy: redrive }
  const create = (QueueName: string) => sqs.createTextQueue({ QueueName, Attributes: attributes })
  const drainQueue = create(twinDrainName)
  const timerQueue = create(twinTimerQueue)
  const make = new CreateDocumentCommand({
    Name: twinDrainName,
    Content: document,
    DocumentType: 'Command',
    DocumentFormat: 'JSON',
  })
  emit(ssm.apply(engine.now, make).changes)
  const errors: unknown[] = []
  const mapping = (queue: Queue<null>) =>
    createEventSource({
      ...{ engine, emit, queue, batchSize, batchingWindowSeconds, maximumConcurrency },
      functionTimeoutSeconds,
      reports: 'batch item failures',
      handler: (event) => stack.drain(event),
      onError: (error) => errors.push(error),
    })
  const fast = createEventSource({
    ...{ engine, emit, queue: createFastQueue(sqs), ...fastLane },
    reports: 'whole batches',
    handler: (event) => stack.fastLook(event),
    onError: (error) => errors.push(error),
  })
  // Lambda keeps what EventBridge hands to a function in a queue of its own.
  const reports = sqs.createTextQueue({ QueueName: reportsName, Attributes: attributes })
  const reported = createEventSource({
    ...{ engine, emit, queue: reports, batchSize: 1, batchingWindowSeconds: 0, maximumConcurrency },
    ...{ functionTimeoutSeconds, reports: 'whole batches' },
    handler: (event) => stack.report(event),
    onError: (error) => errors.push(error),
  })
  const nobody = () => Promise.reject(new Error('Nobody has said what the functions do'))
  const put = (queue: Queue<null>, MessageBody: string) => {
    const command = new SendMessageCommand({ QueueUrl: queue.url, MessageBody })
    emit(sqs.apply(engine.now, command).changes)
  }
  const stack: Stack = {
    ...{ drainQueue, timerQueue, undelivered, errors },
    sources: [mapping(drainQueue), mapping(timerQueue), fast, reported],
    ...{ drain: nobody, fastLook: nobody, report: nobody },
    send: (body) => put(drainQueue, body),
    sendReport: (body) => put(reports, body),
  }
  return stack
}

const createFastQueue = (sqs: Twin<Task>['sqs']) =>
  sqs.createTextQueue({
    QueueName: twinFastQueue,
    Attributes: { VisibilityTimeout: String(fastLane.visibilitySeconds) },
  })

/** The hook that README.md tells a user to give each group. */
export function addTerminateHook(twin: Twin<Task>, group: string): void {
  const command = new PutLifecycleHookCommand({
    AutoScalingGroupName: group,
    LifecycleHookName: twinDrainName,
    LifecycleTransition: 'autoscaling:EC2_INSTANCE_TERMINATING',
    // Long enough for a sweep or two to find what EventBridge lost, short enough to end by itself.
    HeartbeatTimeout: 300,
    DefaultResult: 'CONTINUE',
  })
  twin.emit(twin.autoscaling.apply(twin.engine.now, command).changes)
}
