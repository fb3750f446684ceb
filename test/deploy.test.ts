import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { DescribeTableCommand, DynamoDBClient, GetItemCommand } from '@aws-sdk/client-dynamodb'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  deployedFunction,
  desiredOf,
  makeFleet,
  nothing,
  published,
  rolePolicy,
  run,
  stackIds,
  ticks,
  whatExists,
} from './deployed.ts'
import { describeWithMoto } from './moto.ts'

const templates = ['update', 'create'].map(
  (which) => `.serverless/cloudformation-template-${which}-stack.json`,
)

// A build that fails may hang `invoke local` for ever; a deployment takes ten seconds.
const childMilliseconds = 90_000

/** A working copy of its own, so that its `.serverless` and a changed fleet are nobody else's. */
function workingCopy() {
  const folder = mkdtempSync(join(tmpdir(), 'celeriac-deploy-'))
  const files = ['serverless.yml', 'serverless.fleet.cjs', 'serverless.esbuild.cjs', 'package.json']
  for (const name of [...files, 'fleet.config.ts', 'functions', 'shared', 'events'])
    cpSync(name, join(folder, name), { recursive: true })
  symlinkSync(resolve('node_modules'), join(folder, 'node_modules'))
  return folder
}

type Template = {
  readonly Resources: Record<string, { readonly Type: string; readonly Properties: object }>
}

const tick = (input: { shard: number; of: number }) => ({
  target: 'talk-prod-backlog',
  input,
  retryPolicy: { MaximumRetryAttempts: 0, MaximumEventAgeInSeconds: 60 },
  undelivered: 'talk-prod-undelivered',
})

describeWithMoto('deployed to an AWS that nobody here wrote', (moto) => {
  let folder = ''
  beforeAll(() => {
    folder = workingCopy()
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  const serverless = (...args: string[]) =>
    run('serverless', args, { cwd: folder, env: moto.env, timeout: childMilliseconds })
  const invokeLocal = (event: string) =>
    serverless('invoke', 'local', '-f', 'backlog', '--path', `events/${event}`)
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
    expect(await deployedFunction(moto)).toEqual({
      Runtime: 'nodejs24.x',
      Handler: 'functions/backlog/handler.handler',
      MemorySize: 1024,
      Timeout: 50,
      Environment: { Variables: { CELERIAC_STATE_TABLE: 'talk-prod-state' } },
    })
    expect(await ticks(moto)).toEqual([tick({ shard: 0, of: 1 })])
    expect(await whatExists(moto)).toEqual({
      functions: ['talk-prod-backlog'],
      rules: ['talk-prod-backlog-rule-1'],
      tables: ['talk-prod-state'],
      logGroups: [{ name: '/aws/lambda/talk-prod-backlog', days: 30 }],
      queues: ['talk-prod-undelivered'],
      roles: 1,
      buckets: 1,
      stacks: ['talk-prod'],
    })
    expect(await stackIds(moto, 'AWS::SNS::Topic')).toEqual([
      `arn:aws:sns:us-east-1:123456789012:talk-prod-failures`,
    ])
    const { Table } = await new DynamoDBClient(moto.client).send(
      new DescribeTableCommand({ TableName: 'talk-prod-state' }),
    )
    expect(Table).toMatchObject({
      TableStatus: 'ACTIVE',
      BillingModeSummary: { BillingMode: 'PAY_PER_REQUEST' },
      KeySchema: [{ AttributeName: 'pk', KeyType: 'HASH' }],
    })
  })

  it('runs on arm64, and a failed run is not repeated: its event goes to the topic', () => {
    // moto drops these, so the template is what there is to look at.
    const [backlog] = propertiesOf('AWS::Lambda::Function')
    expect(backlog).toMatchObject({ Architectures: ['arm64'] })
    expect(backlog).not.toHaveProperty('ReservedConcurrentExecutions')
    expect(propertiesOf('AWS::Lambda::EventInvokeConfig')).toMatchObject([
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
    expect(names.length).toBeGreaterThan(5)
    expect(names.filter((name) => !name?.startsWith('talk-prod-'))).toEqual([])
  })

  it('the role allows the calls of its function and fits a role', async () => {
    const policy = await rolePolicy(moto)
    expect(policy.text.length).toBeLessThan(10_240)
    expect(policy.effects).toEqual(['Allow'])
    expect(policy.allowed).toEqual({
      'autoscaling:DescribeAutoScalingGroups': '*',
      'autoscaling:SetDesiredCapacity':
        'arn:aws:autoscaling:us-east-1:123456789012:autoScalingGroup:*:autoScalingGroupName/*',
      'sqs:GetQueueAttributes': 'arn:aws:sqs:us-east-1:123456789012:*',
      'cloudwatch:PutMetricData': '*',
      'dynamodb:GetItem': 'arn:aws:dynamodb:us-east-1:123456789012:table/talk-prod-state',
      'dynamodb:PutItem': 'arn:aws:dynamodb:us-east-1:123456789012:table/talk-prod-state',
      'logs:CreateLogStream':
        'arn:aws:logs:us-east-1:123456789012:log-group:/aws/lambda/talk-prod-backlog:*',
      'logs:PutLogEvents':
        'arn:aws:logs:us-east-1:123456789012:log-group:/aws/lambda/talk-prod-backlog:*',
      'sns:Publish': 'arn:aws:sns:us-east-1:123456789012:talk-prod-failures',
    })
    expect(policy.conditions).toEqual({
      'autoscaling:SetDesiredCapacity': {
        Null: { 'autoscaling:ResourceTag/celery:queue': 'false' },
      },
      'cloudwatch:PutMetricData': { StringEquals: { 'cloudwatch:namespace': 'Celeriac' } },
      'dynamodb:GetItem': { 'ForAllValues:StringLike': { 'dynamodb:LeadingKeys': 'backlog#*' } },
      'dynamodb:PutItem': { 'ForAllValues:StringLike': { 'dynamodb:LeadingKeys': 'backlog#*' } },
    })
  })

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
    // 7 tasks a slot keep the promise of 5 minutes with a boot of 2, so that 30 want 5 instances.
    const atLeastTwo = { 'meeting-join-workers': 2 }
    expect(await desiredOf(moto)).toEqual({ ...before, ...atLeastTwo, 'invoice-workers': 5 })
    expect(await published(moto, 'BacklogPerInstance', 'invoice')).toBe(30)
    expect(await published(moto, 'QueuesMeasured')).toBe(70)
    expect(await published(moto, 'QueuesFailed')).toBe(0)
    const { Item } = await new DynamoDBClient(moto.client).send(
      new GetItemCommand({ TableName: 'talk-prod-state', Key: { pk: { S: 'backlog#0/1' } } }),
    )
    expect(Item?.['version']).toEqual({ N: '1' })
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
    expect(await ticks(moto)).toEqual([tick({ shard: 0, of: 2 }), tick({ shard: 1, of: 2 })])
    // moto leaves the reservation and the role as they were: the template again.
    expect(propertiesOf('AWS::Lambda::Function')).toMatchObject([
      { ReservedConcurrentExecutions: 2 },
    ])
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
    expect(stars).toHaveLength(2)
  })
})
