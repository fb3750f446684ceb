import type {
  Activity,
  EnterStandbyCommandInput,
  ExitStandbyCommandInput,
  SetInstanceProtectionCommandInput,
  TerminateInstanceInAutoScalingGroupCommandInput,
} from '@aws-sdk/client-auto-scaling'
import { findGroup, type Group, type Instance, invalid, isLeaving } from './groups.ts'
import { type Context, resize, settle, terminate, uuid } from './lifecycle.ts'
import { type Applied, answer, awsError, type Change } from './service.ts'

type State = { readonly groups: ReadonlyMap<string, Group>; readonly context: Context }

// The most instance ids of one SetInstanceProtection call.
const protectedPerCallMax = 50

/**
 * Ends one instance, by way of the terminate hooks. The desired capacity is lowered if the call
 * says so, even for an instance on standby, which it never counted; otherwise another is launched.
 * For one that leaves already AWS documents ScalingActivityInProgress and says no more about when.
 */
export function terminateInstance(
  state: State,
  input: TerminateInstanceInAutoScalingGroupCommandInput,
): Applied {
  const { context } = state
  const { InstanceId: id, ShouldDecrementDesiredCapacity: decrement } = input
  if (decrement === undefined) throw invalid('ShouldDecrementDesiredCapacity is required')
  const group = [...state.groups.values()].find(({ instances }) => instances.has(id ?? ''))
  const instance = group?.instances.get(id ?? '')
  if (!group || !instance) {
    throw invalid(`Instance Id not found - No managed instance found for instance ID: ${id}`)
  }
  if (isLeaving(instance)) {
    const message = `The instance ${id} is being terminated already.`
    throw awsError('ScalingActivityInProgressFault', message)
  }
  const from = group.desired
  if (decrement && from <= group.minSize) {
    throw invalid(
      `Currently, desiredSize equals minSize (${group.minSize}). Terminating instance without ` +
        "replacement will violate group's min size constraint. Either set " +
        "shouldDecrementDesiredCapacity flag to false or lower group's min size.",
    )
  }
  const changes = terminate(context, group, instance, 'api')
  changes.push(...(decrement ? resize(context, group, from - 1, 'api') : settle(context, group)))
  const Activity = activity(context, group, {
    description: `Terminating EC2 instance: ${id}`,
    cause: `instance ${id} was taken out of service in response to a user request`,
    from,
  })
  return answer({ Activity }, changes)
}

/** Sets instances aside, past EnteringStandby at once: neither counted nor health-checked. */
export function enterStandby({ groups, context }: State, input: EnterStandbyCommandInput): Applied {
  const group = findGroup(groups, input.AutoScalingGroupName)
  const { ShouldDecrementDesiredCapacity: decrement } = input
  if (decrement === undefined) throw invalid('ShouldDecrementDesiredCapacity is required')
  const instances = named(group, input.InstanceIds, ['InService'])
  if (decrement && group.desired - instances.length < group.minSize) {
    throw sizes(group, 'place into standby', instances.length)
  }
  const changes: Change[] = []
  const Activities = instances.map((instance) => {
    const from = group.desired
    instance.state = 'Standby'
    if (decrement) changes.push(...resize(context, group, from - 1, 'api'))
    changes.push(standby(group, instance, 'Standby'))
    return activity(context, group, {
      description: `Moving EC2 instance to Standby: ${instance.id}`,
      cause: `instance ${instance.id} was moved to standby in response to a user request`,
      from,
    })
  })
  changes.push(...settle(context, group))
  return answer({ Activities }, changes)
}

/** Takes instances back, past Pending at once, and counts them again: one each more is desired. */
export function exitStandby({ groups, context }: State, input: ExitStandbyCommandInput): Applied {
  const group = findGroup(groups, input.AutoScalingGroupName)
  const instances = named(group, input.InstanceIds, ['Standby'])
  if (group.desired + instances.length > group.maxSize) {
    throw sizes(group, 'take out of standby', instances.length)
  }
  const changes: Change[] = []
  const Activities = instances.map((instance) => {
    const from = group.desired
    instance.state = 'InService'
    changes.push(standby(group, instance, 'InService'))
    changes.push(...resize(context, group, from + 1, 'api'))
    return activity(context, group, {
      description: `Moving EC2 instance out of Standby: ${instance.id}`,
      cause: `instance ${instance.id} was moved out of standby in response to a user request`,
      from,
    })
  })
  return answer({ Activities }, changes)
}

const standby = ({ name }: Group, { id }: Instance, state: 'Standby' | 'InService'): Change => ({
  kind: 'autoscaling.standby',
  group: name,
  instance: id,
  state,
})

/** Protection against scale-in alone; without it, what is too many goes at once. */
export function protect(
  { groups, context }: State,
  input: SetInstanceProtectionCommandInput,
): Applied {
  const group = findGroup(groups, input.AutoScalingGroupName)
  const { ProtectedFromScaleIn: to } = input
  if (to === undefined) throw invalid('ProtectedFromScaleIn is required')
  if ((input.InstanceIds?.length ?? 0) > protectedPerCallMax) {
    throw invalid(`At most ${protectedPerCallMax} instances can be protected in a call`)
  }
  const states = ['InService', 'EnteringStandby', 'Standby'] as const
  const changes: Change[] = []
  for (const instance of named(group, input.InstanceIds, states)) {
    if (instance.protectedFromScaleIn === to) continue
    instance.protectedFromScaleIn = to
    changes.push({ kind: 'autoscaling.protection', group: group.name, instance: instance.id })
  }
  return answer({}, [...changes, ...settle(context, group)])
}

/** The instances of the ids given, each of them in one of those states. */
function named(
  group: Group,
  ids: readonly string[] | undefined,
  states: readonly Instance['state'][],
): Instance[] {
  if (!ids || ids.length === 0) throw invalid('InstanceIds must name at least one instance')
  return [...new Set(ids)].map((id) => {
    const instance = group.instances.get(id)
    if (!instance)
      throw invalid(`The instance ${id} is not part of Auto Scaling group ${group.name}.`)
    if (states.includes(instance.state)) return instance
    throw invalid(`The instance ${id} is not in ${states.join(' or ')}.`)
  })
}

function sizes({ name, minSize, maxSize, desired }: Group, verb: string, count: number): Error {
  const bounds = `min-size=${minSize}, max-size=${maxSize}, and desired-size=${desired}`
  const instances = `${count} instance${count === 1 ? '' : 's'}`
  return invalid(
    `AutoScalingGroup ${name} has ${bounds}. To ${verb} ${instances}, please update the ` +
      'AutoScalingGroup sizes appropriately.',
  )
}

type Told = { readonly description: string; readonly cause: string; readonly from: number }

function activity({ engine, random }: Context, group: Group, told: Told): Activity {
  const StartTime = new Date(engine.now)
  const at = `At ${StartTime.toISOString().replace(/\.\d+/, '')}`
  const { from } = told
  const moved =
    from === group.desired ? '' : `, changing the capacity from ${from} to ${group.desired}`
  return {
    ActivityId: uuid(random),
    AutoScalingGroupName: group.name,
    AutoScalingGroupARN: group.arn,
    Description: told.description,
    Cause: `${at} ${told.cause}${moved}.`,
    StartTime,
    StatusCode: 'InProgress',
    Progress: 0,
  }
}
