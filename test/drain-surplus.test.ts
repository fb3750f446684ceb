import { describe, expect, it } from 'vitest'
import { createRig, group, type Rig } from './drain/fleet.ts'

/** A group that should have fewer instances, on the twin: who leaves, and what becomes of tasks. */

const groupOf = ({ world }: Rig) => {
  const found = world.twin.autoscaling.groups.get(group)
  if (!found) throw new Error('the rig has no group')
  return found
}
const workersOf = ({ world }: Rig) => world.machines.get('video')?.workers
const running = (rig: Rig, id: string) => workersOf(rig)?.look(id)?.running ?? 0
const isPolling = (rig: Rig, id: string) => workersOf(rig)?.look(id)?.drain === null
const tally = ({ world }: Rig) => world.tallies.get('video')
const unharmed = { killedRuns: 0, forcedRuns: 0 }
const orders = ({ changes }: Rig) =>
  changes.flatMap((change) =>
    change.kind === 'ssm.command' ? `${change.parameters['Reason']} ${change.instance}` : [],
  )
const left = ({ changes }: Rig) =>
  changes.flatMap((change) => (change.kind === 'autoscaling.hook' ? change.instance : []))
const waysOut = ({ changes }: Rig) =>
  changes.flatMap((change) => (change.kind === 'autoscaling.hook-ended' ? change.by : []))

/** Until as many are idle, minute by minute. */
async function untilIdle(rig: Rig, count: number) {
  const idle = () => rig.inService().filter((id) => running(rig, id) === 0)
  for (let minute = 0; minute < 30 && idle().length !== count; minute++) await rig.minutes(1)
  expect(idle()).toHaveLength(count)
  rig.world.twin.logged.length = 0
  return idle()
}

describe('a group that should have one instance less', () => {
  it('loses the idle one, though others are older, and within the minute', async () => {
    const rig = await createRig({ taskSeconds: 300 })
    const [idle] = await untilIdle(rig, 1)
    rig.wish(3)
    await rig.minutes(1)
    expect(left(rig)).toEqual([idle])
    expect(groupOf(rig).desired).toBe(3)
    await rig.minutes(1)
    expect(rig.inService()).toHaveLength(3)
    expect(rig.inService().every((id) => isPolling(rig, id))).toBe(true)
    expect(waysOut(rig)).toEqual(['complete'])
    expect(tally(rig)).toMatchObject(unharmed)
  })

  it('loses a busy one when all are busy, once its task has ended', async () => {
    const rig = await createRig({ taskSeconds: 600 })
    await untilIdle(rig, 0)
    rig.wish(3)
    await rig.minutes(1)
    rig.wish(3)
    await rig.minutes(1)
    const [victim = ''] = left(rig)
    expect(groupOf(rig).desired).toBe(3)
    expect(rig.stateOf(victim)).toBe('Terminating:Wait')
    await rig.minutes(20)
    expect(rig.inService()).toHaveLength(3)
    expect(left(rig)).toHaveLength(1)
    expect(waysOut(rig)).toEqual(['complete'])
    expect(tally(rig)).toMatchObject(unharmed)
  })

  it('keeps all where the wish is taken back, and all work again', async () => {
    const rig = await createRig({ taskSeconds: 300 })
    await untilIdle(rig, 1)
    rig.wish(3)
    rig.wish(4)
    await rig.minutes(2)
    expect(left(rig)).toEqual([])
    expect(rig.inService().map((id) => isPolling(rig, id))).toEqual([true, true, true, true])
  })

  it('loses one and no more, however often it is told', async () => {
    const rig = await createRig({ taskSeconds: 300, faults: { doubled: 1, late: 0.3 } })
    await untilIdle(rig, 2)
    for (let minute = 0; minute < 4; minute++) {
      for (let times = 0; times < 3; times++) rig.wish(3)
      await rig.minutes(1)
    }
    await rig.minutes(3)
    expect(groupOf(rig).desired).toBe(3)
    expect(left(rig)).toHaveLength(1)
    expect(tally(rig)).toMatchObject(unharmed)
  })

  it('is told so by backlog, and ends with as many as it needs', async () => {
    const settings = { startWithin: '5m', scaling: { mode: 'direct', min: 1, max: 8 } }
    const rig = await createRig({ taskSeconds: 60, settings })
    rig.scaleInBy(-4)
    await rig.minutes(40)
    const lowered = rig.changes.filter(({ kind }) => kind === 'autoscaling.hook').length
    expect(lowered).toBeGreaterThan(0)
    expect(groupOf(rig).desired).toBeLessThan(8)
    expect(waysOut(rig)).toEqual(left(rig).map(() => 'complete'))
    expect(rig.inService().every((id) => isPolling(rig, id))).toBe(true)
    expect(tally(rig)).toMatchObject(unharmed)
  })

  it('goes no lower than its min', async () => {
    const rig = await createRig({ taskSeconds: 300 })
    groupOf(rig).minSize = 4
    await untilIdle(rig, 1)
    rig.wish(0)
    await rig.minutes(2)
    expect(groupOf(rig).desired).toBe(4)
    expect(rig.inService().every((id) => isPolling(rig, id))).toBe(true)
  })

  it('lets what Spot takes go as Spot wants it, asked or not', async () => {
    const rig = await createRig({ taskSeconds: 300 })
    const [idle = ''] = await untilIdle(rig, 1)
    rig.wish(3)
    rig.world.instances.interrupt(group, idle)
    await rig.minutes(1)
    expect(orders(rig)).toContain(`spot ${idle}`)
    await rig.minutes(6)
    expect(rig.stateOf(idle)).toBeUndefined()
    expect(rig.inService().every((id) => isPolling(rig, id))).toBe(true)
    expect(tally(rig)).toMatchObject(unharmed)
  })

  it.each([
    ['that do not report', { mute: 1 }],
    ['whose agents are dead', { deadAgents: 1 }],
  ])('loses one that is drained, of boxes %s', async (_, faults) => {
    const rig = await createRig({ taskSeconds: 60, faults })
    for (let minute = 0; minute < 6; minute++) {
      rig.wish(3)
      await rig.minutes(1)
    }
    await rig.minutes(6)
    expect(groupOf(rig).desired).toBe(3)
    expect(rig.inService()).toHaveLength(3)
    expect(rig.inService().every((id) => isPolling(rig, id))).toBe(true)
    expect(tally(rig)).toMatchObject(unharmed)
  })

  it.each([
    ['nobody can be asked', 'SendCommandCommand'],
    ['nobody can be ended', 'TerminateInstanceInAutoScalingGroupCommand'],
    ['nothing can be written down', 'PutItemCommand'],
    ['the wish cannot be read', 'GetItemCommand'],
    ['the group cannot be read', 'DescribeAutoScalingGroupsCommand'],
  ])('loses one all the same after a minute in which %s', async (_, command) => {
    const rig = await createRig({ taskSeconds: 300 })
    await untilIdle(rig, 1)
    const error = Object.assign(new Error('refused'), { name: 'ThrottlingException' })
    rig.world.twin.inject([{ command, error }])
    rig.wish(3)
    await rig.minutes(1)
    rig.world.twin.inject([])
    for (let minute = 0; minute < 4; minute++) {
      rig.wish(3)
      await rig.minutes(1)
    }
    await rig.minutes(10)
    expect(groupOf(rig).desired).toBe(3)
    expect(rig.inService()).toHaveLength(3)
    expect(rig.inService().every((id) => isPolling(rig, id))).toBe(true)
    expect(tally(rig)).toMatchObject(unharmed)
  })
})
