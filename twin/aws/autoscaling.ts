import {
  CreateAutoScalingGroupCommand,
  type CreateAutoScalingGroupCommandInput,
  DeleteAutoScalingGroupCommand,
  DescribeAutoScalingGroupsCommand,
  PutScalingPolicyCommand,
  type PutScalingPolicyCommandInput,
  SetDesiredCapacityCommand,
  type SetDesiredCapacityCommandInput,
} from '@aws-sdk/client-auto-scaling'
import type { Random } from '../random.ts'
import { describe } from './autoscaling-describe.ts'
import type { CloudWatch } from './cloudwatch.ts'
import { type Group, type Instance, liveInstances, settle } from './groups.ts'
import { type Applied, answer, awsError, type Change, notInTwin, type Service } from './service.ts'
import { evaluate, minutesNeeded, warmupSecondsDefault } from './target-tracking.ts'

export type AutoScaling = Service & {
  /** The groups, for the world and for whoever judges; functions see DescribeAutoScalingGroups. */
  readonly groups: ReadonlyMap<string, Group>
  /** The instance runs and passes its health check. */
  enterService(now: number, group: string, instance: string): void
  /** EC2 no longer has the instance healthy; the group replaces it. */
  markUnhealthy(now: number, group: string, instance: string): Change[]
  /** EC2 has ended the instance. */
  forget(group: string, instance: string): void
  /** One evaluation of every scaling policy, as its alarms do each minute. */
  evaluatePolicies(now: number, cloudwatch: CloudWatch): Change[]
}

type Options = { readonly random: Random; readonly account: string; readonly region: string }
type State = Options & { readonly groups: Map<string, Group> }

export function createAutoScaling(options: Options): AutoScaling {
  const state: State = { ...options, groups: new Map() }
  const instanceOf = (group: string, id: string) => state.groups.get(group)?.instances.get(id)
  return {
    groups: state.groups,
    apply: (now, command) => apply(state, now, command),
    enterService(now, group, id) {
      const instance = instanceOf(group, id)
      if (instance?.state !== 'Pending') return
      instance.state = 'InService'
      instance.inServiceAt = now
    },
    markUnhealthy(now, group, id) {
      const instance = instanceOf(group, id)
      if (!instance) return []
      instance.healthy = false
      return settle(find(state, group), now, state.random)
    },
    forget(group, id) {
      state.groups.get(group)?.instances.delete(id)
    },
    evaluatePolicies: (now, cloudwatch) =>
      [...state.groups.values()].flatMap((group) => followPolicies(state, group, now, cloudwatch)),
  }
}

function apply(state: State, now: number, command: object): Applied {
  if (command instanceof DescribeAutoScalingGroupsCommand) {
    return answer(describe(state.groups, command.input))
  }
  if (command instanceof SetDesiredCapacityCommand) return setDesired(state, now, command.input)
  if (command instanceof CreateAutoScalingGroupCommand) return create(state, now, command.input)
  if (command instanceof PutScalingPolicyCommand) return putPolicy(state, command.input)
  if (command instanceof DeleteAutoScalingGroupCommand) {
    const group = find(state, command.input.AutoScalingGroupName)
    if (group.instances.size > 0 && !command.input.ForceDelete) {
      const message = 'You cannot delete an AutoScalingGroup while there are instances still in it.'
      throw awsError('ResourceInUseFault', message)
    }
    state.groups.delete(group.name)
    return answer({}, [{ kind: 'autoscaling.group', group: group.name }])
  }
  throw notInTwin('Auto Scaling', command)
}

function create(state: State, now: number, input: CreateAutoScalingGroupCommandInput): Applied {
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
    warmupSeconds: input.DefaultInstanceWarmup ?? null,
    minSize,
    maxSize,
    desired: 0,
  }
  state.groups.set(name, group)
  const wanted = input.DesiredCapacity ?? minSize
  checkBounds(group, wanted)
  group.desired = wanted
  const changes = settle(group, now, state.random)
  return answer({}, [{ kind: 'autoscaling.group', group: name }, ...changes])
}

function setDesired(state: State, now: number, input: SetDesiredCapacityCommandInput): Applied {
  const group = find(state, input.AutoScalingGroupName)
  const { DesiredCapacity: to } = input
  if (to === undefined) throw invalid('DesiredCapacity is required')
  checkBounds(group, to)
  return answer({}, resize(state, group, now, to, 'api'))
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

function resize(state: State, group: Group, now: number, to: number, by: 'api' | 'policy') {
  if (to === group.desired) return []
  const from = group.desired
  group.desired = to
  const change: Change = { kind: 'autoscaling.desired', group: group.name, from, to, by }
  return [change, ...settle(group, now, state.random)]
}

function putPolicy(state: State, input: PutScalingPolicyCommandInput): Applied {
  const group = find(state, input.AutoScalingGroupName)
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
  return resize(state, group, now, Math.max(...wanted), 'policy')
}

const isWarm = ({ inServiceAt }: Instance, now: number, seconds: number) =>
  inServiceAt !== null && now - inServiceAt >= seconds * 1_000

function find({ groups }: State, name: string | undefined): Group {
  const group = groups.get(name ?? '')
  if (!group) throw invalid(`AutoScalingGroup name not found - AutoScalingGroup ${name} not found`)
  return group
}

const invalid = (message: string) => awsError('ValidationError', message)
