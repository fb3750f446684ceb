import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import {
  CreateAutoScalingGroupCommand,
  CreateLaunchConfigurationCommand,
} from '@aws-sdk/client-auto-scaling'
import { PutMetricDataCommand } from '@aws-sdk/client-cloudwatch'
import { CreateTableCommand } from '@aws-sdk/client-dynamodb'
import { CreateTopicCommand, SubscribeCommand } from '@aws-sdk/client-sns'
import {
  CreateQueueCommand,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
} from '@aws-sdk/client-sqs'
import { PutParameterCommand } from '@aws-sdk/client-ssm'
import { afterAll, describe, expect, it } from 'vitest'
import { alerts } from '../functions/alerts/handler.ts'
import { readFound, readNotes, writeNotes } from '../functions/alerts/notebook.ts'
import { readTold } from '../functions/alerts/told.ts'
import {
  type AlertsDeps,
  makeAutoScaling,
  makeCloudWatch,
  makeDynamoDb,
  makeSns,
  makeSqs,
  makeSsm,
  makeWeb,
  newRunId,
} from '../shared/aws.ts'
import { type Drain, writeDrain } from '../shared/drains.ts'
import { sqsKey } from '../twin/aws/vending.ts'
import { story, times } from './alerts/looks.ts'
import { indexedTable } from './contract/indexes.ts'
import { fleetOf } from './fixtures.ts'
import { makeRig, type Rig } from './loopback/rig.ts'
import { Refusal } from './loopback/wire.ts'
import { describeWithMoto } from './moto.ts'

/** A minute of alerts through the real SDK clients: calls, failures, and an AWS of others. */

const tick = { shard: 0, of: 1 }
const minute = 60_000

// Every message is one too many, at once; and nobody sweeps here.
const strict = { depth: { threshold: 0, for: '0s', recoverFor: '0s' }, off: ['blind'] }
const fleet = (names: readonly string[], settings: object = {}) =>
  fleetOf({
    defaults: { taskTime: '20s', scaling: { mode: 'observe' }, alerts: strict },
    defaultQueues: [...names],
    ...settings,
  })

const rigs: Rig[] = []
afterAll(() => Promise.all(rigs.map(({ close }) => close())))

async function rigOf(depths: Readonly<Record<string, number>>): Promise<Rig> {
  const rig = await makeRig(depths)
  rigs.push(rig)
  return rig
}

/** One run, so many minutes from now. */
async function run(rig: Rig, names: readonly string[], minutes = 0, settings: object = {}) {
  const clock = { now: () => Date.now() + minutes * minute }
  const deps = { ...rig.deps, runId: newRunId(), clock }
  try {
    return { report: await alerts(fleet(names, settings))(tick, deps), error: null }
  } catch (error) {
    if (error instanceof Error) return { report: null, error }
    throw error
  }
}

const subjects = ({ stub }: Rig) => stub.cloud.told.map(({ subject }) => subject)

describe('alerts over the wire', () => {
  it('looks at 70 queues with one call for all ages and rates', async () => {
    const names = Array.from({ length: 70 }, (_, index) => `queue-${index}`)
    const rig = await rigOf(Object.fromEntries(names.map((name) => [name, 1])))
    const { error } = await run(rig, names)
    expect(error).toBeNull()
    expect(Object.fromEntries(rig.stub.calls)).toEqual({
      // The forecast's outlooks; the other shards are none.
      BatchGetItem: 1,
      DescribeAutoScalingGroups: 1,
      GetQueueAttributes: 70,
      GetMetricData: 1,
      // Its own notes, the sweep's memory, what was told, and the silences.
      GetItem: 4,
      // The drains, and two lists of what workers received again.
      Query: 3,
      PutItem: 3,
      Publish: 1,
      PutMetricData: 1,
    })
  })

  it('tells the topic once when it begins and once when it is over', async () => {
    const rig = await rigOf({ a: 3, b: 0 })
    for (const minutes of [0, 1, 2]) await run(rig, ['a', 'b'], minutes)
    expect(subjects(rig)).toEqual(['[test] critical: a: falls behind its promise'])
    const { message, attributes } = rig.stub.cloud.told[0] ?? {}
    expect(attributes).toEqual({ severity: 'critical', kind: 'trigger' })
    expect(message).toContain('Impact: a: 3 wait')
    // Another second of life for what waited: the queue is empty.
    rig.stub.cloud.garbled.set('a', (all) => all.set('ApproximateNumberOfMessages', '0'))
    for (let minutes = 3; minutes <= 15; minutes++) await run(rig, ['a', 'b'], minutes)
    expect(subjects(rig)).toEqual([
      '[test] critical: a: falls behind its promise',
      '[test] over: a: falls behind its promise',
    ])
  })

  it('two runs at once tell it once', async () => {
    const rig = await rigOf({ a: 3 })
    rig.stub.gather('GetItem', 2)
    const both = await Promise.all([run(rig, ['a']), run(rig, ['a'])])
    expect(both.map(({ report }) => report?.superseded).sort()).toEqual([false, true])
    expect(rig.stub.cloud.told).toHaveLength(1)
  })

  it('a topic that does not answer is told by the next run', async () => {
    const rig = await rigOf({ a: 3 })
    const how = new Refusal('InternalErrorException', 'Try again', 500)
    rig.stub.fail({ action: 'Publish', times: 4, how })
    const first = await run(rig, ['a'])
    expect(first.error).toBeNull()
    expect(rig.stub.cloud.told).toEqual([])
    expect((await readTold(rig.deps)).due).toMatchObject([{ channels: ['sns'], tries: 1 }])
    await run(rig, ['a'], 1)
    expect(subjects(rig)).toEqual(['[test] critical: a: falls behind its promise'])
    expect((await readTold(rig.deps)).due).toEqual([])
  })

  it('a run that dies before it sends leaves the page to the next one', async () => {
    const rig = await rigOf({ a: 3 })
    rig.stub.fail({ action: 'Publish', times: 1, how: 'silence' })
    const signal = AbortSignal.timeout(1_000)
    const { dynamodb } = rig.deps
    // Not even what it would write at last.
    const dead = new Proxy(dynamodb, {
      get: (target, name) => {
        if (signal.aborted) throw new Error('dead')
        return Reflect.get(target, name)
      },
    })
    const dying = { ...rig.deps, runId: newRunId(), signal, dynamodb: dead }
    const [ended] = await Promise.allSettled([alerts(fleet(['a']))(tick, dying)])
    expect(ended.status).toBe('rejected')
    expect((await readTold(rig.deps)).due).toMatchObject([{ tries: 1 }])
    expect(rig.stub.cloud.told).toEqual([])
    // Within its time it may still be sending; a minute later it is dead.
    await run(rig, ['a'])
    expect(rig.stub.cloud.told).toEqual([])
    await run(rig, ['a'], 1)
    expect(subjects(rig)).toEqual(['[test] critical: a: falls behind its promise'])
  })

  /** A rig whose runs tell a webhook that answers like this. */
  async function hookedRig(
    depths: Readonly<Record<string, number>>,
    fetch: (rig: Rig) => AlertsDeps['web']['fetch'],
  ): Promise<Rig> {
    const rig = await rigOf(depths)
    const command = new PutParameterCommand({
      ...{ Name: '/test/hook', Type: 'SecureString', Value: 'https://hook.test/' },
    })
    rig.stub.cloud.apply('ssm', command)
    return { ...rig, deps: { ...rig.deps, web: { ...rig.deps.web, fetch: fetch(rig) } } }
  }
  const hooked = { notify: { channels: { hook: { webhook: '/test/hook' } } } }

  it('a channel that nobody reaches is reported on the others, once', async () => {
    const rig = await hookedRig({ a: 3 }, () => () => Promise.reject(new TypeError('no route')))
    for (const minutes of [0, 1, 2]) await run(rig, ['a'], minutes, hooked)
    expect(subjects(rig)).toEqual([
      '[test] critical: a: falls behind its promise',
      '[test] warning: pages do not reach a channel',
    ])
    expect(rig.stub.cloud.told[1]?.message).toContain('hook: unreachable (TypeError)')
    expect((await readTold(rig.deps)).due).toMatchObject([{ channels: ['hook'], tries: 3 }])
  })

  it('a run that comes while another one sends does not make it told twice', async () => {
    const posted: string[] = []
    const rig = await hookedRig({ a: 3 }, (own) => async (url) => {
      posted.push(url)
      if (posted.length === 1) await run(own, ['a'], 0, hooked)
      return new Response('', { status: 202 })
    })
    await run(rig, ['a'], 0, hooked)
    expect((await readTold(rig.deps)).due).toEqual([])
    await run(rig, ['a'], 1, hooked)
    expect(posted).toHaveLength(1)
    expect(rig.stub.cloud.told).toHaveLength(1)
  })

  it('what falls behind while a rollout drains its instances wakes nobody', async () => {
    const rig = await rigOf({ a: 3, b: 3 })
    const deps = { ...rig.deps, runId: newRunId() }
    const now = Date.now()
    const cause = { at: now, startsAt: now, deadline: now + 600_000 }
    const drain: Drain = {
      ...{ instance: 'i-0123456789abcdef0', group: 'a-workers', queue: 'a' },
      ...{ causes: { rollout: cause }, calledOff: {}, noticedAt: now },
      ...{ sent: null, acknowledgedAt: null, fault: null, worker: null, quietAt: null },
      ...{ idleAt: null, status: null, hook: null, goneAt: null, asideAt: null, leaveAt: null },
      ...{ terminatedAt: null, lookAt: null, ended: null },
    }
    await writeDrain(deps, drain, 0)
    await run(rig, ['a', 'b'])
    expect(subjects(rig).sort()).toEqual([
      '[test] critical: b: falls behind its promise',
      '[test] warning: a: fewer instances while a rollout replaces them',
    ])
    // It is over, and a boot later as well: what still fires is told, with others of its cause.
    await writeDrain(deps, { ...drain, ended: { how: 'drained', at: now } }, 1)
    for (const minutes of [1, 2, 3, 4]) await run(rig, ['a', 'b'], minutes)
    expect(subjects(rig).slice(2)).toEqual([
      '[test] critical, update: b, a: falls behind its promise',
    ])
  })

  it('what is remembered is read as it was written', async () => {
    const rig = await rigOf({})
    const deps = { ...rig.deps, runId: newRunId() }
    const busy = { visible: 20, notVisible: 8, received: 24, deleted: 24, age: 700 }
    const { watched } = story(times(12, busy)).last
    const age = watched.states['oldest-age']
    if (!age) throw new Error('The rule is watched')
    // One of a queue that nobody touches, and one without a value.
    const recent = [
      ...age.recent,
      { at: 1, value: null, idle: true as const },
      { at: 2, value: null },
    ]
    const states = { ...watched.states, 'oldest-age': { ...age, recent } }
    const queues = { a: { ...watched, states }, b: watched }
    const { alerts: firing } = story(times(12, busy)).last
    await writeNotes(deps, tick, { version: 0, queues: {} }, { at: 60, queues, alerts: firing })
    expect(await readNotes(deps, tick)).toEqual({ version: 1, queues })
    expect(firing.length).toBeGreaterThan(0)
    expect(await readFound(deps, tick)).toEqual({ at: 60, queues, alerts: firing })
  })

  it('one queue that may not be read is named, the others are watched', async () => {
    const rig = await rigOf({ a: 3, b: 3 })
    const how = new Refusal('AccessDenied', 'No', 403)
    rig.stub.fail({ action: 'GetQueueAttributes', of: 'a', how })
    const { error } = await run(rig, ['a', 'b'])
    expect(error?.message).toBe('alerts: 1 of 2 queues failed: a: look: AccessDenied: No')
    expect(subjects(rig)).toEqual(['[test] critical: b: falls behind its promise'])
    expect(Object.keys((await readNotes(rig.deps, tick)).queues)).toEqual(['a', 'b'])
  })

  it('a CloudWatch that is throttled costs its rules, and no other', async () => {
    const rig = await rigOf({ a: 3 })
    const how = new Refusal('ThrottlingException', 'Rate exceeded')
    rig.stub.fail({ action: 'GetMetricData', how })
    const { error } = await run(rig, ['a'])
    expect(error?.message).toContain('a: read metrics: ThrottlingException: Rate exceeded')
    expect(subjects(rig)).toEqual(['[test] critical: a: falls behind its promise'])
  })

  it('an age that CloudWatch has published is judged by its own minute', async () => {
    const rig = await rigOf({ a: 1 })
    const end = Math.floor(Date.now() / minute)
    const key = sqsKey('ApproximateAgeOfOldestMessage', 'a')
    rig.stub.cloud.vended.addPast(key, end - 10, new Float64Array(8).fill(5_000))
    const { report } = await run(rig, ['a'], 0, {
      defaults: { taskTime: '20s', alerts: { off: ['depth'] } },
    })
    expect(report?.firing).toMatchObject([{ queue: 'a', rule: 'oldest-age', value: 5_000 }])
  })
})

describeWithMoto('alerts on an AWS that nobody here wrote', (moto) => {
  it('finds the dead-letter queue and the ages, and tells whoever subscribes', async () => {
    process.env['AWS_ENDPOINT_URL'] = moto.endpoint
    const clients = {
      sqs: makeSqs(),
      autoscaling: makeAutoScaling(),
      cloudwatch: makeCloudWatch(),
      dynamodb: makeDynamoDb(),
      sns: makeSns(),
      ssm: makeSsm(),
    }
    for (const client of Object.values(clients)) {
      Object.assign(client.config, { disableRequestCompression: async () => true })
      await client.config.serviceConfiguredEndpoint?.()
    }
    const { sqs, autoscaling, cloudwatch, dynamodb, sns } = clients
    await dynamodb.send(new CreateTableCommand(indexedTable))
    const LaunchConfigurationName = 'workers'
    await autoscaling.send(
      new CreateLaunchConfigurationCommand({
        ...{ LaunchConfigurationName, ImageId: 'ami-12345678', InstanceType: 't3.micro' },
      }),
    )
    await autoscaling.send(
      new CreateAutoScalingGroupCommand({
        ...{ AutoScalingGroupName: 'invoice-workers', LaunchConfigurationName },
        ...{ MinSize: 0, MaxSize: 5, DesiredCapacity: 1, AvailabilityZones: ['us-east-1a'] },
        Tags: [{ Key: 'celery:queue', Value: 'invoice', PropagateAtLaunch: true }],
      }),
    )
    const arn = (name: string) => `arn:aws:sqs:us-east-1:123456789012:${name}`
    const make = async (QueueName: string, Attributes: Record<string, string> = {}) =>
      (await sqs.send(new CreateQueueCommand({ QueueName, Attributes }))).QueueUrl
    const dead = await make('invoice-dead')
    const RedrivePolicy = JSON.stringify({
      deadLetterTargetArn: arn('invoice-dead'),
      maxReceiveCount: 3,
    })
    const waiting = await make('invoice', { RedrivePolicy })
    const inbox = await make('inbox')
    const Entries = [1, 2].map((id) => ({ Id: `${id}`, MessageBody: 'task' }))
    for (const QueueUrl of [dead, waiting]) {
      await sqs.send(new SendMessageBatchCommand({ QueueUrl, Entries }))
    }
    const { TopicArn } = await sns.send(new CreateTopicCommand({ Name: 'alerts' }))
    await sns.send(new SubscribeCommand({ TopicArn, Protocol: 'sqs', Endpoint: arn('inbox') }))
    // An old message, as only SQS may say; moto takes it from anybody.
    const from = Math.floor(Date.now() / minute) * minute - 6 * minute
    await cloudwatch.send(
      new PutMetricDataCommand({
        Namespace: 'AWS/SQS',
        MetricData: [0, 1, 2].map((step) => ({
          ...{ MetricName: 'ApproximateAgeOfOldestMessage', Value: 9_000 },
          Timestamp: new Date(from + step * minute),
          Dimensions: [{ Name: 'QueueName', Value: 'invoice' }],
        })),
      }),
    )
    const quiet = { info: () => {}, warn: () => {}, error: () => {} }
    const deps: Omit<AlertsDeps, 'runId'> = {
      ...clients,
      web: makeWeb(),
      ...{ stateTable: 'state', drainName: 'drain', log: quiet, alertsTopic: TopicArn ?? '' },
      clock: { now: () => Date.now() },
      signal: AbortSignal.timeout(60_000),
    }
    const posted: { title: string; kind: string }[] = []
    const server = createServer(async (request, response) => {
      const parts: Buffer[] = []
      for await (const part of request) parts.push(part)
      posted.push(JSON.parse(Buffer.concat(parts).toString()))
      response.writeHead(200).end()
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    await clients.ssm.send(
      new PutParameterCommand({
        ...{ Name: '/test/hook', Type: 'SecureString', Value: `http://127.0.0.1:${port}/` },
      }),
    )
    const own = fleetOf({
      queues: { invoice: { alerts: { 'dead-letter': { for: '0s' } } } },
      notify: {
        channels: { hook: { webhook: '/test/hook' }, chat: { slack: '/test/no-such' } },
      },
    })
    const report = await alerts(own)(tick, { ...deps, runId: newRunId() })
    expect(report.firing.map(({ rule, value }) => [rule, value])).toEqual([
      ['oldest-age', 9_000],
      ['dead-letter', 2],
    ])
    const again = await alerts(own)(tick, { ...deps, runId: newRunId() })
    expect(again.pages).toEqual([])
    server.close()
    const titles = [
      'invoice: falls behind its promise',
      'invoice: messages were given up',
      'pages do not reach a channel',
    ]
    expect(posted.map(({ title }) => title).sort()).toEqual(titles)
    // The next run tries the other one again.
    expect((await readTold(deps)).due).toMatchObject([
      { channels: ['chat'], tries: 2 },
      { channels: ['chat'], tries: 2 },
    ])
    const { Messages = [] } = await sqs.send(
      new ReceiveMessageCommand({ QueueUrl: inbox, MaxNumberOfMessages: 10 }),
    )
    const told = Messages.map(({ Body = '{}' }) => JSON.parse(Body))
    expect(told.map(({ Subject }) => Subject).sort()).toEqual([
      '[test] critical: invoice: falls behind its promise',
      '[test] warning: invoice: messages were given up',
      '[test] warning: pages do not reach a channel',
    ])
    expect(told.find(({ Subject }) => Subject.includes('channel')).Message).toContain(
      'chat: secret-missing (there is no parameter /test/no-such)',
    )
  })
})
