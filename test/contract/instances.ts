import {
  type AutoScalingGroup,
  CreateAutoScalingGroupCommand,
  type CreateAutoScalingGroupCommandInput,
  DeleteLifecycleHookCommand,
  DescribeAutoScalingGroupsCommand,
  DescribeAutoScalingInstancesCommand,
  DescribeLifecycleHooksCommand,
  EnterStandbyCommand,
  ExitStandbyCommand,
  PutLifecycleHookCommand,
  type PutLifecycleHookCommandInput,
  SetInstanceProtectionCommand,
  TerminateInstanceInAutoScalingGroupCommand,
} from '@aws-sdk/client-auto-scaling'
import { launchConfiguration } from './groups.ts'
import { type Aws, done, outcome, type Row } from './row.ts'

async function idsOf(
  aws: Aws,
  name: string,
  input: Partial<CreateAutoScalingGroupCommandInput> = {},
): Promise<string[]> {
  await aws.autoscaling.send(
    new CreateAutoScalingGroupCommand({
      AutoScalingGroupName: name,
      LaunchConfigurationName: launchConfiguration,
      AvailabilityZones: ['us-east-1a'],
      MinSize: 1,
      MaxSize: 3,
      DesiredCapacity: 2,
      ...input,
    }),
  )
  return ((await groupOf(aws, name)).Instances ?? []).map(({ InstanceId }) => InstanceId ?? '')
}

async function groupOf(aws: Aws, name: string): Promise<Partial<AutoScalingGroup>> {
  const command = new DescribeAutoScalingGroupsCommand({ AutoScalingGroupNames: [name] })
  return (await aws.autoscaling.send(command)).AutoScalingGroups?.[0] ?? {}
}

/** The desired capacity, and how many instances are in service, on standby and protected. */
async function shape(aws: Aws, name: string) {
  const { DesiredCapacity, Instances = [] } = await groupOf(aws, name)
  const count = (state: string) =>
    Instances.filter(({ LifecycleState }) => LifecycleState === state).length
  const isProtected = Instances.filter(({ ProtectedFromScaleIn }) => ProtectedFromScaleIn).length
  return `${DesiredCapacity}: ${count('InService')} ${count('Standby')} ${isProtected}`
}

const terminate = (aws: Aws, InstanceId: string, ShouldDecrementDesiredCapacity: boolean) =>
  outcome(
    aws.autoscaling.send(
      new TerminateInstanceInAutoScalingGroupCommand({
        InstanceId,
        ShouldDecrementDesiredCapacity,
      }),
    ),
    ({ Activity }) => [Activity?.Description?.replace(/i-\w+/, 'i'), Activity?.StatusCode],
  )

const enter = (aws: Aws, AutoScalingGroupName: string, InstanceIds: string[], lower = false) =>
  outcome(
    aws.autoscaling.send(
      new EnterStandbyCommand({
        AutoScalingGroupName,
        InstanceIds,
        ShouldDecrementDesiredCapacity: lower,
      }),
    ),
    ({ Activities }) => Activities?.map(({ StatusCode }) => StatusCode).join(),
  )

const exit = (aws: Aws, AutoScalingGroupName: string, InstanceIds: string[]) =>
  outcome(
    aws.autoscaling.send(new ExitStandbyCommand({ AutoScalingGroupName, InstanceIds })),
    ({ Activities }) => Activities?.length,
  )

const protect = (aws: Aws, AutoScalingGroupName: string, InstanceIds: string[]) =>
  outcome(
    aws.autoscaling.send(
      new SetInstanceProtectionCommand({
        AutoScalingGroupName,
        InstanceIds,
        ProtectedFromScaleIn: true,
      }),
    ),
    done,
  )

const putHook = (aws: Aws, group: string, input: Partial<PutLifecycleHookCommandInput> = {}) =>
  outcome(
    aws.autoscaling.send(
      new PutLifecycleHookCommand({
        AutoScalingGroupName: group,
        LifecycleHookName: 'drain',
        LifecycleTransition: 'autoscaling:EC2_INSTANCE_TERMINATING',
        ...input,
      }),
    ),
    done,
  )

const hooksOf = (aws: Aws, AutoScalingGroupName: string, LifecycleHookNames?: string[]) =>
  outcome(
    aws.autoscaling.send(
      new DescribeLifecycleHooksCommand({
        AutoScalingGroupName,
        ...(LifecycleHookNames ? { LifecycleHookNames } : {}),
      }),
    ),
    ({ LifecycleHooks = [] }) =>
      LifecycleHooks.map((hook) => [
        hook.LifecycleHookName,
        hook.LifecycleTransition,
        hook.HeartbeatTimeout,
        hook.GlobalTimeout,
        hook.DefaultResult,
      ]),
  )

const deleteHook = (aws: Aws, AutoScalingGroupName: string, LifecycleHookName: string) =>
  outcome(
    aws.autoscaling.send(
      new DeleteLifecycleHookCommand({ AutoScalingGroupName, LifecycleHookName }),
    ),
    done,
  )

const terminating = 'autoscaling:EC2_INSTANCE_TERMINATING'
const launching = 'autoscaling:EC2_INSTANCE_LAUNCHING'

const hookRows: Row[] = [
  {
    name: 'a hook with its defaults, and one hook among several',
    calls: async (aws) => {
      await idsOf(aws, 'hooks')
      const answers = [await putHook(aws, 'hooks')]
      const launch = { LifecycleHookName: 'warm', LifecycleTransition: launching }
      const values = { HeartbeatTimeout: 7_200, DefaultResult: 'CONTINUE' }
      answers.push(await putHook(aws, 'hooks', { ...launch, ...values }))
      return [...answers, await hooksOf(aws, 'hooks'), await hooksOf(aws, 'hooks', ['warm'])]
    },
    expected: [
      'done',
      'done',
      [
        ['drain', terminating, 3_600, 172_800, 'ABANDON'],
        ['warm', launching, 7_200, 172_800, 'CONTINUE'],
      ],
      [['warm', launching, 7_200, 172_800, 'CONTINUE']],
    ],
  },
  {
    name: 'a short hook holds for a hundred heartbeats at most',
    calls: async (aws) => {
      await idsOf(aws, 'short')
      await putHook(aws, 'short', { HeartbeatTimeout: 30 })
      return hooksOf(aws, 'short')
    },
    expected: [['drain', terminating, 30, 3_000, 'ABANDON']],
    moto: {
      answers: [['drain', terminating, 30, 172_800, 'ABANDON']],
      awsSays: 'the global timeout is 48 hours or 100 times the heartbeat timeout, the smaller',
    },
  },
  {
    name: 'a hook that changes keeps what the call does not name',
    calls: async (aws) => {
      await idsOf(aws, 'kept')
      await putHook(aws, 'kept', { HeartbeatTimeout: 600, DefaultResult: 'CONTINUE' })
      const AutoScalingGroupName = 'kept'
      const command = { AutoScalingGroupName, LifecycleHookName: 'drain', HeartbeatTimeout: 900 }
      await outcome(aws.autoscaling.send(new PutLifecycleHookCommand(command)), done)
      return hooksOf(aws, 'kept')
    },
    expected: [['drain', terminating, 900, 90_000, 'CONTINUE']],
    moto: {
      answers: [['drain', undefined, 900, 172_800, 'ABANDON']],
      awsSays: 'fields that are left out of an update stay as they are',
    },
  },
  {
    name: 'a hook whose timeout, transition, result or group is none',
    calls: async (aws) => {
      await idsOf(aws, 'wrong')
      return [
        await putHook(aws, 'wrong', { HeartbeatTimeout: 29 }),
        await putHook(aws, 'wrong', { HeartbeatTimeout: 7_201 }),
        await putHook(aws, 'wrong', { LifecycleTransition: 'autoscaling:SLEEPING' }),
        await putHook(aws, 'wrong', { DefaultResult: 'MAYBE' }),
        await putHook(aws, 'nowhere'),
      ]
    },
    expected: Array.from({ length: 5 }, () => 'ValidationError'),
    moto: {
      answers: Array.from({ length: 5 }, () => 'done'),
      awsSays: 'the timeout lies between 30 and 7,200 seconds, and the rest must exist',
    },
  },
  {
    name: 'a deleted hook is gone',
    calls: async (aws) => {
      await idsOf(aws, 'deleted-hook')
      await putHook(aws, 'deleted-hook')
      const answer = await deleteHook(aws, 'deleted-hook', 'drain')
      return [answer, await hooksOf(aws, 'deleted-hook')]
    },
    expected: ['done', []],
  },
]

const terminateRows: Row[] = [
  {
    name: 'an instance terminated with and without a lower capacity',
    calls: async (aws) => {
      const [first = '', second = ''] = await idsOf(aws, 'ended', { MinSize: 0 })
      const answers = [await terminate(aws, first, false), await shape(aws, 'ended')]
      answers.push(await terminate(aws, second, true), await shape(aws, 'ended'))
      return answers
    },
    expected: [
      ['Terminating EC2 instance: i', 'InProgress'],
      '2: 2 0 0',
      ['Terminating EC2 instance: i', 'InProgress'],
      '1: 1 0 0',
    ],
  },
  {
    name: 'an instance that is in no group',
    calls: (aws) => terminate(aws, 'i-00000000000000000', false),
    expected: 'ValidationError',
    moto: { answers: 'Error', awsSays: 'an id that is not found is a validation error' },
  },
  {
    name: 'a capacity that is at its minimum is not lowered',
    calls: async (aws) => {
      const [first = ''] = await idsOf(aws, 'least', { MinSize: 2 })
      return [await terminate(aws, first, true), await shape(aws, 'least')]
    },
    expected: ['ValidationError', '2: 2 0 0'],
    moto: {
      answers: [['Terminating EC2 instance: i', 'InProgress'], '1: 1 0 0'],
      awsSays: 'the desired capacity does not go below the minimum',
    },
  },
]

const standbyRows: Row[] = [
  {
    name: 'standby without a lower capacity launches another, and coming back raises it',
    calls: async (aws) => {
      const [first = ''] = await idsOf(aws, 'aside')
      const answers = [await enter(aws, 'aside', [first]), await shape(aws, 'aside')]
      return [...answers, await exit(aws, 'aside', [first]), await shape(aws, 'aside')]
    },
    expected: ['InProgress', '2: 2 1 0', 1, '3: 3 0 0'],
  },
  {
    name: 'standby with a lower capacity launches none',
    calls: async (aws) => {
      const [first = ''] = await idsOf(aws, 'lower')
      const answers = [await enter(aws, 'lower', [first], true), await shape(aws, 'lower')]
      return [...answers, await exit(aws, 'lower', [first]), await shape(aws, 'lower')]
    },
    expected: ['InProgress', '1: 1 1 0', 1, '2: 2 0 0'],
  },
  {
    name: 'an instance on standby is terminated, and nothing replaces it',
    calls: async (aws) => {
      const [first = ''] = await idsOf(aws, 'set-aside')
      await enter(aws, 'set-aside', [first], true)
      await terminate(aws, first, false)
      return shape(aws, 'set-aside')
    },
    expected: '1: 1 0 0',
  },
  {
    name: 'standby and back are for instances that are there, and within the bounds',
    calls: async (aws) => {
      const ids = await idsOf(aws, 'bounded', { MinSize: 2, MaxSize: 2 })
      const [first = '', second = ''] = ids
      return [
        await enter(aws, 'bounded', ['i-00000000000000000']),
        await enter(aws, 'bounded', [first], true),
        await exit(aws, 'bounded', [first]),
        await enter(aws, 'bounded', [first]),
        await enter(aws, 'bounded', [first, second]),
        await exit(aws, 'bounded', [first]),
        await shape(aws, 'bounded'),
      ]
    },
    expected: [
      ...['ValidationError', 'ValidationError', 'ValidationError'],
      ...['InProgress', 'ValidationError', 'ValidationError', '2: 2 1 0'],
    ],
    moto: {
      answers: ['', 'InProgress', 1, 'InProgress', 'InProgress,InProgress', 1, '3: 3 1 0'],
      awsSays: 'only what is in service goes on standby, and no bound is passed',
    },
  },
]

const describeRows: Row[] = [
  {
    name: 'instances by id, and no error for one that does not exist',
    calls: async (aws) => {
      const [first = '', second = ''] = await idsOf(aws, 'listed')
      await enter(aws, 'listed', [second], true)
      await protect(aws, 'listed', [first])
      const InstanceIds = [first, second, 'i-00000000000000000']
      const command = new DescribeAutoScalingInstancesCommand({ InstanceIds })
      const { AutoScalingInstances = [] } = await aws.autoscaling.send(command)
      return AutoScalingInstances.map((instance) => [
        instance.AutoScalingGroupName,
        instance.AvailabilityZone,
        instance.LifecycleState,
        instance.HealthStatus?.toUpperCase(),
        instance.ProtectedFromScaleIn,
        instance.InstanceId === first,
      ])
    },
    expected: [
      ['listed', 'us-east-1a', 'InService', 'HEALTHY', true, true],
      ['listed', 'us-east-1a', 'Standby', 'HEALTHY', false, false],
    ],
  },
  {
    name: 'more instances than a call takes, by id and by page',
    calls: async (aws) => {
      const list = (input: DescribeAutoScalingInstancesCommand['input']) =>
        outcome(aws.autoscaling.send(new DescribeAutoScalingInstancesCommand(input)), done)
      const InstanceIds = Array.from({ length: 51 }, (_, index) => `i-${index}`)
      return [await list({ InstanceIds }), await list({ MaxRecords: 51 })]
    },
    expected: ['ValidationError', 'ValidationError'],
    moto: { answers: ['done', 'done'], awsSays: 'at most 50 of each' },
  },
  {
    name: 'protected instances, and what a new one is',
    calls: async (aws) => {
      const [first = ''] = await idsOf(aws, 'safe')
      const answer = await protect(aws, 'safe', [first])
      await idsOf(aws, 'all-safe', { NewInstancesProtectedFromScaleIn: true })
      return [answer, await shape(aws, 'safe'), await shape(aws, 'all-safe')]
    },
    expected: ['done', '2: 2 0 1', '2: 2 0 2'],
  },
  {
    name: 'a group that follows rebalance recommendations says so',
    calls: async (aws) => {
      await idsOf(aws, 'rebalanced', { CapacityRebalance: true })
      return (await groupOf(aws, 'rebalanced')).CapacityRebalance
    },
    expected: true,
  },
]

export const instanceRows: Row[] = [...hookRows, ...terminateRows, ...standbyRows, ...describeRows]
