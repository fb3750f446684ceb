import {
  CompleteLifecycleActionCommand,
  CreateAutoScalingGroupCommand,
  type CreateAutoScalingGroupCommandInput,
  DeleteAutoScalingGroupCommand,
  type DeleteAutoScalingGroupCommandInput,
  DeleteLifecycleHookCommand,
  DescribeAutoScalingGroupsCommand,
  DescribeAutoScalingInstancesCommand,
  DescribeLifecycleHooksCommand,
  EnableMetricsCollectionCommand,
  type EnableMetricsCollectionCommandInput,
  EnterStandbyCommand,
  ExitStandbyCommand,
  PutLifecycleHookCommand,
  PutScalingPolicyCommand,
  type PutScalingPolicyCommandInput,
  RecordLifecycleActionHeartbeatCommand,
  SetDesiredCapacityCommand,
  type SetDesiredCapacityCommandInput,
  SetInstanceProtectionCommand,
  TerminateInstanceInAutoScalingGroupCommand,
} from '@aws-sdk/client-auto-scaling'
import type { Span } from '../engine.ts'
import { describe, describeInstances } from './autoscaling-describe.ts'
import {
  addHook,
  complete,
  deleteHook,
  describeHooks,
  heartbeat,
  putHook,
} from './autoscaling-hooks.ts'
import { enterStandby, exitStandby, protect, terminateInstance } from './autoscaling-instances.ts'
import type { CloudWatch } from './cloudwatch.ts'
import { findGroup, type Group, type Instance, invalid, liveInstances } from './groups.ts'
import { type Context, closeAll, loseBox, passHealthCheck, resize, settle } from './lifecycle.ts'
import { type Applied, answer, awsError, type Change, notInTwin, type Service } from './service.ts'
import { evaluate, minutesNeeded, warmupSecondsDefault } from './target-tracking.ts'

/**
 * Auto Scaling: groups, their instances, lifecycle hooks and target tracking. The world says what
 * EC2 does. Whoever calls a method that returns changes passes them on; what time ends by itself,
 * a hook's timeout, is passed on from here. Capacity Rebalancing is a flag that is shown: the twin
 * launches no replacement and ends no instance on a rebalance recommendation.
 */
export type AutoScaling = Service & {
  /** The groups, for the world and for whoever judges; functions see DescribeAutoScalingGroups. */
  readonly groups: ReadonlyMap<string, Group>
  /** When EC2 has no instance to give, for the world to say: launches do not come. */
  readonly shortages: Span[]
  /** What is missing of a group is tried again, as Auto Scaling does from time to time. */
  retry(group: string): Change[]
  /** The instance runs and passes its health check. */
  enterService(now: number, group: string, instance: string): void
  /**
   * EC2 no longer has the instance, or not healthy: a live one is replaced, by way of the terminate
   * hooks; one that they hold already is held no longer. On standby nobody looks.
   */
  markUnhealthy(now: number, group: string, instance: string): Change[]
  /** EC2 has ended the instance: the group no longer lists it, and no hook waits for it. */
  forget(group: string, instance: string): Change[]
  /** One evaluation of every scaling policy, as its alarms do each minute. */
  evaluatePolicies(now: number, cloudwatch: CloudWatch): Change[]
}

type Options = Omit<Context, 'shortages'> & { readonly account: string; readonly region: string }
type State = {
  readonly account: string
  readonly region: string
  readonly context: Context
  readonly groups: Map<string, Group>
}

export function createAutoScaling({ account, region, ...options }: Options): AutoScaling {
  const shortages: Span[] = []
  const context = { ...options, shortages }
  const state: State = { account, region, context, groups: new Map() }
  const instanceOf = (group: string, id: string) => state.groups.get(group)?.instances.get(id)
  return {
    groups: state.groups,
    shortages,
    retry(name) {
      const group = state.groups.get(name)
      return group ? settle(context, group) : []
    },
    apply: (_now, command) => apply(state, command),
    enterService(_now, group, id) {
      const instance = instanceOf(group, id)
      if (instance?.state.startsWith('Pending')) passHealthCheck(context, instance)
    },
    markUnhealthy(_now, name, id) {
      const instance = instanceOf(name, id)
      if (!instance) return []
      instance.healthy = false
      const group = findGroup(state.groups, name)
      return [...loseBox(context, group, instance), ...settle(context, group)]
    },
    forget(name, id) {
      const group = state.groups.get(name)
      const instance = group?.instances.get(id)
      if (!group || !instance) return []
      group.instances.delete(id)
      return closeAll(group, instance, { by: 'gone', result: null })
    },
    evaluatePolicies: (now, cloudwatch) =>
      [...state.groups.values()].flatMap((group) => followPolicies(state, group, now, cloudwatch)),
  }
}

function apply(state: State, command: object): Applied {
  if (command instanceof DescribeAutoScalingGroupsCommand) {
    return answer(describe(state.groups, command.input))
  }
  if (command instanceof DescribeAutoScalingInstancesCommand) {
    return answer(describeInstances(state.groups, command.input))
  }
  if (command instanceof SetDesiredCapacityCommand) return setDesired(state, command.input)
  if (command instanceof CreateAutoScalingGroupCommand) return create(state, command.input)
  if (command instanceof DeleteAutoScalingGroupCommand) return remove(state, command.input)
  if (command instanceof PutScalingPolicyCommand) return putPolicy(state, command.input)
  if (command instanceof EnableMetricsCollectionCommand) return publish(state, command.input)
  return applyToInstances(state, command)
}

function applyToInstances(state: State, command: object): Applied {
  if (command instanceof CompleteLifecycleActionCommand) return complete(state, command.input)
  if (command instanceof RecordLifecycleActionHeartbeatCommand) {
    return heartbeat(state, command.input)
  }
  if (command instanceof TerminateInstanceInAutoScalingGroupCommand) {
    return terminateInstance(state, command.input)
  }
  if (command instanceof EnterStandbyCommand) return enterStandby(state, command.input)
  if (command instanceof ExitStandbyCommand) return exitStandby(state, command.input)
  if (command instanceof SetInstanceProtectionCommand) return protect(state, command.input)
  if (command instanceof PutLifecycleHookCommand) return putHook(state, command.input)
  if (command instanceof DescribeLifecycleHooksCommand) return describeHooks(state, command.input)
  if (command instanceof DeleteLifecycleHookCommand) return deleteHook(state, command.input)
  throw notInTwin('Auto Scaling', command)
}

/** By force the instances go with the group, and hooks do not run. */
function remove(state: State, input: DeleteAutoScalingGroupCommandInput): Applied {
  const group = findGroup(state.groups, input.AutoScalingGroupName)
  if (group.instances.size > 0 && !input.ForceDelete) {
    const message = 'You cannot delete an AutoScalingGroup while there are instances still in it.'
    throw awsError('ResourceInUseFault', message)
  }
  const ended = [...group.instances.values()].flatMap((instance) =>
    closeAll(group, instance, { by: 'gone', result: null }),
  )
  state.groups.delete(group.name)
  return answer({}, [{ kind: 'autoscaling.group', group: group.name }, ...ended])
}

function create(state: State, input: CreateAutoScalingGroupCommandInput): Applied {
  const name = input.AutoScalingGroupName ?? ''
  if (state.groups.has(name)) {
    throw awsError('AlreadyExistsFault', `AutoScalingGroup by this name already exists - ${name}`)
  }
  const { MinSize: minSize, MaxSize: maxSize } = input
  if (!name || minSize === undefined || maxSize === undefined || minSize > maxSize) {
    throw invalid('A group needs a name, a minimum size and a maximum size not below it')
  }
  const arn = `arn:aws:autoscaling:${state.region}:${state.account}:autoScalingGroup`
  const group: Group = {
    name,
    arn: `${arn}:${name}:autoScalingGroupName/${name}`,
    zones: input.AvailabilityZones ?? [`${state.region}a`],
    tags: new Map((input.Tags ?? []).map(({ Key, Value }) => [Key ?? '', Value ?? ''])),
    instances: new Map(),
    policies: new Map(),
    hooks: new Map(),
    capacityRebalance: input.CapacityRebalance ?? false,
    publishes: false,
    protectsNew: input.NewInstancesProtectedFromScaleIn ?? false,
    warmupSeconds: input.DefaultInstanceWarmup ?? null,
    minSize,
    maxSize,
    desired: 0,
  }
  const wanted = input.DesiredCapacity ?? minSize
  checkBounds(group, wanted)
  for (const hook of input.LifecycleHookSpecificationList ?? []) addHook(group, hook)
  state.groups.set(name, group)
  group.desired = wanted
  const changes = settle(state.context, group)
  return answer({}, [{ kind: 'autoscaling.group', group: name }, ...changes])
}

function publish(state: State, input: EnableMetricsCollectionCommandInput): Applied {
  const group = findGroup(state.groups, input.AutoScalingGroupName)
  if (input.Granularity !== '1Minute') throw invalid('Valid Granularity values are: [1Minute]')
  group.publishes = true
  return answer({}, [{ kind: 'autoscaling.group', group: group.name }])
}

function setDesired(state: State, input: SetDesiredCapacityCommandInput): Applied {
  const group = findGroup(state.groups, input.AutoScalingGroupName)
  const { DesiredCapacity: to } = input
  if (to === undefined) throw invalid('DesiredCapacity is required')
  checkBounds(group, to)
  return answer({}, resize(state.context, group, to, 'api'))
}

function checkBounds(group: Group, desired: number): void {
  const bound = desired > group.maxSize ? 'above' : desired < group.minSize ? 'below' : null
  if (!bound) return
  const [limit, size] = bound === 'above' ? ['max', group.maxSize] : ['min', group.minSize]
  throw invalid(
    `New SetDesiredCapacity value ${desired} is ${bound} ${limit} value ${size} ` +
      'for the AutoScalingGroup.',
  )
}

function putPolicy(state: State, input: PutScalingPolicyCommandInput): Applied {
  const group = findGroup(state.groups, input.AutoScalingGroupName)
  const tracking = input.TargetTrackingConfiguration
  const metric = tracking?.CustomizedMetricSpecification
  if (input.PolicyType !== 'TargetTrackingScaling' || !metric || !tracking.TargetValue) {
    throw invalid('The twin knows target tracking on a customized metric, with a target above 0')
  }
  const name = input.PolicyName ?? ''
  group.policies.set(name, {
    name,
    namespace: metric.Namespace ?? '',
    metric: metric.MetricName ?? '',
    dimensions: (metric.Dimensions ?? []).map(({ Name, Value }) => ({
      Name: Name ?? '',
      Value: Value ?? '',
    })),
    statistic: metric.Statistic ?? 'Average',
    target: tracking.TargetValue,
    scaleIn: !tracking.DisableScaleIn,
    warmupSeconds: input.EstimatedInstanceWarmup ?? null,
  })
  const PolicyARN = `${group.arn}:policyName/${name}`
  return answer({ PolicyARN, Alarms: [] }, [{ kind: 'autoscaling.group', group: group.name }])
}

/** Several policies: out if any wants out, in only if all want in, so the largest wins. */
function followPolicies(state: State, group: Group, now: number, cloudwatch: CloudWatch) {
  if (group.policies.size === 0) return []
  const { desired, minSize, maxSize } = group
  const wanted = [...group.policies.values()].map((policy) => {
    const seconds = group.warmupSeconds ?? policy.warmupSeconds ?? warmupSecondsDefault
    const warm = liveInstances(group).filter((instance) => isWarm(instance, now, seconds)).length
    const warming = liveInstances(group).length - warm
    const values = cloudwatch.lastMinutes(now, policy, minutesNeeded)
    return evaluate(policy, { values, desired, minSize, maxSize, warm, warming })
  })
  return resize(state.context, group, Math.max(...wanted), 'policy')
}

const isWarm = ({ inServiceAt }: Instance, now: number, seconds: number) =>
  inServiceAt !== null && now - inServiceAt >= seconds * 1_000
