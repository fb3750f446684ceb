import { describe, expect, it } from 'vitest'
import { createRig, group, type Rig } from './drain/fleet.ts'

/** What AWS refuses, what dies half-way, and everything at once. */

const down = (name = 'InternalServerError') =>
  Object.assign(new Error('the service is down'), { name })

/** Makes calls fail for that long from now on, then heals. */
function breakFor(
  { world: { twin } }: Rig,
  seconds: number,
  ...commands: [string, string?][]
): void {
  const faults = commands.map(([command, about]) => ({
    ...{ command, error: down() },
    ...(about === undefined ? {} : { about }),
  }))
  twin.inject(faults)
  twin.engine.at(twin.engine.now + seconds * 1_000, () => twin.inject([]))
}

const commanded = ({ changes }: Rig) =>
  changes.flatMap((change) => (change.kind === 'ssm.sent' ? change.instances : []))
const ways = ({ changes }: Rig) =>
  changes.flatMap((change) => (change.kind === 'autoscaling.hook-ended' ? change.by : []))
const tally = ({ world }: Rig) => {
  const found = world.tallies.get('video')
  if (!found) throw new Error('the rig has no queue video')
  return found
}

// As the second write of a drain has it: the command's id is known.
const noted = '\\"command\\":\\"'

describe('a Spot notice is followed all the same when', () => {
  it.each<[string, number, [string, string?][]]>([
    ['Systems Manager is down for half a minute', 30, [['SendCommandCommand']]],
    ['the table is down for half a minute', 30, [['PutItemCommand'], ['BatchGetItemCommand']]],
    [
      'Auto Scaling shows nothing for half a minute',
      30,
      [['DescribeAutoScalingInstancesCommand'], ['DescribeAutoScalingGroupsCommand']],
    ],
    ['nobody may be put on standby', 180, [['EnterStandbyCommand']]],
    ['no timer can be set', 60, [['SendMessageBatchCommand']]],
    ['nothing can be published', 180, [['PutMetricDataCommand']]],
    [
      'the run dies before it has sent',
      2,
      [['SendCommandCommand'], ['SendMessageBatchCommand'], ['PutItemCommand', noted]],
    ],
    [
      'the run dies before it has noted what it sent',
      2,
      [['SendMessageBatchCommand'], ['PutItemCommand', noted]],
    ],
  ])('%s', async (_, seconds, commands) => {
    // Without a watcher: nobody else would tell the box.
    const rig = await createRig({ faults: { withoutWatcher: 1 } })
    const [victim = ''] = rig.inService()
    breakFor(rig, seconds, ...commands)
    rig.world.instances.interrupt(group, victim)
    await rig.minutes(5)
    expect(commanded(rig)).toEqual([victim])
    expect(rig.stateOf(victim)).toBeUndefined()
    expect(rig.inService()).toHaveLength(4)
    expect(tally(rig)).toMatchObject({ killedRuns: 0 })
    expect(rig.world.stack.undelivered.visible).toBe(0)
  })
})

describe('a hook is let go all the same, and once, when', () => {
  it.each<[string, number, [string, string?][]]>([
    ['Auto Scaling refuses for two minutes', 120, [['CompleteLifecycleActionCommand']]],
    [
      'Auto Scaling is down for two minutes',
      120,
      [
        ['CompleteLifecycleActionCommand'],
        ['RecordLifecycleActionHeartbeatCommand'],
        ['DescribeAutoScalingGroupsCommand'],
        ['DescribeLifecycleHooksCommand'],
      ],
    ],
    [
      'the table is down for two minutes',
      120,
      [['PutItemCommand'], ['BatchGetItemCommand'], ['QueryCommand']],
    ],
    [
      'Systems Manager is down for good',
      600,
      [['SendCommandCommand'], ['ListCommandInvocationsCommand']],
    ],
  ])('%s', async (_, seconds, commands) => {
    const rig = await createRig()
    rig.scaleInBy(1)
    breakFor(rig, seconds, ...commands)
    await rig.minutes(8)
    expect(ways(rig)).toEqual(['complete'])
    expect(tally(rig)).toMatchObject({ killedRuns: 0, forcedRuns: 0 })
  })
})
