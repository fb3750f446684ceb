import { GetMetricDataCommand } from '@aws-sdk/client-cloudwatch'
import {
  CreateQueueCommand,
  DeleteMessageCommand,
  ReceiveMessageCommand,
  SendMessageCommand,
} from '@aws-sdk/client-sqs'
import { describe, expect, it } from 'vitest'
import { arnOf } from '../twin/aws/sqs-counts.ts'
import { createTwin, type Twin } from '../twin/twin.ts'

/** What SQS publishes of a queue's messages each minute. */

const startAt = Date.parse('2026-01-06T15:00:00Z')
const create = (twin: Twin<null>, QueueName: string, Attributes = {}) =>
  twin.sqs.apply(twin.engine.now, new CreateQueueCommand({ QueueName, Attributes }))

/** A queue `work` that gives to `dead` what was received four times and comes up again. */
function createRig() {
  const twin = createTwin({ seed: 1, startAt, makeTask: () => null })
  create(twin, 'dead')
  const deadLetterTargetArn = arnOf(twin.sqs.queue('dead'))
  const RedrivePolicy = JSON.stringify({ deadLetterTargetArn, maxReceiveCount: 4 })
  create(twin, 'work', { VisibilityTimeout: '30', RedrivePolicy })
  const handles: string[] = []
  return {
    twin,
    send: (DelaySeconds = 0) =>
      twin.deps.sqs.send(new SendMessageCommand({ ...named('work'), ...body, DelaySeconds })),
    async receive(VisibilityTimeout = 600, queue = 'work') {
      const input = { ...named(queue), VisibilityTimeout }
      const { Messages = [] } = await twin.deps.sqs.send(new ReceiveMessageCommand(input))
      for (const { ReceiptHandle = '' } of Messages) handles.push(ReceiptHandle)
    },
    /** Deletes what was received last. */
    remove: () =>
      twin.deps.sqs.send(
        new DeleteMessageCommand({ ...named('work'), ReceiptHandle: handles.pop() ?? '' }),
      ),
  }
}
const named = (queue: string) => ({ QueueUrl: queue })
const body = { MessageBody: 'task' }
type Rig = ReturnType<typeof createRig>
/** What is done at which second. */
type Steps = readonly (readonly [number, (rig: Rig) => Promise<unknown>])[]

async function runOf(steps: Steps): Promise<Rig> {
  const rig = createRig()
  for (const [second, act] of steps) {
    rig.twin.engine.runUntil(startAt + second * 1_000)
    await act(rig)
  }
  rig.twin.engine.runUntil(startAt + 600_000)
  return rig
}

type Asked = { readonly queue?: string; readonly Stat: string; readonly Period?: number }
/** The values of the first minutes. */
async function valuesOf({ twin }: Rig, name: string, minutes: number, asked: Asked) {
  const { queue = 'work', Stat, Period = 60 } = asked
  const Dimensions = [{ Name: 'QueueName', Value: queue }]
  const Metric = { Namespace: 'AWS/SQS', MetricName: name, Dimensions }
  const { MetricDataResults } = await twin.deps.cloudwatch.send(
    new GetMetricDataCommand({
      StartTime: new Date(startAt),
      EndTime: new Date(startAt + minutes * 60_000),
      ScanBy: 'TimestampAscending',
      MetricDataQueries: [{ Id: 'a', MetricStat: { Metric, Period, Stat } }],
    }),
  )
  return MetricDataResults?.[0]?.Values
}
const age = 'ApproximateAgeOfOldestMessage'
const receiveThrice = async ({ receive }: Rig) => {
  for (let time = 0; time < 3; time++) await receive(0)
}

describe('the age of the oldest message', () => {
  it.each<[string, Steps, number[]]>([
    ['is 0 where there is none', [], [0, 0, 0]],
    ['grows while one waits', [[10, ({ send }) => send()]], [50, 110, 170]],
    [
      'is that of the oldest where several wait',
      [
        [10, ({ send }) => send()],
        [90, ({ send }) => send()],
      ],
      [50, 110, 170],
    ],
    ['counts from sending while one is delayed', [[10, ({ send }) => send(900)]], [50, 110, 170]],
    [
      'goes on while one is in flight',
      [
        [10, ({ send }) => send()],
        [20, ({ receive }) => receive()],
      ],
      [50, 110, 170],
    ],
    [
      'is that of the next when the oldest is deleted',
      [
        [10, ({ send }) => send()],
        [20, ({ receive }) => receive()],
        [30, ({ send }) => send()],
        [70, ({ remove }) => remove()],
      ],
      [50, 90, 150],
    ],
    [
      'is still that of one received twice',
      [
        [10, ({ send }) => send()],
        [20, ({ receive }) => receive(0)],
        [20, ({ receive }) => receive(0)],
        [30, ({ send }) => send()],
      ],
      [50, 110, 170],
    ],
    [
      'leaves out one received three times',
      [
        [10, ({ send }) => send()],
        [20, receiveThrice],
        [30, ({ send }) => send()],
      ],
      [30, 90, 150],
    ],
    [
      'is 0 where all were received three times',
      [
        [10, ({ send }) => send()],
        [70, receiveThrice],
      ],
      [50, 0, 0],
    ],
  ])('%s', async (_, steps, ages) => {
    const rig = await runOf(steps)
    expect(await valuesOf(rig, age, ages.length, { Stat: 'Maximum' })).toEqual(ages)
    expect(await valuesOf(rig, age, ages.length, { Stat: 'Average' })).toEqual(ages)
  })

  it('of a longer period is that of its worst minute', async () => {
    const rig = await runOf([
      [10, ({ send }) => send()],
      [70, receiveThrice],
      [130, ({ send }) => send()],
    ])
    const asked = { Stat: 'Maximum', Period: 180 }
    expect(await valuesOf(rig, age, 3, { Stat: 'Maximum' })).toEqual([50, 0, 50])
    expect(await valuesOf(rig, age, 6, asked)).toEqual([50, 230])
  })
})

describe('a message that has moved to the dead-letter queue', () => {
  const moved: Steps = [
    [10, ({ send }) => send()],
    [20, receiveThrice],
    [30, ({ receive }) => receive(0)],
    [100, ({ receive }) => receive()],
  ]
  it('is as old there as its stay, however often it was received before', async () => {
    const rig = await runOf(moved)
    const asked = { queue: 'dead', Stat: 'Maximum' }
    expect(await valuesOf(rig, age, 3, asked)).toEqual([0, 20, 80])
    expect(rig.twin.sqs.queue('dead').messages.get(1)?.sentAt).toBe(startAt + 10_000)
  })
  it('is left out there too, once it was received there three times', async () => {
    const read = ({ receive }: Rig) => receive(0, 'dead')
    const rig = await runOf([...moved, [130, read], [140, read], [150, read]])
    expect(await valuesOf(rig, age, 3, { queue: 'dead', Stat: 'Maximum' })).toEqual([0, 20, 0])
  })
  it('is visible there, was sent to nobody and deleted by nobody', async () => {
    const rig = await runOf(moved)
    const sum = { queue: 'dead', Stat: 'Sum' }
    const visible = { queue: 'dead', Stat: 'Average' }
    expect(await valuesOf(rig, 'NumberOfMessagesSent', 3, sum)).toEqual([0, 0, 0])
    expect(await valuesOf(rig, 'ApproximateNumberOfMessagesVisible', 3, visible)).toEqual([0, 1, 1])
    const deleted = await valuesOf(rig, 'NumberOfMessagesDeleted', 3, { Stat: 'Sum' })
    expect(deleted).toEqual([0, 0, 0])
  })
})

describe('what is published besides', () => {
  it('is each receive, those that come again too, and what waits', async () => {
    const rig = await runOf([
      [10, ({ send }) => send()],
      [10, ({ send }) => send()],
      [20, ({ receive }) => receive(0)],
      [70, ({ receive }) => receive()],
      [80, ({ receive }) => receive()],
      [130, ({ receive }) => receive()],
    ])
    const received = await valuesOf(rig, 'NumberOfMessagesReceived', 3, { Stat: 'Sum' })
    expect(received).toEqual([1, 2, 0])
    const visible = await valuesOf(rig, 'ApproximateNumberOfMessagesVisible', 3, {
      Stat: 'Average',
    })
    expect(visible).toEqual([2, 0, 0])
  })
  it('has no statistic that one value a minute does not tell', async () => {
    const asked = valuesOf(createRig(), age, 3, { Stat: 'SampleCount' })
    await expect(asked).rejects.toThrow('The twin has no SampleCount')
  })
})
