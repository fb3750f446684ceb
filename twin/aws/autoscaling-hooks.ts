import type {
  CompleteLifecycleActionCommandInput,
  DeleteLifecycleHookCommandInput,
  DescribeLifecycleHooksCommandInput,
  LifecycleHookSpecification,
  PutLifecycleHookCommandInput,
  RecordLifecycleActionHeartbeatCommandInput,
} from '@aws-sdk/client-auto-scaling'
import { type ActionResult, findGroup, type Group, type Hook, invalid } from './groups.ts'
import { type Context, endAction, extend, globalTimeoutSeconds } from './lifecycle.ts'
import { type Applied, answer, awsError, type Change } from './service.ts'

type State = { readonly groups: ReadonlyMap<string, Group>; readonly context: Context }

// AWS's defaults and bounds for a lifecycle hook.
const heartbeatSecondsDefault = 3_600
const heartbeatSeconds = { least: 30, most: 7_200 }
const metadataLengthMax = 4_000
const hooksPerGroupMax = 50

/** Makes a hook, or changes what the call names of one; what it holds already stays as it was. */
export function putHook({ groups }: State, input: PutLifecycleHookCommandInput): Applied {
  const group = findGroup(groups, input.AutoScalingGroupName)
  addHook(group, input)
  return answer({}, [{ kind: 'autoscaling.group', group: group.name }])
}

/** The hook as PutLifecycleHook and a group's LifecycleHookSpecificationList give it. */
export function addHook(group: Group, input: Partial<LifecycleHookSpecification>): void {
  const name = input.LifecycleHookName ?? ''
  if (!/^[\w/-]{1,255}$/.test(name)) throw invalid(`The hook name ${name} is not valid`)
  if (input.NotificationTargetARN || input.RoleARN) {
    throw new Error("The twin's hooks notify EventBridge alone, as those without a target do")
  }
  const before = group.hooks.get(name)
  const transition = transitions.find((known) => known === input.LifecycleTransition)
  const kept = input.LifecycleTransition === undefined ? before?.transition : transition
  if (!kept) throw invalid(`The lifecycle transition ${input.LifecycleTransition} is not valid`)
  const seconds = input.HeartbeatTimeout ?? before?.heartbeatSeconds ?? heartbeatSecondsDefault
  const { least, most } = heartbeatSeconds
  if (!Number.isInteger(seconds) || seconds < least || seconds > most) {
    throw invalid(`Heartbeat timeout must be between ${least} and ${most}`)
  }
  const metadata = input.NotificationMetadata ?? before?.metadata ?? null
  if (metadata !== null && (metadata === '' || metadata.length > metadataLengthMax)) {
    throw invalid(`NotificationMetadata must have from 1 to ${metadataLengthMax} characters`)
  }
  if (!before && group.hooks.size >= hooksPerGroupMax) {
    const message = `You have reached the limit of ${hooksPerGroupMax} hooks for this group`
    throw awsError('LimitExceededFault', message)
  }
  const defaultResult = resultOf(input.DefaultResult ?? before?.defaultResult ?? 'ABANDON')
  const hook: Hook = { name, transition: kept, heartbeatSeconds: seconds, defaultResult, metadata }
  group.hooks.set(name, hook)
}

const transitions = [
  'autoscaling:EC2_INSTANCE_LAUNCHING',
  'autoscaling:EC2_INSTANCE_TERMINATING',
] as const

export function describeHooks(
  { groups }: State,
  input: DescribeLifecycleHooksCommandInput,
): Applied {
  const group = findGroup(groups, input.AutoScalingGroupName)
  const names = input.LifecycleHookNames ?? []
  if (names.length > hooksPerGroupMax) throw invalid(`At most ${hooksPerGroupMax} hook names`)
  const LifecycleHooks = [...group.hooks.values()]
    .filter(({ name }) => names.length === 0 || names.includes(name))
    .map((hook) => ({
      LifecycleHookName: hook.name,
      AutoScalingGroupName: group.name,
      LifecycleTransition: hook.transition,
      HeartbeatTimeout: hook.heartbeatSeconds,
      GlobalTimeout: globalTimeoutSeconds(hook),
      DefaultResult: hook.defaultResult,
      ...(hook.metadata === null ? {} : { NotificationMetadata: hook.metadata }),
    }))
  return answer({ LifecycleHooks })
}

/** What the hook holds goes on: a launching instance is abandoned, a terminating one continues. */
export function deleteHook(state: State, input: DeleteLifecycleHookCommandInput): Applied {
  const group = findGroup(state.groups, input.AutoScalingGroupName)
  const hook = group.hooks.get(input.LifecycleHookName ?? '')
  if (!hook) throw invalid(`No Lifecycle Hook found with name ${input.LifecycleHookName}`)
  group.hooks.delete(hook.name)
  const launching = hook.transition === 'autoscaling:EC2_INSTANCE_LAUNCHING'
  const end = { by: 'deleted', result: launching ? 'ABANDON' : 'CONTINUE' } as const
  const changes: Change[] = [{ kind: 'autoscaling.group', group: group.name }]
  for (const instance of [...group.instances.values()]) {
    const action = instance.actions.get(hook.name)
    if (action) changes.push(...endAction(state.context, group, { instance, action }, end))
  }
  return answer({}, changes)
}

/** Ends an action. Throws ValidationError where there is none, or none any more. */
export function complete(state: State, input: CompleteLifecycleActionCommandInput): Applied {
  const group = findGroup(state.groups, input.AutoScalingGroupName)
  const result = resultOf(input.LifecycleActionResult)
  const held = activeAction(group, input)
  return answer({}, endAction(state.context, group, held, { by: 'complete', result }))
}

export function heartbeat(
  state: State,
  input: RecordLifecycleActionHeartbeatCommandInput,
): Applied {
  const group = findGroup(state.groups, input.AutoScalingGroupName)
  return answer({}, extend(state.context, group, activeAction(group, input)))
}

type Named = Pick<
  CompleteLifecycleActionCommandInput,
  'LifecycleHookName' | 'LifecycleActionToken' | 'InstanceId'
>

/** The action that a token or an instance id means; where both are given, both must fit. */
function activeAction(group: Group, { LifecycleHookName, ...input }: Named) {
  const { LifecycleActionToken: token, InstanceId: id } = input
  if (!LifecycleHookName) throw invalid('LifecycleHookName is required')
  if (!token && !id) throw invalid('Either a token or an instance id must be specified')
  for (const instance of group.instances.values()) {
    const action = instance.actions.get(LifecycleHookName)
    if (!action || (token && action.token !== token) || (id && instance.id !== id)) continue
    return { instance, action }
  }
  const named = token ? `token ${token}` : `instance ID ${id}`
  throw invalid(`No active Lifecycle Action found with ${named}`)
}

function resultOf(text: string | undefined): ActionResult {
  if (text === 'CONTINUE' || text === 'ABANDON') return text
  throw invalid(`The lifecycle action result ${text} is not CONTINUE or ABANDON`)
}
