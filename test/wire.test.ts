import {
  DescribeAutoScalingGroupsCommand,
  SetDesiredCapacityCommand,
} from '@aws-sdk/client-auto-scaling'
import { PutMetricDataCommand } from '@aws-sdk/client-cloudwatch'
import { GetItemCommand } from '@aws-sdk/client-dynamodb'
import {
  DeleteQueueCommand,
  GetQueueAttributesCommand,
  type QueueAttributeName,
  SQSClient,
} from '@aws-sdk/client-sqs'
import { afterAll, describe, expect, it, vi } from 'vitest'
import { defineFleet } from '../shared/queue-config.ts'
import { type ExtraMetric, extraMetrics, type FleetInput } from '../shared/queue-schema.ts'
import { addGroup, addMessages, removeGroup } from './loopback/cloud.ts'
import {
  deadlineMilliseconds,
  makeRig,
  published,
  type Rig,
  resized,
  run,
  watchConnections,
} from './loopback/rig.ts'
import { Refusal } from './loopback/wire.ts'

/**
 * The real handler and the real SDK clients against a server that speaks AWS's wire protocols:
 * what the clients do with errors, throttling, silence and pages, which no twin can show.
 */

// With tasks of half a day each waiting one needs a slot of its own, whatever the rule's constants:
// a queue of n messages wants n instances.
const fleetOf = (input: Omit<FleetInput, 'name'>) =>
  defineFleet({
    name: 'wire',
    defaults: {
      startWithin: '270s',
      taskTime: '12h',
      bootTime: '2m',
      scaling: { mode: 'direct' },
    },
    ...input,
  })

const abc = fleetOf({ defaultQueues: ['a', 'b', 'c'] })
const depths = { a: 10, b: 5, c: 3 }
const allResized = ['a-workers: 10', 'b-workers: 5', 'c-workers: 3']

const throttled = new Refusal('RequestThrottled', 'Rate exceeded')
const denied = new Refusal('AccessDeniedException', 'Not authorized', 403, 'AccessDenied')
const failing = new Refusal('InternalServiceFault', 'Something broke', 500)

const rigs: Rig[] = []
async function rigOf(queues: Readonly<Record<string, number>>): Promise<Rig> {
  const rig = await makeRig(queues)
  rigs.push(rig)
  return rig
}
afterAll(() => Promise.all(rigs.map(({ close }) => close())))

// Rows that wait for the clients' own retries stand first and together, for each takes seconds.
describe.concurrent('throttling and silence', () => {
  it('a queue throttled for good is named, and the others are resized and published', async () => {
    const rig = await rigOf(depths)
    rig.stub.fail({ action: 'GetQueueAttributes', of: 'b', how: throttled })
    const { error } = await run(rig, abc)
    expect(error?.message).toBe(
      'backlog: 1 of 3 queues failed: b: measure: RequestThrottled: Rate exceeded',
    )
    expect(resized(rig)).toEqual(['a-workers: 10', 'c-workers: 3'])
    expect(published(rig)).toEqual(['a', 'c'])
    expect(rig.stub.calls.get('GetQueueAttributes')).toBe(2 + 4)
  })

  it('a call throttled twice is tried again, and nobody need know', async () => {
    const rig = await rigOf(depths)
    rig.stub.fail({ action: 'GetQueueAttributes', of: 'b', times: 2, how: throttled })
    expect((await run(rig, abc)).error).toBeNull()
    expect(resized(rig)).toEqual(allResized)
    expect(published(rig)).toEqual(['a', 'b', 'c'])
    expect(rig.stub.calls.get('GetQueueAttributes')).toBe(3 + 2)
  })

  it('when every call is throttled, the run fails in time and does nothing', async () => {
    const rig = await rigOf(depths)
    rig.stub.fail({ how: new Refusal('ThrottlingException', 'Rate exceeded') })
    const { error } = await run(rig, abc)
    expect(error?.name).toBe('ThrottlingException')
    expect(rig.deps.signal.aborted).toBe(false)
    expect([resized(rig), published(rig)]).toEqual([[], []])
  })

  it('a call that is never answered is given up and tried again', async () => {
    const rig = await rigOf(depths)
    rig.stub.fail({ action: 'GetQueueAttributes', of: 'b', times: 1, how: 'silence' })
    expect((await run(rig, abc, { signal: AbortSignal.timeout(20_000) })).error).toBeNull()
    expect(resized(rig)).toEqual(allResized)
  })

  it('an endpoint that never answers ends the run when its signal fires', async () => {
    const rig = await rigOf(depths)
    rig.stub.fail({ how: 'silence' })
    // Any time will do that is shorter than the clients' own timeouts.
    const { error } = await run(rig, abc, { signal: AbortSignal.timeout(300) })
    expect(error?.name).toBe('AbortError')
    expect([resized(rig), published(rig)]).toEqual([[], []])
  })

  it.each(['GetQueueAttributes', 'PutItem'])(
    'one that falls silent at %s ends it too, with nothing resized and nothing published',
    async (action) => {
      const rig = await rigOf(depths)
      rig.stub.fail({ action, how: 'silence' })
      const deadline = new AbortController()
      const running = run(rig, abc, { signal: deadline.signal })
      await vi.waitUntil(() => rig.stub.calls.has(action), deadlineMilliseconds)
      deadline.abort()
      expect((await running).error?.name).toBe('AbortError')
      expect([resized(rig), published(rig)]).toEqual([[], []])
    },
  )
})

type Row = {
  readonly name: string
  readonly harm: (rig: Rig) => unknown
  readonly says: string
  /** The queue was read, so that its backlog is published although its group is not resized. */
  readonly measured?: true
}

/** What of the queue's attributes is lost or wrong in every answer. */
const garble = ({ stub }: Rig, queue: string, how: (attributes: Map<string, string>) => void) =>
  void stub.cloud.garbled.set(queue, how)
const tagsOf = ({ stub }: Rig, group: string) =>
  stub.cloud.autoscaling.groups.get(group)?.tags ?? new Map<string, string>()

const rows: Row[] = [
  {
    name: 'does not exist',
    harm: ({ stub }) => {
      const QueueUrl = 'https://sqs.us-east-1.amazonaws.com/123456789012/b'
      stub.cloud.apply('sqs', new DeleteQueueCommand({ QueueUrl }))
    },
    says: 'measure: QueueDoesNotExist: The specified queue does not exist.',
  },
  {
    name: 'may not be read',
    harm: ({ stub }) => stub.fail({ action: 'GetQueueAttributes', of: 'b', how: denied }),
    says: 'measure: AccessDenied: Not authorized',
  },
  {
    name: 'comes without a count',
    harm: (rig) => garble(rig, 'b', (all) => all.delete('ApproximateNumberOfMessagesNotVisible')),
    says: 'act: Error: ApproximateNumberOfMessagesNotVisible is missing',
  },
  {
    name: 'comes with no attributes at all',
    harm: (rig) => garble(rig, 'b', (all) => all.clear()),
    says: 'act: Error: ApproximateNumberOfMessages is missing',
  },
  {
    name: 'has a count that is no number',
    harm: (rig) => garble(rig, 'b', (all) => all.set('ApproximateNumberOfMessages', '1e9')),
    says: "act: Error: ApproximateNumberOfMessages is '1e9', not a number",
  },
  {
    name: 'has no group',
    harm: ({ stub }) => removeGroup(stub.cloud, 'b-workers'),
    says: 'measure: Error: there is no Auto Scaling group with the tag celery:queue=b',
  },
  {
    name: 'has two groups',
    harm: ({ stub }) => addGroup(stub.cloud, 'b-again', { 'celery:queue': 'b' }),
    says: 'measure: Error: more than one group: b-again, b-workers',
  },
  {
    name: 'has a garbled concurrency tag',
    harm: (rig) => tagsOf(rig, 'b-workers').set('celery:concurrency', 'two'),
    says:
      'measure: Error: group b-workers: ' +
      "its tag celery:concurrency is 'two', not a number of 1 or more",
  },
  {
    name: 'has a group that may not be resized',
    harm: ({ stub }) => {
      const how = new Refusal('ValidationError', 'The group is being deleted')
      stub.fail({ action: 'SetDesiredCapacity', of: 'b-workers', how })
    },
    says: 'act: ValidationError: The group is being deleted',
    measured: true,
  },
]

describe.concurrent('one bad queue', () => {
  it.each(rows)('that $name is named and left alone, the others are done', async (row) => {
    const rig = await rigOf(depths)
    row.harm(rig)
    const { error } = await run(rig, abc)
    expect(error?.message).toBe(`backlog: 1 of 3 queues failed: b: ${row.says}`)
    expect(resized(rig)).toEqual(['a-workers: 10', 'c-workers: 3'])
    expect(published(rig)).toEqual(row.measured ? ['a', 'b', 'c'] : ['a', 'c'])
    expect(rig.stub.cloud.values).toContainEqual(
      expect.objectContaining({ name: 'QueuesFailed', value: 1, dimensions: { Fleet: 'wire' } }),
    )
    const errors = rig.logged.filter(({ level }) => level === 'error')
    expect(errors.map(({ fields }) => fields['queue'])).toEqual(['b'])
  })

  it('and its rival for a group are both named, the others are done', async () => {
    const rig = await rigOf(depths)
    removeGroup(rig.stub.cloud, 'b-workers')
    const rivals = fleetOf({ queues: { b: { group: 'a-workers' } }, defaultQueues: ['a', 'c'] })
    const { error } = await run(rig, rivals)
    expect(error?.message).toContain('2 of 3 queues failed')
    expect(error?.message).toContain('b: measure: Error: group a-workers is claimed by a too')
    expect(error?.message).toContain('a: measure: Error: group a-workers is claimed by b too')
    expect(resized(rig)).toEqual(['c-workers: 3'])
    expect(published(rig)).toEqual(['c'])
  })
})

describe('a sweep over the wire', () => {
  it('resizes every group although the metrics are refused, and ends in error', async () => {
    const rig = await rigOf(depths)
    rig.stub.fail({ action: 'PutMetricData', how: failing })
    const { error } = await run(rig, abc)
    expect(error?.name).toBe('InternalServiceFault')
    expect(resized(rig)).toEqual(allResized)
    expect(published(rig)).toEqual([])
  })

  it('changes no capacity the second time, and publishes again', async () => {
    const rig = await rigOf(depths)
    expect((await run(rig, abc)).error).toBeNull()
    expect((await run(rig, abc)).error).toBeNull()
    expect(resized(rig)).toEqual(allResized)
    expect(published(rig)).toEqual(['a', 'a', 'b', 'b', 'c', 'c'])
  })

  it('remembers since when it looks at an empty queue, and scales in after minutes', async () => {
    const rig = await rigOf({ a: 0 })
    const fleet = fleetOf({ defaultQueues: ['a'] })
    const start = rig.deps.clock.now()
    const runAfter = (seconds: number) =>
      run(rig, fleet, { clock: { now: () => start + seconds * 1_000 } })
    expect((await runAfter(0)).error).toBeNull()
    expect((await runAfter(240)).error).toBeNull()
    expect(resized(rig)).toEqual([])
    expect((await runAfter(300)).error).toBeNull()
    expect(resized(rig)).toEqual(['a-workers: 0'])
  })

  it('done by two runs at once is done by one: the other says superseded', async () => {
    const rig = await rigOf(depths)
    rig.stub.gather('GetItem', 2)
    const both = await Promise.all([run(rig, abc), run(rig, abc)])
    expect(both.map(({ report }) => report?.superseded).sort()).toEqual([false, true])
    expect(rig.stub.calls.get('PutItem')).toBe(2)
    expect(resized(rig)).toEqual(allResized)
    expect(published(rig)).toEqual(['a', 'b', 'c'])
  })

  it('is not superseded by itself when the answer to its own write is lost', async () => {
    const rig = await rigOf(depths)
    rig.stub.fail({ action: 'PutItem', times: 1, how: 'lost-answer' })
    expect((await run(rig, abc)).error).toBeNull()
    expect(resized(rig)).toEqual(allResized)
    expect(published(rig)).toEqual(['a', 'b', 'c'])
  })
})

describe('pages and batches', () => {
  /** A fleet of so many queues, each with a group of its own. */
  async function many(count: number, metrics: readonly ExtraMetric[]) {
    const names = Array.from({ length: count }, (_, index) => `queue-${index}`)
    const rig = await rigOf(Object.fromEntries(names.map((name) => [name, 20])))
    const fleet = fleetOf({ defaults: { metrics: [...metrics] }, defaultQueues: names })
    return { rig, names, fleet }
  }

  it('250 groups come in 3 pages, and each queue is read once', async () => {
    const { rig, names, fleet } = await many(250, [])
    expect((await run(rig, fleet)).error).toBeNull()
    expect(Object.fromEntries(rig.stub.calls)).toEqual({
      BatchGetItem: 3,
      DescribeAutoScalingGroups: 3,
      GetItem: 1,
      GetQueueAttributes: 250,
      PutItem: 1,
      PutMetricData: 1,
      Query: 1,
    })
    expect(published(rig)).toEqual(names.toSorted())
  })

  it('1,100 values go in 2 PutMetricData calls, and each arrives once', async () => {
    // Four values for each of 275 queues, and three for the run itself.
    const { rig, names, fleet } = await many(275, extraMetrics)
    expect((await run(rig, fleet)).error).toBeNull()
    expect(rig.stub.calls.get('PutMetricData')).toBe(2)
    expect(rig.stub.valuesPerCallMax()).toBe(1_000)
    const ids = rig.stub.cloud.values.map(
      ({ name, dimensions }) => `${name} ${dimensions['Queue']}`,
    )
    expect(new Set(ids).size).toBe(4 * names.length + 3)
    expect(ids).toHaveLength(4 * names.length + 3)
  })
})

describe('connections', () => {
  // The client that follows the queue's URL says so, which is no news here.
  const quiet = () => {}
  const silent = { debug: quiet, info: quiet, warn: quiet, error: quiet }

  it('go to the configured endpoint alone, also for a queue given as a URL', async () => {
    const rig = await rigOf(depths)
    addMessages(rig.stub.cloud, 'd', 4)
    addGroup(rig.stub.cloud, 'd-workers', { 'celery:queue': 'd' })
    const sqs = 'https://sqs.us-east-1.amazonaws.com/123456789012/d'
    const watch = watchConnections()
    const { error } = await run(
      rig,
      fleetOf({ queues: { d: { sqs } }, defaultQueues: ['a', 'b', 'c'] }),
    )
    watch.stop()
    expect(error).toBeNull()
    expect(resized(rig)).toEqual([...allResized, 'd-workers: 4'])
    expect([...watch.places]).toEqual([new URL(rig.stub.url).host])
  })

  it('of a client that follows the queue URL are seen to go elsewhere', async () => {
    const configured = await rigOf({ a: 1 })
    const elsewhere = await rigOf({ a: 2 })
    const { host, port } = new URL(elsewhere.stub.url)
    const client = new SQSClient({ logger: silent })
    process.env['AWS_ENDPOINT_URL'] = configured.stub.url
    const watch = watchConnections()
    await client.send(
      new GetQueueAttributesCommand({ QueueUrl: `http://localhost:${port}/123456789012/a` }),
    )
    watch.stop()
    client.destroy()
    // The name may stand for an address of each family, of which the stub listens on one.
    expect([...watch.places]).toEqual(expect.arrayContaining(['localhost', host]))
    expect([configured, elsewhere].map(({ stub }) => stub.calls.size)).toEqual([0, 1])
  })
})

describe('the stub', () => {
  const refusals = [
    {
      what: 'a page of 101 groups',
      send: ({ deps }: Rig) =>
        deps.autoscaling.send(new DescribeAutoScalingGroupsCommand({ MaxRecords: 101 })),
    },
    {
      what: 'a capacity above the maximum',
      send: ({ deps }: Rig) =>
        deps.autoscaling.send(
          new SetDesiredCapacityCommand({
            AutoScalingGroupName: 'a-workers',
            DesiredCapacity: 21,
            HonorCooldown: false,
          }),
        ),
    },
    {
      what: 'a field that it does not know',
      send: ({ deps }: Rig) =>
        deps.autoscaling.send(new DescribeAutoScalingGroupsCommand({ IncludeInstances: false })),
    },
    {
      what: "a queue of another account's",
      send: ({ deps }: Rig) =>
        deps.sqs.send(new GetQueueAttributesCommand({ QueueUrl: 'https://sqs/210987654321/a' })),
    },
    {
      what: 'a table that is not there',
      send: ({ deps }: Rig) =>
        deps.dynamodb.send(
          new GetItemCommand({ TableName: 'other', Key: { pk: { S: 'a' } }, ConsistentRead: true }),
        ),
    },
    {
      what: '1,001 values in one call',
      send: ({ deps }: Rig) =>
        deps.cloudwatch.send(
          new PutMetricDataCommand({
            Namespace: 'Celeriac',
            MetricData: Array.from({ length: 1_001 }, () => ({
              MetricName: 'QueuesFailed',
              Dimensions: [],
              Timestamp: new Date(0),
              Value: 1,
              Unit: 'Count' as const,
            })),
          }),
        ),
    },
  ]

  it.each(refusals)('refuses $what', async ({ send }) => {
    const rig = await rigOf({ a: 1 })
    const before = rig.stub.cloud.changes.length
    await expect(send(rig)).rejects.toThrow(/./)
    expect(rig.stub.cloud.changes).toHaveLength(before)
    expect(rig.stub.cloud.values).toEqual([])
  })

  it('answers the attributes that were asked for and no others', async () => {
    const { deps } = await rigOf({ a: 7 })
    const QueueUrl = 'https://sqs.us-east-1.amazonaws.com/123456789012/a'
    const ask = async (...AttributeNames: QueueAttributeName[]) =>
      (await deps.sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames }))).Attributes
    expect(await ask('ApproximateNumberOfMessages')).toEqual({ ApproximateNumberOfMessages: '7' })
    expect(Object.keys((await ask('All')) ?? {})).toHaveLength(6)
    expect(await ask()).toBeUndefined()
  })
})
