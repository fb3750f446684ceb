import { type Batch, drain, type Response } from '../../functions/drain/handler.ts'
import { type DrainDeps, newRunId } from '../../shared/aws.ts'
import { type Drain, readDrains } from '../../shared/drains.ts'
import type { Fleet } from '../../shared/queue-config.ts'
import { account, drainName, region } from './cloud.ts'
import type { Rig } from './rig.ts'

/** Drain's handler on the wire: messages in, and what became of them. */

/** An event as EventBridge hands it to a queue; its time has whole seconds, as theirs have. */
export const eventOf = (
  [source, type]: readonly [string, string],
  detail: object,
  { at, instance }: { readonly at: number; readonly instance?: string },
) =>
  JSON.stringify({
    ...{ version: '0', id: '12345678-1234-1234-1234-123456789012' },
    ...{ 'detail-type': type, source, account, region },
    time: new Date(at).toISOString().replace(/\.\d+/, ''),
    // As Spot's have been seen: a zone in place of the region, and no account.
    resources: instance === undefined ? [] : [`arn:aws:ec2:us-east-1b:instance/${instance}`],
    detail,
  })

export const spot = (instance: string, at: number) =>
  eventOf(
    ['aws.ec2', 'EC2 Spot Instance Interruption Warning'],
    { 'instance-id': instance, 'instance-action': 'terminate' },
    { at, instance },
  )

export const rebalance = (instance: string, at: number) =>
  eventOf(
    ['aws.ec2', 'EC2 Instance Rebalance Recommendation'],
    { 'instance-id': instance },
    { at, instance },
  )

export const hookAction = (
  { group, instance, token }: { group: string; instance: string; token: string },
  at: number,
) =>
  eventOf(
    ['aws.autoscaling', 'EC2 Instance-terminate Lifecycle Action'],
    {
      ...{ LifecycleActionToken: token, AutoScalingGroupName: group, EC2InstanceId: instance },
      LifecycleHookName: drainName,
      LifecycleTransition: 'autoscaling:EC2_INSTANCE_TERMINATING',
      ...{ Origin: 'AutoScalingGroup', Destination: 'EC2' },
    },
    { at },
  )

export const progress = (instance: string, phase: string, at: number) => {
  const seconds = Math.floor(at / 1_000)
  return eventOf(
    ['celeriac.worker', 'Celeriac Drain Progress'],
    {
      ...{ 'instance-id': instance, 'drain-id': null, reason: 'scale_in', phase },
      ...{ deadline: seconds + 600, at: seconds },
      ...{ running: 0, handedBack: 3, finished: 1, forced: 0 },
    },
    { at },
  )
}

export const timer = (instances: readonly string[]) => JSON.stringify({ timer: instances })

/** A batch of these bodies; a message's id is its place. */
export const batchOf = (bodies: readonly string[]): Batch => ({
  Records: bodies.map((body, index) => ({ messageId: `m${index}`, body })),
})

/** One run of the real handler. */
export const drainRun = (
  rig: Rig,
  fleet: Fleet,
  bodies: readonly string[],
  deps: Partial<DrainDeps> = {},
): Promise<Response> => drain(fleet)(batchOf(bodies), { ...rig.deps, runId: newRunId(), ...deps })

/** The places of the messages that came back; all of them where the run ended in error. */
export async function comeBack(run: Promise<Response>, count: number): Promise<string[]> {
  const [outcome] = await Promise.allSettled([run])
  if (outcome.status === 'fulfilled') {
    return outcome.value.batchItemFailures.map(({ itemIdentifier }) => itemIdentifier)
  }
  return Array.from({ length: count }, (_, index) => `m${index}`)
}

export type Commanded = {
  readonly instance: string
  readonly command: string
  readonly parameters: Readonly<Record<string, readonly string[]>>
}

/** What the agents were handed, in order. */
export const commanded = ({ stub }: Rig): Commanded[] =>
  stub.cloud.changes.flatMap((change) => (change.kind === 'ssm.command' ? change : []))

/** How many instances each command went to, in order. */
export const sizes = ({ stub }: Rig) =>
  stub.cloud.changes.flatMap((change) =>
    change.kind === 'ssm.sent' ? change.instances.length : [],
  )

export async function stateOf({ deps }: Rig, instance: string): Promise<Drain | null> {
  const drains = await readDrains({ ...deps, runId: newRunId() }, [instance])
  return drains.get(instance)?.drain ?? null
}

export const published = ({ stub }: Rig, metric: string) =>
  stub.cloud.values.flatMap(({ name, value }) => (name === metric ? value : []))

/** The instances that timers will bring back. */
export const timed = ({ stub }: Rig): string[] =>
  [...stub.cloud.timers.messages.values()].flatMap(({ body }): string[] => JSON.parse(body).timer)
