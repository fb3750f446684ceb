import type { CommandInvocationStatus } from '@aws-sdk/client-ssm'
import type { ActionResult, Cause, Transition } from './groups.ts'

/** What a call, or time, changed: the audit trail from which tests and invariants judge. */
export type Change =
  | { readonly kind: 'sqs.queue-created' | 'sqs.queue-deleted'; readonly queue: string }
  | { readonly kind: 'sqs.sent' | 'sqs.deleted'; readonly queue: string; readonly message: number }
  | {
      /** A message has been received too often: `to` is its number in the dead-letter queue. */
      readonly kind: 'sqs.moved'
      readonly queue: string
      readonly message: number
      readonly deadLetterQueue: string
      readonly to: number
    }
  | { readonly kind: 'sns.published'; readonly topic: string }
  | { readonly kind: 'autoscaling.group'; readonly group: string }
  | {
      readonly kind: 'autoscaling.desired'
      readonly group: string
      readonly from: number
      readonly to: number
      readonly by: 'api' | 'policy'
    }
  | { readonly kind: 'autoscaling.launched'; readonly group: string; readonly instance: string }
  | {
      /** EC2 begins to end the box: whatever held the instance does so no longer. */
      readonly kind: 'autoscaling.terminating'
      readonly group: string
      readonly instance: string
      readonly cause: Cause
    }
  | {
      /** A hook holds the instance: EventBridge's lifecycle action event. */
      readonly kind: 'autoscaling.hook'
      readonly group: string
      readonly instance: string
      readonly hook: string
      readonly token: string
      readonly transition: Transition
      readonly heartbeatSeconds: number
      readonly metadata: string | null
      readonly origin: 'EC2' | 'AutoScalingGroup'
      readonly destination: 'EC2' | 'AutoScalingGroup'
    }
  | {
      readonly kind: 'autoscaling.heartbeat'
      readonly group: string
      readonly instance: string
      readonly hook: string
      /** When the timeout now ends the action, epoch milliseconds. */
      readonly until: number
    }
  | {
      readonly kind: 'autoscaling.hook-ended'
      readonly group: string
      readonly instance: string
      readonly hook: string
      /**
       * `gone`: the box, or the launch that was held, is no more. `skipped`: another hook of the
       * instance was abandoned. `deleted`: the hook itself was.
       */
      readonly by: 'complete' | 'timeout' | 'global-timeout' | 'gone' | 'skipped' | 'deleted'
      /** What was decided; null where nothing was. */
      readonly result: ActionResult | null
    }
  | {
      readonly kind: 'autoscaling.standby'
      readonly group: string
      readonly instance: string
      readonly state: 'Standby' | 'InService'
    }
  | { readonly kind: 'autoscaling.protection'; readonly group: string; readonly instance: string }
  | { readonly kind: 'ssm.document'; readonly document: string }
  | {
      readonly kind: 'ssm.sent'
      readonly command: string
      readonly document: string
      readonly instances: readonly string[]
    }
  | {
      /** The agent of an instance is handed a command: the world runs it. */
      readonly kind: 'ssm.command'
      readonly command: string
      readonly instance: string
      readonly document: string
      readonly parameters: Readonly<Record<string, readonly string[]>>
    }
  | {
      /** EventBridge's invocation status-change event. */
      readonly kind: 'ssm.invocation'
      readonly command: string
      readonly instance: string
      readonly document: string
      readonly status: CommandInvocationStatus
      readonly requestedAt: number
    }
  | { readonly kind: 'cloudwatch.put'; readonly metrics: number }
  | {
      readonly kind: 'dynamodb.put' | 'dynamodb.deleted'
      readonly table: string
      readonly key: string
    }

/** A service answers a command, or throws an AWS error; what it changed is said beside it. */
export type Applied = { readonly output: object; readonly changes: readonly Change[] }

/** A synchronous state machine: the same state, time and command give the same answer. */
export type Service = { apply(now: number, command: object): Applied }

export const answer = (output: object, changes: readonly Change[] = []): Applied => ({
  output: { $metadata: { httpStatusCode: 200 }, ...output },
  changes,
})

/** An error as an SDK client throws it: by the name in the service's API reference. */
export function awsError(name: string, message: string, httpStatusCode = 400): Error {
  const error = new Error(message)
  error.name = name
  return Object.assign(error, { $fault: 'client', $metadata: { httpStatusCode } })
}

/** The command has no counterpart here: the twin says so instead of answering something. */
export const notInTwin = (service: string, command: object) =>
  new Error(`The twin's ${service} does not know ${command.constructor.name}`)
