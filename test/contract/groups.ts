import {
  CreateAutoScalingGroupCommand,
  DeleteAutoScalingGroupCommand,
  DescribeAutoScalingGroupsCommand,
  PutScalingPolicyCommand,
  SetDesiredCapacityCommand,
} from '@aws-sdk/client-auto-scaling'
import { expect } from 'vitest'
import { type Aws, done, outcome, type Row } from './row.ts'

export const launchConfiguration = 'workers'

function createGroup(aws: Aws, name: string, tags: Record<string, string> = {}, desired = 0) {
  return aws.autoscaling.send(
    new CreateAutoScalingGroupCommand({
      AutoScalingGroupName: name,
      LaunchConfigurationName: launchConfiguration,
      AvailabilityZones: ['us-east-1a'],
      MinSize: 0,
      MaxSize: 5,
      DesiredCapacity: desired,
      Tags: Object.entries(tags).map(([Key, Value]) => ({ Key, Value, PropagateAtLaunch: true })),
    }),
  )
}

const setDesired = (aws: Aws, AutoScalingGroupName: string, DesiredCapacity: number) =>
  outcome(
    aws.autoscaling.send(new SetDesiredCapacityCommand({ AutoScalingGroupName, DesiredCapacity })),
    done,
  )

const namesOf = (aws: Aws, input: DescribeAutoScalingGroupsCommand['input']) =>
  outcome(
    aws.autoscaling.send(new DescribeAutoScalingGroupsCommand(input)),
    ({ AutoScalingGroups = [] }) =>
      AutoScalingGroups.map(({ AutoScalingGroupName }) => AutoScalingGroupName).sort(),
  )

export const groupRows: Row[] = [
  {
    name: 'a group as it was made',
    calls: async (aws) => {
      await createGroup(aws, 'made', { 'celery:queue': 'x', 'celery:concurrency': '4' }, 2)
      const command = new DescribeAutoScalingGroupsCommand({ AutoScalingGroupNames: ['made'] })
      const [group] = (await aws.autoscaling.send(command)).AutoScalingGroups ?? []
      const { MinSize, MaxSize, DesiredCapacity, Tags, Instances, AutoScalingGroupARN } =
        group ?? {}
      return {
        ...{ MinSize, MaxSize, DesiredCapacity, instances: Instances?.length },
        tags: Tags?.map(({ Key, Value }) => `${Key}=${Value}`).sort(),
        arn: AutoScalingGroupARN?.replace(/autoScalingGroup:[^:]+:/, 'autoScalingGroup:ID:'),
      }
    },
    expected: {
      ...{ MinSize: 0, MaxSize: 5, DesiredCapacity: 2, instances: 2 },
      tags: ['celery:concurrency=4', 'celery:queue=x'],
      arn:
        'arn:aws:autoscaling:us-east-1:123456789012:autoScalingGroup:ID:' +
        'autoScalingGroupName/made',
    },
  },
  {
    name: 'groups by name, and no error for one that does not exist',
    calls: async (aws) => {
      for (const name of ['n-1', 'n-2']) await createGroup(aws, name)
      return namesOf(aws, { AutoScalingGroupNames: ['n-1', 'n-2', 'n-3'] })
    },
    expected: ['n-1', 'n-2'],
  },
  {
    name: 'groups by a tag key, and by a tag key with a value',
    calls: async (aws) => {
      await createGroup(aws, 't-1', { 'key:t': 'one', fleet: 'a' })
      await createGroup(aws, 't-2', { 'key:t': 'two', fleet: 'b' })
      await createGroup(aws, 't-3', { other: 'one' })
      const key = { Name: 'tag-key', Values: ['key:t'] }
      return [
        await namesOf(aws, { Filters: [key] }),
        await namesOf(aws, { Filters: [{ Name: 'tag:key:t', Values: ['two'] }] }),
        await namesOf(aws, { Filters: [key, { Name: 'tag:fleet', Values: ['a'] }] }),
      ]
    },
    expected: [['t-1', 't-2'], ['t-2'], ['t-1']],
  },
  {
    name: 'pages of one',
    calls: async (aws) => {
      for (const name of ['p-1', 'p-2', 'p-3']) await createGroup(aws, name, { page: 'yes' })
      const found: (string | undefined)[] = []
      let NextToken: string | undefined
      do {
        const page = await aws.autoscaling.send(
          new DescribeAutoScalingGroupsCommand({
            Filters: [{ Name: 'tag-key', Values: ['page'] }],
            MaxRecords: 1,
            ...(NextToken ? { NextToken } : {}),
          }),
        )
        found.push((page.AutoScalingGroups ?? []).map((g) => g.AutoScalingGroupName).join())
        NextToken = page.NextToken
      } while (NextToken && found.length < 9)
      return found.sort()
    },
    expected: ['p-1', 'p-2', 'p-3'],
  },
  {
    name: 'more records than a page holds',
    calls: (aws) => namesOf(aws, { MaxRecords: 101 }),
    expected: 'ValidationError',
    moto: {
      answers: 'Error',
      awsSays: 'at most 100 records, and a validation error beyond',
    },
  },
  {
    name: 'a filter that there is not',
    calls: (aws) => namesOf(aws, { Filters: [{ Name: 'colour', Values: ['red'] }] }),
    expected: 'ValidationError',
    moto: {
      answers: expect.any(Array),
      awsSays: 'the filters are tag-key, tag-value and tag:<key>',
    },
  },
  {
    name: 'a group made twice',
    calls: async (aws) => {
      await createGroup(aws, 'double')
      return outcome(createGroup(aws, 'double'), done)
    },
    expected: 'AlreadyExistsFault',
    moto: {
      answers: 'done',
      awsSays: 'a name is taken once',
    },
  },
  {
    name: 'a desired capacity within, above and below the bounds',
    calls: async (aws) => {
      await createGroup(aws, 'bounds')
      const answers = [await setDesired(aws, 'bounds', 3), await setDesired(aws, 'bounds', 6)]
      return [...answers, await setDesired(aws, 'bounds', -1)]
    },
    expected: ['done', 'ValidationError', 'ValidationError'],
    moto: {
      answers: ['done', 'done', 'done'],
      awsSays: 'a desired capacity lies within the bounds of the group',
    },
  },
  {
    name: 'the desired capacity of a group that does not exist',
    calls: (aws) => setDesired(aws, 'nowhere', 1),
    expected: 'ValidationError',
    moto: {
      answers: 'Error',
      awsSays: 'a group that is not found is a validation error',
    },
  },
  {
    name: 'a target tracking policy on a metric of one’s own',
    calls: async (aws) => {
      await createGroup(aws, 'policy')
      const command = new PutScalingPolicyCommand({
        AutoScalingGroupName: 'policy',
        PolicyName: 'backlog',
        PolicyType: 'TargetTrackingScaling',
        TargetTrackingConfiguration: {
          TargetValue: 10,
          CustomizedMetricSpecification: {
            Namespace: 'Celeriac',
            MetricName: 'BacklogPerInstance',
            Dimensions: [{ Name: 'Queue', Value: 'a' }],
            Statistic: 'Average',
          },
        },
      })
      return outcome(aws.autoscaling.send(command), ({ PolicyARN }) => typeof PolicyARN)
    },
    expected: 'string',
    moto: {
      answers: 'undefined',
      awsSays: 'the answer holds the ARN of the policy',
    },
  },
  {
    name: 'a group with instances is deleted by force only',
    calls: async (aws) => {
      await createGroup(aws, 'deleted', {}, 1)
      const AutoScalingGroupName = 'deleted'
      const command = new DeleteAutoScalingGroupCommand({ AutoScalingGroupName })
      const force = new DeleteAutoScalingGroupCommand({ AutoScalingGroupName, ForceDelete: true })
      const answers = [await outcome(aws.autoscaling.send(command), done)]
      answers.push(await outcome(aws.autoscaling.send(force), done))
      return [...answers, await namesOf(aws, { AutoScalingGroupNames: ['deleted'] })]
    },
    expected: ['ResourceInUseFault', 'done', []],
    moto: {
      answers: ['done', 'ValidationError', []],
      awsSays: 'instances keep a group from being deleted but by force',
    },
  },
]
