import { afterAll, describe, expect, it } from 'vitest'
import { sendWish } from '../shared/fewer.ts'
import { defineFleet } from '../shared/queue-config.ts'
import { wishOf } from '../shared/wish.ts'
import { account, addGroup, membersOf, region } from './loopback/cloud.ts'
import { commanded, drainRun, progress, timed } from './loopback/drains.ts'
import { makeRig, type Rig } from './loopback/rig.ts'

/** A group that should have fewer instances, with the real SDK clients. */

const fleet = defineFleet({ name: 'wire', defaults: { taskTime: '1m' }, defaultQueues: ['a'] })
const name = 'a-workers'
const groups = `arn:aws:autoscaling:${region}:${account}:autoScalingGroup:x`
const arn = `${groups}:autoScalingGroupName/${name}`

const rigs: Rig[] = []
afterAll(() => Promise.all(rigs.map(({ close }) => close())))

/** Six instances, and a wish for one less that drain has heard. */
async function askedRig(wanted = 5) {
  const rig = await makeRig({})
  rigs.push(rig)
  const ids = addGroup(
    rig.stub.cloud,
    name,
    { 'celery:queue': 'a' },
    { desired: 6, hookSeconds: 300 },
  )
  await sendWish(rig.deps, wishOf({ name, desired: 6 }, wanted, rig.deps.clock.now()), arn)
  const wishes = [...rig.stub.cloud.notices.messages.values()].map(({ body }) => body)
  rig.stub.forget()
  expect(await drainRun(rig, fleet, wishes)).toEqual({ batchItemFailures: [] })
  const asked = commanded(rig).map(({ instance }) => instance)
  return { rig, ids, asked, wishes }
}

const answer = (id: string, phase: string, rig: Rig) => progress(id, phase, rig.deps.clock.now())
const desiredOf = ({ stub }: Rig) => stub.cloud.autoscaling.groups.get(name)?.desired
const leaving = ({ stub }: Rig) =>
  membersOf(stub.cloud, name).flatMap(({ id, state }) => (state === 'InService' ? [] : id))

describe('a wish for fewer', () => {
  it('asks a few in one command, and looks for their answers', async () => {
    const { rig, ids, asked } = await askedRig()
    expect(asked).toEqual(ids.slice(0, 3))
    expect(new Set(commanded(rig).map(({ command }) => command)).size).toBe(1)
    expect(commanded(rig)[0]?.parameters).toMatchObject({ Action: ['drain'], Reason: ['surplus'] })
    expect(timed(rig)).toEqual(asked)
    const { length } = asked
    expect(rig.stub.log.toSorted()).toEqual(
      [
        ...['DescribeAutoScalingGroups', 'BatchGetItem', 'GetItem', 'SendCommand'],
        // The wish; each one's state, before its command and behind it.
        ...['SendMessageBatch', 'PutItem', ...Array(2 * length).fill('PutItem')],
      ].toSorted(),
    )
  })

  it('that is heard again asks nobody else', async () => {
    const { rig, asked, wishes } = await askedRig()
    await drainRun(rig, fleet, wishes)
    expect(commanded(rig)).toHaveLength(asked.length)
  })

  it('lets the first that is idle leave, and the group is lowered by it', async () => {
    const { rig, asked } = await askedRig()
    const [, second = ''] = asked
    await drainRun(rig, fleet, [answer(second, 'idle', rig)])
    expect(leaving(rig)).toEqual([second])
    expect(desiredOf(rig)).toBe(5)
    const resumed = commanded(rig).filter(
      ({ parameters }) => parameters['Action']?.[0] === 'resume',
    )
    expect(resumed.map(({ instance }) => instance)).toEqual(asked.filter((id) => id !== second))
    expect(new Set(resumed.map(({ parameters }) => parameters['Reason']?.[0]))).toEqual(
      new Set(['surplus']),
    )
  })

  it('of whom two are idle at once, in two runs, lets one of them leave', async () => {
    const { rig, asked } = await askedRig()
    const [one = '', other = ''] = asked
    rig.stub.gather('GetItem', 2)
    await Promise.all([one, other].map((id) => drainRun(rig, fleet, [answer(id, 'idle', rig)])))
    expect(leaving(rig)).toHaveLength(1)
    expect(desiredOf(rig)).toBe(5)
  })

  it('that somebody has raised the group against meanwhile lowers nothing', async () => {
    const { rig, asked } = await askedRig()
    const group = rig.stub.cloud.autoscaling.groups.get(name)
    if (group) group.desired = 8
    await drainRun(rig, fleet, [answer(asked[0] ?? '', 'idle', rig)])
    expect(leaving(rig)).toEqual([])
    expect(desiredOf(rig)).toBe(8)
  })
})
