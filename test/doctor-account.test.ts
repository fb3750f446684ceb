import { readFileSync } from 'node:fs'
import {
  AutoScalingClient,
  CreateAutoScalingGroupCommand,
  type CreateAutoScalingGroupCommandInput,
  CreateLaunchConfigurationCommand,
  PutLifecycleHookCommand,
} from '@aws-sdk/client-auto-scaling'
import { CreateQueueCommand, SQSClient } from '@aws-sdk/client-sqs'
import { CreateDocumentCommand, SSMClient } from '@aws-sdk/client-ssm'
import { describe, expect, it } from 'vitest'
import { checkAccount } from '../cli/doctor/checks-account.ts'
import type { AccountFacts, GroupFacts, HookFacts, QueueFacts } from '../cli/doctor/facts.ts'
import type { Finding, Severity } from '../cli/doctor/finding.ts'
import { type AccountDeps, readAccount } from '../cli/doctor/read-account.ts'
import { awsError } from '../twin/aws/service.ts'
import { createTwin, twinAccount, twinDrainName, twinRegion } from '../twin/twin.ts'
import { about, doctor, findingsIn } from './doctor/box.ts'
import { goodGroup, goodQueue } from './doctor/facts.ts'
import { fleetOf, queueOf } from './fixtures.ts'
import { describeWithMoto } from './moto.ts'

/** What the facts of an account come to, and whether they are read as they are. */

const ownDocument = readFileSync('worker/drain-document.json', 'utf8')

const goodAccount: AccountFacts = {
  account: '123456789012',
  region: 'us-east-1',
  drainName: 'test-prod-drain',
  document: { version: '3', content: ownDocument },
  ownDocument,
  tags: { queue: 'celery:queue', concurrency: 'celery:concurrency', fleet: null },
  queues: [goodQueue],
}

type Row = [
  sentence: string,
  account: Partial<AccountFacts>,
  check: string,
  severity: Severity,
  found: RegExp,
]

const unread = { unread: 'AccessDenied: no' }
const withQueue = (queue: Partial<QueueFacts>) => ({ queues: [{ ...goodQueue, ...queue }] })
const withGroup = (group: Partial<GroupFacts>) => withQueue({ group: { ...goodGroup, ...group } })
const withHook = (hook: Partial<HookFacts>) =>
  withGroup({
    hooks: [
      {
        name: 'test-prod-drain',
        transition: 'autoscaling:EC2_INSTANCE_TERMINATING',
        heartbeatSeconds: 300,
        globalSeconds: 30_000,
        defaultResult: 'CONTINUE',
        ...hook,
      },
    ],
  })
const withSqs = (visibilitySeconds: number, maxReceiveCount: number | null) =>
  withQueue({ sqs: { visibilitySeconds, maxReceiveCount } })
const withMode = (mode: string) => queueOf({ taskTime: '4m', scaling: { mode } })
const unhooked = { ...goodGroup, hooks: [] }
const tag = (key: string, propagates: boolean) => ({ key, value: 'video', propagates })
const instance = (ping: string, version: string) => ({ id: 'i-a', agent: { ping, version } })
const without = { ...JSON.parse(ownDocument), parameters: {} }
const reworded = { ...JSON.parse(ownDocument), description: 'Another' }

const rows: Row[] = [
  ['no document', { document: null }, 'document', 'error', /no such document/],
  ['a document that is not ours to read', { document: unread }, 'document', 'unknown', /Denied/],
  [
    'a document with other parameters',
    { document: { version: '1', content: JSON.stringify(without) } },
    ...(['document', 'error', /other parameters/] as const),
  ],
  [
    'a document with the same parameters that does something else',
    { document: { version: '1', content: JSON.stringify(reworded) } },
    ...(['document', 'warning', /version 1 is not/] as const),
  ],
  [
    'the document, written otherwise',
    { document: { version: '2', content: JSON.stringify(JSON.parse(ownDocument)) } },
    ...(['document', 'ok', /version 2/] as const),
  ],
  [
    'a queue without a group',
    withQueue({ group: { problem: 'there is no group' } }),
    ...(['group', 'error', /no group/] as const),
  ],
  [
    'no hook, in mode direct',
    withQueue({ group: unhooked }),
    ...(['terminate-hook', 'warning', /no hook/] as const),
  ],
  [
    "no hook, where AWS's policy scales in",
    withQueue({ group: unhooked, queue: withMode('target-tracking') }),
    ...(['terminate-hook', 'error', /no hook/] as const),
  ],
  [
    'a hook of our name that holds launches',
    withHook({ transition: 'autoscaling:EC2_INSTANCE_LAUNCHING' }),
    ...(['terminate-hook', 'warning', /LAUNCHING/] as const),
  ],
  [
    'a hook that somebody else has given the group',
    withHook({ name: 'theirs' }),
    ...(['terminate-hook', 'warning', /no hook test-prod-drain/] as const),
  ],
  [
    'hooks that are not ours to read',
    withGroup({ hooks: unread }),
    'terminate-hook',
    'unknown',
    /De/,
  ],
  [
    'a hook that ends before the drain may',
    withHook({ heartbeatSeconds: 30, globalSeconds: 2_400 }),
    ...(['terminate-hook', 'error', /40 min in all/] as const),
  ],
  [
    'a hook shorter than two sweeps',
    withHook({ heartbeatSeconds: 60 }),
    'terminate-hook',
    'warning',
    /60 s/,
  ],
  [
    "Auto Scaling's own hour",
    withHook({ heartbeatSeconds: 3_600 }),
    'terminate-hook',
    'warning',
    /60 min/,
  ],
  [
    'a hook that abandons',
    withHook({ defaultResult: 'ABANDON' }),
    'terminate-hook',
    'warning',
    /ABANDON/,
  ],
  [
    'a tag that does not propagate',
    withGroup({ tags: [tag('celery:queue', false)] }),
    ...(['tag celery:queue', 'error', /not propagate/] as const),
  ],
  [
    'a group that is only named',
    withGroup({ tags: [] }),
    'tag celery:queue',
    'error',
    /no such tag/,
  ],
  [
    "a fleet's tag that does not propagate",
    {
      ...withGroup({ tags: [tag('celery:queue', true), tag('fleet', false)] }),
      tags: { ...goodAccount.tags, fleet: { key: 'fleet', value: 'test' } },
    },
    ...(['tag fleet', 'error', /not propagate/] as const),
  ],
  [
    'slots that do not propagate',
    withGroup({ tags: [tag('celery:queue', true), tag('celery:concurrency', false)] }),
    ...(['tag celery:concurrency', 'warning', /not propagate/] as const),
  ],
  ['tags that are not ours to read', withGroup({ tags: unread }), 'tags', 'unknown', /Denied/],
  [
    'an instance that Systems Manager does not know',
    withGroup({ instances: [{ id: 'i-a', agent: null }] }),
    ...(['ssm-online', 'error', /1 of 1 .* i-a/] as const),
  ],
  [
    'an agent that is not heard of any more',
    withGroup({ instances: [instance('ConnectionLost', '3.3.2746.0')] }),
    ...(['ssm-online', 'error', /i-a/] as const),
  ],
  [
    'an agent that passes no environment',
    withGroup({ instances: [instance('Online', '3.3.987.0')] }),
    ...(['ssm-agent-version', 'error', /older: i-a/] as const),
  ],
  [
    'more instances than a line has room for',
    withGroup({ instances: Array.from({ length: 7 }, (_, n) => ({ id: `i-${n}`, agent: null })) }),
    ...(['ssm-online', 'error', /7 of 7 .* i-4 and 2 more/] as const),
  ],
  ['a group that is empty', withGroup({ instances: [] }), 'ssm-online', 'unknown', /no instance/],
  [
    'agents that are not ours to list',
    withGroup({ instances: unread }),
    'ssm-online',
    'unknown',
    /Den/,
  ],
  [
    'no Capacity Rebalancing',
    withGroup({ capacityRebalance: false }),
    'capacity-rebalancing',
    'ok',
    /off/,
  ],
  ['no such queue', withQueue({ sqs: null }), 'sqs', 'error', /no queue video/],
  ['a queue that is not ours to read', withQueue({ sqs: unread }), 'sqs', 'unknown', /Denied/],
  ['one receive', withSqs(900, 1), 'max-receive-count', 'error', /1/],
  ['two receives', withSqs(900, 2), 'max-receive-count', 'error', /2/],
  ['three receives', withSqs(900, 3), 'max-receive-count', 'warning', /3/],
  ['four receives', withSqs(900, 4), 'max-receive-count', 'warning', /4/],
  ['no dead-letter queue', withSqs(900, null), 'max-receive-count', 'ok', /no dead-letter/],
  ['a visibility timeout below a task', withSqs(30, 5), 'visibility-timeout', 'error', /30 s/],
  ['one below three tasks', withSqs(600, 5), 'visibility-timeout', 'warning', /10 min/],
]

const pick = (findings: readonly Finding[], check: string) =>
  findings.find((finding) => finding.check === check)

describe('an account', () => {
  it('in which everything is in order has nothing but that to say', () => {
    const findings = checkAccount(goodAccount)
    expect(findings.filter(({ severity }) => severity !== 'ok')).toEqual([])
    expect(findings.length).toBeGreaterThan(8)
  })

  it.each(rows)('%s', (_, account, check, severity, found) => {
    const finding = pick(checkAccount({ ...goodAccount, ...account }), check)
    expect(finding?.severity).toBe(severity)
    expect(finding?.found).toMatch(found)
    const bad = severity === 'error' || severity === 'warning'
    expect([finding?.reason !== '', finding?.fix !== ''].includes(false) && bad).toBe(false)
  })
})

const fleet = fleetOf({ queues: { video: { taskTime: '4m' } }, adopt: false })
const groupNamed = (name: string): CreateAutoScalingGroupCommandInput => ({
  AutoScalingGroupName: name,
  MinSize: 0,
  MaxSize: 3,
  DesiredCapacity: 2,
  AvailabilityZones: ['us-east-1a'],
  Tags: [{ Key: 'celery:queue', Value: 'video', PropagateAtLaunch: true }],
})
const hookOf = (AutoScalingGroupName: string, LifecycleHookName: string) =>
  new PutLifecycleHookCommand({
    AutoScalingGroupName,
    LifecycleHookName,
    LifecycleTransition: 'autoscaling:EC2_INSTANCE_TERMINATING',
    HeartbeatTimeout: 60,
  })

/** A twin with a queue and its group: one instance without an agent, one with, one that boots. */
async function world() {
  const twin = createTwin({
    seed: 1,
    startAt: Date.parse('2026-01-06T15:00:00Z'),
    makeTask: () => null,
  })
  const { sqs, autoscaling } = twin.deps
  await sqs.send(new CreateQueueCommand({ QueueName: 'dead' }))
  const deadLetterTargetArn = `arn:aws:sqs:${twinRegion}:${twinAccount}:dead`
  const RedrivePolicy = JSON.stringify({ deadLetterTargetArn, maxReceiveCount: 2 })
  const Attributes = { VisibilityTimeout: '120', RedrivePolicy }
  await sqs.send(new CreateQueueCommand({ QueueName: 'video', Attributes }))
  await autoscaling.send(
    new CreateAutoScalingGroupCommand({ ...groupNamed('g'), DesiredCapacity: 3 }),
  )
  const ids = [...(twin.autoscaling.groups.get('g')?.instances.keys() ?? [])]
  for (const id of ids.slice(0, 2)) twin.autoscaling.enterService(twin.engine.now, 'g', id)
  for (const id of ids.slice(1)) twin.ssm.register(id)
  const deps: AccountDeps = { ...twin.deps, region: twinRegion }
  return { twin, deps, ids }
}

const severities = (findings: readonly Finding[]) =>
  Object.fromEntries(findings.map(({ check, severity }) => [check, severity]))

describe('the reader, on the twin', () => {
  it('reads hooks, queues and agents as they are', async () => {
    const { deps, ids } = await world()
    await deps.autoscaling.send(hookOf('g', twinDrainName))
    const facts = await readAccount(deps, fleet)
    expect(facts).toMatchObject({
      account: twinAccount,
      region: twinRegion,
      drainName: twinDrainName,
    })
    const [queue] = facts.queues
    expect(queue?.sqs).toEqual({ visibilitySeconds: 120, maxReceiveCount: 2 })
    expect(queue?.group).toMatchObject({
      name: 'g',
      hooks: [{ name: twinDrainName, heartbeatSeconds: 60, globalSeconds: 6_000 }],
      tags: [{ key: 'celery:queue', value: 'video', propagates: true }],
      instances: [
        { id: ids[0], agent: null },
        { id: ids[1], agent: { ping: 'Online' } },
      ],
    })
    expect(severities(checkAccount(facts))).toMatchObject({
      'max-receive-count': 'error',
      'visibility-timeout': 'error',
      'terminate-hook': 'warning',
      'ssm-online': 'error',
      'ssm-agent-version': 'ok',
      'tag celery:queue': 'ok',
    })
  })

  it.each([
    ['DescribeLifecycleHooksCommand', 'terminate-hook'],
    ['GetQueueAttributesCommand', 'sqs'],
    ['DescribeInstanceInformationCommand', 'ssm-online'],
    ['GetDocumentCommand', 'document'],
  ])('%s that is denied leaves that unknown, and the rest is read', async (command, check) => {
    const { twin, deps } = await world()
    const denied = awsError('AccessDeniedException', 'not authorized')
    twin.inject([{ command, error: denied }])
    const findings = checkAccount(await readAccount(deps, fleet))
    expect(pick(findings, check)?.severity).toBe('unknown')
    expect(pick(findings, check)?.found).toMatch(/not authorized/)
    expect(pick(findings, 'tag celery:queue')?.severity).toBe('ok')
  })

  it('says of a queue that is not there, and of one without a group, that this is so', async () => {
    const { deps } = await world()
    const other = fleetOf({ queues: { audio: {}, video: { sqs: 'gone' } }, adopt: false })
    const facts = await readAccount(deps, other)
    const found = checkAccount(facts).filter(({ severity }) => severity === 'error')
    expect(found.map(({ check, subject }) => `${subject}: ${check}`)).toEqual(
      expect.arrayContaining(['queue audio: group', 'queue audio: sqs', 'queue video: sqs']),
    )
  })

  it('reads one queue where one is asked for, and refuses one that is none', async () => {
    const { deps } = await world()
    const two = fleetOf({ queues: { audio: {}, video: {} }, adopt: false })
    const facts = await readAccount(deps, two, { queue: 'video' })
    expect(facts.queues.map(({ queue }) => queue.name)).toEqual(['video'])
    await expect(readAccount(deps, two, { queue: 'nope' })).rejects.toThrow('no queue nope')
  })

  it('cannot run where the groups may not be listed', async () => {
    const { twin, deps } = await world()
    const error = awsError('AccessDenied', 'no')
    twin.inject([{ command: 'DescribeAutoScalingGroupsCommand', error }])
    await expect(readAccount(deps, fleet)).rejects.toThrow('no')
  })
})

describeWithMoto('the reader, on an AWS that nobody here wrote,', (moto) => {
  const clients = () => ({
    autoscaling: new AutoScalingClient(moto.client),
    sqs: new SQSClient({ ...moto.client, useQueueUrlAsEndpoint: false }),
    ssm: new SSMClient(moto.client),
  })
  const depsOf = (drainName: string): AccountDeps => ({
    ...clients(),
    ...{ drainName, region: 'us-east-1', signal: new AbortController().signal },
  })
  const document = (Name: string, Content: string) =>
    new CreateDocumentCommand({ Name, Content, DocumentType: 'Command', DocumentFormat: 'JSON' })

  it('reads documents, tags, hooks and queues', async () => {
    const { autoscaling, sqs, ssm } = clients()
    const LaunchConfigurationName = 'launch'
    await autoscaling.send(
      new CreateLaunchConfigurationCommand({
        ...{ LaunchConfigurationName, ImageId: 'ami-12345678', InstanceType: 't3.micro' },
      }),
    )
    const Tags = [{ Key: 'celery:queue', Value: 'video', PropagateAtLaunch: false }]
    const group = { ...groupNamed('g'), LaunchConfigurationName, Tags, DesiredCapacity: 0 }
    await autoscaling.send(new CreateAutoScalingGroupCommand(group))
    await autoscaling.send(hookOf('g', 'ours'))
    await sqs.send(new CreateQueueCommand({ QueueName: 'dead' }))
    const deadLetterTargetArn = 'arn:aws:sqs:us-east-1:123456789012:dead'
    const RedrivePolicy = JSON.stringify({ deadLetterTargetArn, maxReceiveCount: '4' })
    const Attributes = { VisibilityTimeout: '900', RedrivePolicy }
    await sqs.send(new CreateQueueCommand({ QueueName: 'video', Attributes }))
    await ssm.send(document('ours', ownDocument))
    await ssm.send(document('theirs', JSON.stringify(without)))

    const facts = await readAccount(depsOf('ours'), fleet)
    expect(facts.account).toBe('123456789012')
    expect(facts.queues[0]?.sqs).toEqual({ visibilitySeconds: 900, maxReceiveCount: 4 })
    expect(severities(checkAccount(facts))).toEqual({
      document: 'ok',
      'max-receive-count': 'warning',
      'visibility-timeout': 'ok',
      'terminate-hook': 'warning',
      'tag celery:queue': 'error',
      'ssm-online': 'unknown',
      'capacity-rebalancing': 'ok',
    })
    const others = await Promise.all(
      ['theirs', 'nobodys'].map((name) => readAccount(depsOf(name), fleet)),
    )
    expect(others.map((one) => pick(checkAccount(one), 'document')?.found)).toEqual([
      'its default version 1 has other parameters than worker/drain-document.json',
      'there is no such document',
    ])
  })

  // Of fleet.config.ts: a queue that AWS's own policy sizes, with tasks of two seconds.
  const asked = ['--config', '--queue', 'email', '--json']
  const putHook = (name: string, DefaultResult: string) =>
    clients().autoscaling.send(
      new PutLifecycleHookCommand({
        ...hookOf('email-workers', name).input,
        ...{ HeartbeatTimeout: 300, DefaultResult },
      }),
    )

  it('ends in 0 where nothing is wrong, in 1 after a warning, in 2 after an error', async () => {
    const { autoscaling, sqs, ssm } = clients()
    const launch = { LaunchConfigurationName: 'email', ImageId: 'ami-12345678' }
    await autoscaling.send(
      new CreateLaunchConfigurationCommand({ ...launch, InstanceType: 't3.micro' }),
    )
    const group = {
      ...{ ...groupNamed('email-workers'), DesiredCapacity: 0, LaunchConfigurationName: 'email' },
      Tags: [{ Key: 'celery:queue', Value: 'email', PropagateAtLaunch: true }],
    }
    await autoscaling.send(new CreateAutoScalingGroupCommand(group))
    const Attributes = { VisibilityTimeout: '900' }
    await sqs.send(new CreateQueueCommand({ QueueName: 'email', Attributes }))
    await ssm.send(document('talk-prod-drain', ownDocument))
    const without = await doctor(asked, moto.env)
    await putHook('talk-prod-drain', 'ABANDON')
    const abandoning = await doctor(asked, moto.env)
    await putHook('talk-prod-drain', 'CONTINUE')
    const good = await doctor(asked, moto.env)
    expect([without.code, abandoning.code, good.code]).toEqual([2, 1, 0])
    expect(about(findingsIn(without), 'group email-workers')['terminate-hook']).toMatch(
      /^error: no/,
    )
    expect(findingsIn(good)).toMatchObject({
      box: null,
      account: { account: '123456789012', region: 'us-east-1', stage: 'prod' },
    })
    expect(good.stderr).toContain('Reading fleet talk, stage prod')
  })

  it('prints a table as well, with the account that it has read', async () => {
    const { stdout } = await doctor(['--config', '--queue', 'email', '--stage', 'dev'], moto.env)
    expect(stdout).toMatch(/^Account 123456789012, us-east-1\n/)
    expect(stdout).toContain('  error    document        there is no such document\n')
    expect(stdout).toContain('--lifecycle-hook-name talk-dev-drain')
    expect(stdout.trimEnd()).toMatch(/--verbose shows them\)\.$/)
  })

  it.each([
    ['a queue that is none', ['--config', '--queue', 'nope'], {}, 'no queue nope'],
    ['no region', ['--config'], { AWS_REGION: undefined }, 'Region is missing'],
    ['an option that is none', ['--colour'], {}, 'unknown option'],
    ['a time that is none', ['--task-time', 'soon'], {}, "write '90s'"],
    [
      'an account that does not answer',
      ['--config'],
      { AWS_ENDPOINT_URL: 'http://127.0.0.1:9' },
      'ECONNREFUSED',
    ],
  ])('cannot run with %s, and ends in 3', async (_, args, env, message) => {
    const ran = await doctor(args, { ...moto.env, ...env })
    expect(ran.code).toBe(3)
    expect(ran.stderr).toContain(message)
    expect(ran.stdout).toBe('')
  })
})
