import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DescribeTableCommand, DynamoDBClient, GetItemCommand } from '@aws-sdk/client-dynamodb'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { againPattern, drainRules } from '../shared/rules.ts'
import { matches } from '../twin/aws/patterns.ts'
import {
  commandsSent,
  countOf,
  deployedFunction,
  deployedRules,
  desiredOf,
  makeFleet,
  mappingsOf,
  membersOf,
  nothing,
  published,
  queueAttributes,
  rolePolicy,
  run,
  schedules,
  stackIds,
  whatExists,
  workingCopy,
} from './deployed.ts'
import { roles } from './deployed-roles.ts'
import { scheduled } from './deployed-schedules.ts'
import { describeWithMoto } from './moto.ts'

const all = ['alerts', 'backlog', 'drain', 'forecast']
const templates = ['update', 'create'].map(
  (which) => `.serverless/cloudformation-template-${which}-stack.json`,
)

// A build that fails may hang `invoke local` for ever; a deployment takes ten seconds.
const childMilliseconds = 90_000

type Template = {
  readonly Resources: Record<string, { readonly Type: string; readonly Properties: object }>
}

/** A batch of drain's, from a sample or with another instance in the sample's place. */
const sample = (name: string): string => readFileSync(`events/drain-${name}.json`, 'utf8')
const bodyOf = (name: string): string => JSON.parse(sample(name)).Records[0].body
const sampleInstance = 'i-1234567890abcdef0'

describeWithMoto('deployed to an AWS that nobody here wrote', (moto) => {
  let folder = ''
  beforeAll(() => {
    folder = workingCopy()
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  const serverless = (...args: string[]) =>
    run('serverless', args, { cwd: folder, env: moto.env, timeout: childMilliseconds })
  const invokeLocal = (event: string, name = 'backlog') =>
    serverless('invoke', 'local', '-f', name, '--path', `events/${event}`)
  const template = (): Template =>
    JSON.parse(readFileSync(join(folder, templates[0] ?? ''), 'utf8'))
  const propertiesOf = (type: string) =>
    Object.values(template().Resources).flatMap(({ Type, Properties }) =>
      Type === type ? [Properties] : [],
    )
  const configure = (from: string, to: string) => {
    const file = join(folder, 'fleet.config.ts')
    const before = readFileSync(file, 'utf8')
    writeFileSync(file, before.replace(from, to))
    return () => writeFileSync(file, before)
  }

  it('an invalid fleet ends a deployment with every problem, before anything exists', async () => {
    const restore = configure("taskTime: '90s', concurrency: 2", "taskTime: '90', concurrencies: 2")
    const { code, output } = await serverless('deploy')
    restore()
    expect(code).toBe(1)
    expect(output).toContain("The fleet's configuration has 2 problems:")
    expect(output).toContain('queues.transcript.taskTime: "90" does not fit; write a positive')
    expect(output).toContain('queues.transcript.concurrencies: 2 does not fit; there is no such')
    expect(output).not.toContain('    at ')
    expect(await whatExists(moto)).toEqual(nothing)
  })

  it('a deployment makes what serverless.yml says', async () => {
    expect(await serverless('deploy')).toMatchObject({ code: 0 })
    const both = { Runtime: 'nodejs24.x', MemorySize: 1024 }
    const variables = {
      CELERIAC_STATE_TABLE: 'talk-prod-state',
      CELERIAC_DRAIN_NAME: 'talk-prod-drain',
    }
    expect(await deployedFunction(moto, 'backlog')).toEqual({
      ...{ ...both, Handler: 'functions/backlog/handler.handler', Timeout: 50 },
      Environment: { Variables: { ...variables, CELERIAC_FAST_QUEUE: 'talk-prod-fast' } },
    })
    const topic = 'arn:aws:sns:us-east-1:123456789012:talk-prod-alerts'
    expect(await deployedFunction(moto, 'alerts')).toEqual({
      ...{ ...both, Handler: 'functions/alerts/handler.handler', Timeout: 50 },
      Environment: { Variables: { ...variables, CELERIAC_ALERTS_TOPIC: topic } },
    })
    expect(await deployedFunction(moto, 'drain')).toEqual({
      ...{ ...both, Handler: 'functions/drain/handler.handler', Timeout: 15 },
      Environment: { Variables: { ...variables, CELERIAC_TIMER_QUEUE: 'talk-prod-timer' } },
    })
    expect(await deployedFunction(moto, 'forecast')).toEqual({
      ...{ Runtime: 'nodejs24.x', MemorySize: 1_769 },
      ...{ Handler: 'functions/forecast/handler.handler', Timeout: 600 },
      Environment: { Variables: variables },
    })
    expect(await whatExists(moto)).toEqual({
      functions: all.map((name) => `talk-prod-${name}`),
      rules: [
        ...drainRules('talk-prod-drain').map(({ name }) => `talk-prod-Drain${name}`),
        ...['alerts', 'backlog', 'forecast'].map((name) => `talk-prod-${name}-rule-1`),
        'talk-prod-alerts-rule-2',
        'talk-prod-DrainSweep0',
      ].sort(),
      tables: ['talk-prod-state'],
      logGroups: all.map((name) => ({
        ...{ name: `/aws/lambda/talk-prod-${name}`, days: 30 },
      })),
      queues: ['drain', 'fast', 'timer', 'undelivered'].map((name) => `talk-prod-${name}`),
      roles: 4,
      buckets: 1,
      stacks: ['talk-prod'],
      documents: ['talk-prod-drain'],
      mappings: 3,
    })
    expect((await stackIds(moto, 'AWS::SNS::Topic')).sort()).toEqual([
      'arn:aws:sns:us-east-1:123456789012:talk-prod-alerts',
      'arn:aws:sns:us-east-1:123456789012:talk-prod-failures',
    ])
    const { Table } = await new DynamoDBClient(moto.client).send(
      new DescribeTableCommand({ TableName: 'talk-prod-state' }),
    )
    expect(Table).toMatchObject({
      TableStatus: 'ACTIVE',
      BillingModeSummary: { BillingMode: 'PAY_PER_REQUEST' },
      KeySchema: [{ AttributeName: 'pk', KeyType: 'HASH' }],
      GlobalSecondaryIndexes: [
        {
          IndexName: 'active',
          KeySchema: [
            { AttributeName: 'active', KeyType: 'HASH' },
            { AttributeName: 'pk', KeyType: 'RANGE' },
          ],
          Projection: { ProjectionType: 'ALL' },
        },
      ],
    })
    // moto drops the time to live: the template is what there is to look at.
    const [table] = propertiesOf('AWS::DynamoDB::Table')
    const TimeToLiveSpecification = { AttributeName: 'expiresAt', Enabled: true }
    expect(table).toMatchObject({ TimeToLiveSpecification })
  })

  it('each kind of event has one rule, which hands it to the queue of drain', async () => {
    const rules = await deployedRules(moto)
    expect(await schedules(moto)).toEqual(scheduled({ shard: 0, of: 1 }))
    const ofAlerts = (rule: (typeof rules)[number]) => rule.target?.endsWith('alerts')
    const kinds = rules.filter((rule) => rule.every === null && !ofAlerts(rule))
    expect(kinds).toEqual(
      drainRules('talk-prod-drain').map(({ pattern, ageSeconds }) => ({
        ...{ every: null, pattern, state: 'ENABLED', input: null },
        target: 'sqs:us-east-1:123456789012:talk-prod-drain',
        retryPolicy: { MaximumEventAgeInSeconds: ageSeconds },
        undelivered: 'talk-prod-undelivered',
      })),
    )
    const matched = (event: object) =>
      kinds.filter(({ pattern }) => matches(pattern, event)).map((rule) => rule.pattern)
    const events = readdirSync('events').flatMap((file) => {
      const [, name = ''] = /^drain-(.*)\.json$/.exec(file) ?? []
      return ['', 'timer', 'fewer'].includes(name) ? [] : JSON.parse(bodyOf(name))
    })
    expect(events.length).toBeGreaterThanOrEqual(kinds.length)
    for (const event of events) {
      expect(matched(event)).toMatchObject([{ 'detail-type': [event['detail-type']] }])
    }
    expect(new Set(events.flatMap(matched)).size).toBe(kinds.length)
    // What is of no use is not delivered, so that nobody pays for it.
    const state = bodyOf('state').replace('shutting-down', 'running')
    const hook = bodyOf('hook').replace('talk-prod-drain', 'somebody-elses')
    const command = bodyOf('invocation').replace('talk-prod-drain', 'AWS-RunShellScript')
    for (const body of [state, hook, command]) expect(matched(JSON.parse(body))).toEqual([])
  })

  it('what workers receive again is handed to alerts, and nothing else of theirs', async () => {
    const rules = await deployedRules(moto)
    const [rule, ...more] = rules.filter(
      ({ every, target }) => !every && target?.endsWith('alerts'),
    )
    expect(more).toEqual([])
    expect(rule).toEqual({
      ...{ every: null, pattern: againPattern, state: 'ENABLED', input: null },
      target: 'lambda:us-east-1:123456789012:function:talk-prod-alerts',
      retryPolicy: { MaximumRetryAttempts: 2, MaximumEventAgeInSeconds: 300 },
      undelivered: 'talk-prod-undelivered',
    })
    const event = JSON.parse(readFileSync('events/alerts-received.json', 'utf8'))
    expect(matches(againPattern, event)).toBe(true)
    expect(matches(againPattern, JSON.parse(bodyOf('report')))).toBe(false)
  })

  it('both queues of drain are its sources, and give up after five tries', async () => {
    const source = { batch: 100, windowSeconds: 1, responses: ['ReportBatchItemFailures'] }
    expect(await mappingsOf(moto, 'drain')).toEqual(
      ['talk-prod-drain', 'talk-prod-timer'].map((queue) => ({
        ...{ queue, ...source, state: 'Enabled' },
      })),
    )
    for (const name of ['drain', 'timer']) {
      const { VisibilityTimeout, RedrivePolicy = '{}' } = await queueAttributes(moto, name)
      expect(VisibilityTimeout).toBe('30')
      expect(JSON.parse(RedrivePolicy)).toEqual({
        deadLetterTargetArn: 'arn:aws:sqs:us-east-1:123456789012:talk-prod-undelivered',
        maxReceiveCount: 5,
      })
    }
    // moto shows no concurrency: the template is what there is to look at.
    const one = { ScalingConfig: { MaximumConcurrency: 10 } }
    expect(propertiesOf('AWS::Lambda::EventSourceMapping')).toMatchObject([one, one, one])
  })

  it('the fast lane is a source of backlog, one look a run, and forgets what is late', async () => {
    const [mapping] = await mappingsOf(moto, 'backlog')
    expect(mapping).toMatchObject({ queue: 'talk-prod-fast', batch: 1, state: 'Enabled' })
    const { VisibilityTimeout, MessageRetentionPeriod } = await queueAttributes(moto, 'fast')
    expect([VisibilityTimeout, MessageRetentionPeriod]).toEqual(['60', '90'])
  })

  it('every rule may write to the queues that it writes to, and nobody else may', () => {
    // moto drops a queue's policy and makes names of any length, where AWS cuts a long stack's out
    // of them: the template has the rules of drain by reference, for a pattern might match none.
    const rules = Object.entries(template().Resources).flatMap(([id, { Type, Properties }]) =>
      Type === 'AWS::Events::Rule' && JSON.stringify(Properties).includes('"DrainQueue"') ? id : [],
    )
    expect(rules).toHaveLength(drainRules('talk-prod-drain').length + 1)
    const arns = rules.map((id) => ({ 'Fn::GetAtt': [id, 'Arn'] }))
    const ofDrain = { Condition: { ArnEquals: { 'aws:SourceArn': arns } } }
    const named = ['backlog', 'forecast', 'alerts'].map((name) => ({
      'Fn::Sub': expect.stringMatching(new RegExp(`:rule/talk-prod-${name}-\\*$`)),
    }))
    const ofSchedules = { Condition: { ArnLike: { 'aws:SourceArn': named } } }
    expect(propertiesOf('AWS::SQS::QueuePolicy')).toMatchObject([
      {
        Queues: [{ Ref: 'UndeliveredQueue' }],
        PolicyDocument: { Statement: [ofSchedules, ofDrain] },
      },
      { Queues: [{ Ref: 'DrainQueue' }], PolicyDocument: { Statement: [ofDrain] } },
    ])
  })

  it('the document is the file, and a change of it another version', () => {
    // moto knows one version alone, and shows none: the template again.
    const Content = JSON.parse(readFileSync('worker/drain-document.json', 'utf8'))
    expect(propertiesOf('AWS::SSM::Document')).toEqual([
      {
        ...{ Name: 'talk-prod-drain', Content, UpdateMethod: 'NewVersion' },
        ...{ DocumentType: 'Command', DocumentFormat: 'JSON', TargetType: '/AWS::EC2::Instance' },
      },
    ])
  })

  it('all run on arm64, and a failed sweep is not repeated: its event goes to the topic', () => {
    // moto drops these, so the template is what there is to look at.
    const functions = propertiesOf('AWS::Lambda::Function')
    expect(functions).toMatchObject(
      Array(4)
        .fill('arm64')
        .map((one) => ({ Architectures: [one] })),
    )
    for (const one of functions) expect(one).not.toHaveProperty('ReservedConcurrentExecutions')
    expect(propertiesOf('AWS::Lambda::EventInvokeConfig')).toMatchObject([
      {
        MaximumRetryAttempts: 0,
        MaximumEventAgeInSeconds: 60,
        DestinationConfig: { OnFailure: { Destination: { Ref: 'FailuresTopic' } } },
      },
      // A forecast is: it finds fresh what it has written.
      {
        MaximumRetryAttempts: 2,
        MaximumEventAgeInSeconds: 1_800,
        DestinationConfig: { OnFailure: { Destination: { Ref: 'FailuresTopic' } } },
      },
      {
        MaximumRetryAttempts: 0,
        MaximumEventAgeInSeconds: 60,
        DestinationConfig: { OnFailure: { Destination: { Ref: 'FailuresTopic' } } },
      },
    ])
  })

  it('whatever has a name of its own carries the fleet and the stage', () => {
    const given =
      /"(?:Name|(?:Function|LogGroup|Queue|Table|Topic)Name)":"(?:\/aws\/lambda\/)?(.+?)"/g
    const names = [...JSON.stringify(template()).matchAll(given)].map(([, name]) => name)
    expect(names.length).toBeGreaterThan(9)
    // The one dimension is a name as well.
    expect(names.filter((name) => !name?.startsWith('talk-prod-'))).toEqual(['Fleet'])
  })

  it.each(Object.keys(roles))(
    'the role of %s allows its calls, no others, and fits',
    async (name) => {
      const policy = await rolePolicy(moto, name)
      expect(policy.text.length).toBeLessThan(10_240)
      expect(policy.effects).toEqual(['Allow'])
      const { allowed, conditions } = policy
      expect({ allowed, conditions }).toEqual(roles[name])
    },
  )

  it('cfn-lint has nothing to say about the templates', async ({ skip }) => {
    const { code, output } = await run('cfn-lint', templates, {
      cwd: folder,
      env: process.env,
      timeout: childMilliseconds,
    })
    if (code === 'ENOENT') {
      console.warn('\n*** SKIPPED, no cfn-lint here (pip install cfn-lint) ***\n')
      skip()
    }
    expect({ code, output }).toEqual({ code: 0, output: '' })
  })

  it('a sweep against it resizes the queue that waits, publishes and remembers', async () => {
    await makeFleet(moto)
    const before = await desiredOf(moto)
    expect(await invokeLocal('schedule.json')).toMatchObject({ code: 0 })
    // Either of two starts ten or more of the 20 in time, whatever the second of the minute.
    const atLeastTwo = { 'meeting-join-workers': 2 }
    expect(await desiredOf(moto)).toEqual({ ...before, ...atLeastTwo, 'invoice-workers': 2 })
    expect(await published(moto, 'BacklogPerInstance', 'invoice')).toBe(20)
    expect(await published(moto, 'QueuesMeasured')).toBe(70)
    expect(await published(moto, 'QueuesFailed')).toBe(0)
    const { Item } = await new DynamoDBClient(moto.client).send(
      new GetItemCommand({ TableName: 'talk-prod-state', Key: { pk: { S: 'backlog#0/1' } } }),
    )
    expect(Item?.['version']).toEqual({ N: '1' })
    expect(await countOf(moto, 'fast')).toBe(3)
  })

  it.each([
    ['unknown.json', "it is 'EC2 Spot Instance Interruption Warning' from aws.ec2"],
    ['malformed.json', "The schedule's shard is 2, not below its of, 2"],
  ])('a sweep refuses events/%s', async (event, message) => {
    const before = await desiredOf(moto)
    const { code, output } = await invokeLocal(event)
    expect(code).toBe(1)
    expect(output).toContain(message)
    expect(await desiredOf(moto)).toEqual(before)
  })

  it('a forecast of queues of which CloudWatch has nothing says so', async () => {
    const { output } = await invokeLocal('schedule.json', 'forecast')
    expect(output.match(/"message":"forecast".*"reason":"no-history"/g)).toHaveLength(70)
  })

  it('a look at the alerts remembers every queue, and says that it has looked', async () => {
    expect(await invokeLocal('schedule.json', 'alerts')).toMatchObject({ code: 0 })
    expect(await published(moto, 'QueuesWatched')).toBe(70)
    const { Item } = await new DynamoDBClient(moto.client).send(
      new GetItemCommand({ TableName: 'talk-prod-state', Key: { pk: { S: 'alerts#0/1' } } }),
    )
    expect(Item?.['version']).toEqual({ N: '1' })
    // Whoever watches it from outside misses one of its shards.
    expect(propertiesOf('AWS::CloudWatch::Alarm')).toMatchObject([
      {
        ...{ MetricName: 'QueuesWatched', Statistic: 'SampleCount', Threshold: 1 },
        ...{ TreatMissingData: 'breaching', AlarmActions: [{ Ref: 'AlertsTopic' }] },
      },
    ])
  })

  it('a Spot notice of a stranger changes nothing', async () => {
    const { code, output } = await invokeLocal('drain-spot.json', 'drain')
    expect(code).toBe(0)
    expect(output).toContain('"ignored":["foreign"]')
    expect(output).toMatch(/"batchItemFailures": \[\]/)
    expect(await commandsSent(moto)).toEqual([])
  })

  it('a malformed notice comes back', async () => {
    const { code, output } = await invokeLocal('drain-malformed.json', 'drain')
    expect(code).toBe(0)
    expect(output).toContain('is malformed: detail.instance-id')
    expect(output).toMatch(/"itemIdentifier": "00000000-0000-0000-0000-000000000001"/)
  })

  it('a Spot notice of ours sends the command, starts its replacement and a timer', async () => {
    const [instance = ''] = (await membersOf(moto, 'video-workers')).keys()
    const time = new Date().toISOString().replace(/\.\d+/, '')
    const batch = sample('spot')
      .replaceAll(sampleInstance, instance)
      .replace('2026-01-01T00:00:00Z', time)
    writeFileSync(join(folder, 'events/ours.json'), batch)
    const { code, output } = await invokeLocal('ours.json', 'drain')
    expect(code).toBe(0)
    expect(output).toMatch(/"batchItemFailures": \[\]/)
    expect(await commandsSent(moto)).toMatchObject([
      {
        ...{ DocumentName: 'talk-prod-drain', MaxErrors: '100%' },
        to: expect.arrayContaining([instance]),
        Parameters: { Action: ['drain'], Reason: ['spot'], WorkerKind: ['all'] },
      },
    ])
    const members = await membersOf(moto, 'video-workers')
    expect(members.get(instance)).toBe('Standby')
    expect([...members.values()].sort()).toEqual(['InService', 'Standby'])
    expect(await countOf(moto, 'timer')).toBe(1)
    const { Item } = await new DynamoDBClient(moto.client).send(
      new GetItemCommand({
        ...{ TableName: 'talk-prod-state', Key: { pk: { S: `drain#${instance}` } } },
      }),
    )
    expect(Item).toMatchObject({ active: { S: 'drain' }, version: { N: '2' } })
  })

  it('another deployment brings what has changed, and warns of what may surprise', async () => {
    const added = "queueNamePrefix: 'q-', shards: 2, tags: { fleet: 'celery:fleet' }"
    configure("name: 'talk',", `name: 'talk', ${added},`)
    configure('video: {', "video: { group: 'encoders',")
    configure('scaling: { min: 2 }', 'scaling: { min: 0 }')
    const { code, output } = await serverless('deploy', '--param', 'reservedConcurrency=2')
    expect(code).toBe(0)
    expect(output.match(/^Warning: \S+/gm)).toEqual([
      'Warning: queues.meeting-join.startWithin:',
      'Warning: queues.video.group:',
    ])
    const shards = [0, 1].map((shard) => ({ shard, of: 2 }))
    expect(await schedules(moto)).toEqual(scheduled(...shards))
    // moto leaves the reservation and the role as they were: the template again.
    const [backlog, drain] = propertiesOf('AWS::Lambda::Function')
    expect(backlog).toMatchObject({ ReservedConcurrentExecutions: 2 })
    expect(drain).not.toHaveProperty('ReservedConcurrentExecutions')
    const role = JSON.stringify(propertiesOf('AWS::IAM::Role'))
    expect(role).toContain(':q-*"')
    expect(role).toContain(
      '{"Null":{"autoscaling:ResourceTag/celery:queue":"false"},' +
        '"StringEquals":{"autoscaling:ResourceTag/celery:fleet":"talk"}}',
    )
  })

  it('a removal leaves nothing', async () => {
    expect(await serverless('remove')).toMatchObject({ code: 0 })
    expect(await whatExists(moto)).toEqual(nothing)
  })
})

describe('serverless.yml', () => {
  it("says why wherever a resource is '*'", () => {
    const lines = readFileSync('serverless.yml', 'utf8').split('\n')
    const stars = lines.flatMap((line, at) => (/Resource: ['"]?\*/.test(line) ? at : []))
    expect(stars.map((at) => lines[at - 1]?.trim()[0])).toEqual(stars.map(() => '#'))
    expect(stars).toHaveLength(7)
  })
})
