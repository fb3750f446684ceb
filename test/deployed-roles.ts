import { arn } from './deployed.ts'

/** What each function's role allows, by action, and under which condition. */

type Role = {
  readonly allowed: Readonly<Record<string, unknown>>
  readonly conditions: Readonly<Record<string, unknown>>
}

const taggedGroup = { Null: { 'autoscaling:ResourceTag/celery:queue': 'false' } }
const ownMetrics = { StringEquals: { 'cloudwatch:namespace': 'Celeriac' } }
const itemsOf = (pattern: string | string[]) => ({
  'ForAllValues:StringLike': { 'dynamodb:LeadingKeys': pattern },
})
const activeDrains = { 'ForAllValues:StringEquals': { 'dynamodb:LeadingKeys': 'drain' } }
const ours = [arn.queue('talk-prod-drain'), arn.queue('talk-prod-timer')]

export const roles: Readonly<Record<string, Role>> = {
  backlog: {
    allowed: {
      'autoscaling:DescribeAutoScalingGroups': '*',
      'autoscaling:DescribeLifecycleHooks': '*',
      'autoscaling:SetDesiredCapacity': arn.groups,
      'sqs:GetQueueAttributes': [arn.queue('*'), arn.queue('talk-prod-fast')],
      'sqs:DeleteMessage': arn.queue('talk-prod-fast'),
      'sqs:ReceiveMessage': arn.queue('talk-prod-fast'),
      'sqs:SendMessage': [arn.queue('talk-prod-fast'), arn.queue('talk-prod-drain')],
      'cloudwatch:PutMetricData': '*',
      'dynamodb:BatchGetItem': arn.table,
      'dynamodb:GetItem': arn.table,
      'dynamodb:PutItem': arn.table,
      'dynamodb:Query': arn.index,
      'logs:CreateLogStream': arn.log('backlog'),
      'logs:PutLogEvents': arn.log('backlog'),
      'sns:Publish': 'arn:aws:sns:us-east-1:123456789012:talk-prod-failures',
    },
    conditions: {
      'autoscaling:SetDesiredCapacity': taggedGroup,
      'cloudwatch:PutMetricData': ownMetrics,
      'dynamodb:BatchGetItem': itemsOf('outlook#*'),
      'dynamodb:GetItem': itemsOf('backlog#*'),
      'dynamodb:PutItem': itemsOf('backlog#*'),
      'dynamodb:Query': activeDrains,
    },
  },
  forecast: {
    allowed: {
      'autoscaling:DescribeAutoScalingGroups': '*',
      'cloudwatch:GetMetricData': '*',
      'dynamodb:BatchGetItem': arn.table,
      'dynamodb:PutItem': arn.table,
      'logs:CreateLogStream': arn.log('forecast'),
      'logs:PutLogEvents': arn.log('forecast'),
      'sns:Publish': 'arn:aws:sns:us-east-1:123456789012:talk-prod-failures',
    },
    conditions: {
      'dynamodb:BatchGetItem': itemsOf('outlook#*'),
      'dynamodb:PutItem': itemsOf('outlook#*'),
    },
  },
  drain: {
    allowed: {
      'autoscaling:DescribeAutoScalingGroups': '*',
      'autoscaling:DescribeAutoScalingInstances': '*',
      'autoscaling:DescribeLifecycleHooks': '*',
      'autoscaling:CompleteLifecycleAction': arn.groups,
      'autoscaling:EnterStandby': arn.groups,
      'autoscaling:ExitStandby': arn.groups,
      'autoscaling:RecordLifecycleActionHeartbeat': arn.groups,
      'autoscaling:TerminateInstanceInAutoScalingGroup': arn.groups,
      'ssm:DescribeInstanceInformation': '*',
      'ssm:ListCommandInvocations': '*',
      'ssm:SendCommand': [
        'arn:aws:ssm:us-east-1:123456789012:document/talk-prod-drain',
        'arn:aws:ec2:us-east-1:123456789012:instance/*',
      ],
      'sqs:DeleteMessage': ours,
      'sqs:GetQueueAttributes': ours,
      'sqs:ReceiveMessage': ours,
      'sqs:SendMessage': arn.queue('talk-prod-timer'),
      'cloudwatch:PutMetricData': '*',
      'dynamodb:BatchGetItem': arn.table,
      'dynamodb:GetItem': arn.table,
      'dynamodb:PutItem': arn.table,
      'dynamodb:Query': arn.index,
      'logs:CreateLogStream': arn.log('drain'),
      'logs:PutLogEvents': arn.log('drain'),
    },
    conditions: {
      'autoscaling:CompleteLifecycleAction': taggedGroup,
      'autoscaling:EnterStandby': taggedGroup,
      'autoscaling:ExitStandby': taggedGroup,
      'autoscaling:RecordLifecycleActionHeartbeat': taggedGroup,
      'autoscaling:TerminateInstanceInAutoScalingGroup': taggedGroup,
      'ssm:SendCommand': { StringLike: { 'ssm:resourceTag/celery:queue': '*' } },
      'cloudwatch:PutMetricData': ownMetrics,
      'dynamodb:BatchGetItem': itemsOf(['drain#*', 'fewer#*']),
      'dynamodb:GetItem': itemsOf(['drain#*', 'fewer#*']),
      'dynamodb:PutItem': itemsOf(['drain#*', 'fewer#*']),
      'dynamodb:Query': activeDrains,
    },
  },
  alerts: {
    allowed: {
      'autoscaling:DescribeAutoScalingGroups': '*',
      'cloudwatch:GetMetricData': '*',
      'cloudwatch:PutMetricData': '*',
      'sqs:GetQueueAttributes': arn.queue('*'),
      'dynamodb:BatchGetItem': [arn.table, arn.table],
      'dynamodb:GetItem': [arn.table, arn.table],
      'dynamodb:PutItem': arn.table,
      'dynamodb:Query': arn.index,
      'ssm:GetParameters': 'arn:aws:ssm:us-east-1:123456789012:parameter/talk/none',
      'sns:Publish': [arn.topic('alerts'), arn.topic('failures')],
      'logs:CreateLogStream': arn.log('alerts'),
      'logs:PutLogEvents': arn.log('alerts'),
    },
    conditions: {
      'cloudwatch:PutMetricData': ownMetrics,
      'dynamodb:BatchGetItem': [itemsOf('alerts#*'), itemsOf(['backlog#*', 'outlook#*'])],
      'dynamodb:GetItem': [itemsOf('alerts#*'), itemsOf(['backlog#*', 'outlook#*'])],
      'dynamodb:PutItem': itemsOf('alerts#*'),
      'dynamodb:Query': itemsOf(['drain', 'drained#*', 'again#*']),
    },
  },
}
