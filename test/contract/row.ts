import type { TwinDeps } from '../../twin/twin.ts'

/** What a row speaks to: the twin's clients or real ones. */
export type Aws = Pick<TwinDeps, 'sqs' | 'autoscaling' | 'cloudwatch' | 'dynamodb' | 'sns' | 'ssm'>

export type Row = {
  readonly name: string
  /** The calls, each on resources of its own, and what of their answers must agree. */
  readonly calls: (aws: Aws) => Promise<unknown>
  readonly expected: unknown
  /** Where moto differs from AWS's documents: what it answers; `expected` is what AWS says. */
  readonly moto?: { readonly answers: unknown; readonly awsSays: string }
}

/** What a call comes to: part of its answer, or the name of its error. */
export const outcome = <T, R>(call: Promise<T>, part: (answer: T) => R) =>
  call.then(part, (error: Error) => error.name)

export const done = () => 'done'
