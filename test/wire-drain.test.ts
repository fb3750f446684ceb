import {
  CompleteLifecycleActionCommand,
  SetDesiredCapacityCommand,
} from '@aws-sdk/client-auto-scaling'
import { afterAll, describe, expect, it } from 'vitest'
import { chunks } from '../shared/each.ts'
import { checkFleet, defineFleet } from '../shared/queue-config.ts'
import { addGroup, drainName, membersOf, type Sizes } from './loopback/cloud.ts'
import {
  comeBack,
  commanded,
  drainRun,
  eventOf,
  hookAction,
  progress,
  published,
  rebalance,
  sizes,
  spot,
  stateOf,
  timed,
  timer,
} from './loopback/drains.ts'
import { makeRig, type Rig } from './loopback/rig.ts'
import { Refusal } from './loopback/wire.ts'

/** Drain's handler with the real SDK clients: how many calls, which, and what each error does. */

const fleet = defineFleet({
  name: 'wire',
  defaults: { taskTime: '1m', drain: { within: '10m', onRebalance: 'drain' } },
  defaultQueues: ['a', 'b', 'c', 'd', 'e', 'f'],
})

const failing = new Refusal('InternalServerError', 'Something broke', 500)
const throttled = new Refusal('ThrottlingException', 'Rate exceeded')

const rigs: Rig[] = []
/** A loopback with a group for each of these queues; the ids of all instances. */
async function rigOf(queues: readonly string[], options: Sizes = {}) {
  const rig = await makeRig({})
  rigs.push(rig)
  const ids = queues.flatMap((queue) =>
    addGroup(rig.stub.cloud, `${queue}-workers`, { 'celery:queue': queue }, options),
  )
  const [first = ''] = ids
  return { rig, ids, first, now: rig.deps.clock.now() }
}
afterAll(() => Promise.all(rigs.map(({ close }) => close())))

/** Rounded down, so that notices of the seconds that follow have one rounded deadline. */
const onFive = (at: number) => Math.floor(at / 5_000) * 5_000

const parametersOf = (rig: Rig) =>
  new Set(commanded(rig).map((one) => JSON.stringify(one.parameters)))
const timesCommanded = (rig: Rig) =>
  Object.fromEntries(
    [...Map.groupBy(commanded(rig), ({ instance }) => instance)].map(([id, all]) => [
      id,
      all.length,
    ]),
  )
const once = (ids: readonly string[]) => Object.fromEntries(ids.map((id) => [id, 1]))

describe('one notice', () => {
  const toCommand = ['DescribeAutoScalingInstances', 'DescribeAutoScalingGroups', 'PutItem']

  it('costs three calls before its command, and five after it', async () => {
    const { rig, first, now } = await rigOf(['a'])
    expect(await drainRun(rig, fleet, [spot(first, now)])).toEqual({ batchItemFailures: [] })
    expect(rig.stub.log).toEqual([
      ...toCommand,
      'SendCommand',
      // Its replacement starts, a timer looks for its answer, the state has the command's id.
      ...['EnterStandby', 'SendMessageBatch', 'PutItem', 'PutMetricData'],
    ])
    const deadline = Math.floor((Math.floor(now / 1_000) + 120) / 5) * 5
    expect(commanded(rig)).toMatchObject([
      {
        instance: first,
        parameters: {
          ...{ Action: ['drain'], Deadline: [String(deadline)], Reason: ['spot'] },
          ...{ WorkerKind: ['all'], WorkerName: ['none'] },
        },
      },
    ])
    expect(timed(rig)).toEqual([first])
    expect(await stateOf(rig, first)).toMatchObject({
      sent: { command: commanded(rig)[0]?.command },
    })
  })

  it('costs four calls and one for the look at what was known, where a drain goes on', async () => {
    const { rig, first, now } = await rigOf(['a'])
    await drainRun(rig, fleet, [rebalance(first, now)])
    rig.stub.forget()
    await drainRun(rig, fleet, [spot(first, now)])
    expect(rig.stub.log.slice(0, 5)).toEqual([...toCommand, 'PutItem', 'SendCommand'])
    const reasons = commanded(rig).map(({ parameters }) => parameters['Reason']?.[0])
    expect(reasons).toEqual(['rebalance', 'spot'])
  })

  it('again sends nothing more and asks for no replacement more', async () => {
    const { rig, first, now } = await rigOf(['a'])
    await drainRun(rig, fleet, [spot(first, now)])
    rig.stub.forget()
    expect(await drainRun(rig, fleet, [spot(first, now)])).toEqual({ batchItemFailures: [] })
    expect(rig.stub.log).toEqual(toCommand)
    expect(timesCommanded(rig)).toEqual(once([first]))
  })

  it('of which two runs hear at once is commanded by one of them', async () => {
    const { rig, first, now } = await rigOf(['a'])
    rig.stub.gather('PutItem', 2)
    await Promise.all([1, 2].map(() => drainRun(rig, fleet, [spot(first, now)])))
    expect(timesCommanded(rig)).toEqual(once([first]))
  })

  it('whose first write is repeated, for its answer was lost, is commanded once', async () => {
    const { rig, first, now } = await rigOf(['a'])
    rig.stub.fail({ action: 'PutItem', times: 1, how: 'lost-answer' })
    await drainRun(rig, fleet, [spot(first, now)])
    expect(timesCommanded(rig)).toEqual(once([first]))
  })
})

describe('three hundred notices', () => {
  /** As Spot takes a zone: all groups at once, in no order, within two seconds. */
  async function storm(queues: readonly string[]) {
    const made = await rigOf(queues, { desired: 50, maxSize: 60 })
    const { ids } = made
    // What has not begun yet is not sent: the last of them must be over.
    const at = onFive(made.now) - 5_000
    // Seven is prime to their number: each is met once, and each batch has some of every group.
    const shuffled = ids.map((_, index) => ids[(index * 7) % ids.length] ?? '')
    const notices = shuffled.map((id, index) => spot(id, at + (index % 3) * 1_000))
    return { ...made, batches: chunks(notices, 100) }
  }

  it('command every instance once, fifty at a time, with equal parameters', async () => {
    const { rig, ids, batches } = await storm(['a', 'b', 'c', 'd', 'e', 'f'])
    for (const batch of batches) {
      expect(await drainRun(rig, fleet, batch)).toEqual({ batchItemFailures: [] })
    }
    expect(timesCommanded(rig)).toEqual(once(ids))
    expect(sizes(rig)).toEqual([50, 50, 50, 50, 50, 50])
    expect(rig.stub.calls.get('SendCommand')).toBe(6)
    const withoutRun = commanded(rig).map(({ parameters: { DrainId, ...rest } }) => rest)
    expect(new Set(withoutRun.map((one) => JSON.stringify(one))).size).toBe(1)
  })

  it('or a hundred that come twice at once, command every instance once', async () => {
    const { rig, ids, batches } = await storm(['a', 'b'])
    await Promise.all([...batches, ...batches].map((batch) => drainRun(rig, fleet, batch)))
    expect(timesCommanded(rig)).toEqual(once(ids))
  })
})

// Rows that wait for the clients' own retries stand together, for each takes seconds.
describe.concurrent('a command that is throttled', () => {
  it('twice is tried again, and goes to every instance once', async () => {
    const { rig, ids, now } = await rigOf(['a'], { desired: 50, maxSize: 50 })
    rig.stub.fail({ action: 'SendCommand', times: 2, how: throttled })
    const notices = ids.map((id) => spot(id, onFive(now)))
    expect(await drainRun(rig, fleet, notices)).toEqual({ batchItemFailures: [] })
    expect(rig.stub.calls.get('SendCommand')).toBe(1 + 2)
    expect(timesCommanded(rig)).toEqual(once(ids))
  })

  it('for good is tried four times for fifty instances, and again by their timer', async () => {
    const { rig, ids, now } = await rigOf(['a', 'b'], { desired: 50, maxSize: 50 })
    rig.stub.fail({ action: 'SendCommand', times: 2 * 4, how: throttled })
    const notices = ids.map((id) => spot(id, onFive(now)))
    expect(await drainRun(rig, fleet, notices)).toEqual({ batchItemFailures: [] })
    expect(rig.stub.calls.get('SendCommand')).toBe(2 * 4)
    expect(commanded(rig)).toEqual([])
    expect(published(rig, 'DrainsFailed')).toEqual([100])
    expect(timed(rig).sort()).toEqual(ids.toSorted())
    const clock = { now: () => rig.deps.clock.now() + 6_000 }
    await drainRun(rig, fleet, [timer(ids)], { clock })
    expect(rig.stub.calls.get('SendCommand')).toBe(2 * 4 + 2)
    expect(timesCommanded(rig)).toEqual(once(ids))
  })
})

describe('one bad instance', () => {
  it('among fifty, which Systems Manager does not have, keeps it from no other', async () => {
    const { rig, ids, now } = await rigOf(['a'], { desired: 50, maxSize: 50 })
    const [bad = '', ...others] = ids
    rig.stub.cloud.ssm.unregister(bad)
    await drainRun(
      rig,
      fleet,
      ids.map((id) => spot(id, onFive(now))),
    )
    expect(timesCommanded(rig)).toEqual(once(others))
    expect(sizes(rig)).toEqual([49])
    expect(rig.stub.calls.get('SendCommand')).toBe(2)
    expect(rig.stub.calls.get('DescribeInstanceInformation')).toBe(1)
    expect(await stateOf(rig, bad)).toMatchObject({ fault: { name: 'not-registered' } })
    expect(await stateOf(rig, others[0] ?? '')).toMatchObject({ fault: null })
    expect(published(rig, 'DrainsUnreachable')).toEqual([1])
  })

  it('alone is not asked for: what was refused is that one', async () => {
    const { rig, first, now } = await rigOf(['a'])
    rig.stub.cloud.ssm.unregister(first)
    await drainRun(rig, fleet, [spot(first, now)])
    expect(rig.stub.calls.get('SendCommand')).toBe(1)
    expect(rig.stub.calls.has('DescribeInstanceInformation')).toBe(false)
    expect(await stateOf(rig, first)).toMatchObject({ fault: { name: 'not-registered' } })
  })
})

describe('an answer', () => {
  it('that did not come is asked for, once for all that the command went to', async () => {
    const { rig, ids, now } = await rigOf(['a'], { desired: 50, maxSize: 50 })
    await drainRun(
      rig,
      fleet,
      ids.map((id) => spot(id, onFive(now))),
    )
    for (const { command, instance } of commanded(rig)) {
      rig.stub.cloud.ssm.started(command, instance)
      const result = { status: 'Success', exitCode: 0, output: '' } as const
      rig.stub.cloud.ssm.finished(now, command, instance, result)
    }
    rig.stub.forget()
    const clock = { now: () => rig.deps.clock.now() + 11_000 }
    await drainRun(rig, fleet, [timer(ids)], { clock })
    expect(rig.stub.calls.get('ListCommandInvocations')).toBe(1)
    const states = await Promise.all(ids.map((id) => stateOf(rig, id)))
    expect(states.filter((state) => state?.acknowledgedAt == null)).toEqual([])
  })
})

describe('a hook', () => {
  /** An instance that its group has begun to end, drained: its hook waits for us. */
  async function held() {
    const made = await rigOf(['a'], { desired: 2, hookSeconds: 300 })
    const { cloud } = made.rig.stub
    const down = { AutoScalingGroupName: 'a-workers', DesiredCapacity: 1 }
    cloud.apply('autoscaling', new SetDesiredCapacityCommand(down))
    const action = cloud.changes.find((change) => change.kind === 'autoscaling.hook')
    if (action?.kind !== 'autoscaling.hook') throw new Error('no hook holds anything')
    await drainRun(made.rig, fleet, [hookAction(action, made.now)])
    expect(commanded(made.rig)).toMatchObject([{ instance: action.instance }])
    return { ...made, action }
  }
  const stateIn = ({ stub }: Rig, instance: string) =>
    membersOf(stub.cloud, 'a-workers').find(({ id }) => id === instance)?.state

  it('is completed once the box reports that it is drained', async () => {
    const { rig, action, now } = await held()
    expect(stateIn(rig, action.instance)).toBe('Terminating:Wait')
    expect(await drainRun(rig, fleet, [progress(action.instance, 'drained', now + 1_000)])).toEqual(
      {
        batchItemFailures: [],
      },
    )
    expect(stateIn(rig, action.instance)).toBe('Terminating:Proceed')
    expect(await stateOf(rig, action.instance)).toMatchObject({
      hook: { completed: 'idle' },
      ended: { how: 'left' },
    })
  })

  it('that is over already is no error', async () => {
    const { rig, action, now } = await held()
    const over = new CompleteLifecycleActionCommand({
      ...{ AutoScalingGroupName: action.group, LifecycleHookName: drainName },
      ...{ InstanceId: action.instance, LifecycleActionResult: 'CONTINUE' },
    })
    rig.stub.cloud.apply('autoscaling', over)
    rig.stub.forget()
    expect(await drainRun(rig, fleet, [progress(action.instance, 'drained', now + 1_000)])).toEqual(
      {
        batchItemFailures: [],
      },
    )
    // One try: an answer that cannot change is not asked for again.
    expect(rig.stub.calls.get('CompleteLifecycleAction')).toBe(1)
    expect(await stateOf(rig, action.instance)).toMatchObject({ ended: { how: 'left' } })
    expect(published(rig, 'DrainsFailed')).toEqual([])
  })

  it('that cannot be completed is completed by the next look', async () => {
    const { rig, action, now } = await held()
    const denied = new Refusal('AccessDenied', 'Not authorized', 403)
    rig.stub.fail({ action: 'CompleteLifecycleAction', times: 1, how: denied })
    await drainRun(rig, fleet, [progress(action.instance, 'drained', now + 1_000)])
    expect(stateIn(rig, action.instance)).toBe('Terminating:Wait')
    expect(published(rig, 'DrainsFailed')).toEqual([1])
    await drainRun(rig, fleet, [JSON.stringify({ shard: 0, of: 1 })])
    expect(stateIn(rig, action.instance)).toBe('Terminating:Proceed')
  })
})

describe('messages come back', () => {
  const warning = ['aws.ec2', 'EC2 Spot Instance Interruption Warning'] as const
  const malformed = eventOf(warning, { 'instance-id': 'i-1; touch x' }, { at: 0 })

  it('where they are malformed, alone: nothing is sent for them', async () => {
    const { rig, first, now } = await rigOf(['a'])
    const run = drainRun(rig, fleet, [malformed, spot(first, now), 'no JSON'])
    expect(await comeBack(run, 3)).toEqual(['m0', 'm2'])
    expect(timesCommanded(rig)).toEqual(once([first]))
    expect(published(rig, 'NoticesRefused')).toEqual([2])
    const errors = rig.logged.filter(({ level }) => level === 'error')
    expect(String(errors[0]?.fields['error'])).toContain('detail.instance-id: no instance id')
  })

  it('where nothing else came with them, without a call but for the metric', async () => {
    const { rig } = await rigOf(['a'])
    expect(await comeBack(drainRun(rig, fleet, [malformed]), 1)).toEqual(['m0'])
    expect(rig.stub.log).toEqual(['PutMetricData'])
  })

  it.each([
    ['notices', 'PutItem'],
    ['timers', 'BatchGetItem'],
    ['the sweep', 'Query'],
  ])('all of them when the table is down: %s', async (what, action) => {
    const { rig, ids, now } = await rigOf(['a'], { desired: 3 })
    rig.stub.fail({ action, how: failing })
    const bodies = {
      notices: ids.map((id) => spot(id, now)),
      timers: [timer(ids)],
      'the sweep': [JSON.stringify({ shard: 0, of: 1 })],
    }[what]
    if (!bodies) throw new Error(`no bodies for ${what}`)
    const back = await comeBack(drainRun(rig, fleet, bodies), bodies.length)
    expect(back).toEqual(bodies.map((_, index) => `m${index}`))
    expect(rig.stub.calls.has('SendCommand')).toBe(false)
  })

  it('when no timer can be started, and a second delivery sends nothing again', async () => {
    const { rig, first, now } = await rigOf(['a'])
    rig.stub.fail({ action: 'SendMessageBatch', times: 4, how: failing })
    expect(await comeBack(drainRun(rig, fleet, [spot(first, now)]), 1)).toEqual(['m0'])
    expect(timesCommanded(rig)).toEqual(once([first]))
    expect(await comeBack(drainRun(rig, fleet, [spot(first, now)]), 1)).toEqual([])
    expect(timesCommanded(rig)).toEqual(once([first]))
    expect(timed(rig)).toEqual([first])
  })

  it('none of them when only the metrics are lost', async () => {
    const { rig, first, now } = await rigOf(['a'])
    rig.stub.fail({ action: 'PutMetricData', how: failing })
    expect(await comeBack(drainRun(rig, fleet, [spot(first, now)]), 1)).toEqual([])
    expect(timesCommanded(rig)).toEqual(once([first]))
  })
})

describe('instances that are not ours', () => {
  const ours = defineFleet({
    name: 'wire',
    tags: { fleet: 'celery:fleet' },
    defaultQueues: ['a'],
  })

  it.each([
    ['of a group without our tag', { Name: 'web' }],
    ['of another fleet', { 'celery:queue': 'a', 'celery:fleet': 'other' }],
  ])('%s are left alone and counted', async (_, tags) => {
    const { rig, now } = await rigOf([])
    const [first = ''] = addGroup(rig.stub.cloud, 'theirs', tags)
    expect(await drainRun(rig, ours, [spot(first, now)])).toEqual({ batchItemFailures: [] })
    expect(commanded(rig)).toEqual([])
    expect(await stateOf(rig, first)).toBeNull()
    expect(published(rig, 'NoticesIgnored')).toEqual([1])
  })

  it('of no group at all are left alone and counted', async () => {
    const { rig, now } = await rigOf(['a'])
    await drainRun(rig, fleet, [spot('i-0123456789abcdef0', now)])
    expect(commanded(rig)).toEqual([])
    expect(published(rig, 'NoticesIgnored')).toEqual([1])
  })
})

const hostile = ['$(touch x)', '; rm -rf /', '`touch x`', "a' && touch x '", 'a\ntouch x', '|x']

describe('a name that a shell could read as more', () => {
  it.each([...hostile, '-rf'])('is refused by the configuration: %j', (name) => {
    for (const worker of [{ unit: name }, { container: name }, { pidfile: name }]) {
      const { fleet: made, problems } = checkFleet({ name: 'x', queues: { a: { worker } } })
      expect([made, problems.length]).toEqual([null, 1])
    }
    expect(checkFleet({ name: 'x', defaultQueues: [`${name}!`] }).fleet).toBeNull()
  })

  it.each(hostile)('reaches no command from a tag or a group: %j', async (name) => {
    const { rig, now } = await rigOf([])
    const [first = ''] = addGroup(rig.stub.cloud, name, { 'celery:queue': name })
    expect(await drainRun(rig, fleet, [spot(first, now)])).toEqual({ batchItemFailures: [] })
    expect(timesCommanded(rig)).toEqual(once([first]))
    const values = Object.values(commanded(rig)[0]?.parameters ?? {}).flat()
    expect(values.filter((value) => !/^[a-z0-9_-]+$/.test(value))).toEqual([])
    expect(await stateOf(rig, first)).toMatchObject({ queue: name, group: name })
  })

  it.each(hostile)('is refused or ignored in an event: %j', async (name) => {
    const { rig, first, now } = await rigOf(['a'])
    const ec2 = ['aws.ec2', 'EC2 Spot Instance Interruption Warning'] as const
    const bodies = [
      spot(`${first}${name}`, now),
      hookAction({ group: name, instance: first, token: name }, now),
      eventOf(ec2, { 'instance-id': first, 'instance-action': name }, { at: now }),
    ]
    expect(await comeBack(drainRun(rig, fleet, bodies), 3)).toEqual(['m0'])
    for (const parameters of parametersOf(rig)) expect(parameters).not.toContain('touch')
  })
})
