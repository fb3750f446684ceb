import {
  AutoScalingClient,
  CreateAutoScalingGroupCommand,
  CreateLaunchConfigurationCommand,
} from '@aws-sdk/client-auto-scaling'
import { CloudWatchClient, PutMetricDataCommand } from '@aws-sdk/client-cloudwatch'
import { CreateTableCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { afterAll, describe, expect, it } from 'vitest'
import { type ForecastDeps, forecast } from '../functions/forecast/handler.ts'
import { readOutlooks } from '../shared/outlook.ts'
import { sqsKey } from '../twin/aws/vending.ts'
import { fleetOf } from './fixtures.ts'
import { makeRig, type Rig } from './loopback/rig.ts'
import { Refusal } from './loopback/wire.ts'
import { describeWithMoto } from './moto.ts'

/** The hourly run through the real SDK clients: pages, throttling, and an AWS of others. */

const tick = { shard: 0, of: 1 }
const daysMinutes = 1_440
const fleet = (names: readonly string[]) => fleetOf({ defaultQueues: [...names] })

const rigs: Rig[] = []
afterAll(() => Promise.all(rigs.map(({ close }) => close())))

/** A rig whose queues have had an arrival each minute for that many days. */
async function rigOf(names: readonly string[], days: number): Promise<Rig> {
  const rig = await makeRig(Object.fromEntries(names.map((name) => [name, 1])))
  rigs.push(rig)
  const end = Math.floor(Date.now() / 60_000)
  const sent = new Float64Array(days * daysMinutes).fill(1)
  for (const name of names) {
    const key = sqsKey('NumberOfMessagesSent', name)
    rig.stub.cloud.vended.addPast(key, end - sent.length, sent)
  }
  return rig
}

async function run(rig: Rig, names: readonly string[]) {
  try {
    return { report: await forecast(fleet(names))(tick, rig.deps), error: null }
  } catch (error) {
    if (error instanceof Error) return { report: null, error }
    throw error
  }
}

describe('a forecast over the wire', () => {
  it('reads two weeks of many queues in calls of 100,800 values, and writes each', async () => {
    const names = Array.from({ length: 30 }, (_, index) => `queue-${index}`)
    const rig = await rigOf(names, 1.5)
    const { report, error } = await run(rig, names)
    expect(error).toBeNull()
    expect(report?.queues).toHaveLength(30)
    expect(Object.fromEntries(rig.stub.calls)).toEqual({
      BatchGetItem: 1,
      DescribeAutoScalingGroups: 1,
      // Ten by the minute, five a call; twenty by five minutes in one; three of the last day.
      GetMetricData: 2 + 1 + 3,
      PutItem: 30,
    })
    const { found } = await readOutlooks(rig.deps, names)
    expect([...found.values()].every((one) => one !== 'unreadable' && one?.historyFrom)).toBe(true)
  })

  it('a call that is throttled for good is that of its queues, the others are done', async () => {
    const names = Array.from({ length: 12 }, (_, index) => `queue-${index}`)
    const rig = await rigOf(names, 1)
    const how = new Refusal('ThrottlingException', 'Rate exceeded')
    // The first call has the two that are not rehearsed; four tries, then it is given up.
    rig.stub.fail({ action: 'GetMetricData', times: 4, how })
    const { error } = await run(rig, names)
    expect(error?.message).toContain('forecast: 2 of 12 queues failed: ')
    expect(error?.message).toContain('read: ThrottlingException: Rate exceeded')
    expect(rig.stub.calls.get('PutItem')).toBe(10)
  })

  it('a write whose answer is lost is sent again, and is no failure', async () => {
    const rig = await rigOf(['a'], 1)
    rig.stub.fail({ action: 'PutItem', times: 1, how: 'lost-answer' })
    const { report } = await run(rig, ['a'])
    expect(report?.queues).toMatchObject([{ queue: 'a', written: 'superseded' }])
    const { found } = await readOutlooks(rig.deps, ['a'])
    expect(found.get('a')).toMatchObject({ rehearsal: null })
  })
})

describeWithMoto('a forecast on an AWS that nobody here wrote', (moto) => {
  it('finds what its CloudWatch has, writes it down once, and rehearses', async () => {
    const plain = { disableRequestCompression: true }
    const cloudwatch = new CloudWatchClient({ ...moto.client, ...plain })
    const autoscaling = new AutoScalingClient(moto.client)
    const dynamodb = new DynamoDBClient(moto.client)
    await dynamodb.send(
      new CreateTableCommand({
        TableName: 'state',
        BillingMode: 'PAY_PER_REQUEST',
        AttributeDefinitions: [{ AttributeName: 'pk', AttributeType: 'S' }],
        KeySchema: [{ AttributeName: 'pk', KeyType: 'HASH' }],
      }),
    )
    const LaunchConfigurationName = 'workers'
    await autoscaling.send(
      new CreateLaunchConfigurationCommand({
        ...{ LaunchConfigurationName, ImageId: 'ami-12345678', InstanceType: 't3.micro' },
      }),
    )
    for (const name of ['invoice', 'idle']) {
      await autoscaling.send(
        new CreateAutoScalingGroupCommand({
          ...{ AutoScalingGroupName: `${name}-workers`, LaunchConfigurationName },
          ...{ MinSize: 0, MaxSize: 5, DesiredCapacity: 1, AvailabilityZones: ['us-east-1a'] },
          Tags: [{ Key: 'celery:queue', Value: name, PropagateAtLaunch: true }],
        }),
      )
    }
    // An hour of tasks three days ago: moto takes what only AWS may publish.
    const from = Math.floor(Date.now() / 300_000) * 300_000 - 3 * 86_400_000
    await cloudwatch.send(
      new PutMetricDataCommand({
        Namespace: 'AWS/SQS',
        MetricData: Array.from({ length: 12 }, (_, step) => ({
          ...{ MetricName: 'NumberOfMessagesSent', Value: 60 },
          Timestamp: new Date(from + step * 300_000),
          Dimensions: [{ Name: 'QueueName', Value: 'invoice' }],
        })),
      }),
    )
    const quiet = { info: () => {}, warn: () => {}, error: () => {} }
    const deps: ForecastDeps = {
      ...{ autoscaling, cloudwatch, dynamodb, stateTable: 'state', log: quiet },
      ...{ clock: { now: () => Date.now() }, signal: AbortSignal.timeout(60_000) },
    }
    const names = ['invoice', 'idle']
    const first = await forecast(fleet(names))(tick, deps)
    expect(first.queues).toMatchObject([
      { queue: 'invoice', reason: 'rehearsed', profiles: 4 },
      { queue: 'idle', reason: 'no-history', profiles: 0 },
    ])
    const written = (await readOutlooks(deps, names)).found
    expect(written.get('invoice')).toMatchObject({
      historyFrom: from / 1_000,
      service: { seconds: null, source: 'too-few-deletes' },
    })
    const second = await forecast(fleet(names))(tick, deps)
    expect(second.queues.map(({ reason }) => reason)).toEqual(['fresh', 'fresh'])
    expect((await readOutlooks(deps, names)).found).toEqual(written)
  })
})
