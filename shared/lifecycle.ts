import {
  CompleteLifecycleActionCommand,
  DescribeAutoScalingInstancesCommand,
  DescribeLifecycleHooksCommand,
  EnterStandbyCommand,
  ExitStandbyCommand,
  RecordLifecycleActionHeartbeatCommand,
  TerminateInstanceInAutoScalingGroupCommand,
} from '@aws-sdk/client-auto-scaling'
import { type Deps, isAwsError } from './aws.ts'

/** What Auto Scaling is asked to do with single instances, and the hooks it waits for. */

type As = Pick<Deps, 'autoscaling' | 'signal'>

/** A terminate hook that waits for somebody, told by its token or by the instance's id. */
export type OpenAction = {
  readonly group: string
  readonly instance: string
  readonly hook: string
  readonly token: string | null
}

// The most ids that one DescribeAutoScalingInstances call takes.
const idsPerCall = 50
// The most ids that one EnterStandby call takes, by the length constraint of its reference.
const standbyPerCall = 19

/** The group that each of these instances belongs to; those of no group are left out. */
export async function groupsOf(
  deps: As,
  instances: readonly string[],
): Promise<Map<string, string>> {
  const groups = new Map<string, string>()
  for (let from = 0; from < instances.length; from += idsPerCall) {
    const InstanceIds = instances.slice(from, from + idsPerCall)
    const command = new DescribeAutoScalingInstancesCommand({ InstanceIds })
    const page = await deps.autoscaling.send(command, { abortSignal: deps.signal })
    for (const { InstanceId, AutoScalingGroupName } of page.AutoScalingInstances ?? []) {
      if (InstanceId && AutoScalingGroupName) groups.set(InstanceId, AutoScalingGroupName)
    }
  }
  return groups
}

export type TerminateHook = { readonly name: string; readonly timeoutSeconds: number }

/** The group's hooks on termination; one call. */
export async function terminateHooks(deps: As, group: string): Promise<TerminateHook[]> {
  const command = new DescribeLifecycleHooksCommand({ AutoScalingGroupName: group })
  const { LifecycleHooks = [] } = await deps.autoscaling.send(command, { abortSignal: deps.signal })
  return LifecycleHooks.flatMap((hook) =>
    hook.LifecycleTransition === 'autoscaling:EC2_INSTANCE_TERMINATING' && hook.LifecycleHookName
      ? { name: hook.LifecycleHookName, timeoutSeconds: hook.HeartbeatTimeout ?? 0 }
      : [],
  )
}

const actionOf = ({ group, instance, hook, token }: OpenAction) => ({
  AutoScalingGroupName: group,
  LifecycleHookName: hook,
  InstanceId: instance,
  ...(token === null ? {} : { LifecycleActionToken: token }),
})

/** Lets the hook's time run anew; `over` where nobody waits any more. */
export async function extend(deps: As, action: OpenAction): Promise<'extended' | 'over'> {
  const command = new RecordLifecycleActionHeartbeatCommand(actionOf(action))
  return (await unlessOver(deps.autoscaling.send(command, { abortSignal: deps.signal })))
    ? 'extended'
    : 'over'
}

/** Lets the termination go on; `over` where it has gone on already. */
export async function complete(deps: As, action: OpenAction): Promise<'completed' | 'over'> {
  const command = new CompleteLifecycleActionCommand({
    ...actionOf(action),
    LifecycleActionResult: 'CONTINUE',
  })
  return (await unlessOver(deps.autoscaling.send(command, { abortSignal: deps.signal })))
    ? 'completed'
    : 'over'
}

/** False where Auto Scaling says that no such action waits: somebody or its timeout was first. */
async function unlessOver(call: Promise<unknown>): Promise<boolean> {
  try {
    await call
    return true
  } catch (error) {
    if (isAwsError(error, 'ValidationError') && /No active Lifecycle Action/i.test(said(error))) {
      return false
    }
    throw error
  }
}

const said = (error: unknown) => (error instanceof Error ? error.message : '')

/**
 * Ends the instance by way of its group, which replaces it, or is lowered by it. `gone` where it is
 * there no more.
 */
export async function terminate(
  deps: As,
  instance: string,
  lower: boolean,
): Promise<'terminating' | 'gone'> {
  const command = new TerminateInstanceInAutoScalingGroupCommand({
    InstanceId: instance,
    ShouldDecrementDesiredCapacity: lower,
  })
  try {
    await deps.autoscaling.send(command, { abortSignal: deps.signal })
    return 'terminating'
  } catch (error) {
    if (isAwsError(error, 'ValidationError') && /not found/i.test(said(error))) return 'gone'
    throw error
  }
}

/** Takes the instances out of service; the group starts others in their place. */
export async function setAside(
  deps: As,
  group: string,
  instances: readonly string[],
): Promise<void> {
  for (let from = 0; from < instances.length; from += standbyPerCall) {
    const command = new EnterStandbyCommand({
      AutoScalingGroupName: group,
      InstanceIds: instances.slice(from, from + standbyPerCall),
      ShouldDecrementDesiredCapacity: false,
    })
    await deps.autoscaling.send(command, { abortSignal: deps.signal })
  }
}

/** Puts the instance back into service; the group's desired capacity grows by it. */
export async function takeBack(deps: As, group: string, instance: string): Promise<void> {
  const command = new ExitStandbyCommand({
    AutoScalingGroupName: group,
    InstanceIds: [instance],
  })
  await deps.autoscaling.send(command, { abortSignal: deps.signal })
}
