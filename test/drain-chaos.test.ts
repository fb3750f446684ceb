import { describe, expect, it } from 'vitest'
import { random } from '../shared/random.ts'
import { createRig, group, type Rig } from './drain/fleet.ts'

/**
 * Half an hour in which instances are taken, ended, drained and asked back as chance has it, while
 * events are lost, doubled and late, boxes are mute or deaf, and AWS refuses calls; then half an
 * hour in which everything heals. Printed with its seed, a failure is a row to add.
 */

const calls = [
  'SendCommandCommand',
  'PutItemCommand',
  'BatchGetItemCommand',
  'GetItemCommand',
  'CompleteLifecycleActionCommand',
  'RecordLifecycleActionHeartbeatCommand',
  'EnterStandbyCommand',
  'TerminateInstanceInAutoScalingGroupCommand',
  'DescribeAutoScalingGroupsCommand',
  'DescribeAutoScalingInstancesCommand',
  'SendMessageBatchCommand',
  'ListCommandInvocationsCommand',
  'QueryCommand',
]

async function chaos(seed: number): Promise<Rig> {
  const draw = random(seed, 'chaos')
  // A box that neither hears nor reports is not told from a dead one: one of the two at a time.
  const boxes = draw.chance(0.5) ? { mute: 0.4 } : { deadAgents: 0.4 }
  const faults = { lost: 0.15, doubled: 0.2, late: 0.2, ...boxes }
  const rig = await createRig({ seed, faults, taskSeconds: 90 })
  for (let minute = 0; minute < 30; minute++) {
    disturb(rig, draw)
    const broken = draw.chance(0.3) ? [calls[draw.int(calls.length)] ?? ''] : []
    const error = Object.assign(new Error('refused'), { name: 'ThrottlingException' })
    rig.world.twin.inject(broken.map((command) => ({ command, error })))
    await rig.minutes(1)
  }
  rig.world.twin.inject([])
  await rig.minutes(30)
  return rig
}

function disturb(rig: Rig, draw: ReturnType<typeof random>): void {
  const list = rig.inService()
  const victim = list[draw.int(Math.max(1, list.length))]
  if (victim === undefined) return
  const tell = (source: string, type: string, more = {}) =>
    rig.world.bus.put({ source, type, detail: { 'instance-id': victim, ...more } })
  const what = draw.int(7)
  if (what === 0) rig.world.instances.interrupt(group, victim)
  if (what === 1) tell('aws.ec2', 'EC2 Instance Rebalance Recommendation')
  if (what === 2) tell('celeriac.operator', 'Celeriac Drain Request', { action: 'drain' })
  if (what === 3) tell('celeriac.operator', 'Celeriac Drain Request', { action: 'withdraw' })
  if (what === 4 && list.length > 2) rig.scaleInBy(1)
  if (what === 6 && list.length > 2) rig.wish(list.length - 1)
  if (what === 5 && list.length < 6) rig.scaleInBy(-1)
}

describe('after half an hour of chaos and half an hour of peace', () => {
  const seeds = Array.from({ length: 25 }, (_, index) => index + 1)
  it.each(seeds)(
    'seed %i: nothing is lost, killed by its group, stuck or set aside',
    async (seed) => {
      const rig = await chaos(seed)
      const { twin, tallies, stack } = rig.world
      const tally = tallies.get('video')
      const members = [...(twin.autoscaling.groups.get(group)?.instances.values() ?? [])]
      const workers = rig.world.machines.get('video')?.workers
      expect(members.filter(({ id }) => workers?.look(id)?.drain !== null)).toEqual([])
      expect(members.map(({ state }) => state)).toEqual(members.map(() => 'InService'))
      expect(members).toHaveLength(twin.autoscaling.groups.get(group)?.desired ?? -1)
      expect(stack.drainQueue.messages.size).toBe(0)
      const held = rig.changes.filter(({ kind }) => kind === 'autoscaling.hook').length
      const ways = rig.changes.flatMap((c) => (c.kind === 'autoscaling.hook-ended' ? c.by : []))
      expect(ways).toHaveLength(held)
      expect(ways).not.toContain('timeout')
      expect(tally?.completedTasks).toBeGreaterThan(60)
      expect(tally?.killedRuns).toBe(0)
    },
  )
})
