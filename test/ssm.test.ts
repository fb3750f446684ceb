import {
  CreateDocumentCommand,
  DescribeInstanceInformationCommand,
  type DescribeInstanceInformationCommandInput,
  ListCommandInvocationsCommand,
  type ListCommandInvocationsCommandInput,
  SendCommandCommand,
  type SendCommandCommandInput,
} from '@aws-sdk/client-ssm'
import { beforeEach, describe, expect, it } from 'vitest'
import type { Change } from '../twin/aws/service.ts'
import type { Result } from '../twin/aws/ssm-command.ts'
import { createTwin, type Twin } from '../twin/twin.ts'

/** What moto does not know of SSM: commands on their way, their lists, and who answers. */

const startAt = Date.parse('2026-01-06T15:00:00Z')
const ok: Result = { status: 'Success', exitCode: 0, output: 'drain started' }
const failed: Result = { status: 'Failed', exitCode: 1, output: 'no such file' }

const content = JSON.stringify({
  schemaVersion: '2.2',
  parameters: {
    reason: { type: 'String', allowedValues: ['spot', 'scale_in'], default: 'spot' },
    executionTimeout: { type: 'String', default: '60', allowedPattern: '^[0-9]{1,5}$' },
  },
  mainSteps: [
    {
      action: 'aws:runShellScript',
      name: 'drain',
      inputs: { runCommand: ['drain'], timeoutSeconds: '{{ executionTimeout }}' },
    },
  ],
})

let twin: Twin<null>
let changes: Change[]

beforeEach(async () => {
  twin = createTwin({ seed: 1, startAt, makeTask: () => null })
  changes = []
  twin.onChange((change) => changes.push(change))
  await twin.deps.ssm.send(new CreateDocumentCommand({ Name: 'drain', Content: content }))
  for (const id of ['i-a', 'i-b', 'i-c']) twin.emit(twin.ssm.register(id))
})

async function send(input: Partial<SendCommandCommandInput> = {}): Promise<string> {
  const InstanceIds = ['i-a', 'i-b', 'i-c']
  const command = new SendCommandCommand({ DocumentName: 'drain', InstanceIds, ...input })
  return (await twin.deps.ssm.send(command)).Command?.CommandId ?? ''
}

const list = (input: ListCommandInvocationsCommandInput) =>
  twin.deps.ssm.send(new ListCommandInvocationsCommand(input))

/** What became of a command on each instance: `i-a Success`. */
async function statuses(CommandId: string) {
  const { CommandInvocations = [] } = await list({ CommandId })
  return CommandInvocations.map((one) => `${one.InstanceId} ${one.Status} ${one.StatusDetails}`)
}

const handed = () =>
  changes.flatMap((change) => (change.kind === 'ssm.command' ? [change.instance] : []))
const told = () =>
  changes.flatMap((change) =>
    change.kind === 'ssm.invocation' ? [`${change.instance} ${change.status}`] : [],
  )
const finish = (command: string, id: string, result: Result) =>
  twin.emit(twin.ssm.finished(twin.engine.now, command, id, result))
const wait = (seconds: number) => twin.engine.runUntil(twin.engine.now + seconds * 1_000)

describe('a command', () => {
  it('is handed to each agent with its parameters, and is under way', async () => {
    const command = await send({ Parameters: { reason: ['scale_in'] } })
    expect(handed()).toEqual(['i-a', 'i-b', 'i-c'])
    expect(changes).toContainEqual({
      kind: 'ssm.command',
      command,
      instance: 'i-a',
      document: 'drain',
      parameters: { reason: ['scale_in'], executionTimeout: ['60'] },
    })
    expect(await statuses(command)).toEqual([
      'i-a InProgress InProgress',
      'i-b InProgress InProgress',
      'i-c InProgress InProgress',
    ])
  })

  it('ends as its agents say, and says so', async () => {
    const command = await send({ MaxErrors: '100%' })
    expect(twin.ssm.started(command, 'i-a')).toBe('begun')
    wait(2)
    finish(command, 'i-a', ok)
    finish(command, 'i-b', failed)
    expect(await statuses(command)).toEqual([
      'i-a Success Success',
      'i-b Failed Failed',
      'i-c InProgress InProgress',
    ])
    expect(changes.at(-2)).toEqual({
      kind: 'ssm.invocation',
      command,
      instance: 'i-a',
      document: 'drain',
      status: 'Success',
      requestedAt: startAt,
    })
  })

  it('shows its steps where details are asked for', async () => {
    const command = await send()
    twin.ssm.started(command, 'i-a')
    wait(2)
    finish(command, 'i-a', { ...failed, output: 'x'.repeat(3_000) })
    const plugins = async (Details: boolean) => {
      const page = await list({ CommandId: command, InstanceId: 'i-a', Details })
      return page.CommandInvocations?.[0]?.CommandPlugins
    }
    expect(await plugins(true)).toEqual([
      {
        Name: 'drain',
        Status: 'Failed',
        StatusDetails: 'Failed',
        ResponseCode: 1,
        ResponseStartDateTime: new Date(startAt),
        ResponseFinishDateTime: new Date(startAt + 2_000),
        Output: 'x'.repeat(2_500),
      },
    ])
    expect(await plugins(false)).toEqual([])
  })

  it('is begun once, and not after it has ended', async () => {
    const command = await send()
    expect(twin.ssm.started(command, 'i-a')).toBe('begun')
    expect(twin.ssm.started(command, 'i-a')).toBe('over')
    finish(command, 'i-b', ok)
    expect(twin.ssm.started(command, 'i-b')).toBe('over')
    finish(command, 'i-b', failed)
    expect(await statuses(command)).toContain('i-b Success Success')
  })

  it('of which one is not registered is sent to none', async () => {
    twin.ssm.unregister('i-b')
    await expect(send()).rejects.toThrow(
      `Instances [[i-b]] not in a valid state for account 123456789012`,
    )
    expect(handed()).toEqual([])
  })

  it('can be found by the ARN of its document', async () => {
    await send({ DocumentName: 'arn:aws:ssm:us-east-1:123456789012:document/drain' })
    expect(handed()).toHaveLength(3)
  })
})

describe('an agent that is dead', () => {
  it('leaves its command under way until its time is over', async () => {
    twin.ssm.silence('i-b')
    const command = await send({ TimeoutSeconds: 30, MaxErrors: '100%' })
    finish(command, 'i-a', ok)
    twin.ssm.started(command, 'i-c')
    expect(handed()).toEqual(['i-a', 'i-c'])
    // 30 s to reach the agent, and the 60 s that the document's step may take.
    wait(89)
    expect(await statuses(command)).toContain('i-b InProgress InProgress')
    wait(1)
    expect(await statuses(command)).toEqual([
      'i-a Success Success',
      'i-b TimedOut DeliveryTimedOut',
      'i-c TimedOut ExecutionTimedOut',
    ])
    expect(told().slice(-2)).toEqual(['i-b TimedOut', 'i-c TimedOut'])
  })

  it('gets its command once it is back', async () => {
    twin.ssm.silence('i-b')
    const command = await send()
    wait(20)
    twin.emit(twin.ssm.register('i-b'))
    expect(handed()).toEqual(['i-a', 'i-c', 'i-b'])
    finish(command, 'i-b', ok)
    expect(await statuses(command)).toContain('i-b Success Success')
  })

  it('gets nothing once its command is over', async () => {
    twin.ssm.silence('i-b')
    await send({ TimeoutSeconds: 30 })
    wait(90)
    twin.emit(twin.ssm.register('i-b'))
    expect(handed()).toEqual(['i-a', 'i-c'])
  })
})

describe('errors stop the sending', () => {
  const rows: [string, Partial<SendCommandCommandInput>, string[]][] = [
    [
      'at the first one, where nothing else is said: who has begun may end',
      {},
      ['i-a Failed Failed', 'i-b InProgress InProgress', 'i-c Cancelled Terminated'],
    ],
    [
      'never, at 100 %',
      { MaxErrors: '100%' },
      ['i-a Failed Failed', 'i-b InProgress InProgress', 'i-c InProgress InProgress'],
    ],
    [
      'not before there are more than allowed',
      { MaxErrors: '1' },
      ['i-a Failed Failed', 'i-b InProgress InProgress', 'i-c InProgress InProgress'],
    ],
    [
      'by a share, rounded down',
      { MaxErrors: '33%' },
      ['i-a Failed Failed', 'i-b InProgress InProgress', 'i-c Cancelled Terminated'],
    ],
  ]
  it.each(rows)('%s', async (_, input, expected) => {
    const command = await send(input)
    twin.ssm.started(command, 'i-b')
    finish(command, 'i-a', failed)
    expect(await statuses(command)).toEqual(expected)
  })

  it('and one at a time runs after the other', async () => {
    const command = await send({ MaxConcurrency: '1' })
    expect(await statuses(command)).toContain('i-b Pending Pending')
    expect(handed()).toEqual(['i-a'])
    finish(command, 'i-a', ok)
    expect(handed()).toEqual(['i-a', 'i-b'])
    finish(command, 'i-b', failed)
    expect(handed()).toEqual(['i-a', 'i-b'])
    expect(await statuses(command)).toContain('i-c Cancelled Terminated')
  })
})

describe('lists', () => {
  it('show invocations of all commands, by instance and by page', async () => {
    await send()
    await send()
    const page = await list({ MaxResults: 4 })
    const { NextToken = '' } = page
    const rest = await list({ MaxResults: 4, NextToken })
    expect(page.CommandInvocations).toHaveLength(4)
    expect(rest.CommandInvocations).toHaveLength(2)
    expect(rest.NextToken).toBeUndefined()
    expect((await list({ InstanceId: 'i-b' })).CommandInvocations).toHaveLength(2)
  })

  const refused: [string, () => Promise<unknown>, string][] = [
    ['invocations of no command', () => list({ CommandId: 'none' }), 'InvalidCommandId'],
    ['pages of more than 50', () => list({ MaxResults: 51 }), 'ValidationException'],
    ['a page that is none', () => list({ NextToken: 'last' }), 'InvalidNextToken'],
    ['fewer than five instances', () => agents({ MaxResults: 4 }), 'ValidationException'],
    [
      'instances by a filter that is none',
      () => agents({ Filters: [{ Key: 'Colour', Values: ['red'] }] }),
      'InvalidFilterKey',
    ],
  ]
  it.each(refused)('do not show %s', async (_, call, name) => {
    await expect(call()).rejects.toMatchObject({ name })
  })

  const agents = (input: DescribeInstanceInformationCommandInput) =>
    twin.deps.ssm.send(new DescribeInstanceInformationCommand(input))

  it('show whose agent answers, once that has been noticed', async () => {
    twin.ssm.silence('i-b')
    twin.ssm.unregister('i-c')
    const Filters = [{ Key: 'InstanceIds', Values: ['i-a', 'i-b', 'i-c', 'i-d'] }]
    const shown = async () => {
      const { InstanceInformationList = [] } = await agents({ Filters })
      return InstanceInformationList.map((one) => `${one.InstanceId} ${one.PingStatus}`)
    }
    wait(300)
    expect(await shown()).toEqual(['i-a Online', 'i-b Online'])
    wait(1)
    expect(await shown()).toEqual(['i-a Online', 'i-b ConnectionLost'])
    twin.emit(twin.ssm.register('i-b'))
    expect(await shown()).toEqual(['i-a Online', 'i-b Online'])
  })
})
