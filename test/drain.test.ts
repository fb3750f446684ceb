import { DeleteLifecycleHookCommand } from '@aws-sdk/client-auto-scaling'
import { GetMetricDataCommand } from '@aws-sdk/client-cloudwatch'
import { describe, expect, it } from 'vitest'
import type { MetricName } from '../shared/metrics.ts'
import type { BusEvent } from '../twin/world/bus.ts'
import { createRig, group, type Rig, startAt } from './drain/fleet.ts'

/** The handler on the twin: what becomes of instances, their hooks and their tasks. */

const ended = ({ changes }: Rig, instance: string) =>
  changes.flatMap((change) =>
    change.kind === 'autoscaling.hook-ended' && change.instance === instance ? change.by : [],
  )
/** Instances that commands went to, once for each command. */
const commanded = ({ changes }: Rig) =>
  changes.flatMap((change) => (change.kind === 'ssm.sent' ? change.instances : []))
/** The instance that the group's hook held first. */
function held({ changes }: Rig): string {
  const hook = changes.find((change) => change.kind === 'autoscaling.hook')
  if (hook?.kind !== 'autoscaling.hook') throw new Error('no hook held anything')
  return hook.instance
}
/** How long its hook held the instance, in seconds. */
function heldSeconds(rig: Rig, instance: string): number {
  const [from = Number.NaN] = rig.secondsOf('autoscaling.hook', instance)
  const [to = Number.NaN] = rig.secondsOf('autoscaling.hook-ended', instance)
  return to - from
}
const said = ({ world }: Rig) => world.twin.logged.map(({ fields }) => fields)
const reasons = (rig: Rig, instance: string) =>
  new Set(said(rig).flatMap((line) => (line['instance'] === instance ? String(line['why']) : [])))
const faults = (rig: Rig, instance: string) =>
  new Set(said(rig).flatMap((line) => (line['instance'] === instance ? (line['fault'] ?? []) : [])))
const tally = ({ world }: Rig) => {
  const found = world.tallies.get('video')
  if (!found) throw new Error('the rig has no queue video')
  return found
}
const unharmed = { killedRuns: 0, forcedRuns: 0, runTwice: 0 }
const busy = ({ world }: Rig) => {
  const workers = world.machines.get('video')?.workers
  return (id: string) => (workers?.look(id)?.running ?? 0) > 0
}
function busyOne(rig: Rig): string {
  const found = rig.inService().find(busy(rig))
  if (!found) throw new Error('nobody is busy')
  return found
}
const put = ({ world }: Rig, source: string, type: string, detail: BusEvent['detail']) =>
  world.bus.put({ source, type, detail })
const rebalance = (rig: Rig, instance: string) =>
  put(rig, 'aws.ec2', 'EC2 Instance Rebalance Recommendation', { 'instance-id': instance })
const ask = (rig: Rig, instance: string, action: 'drain' | 'withdraw') =>
  put(rig, 'celeriac.operator', 'Celeriac Drain Request', { 'instance-id': instance, action })

/** The values of a metric of the fleet, oldest first; the highest of each minute. */
async function published({ world: { twin } }: Rig, name: MetricName): Promise<number[]> {
  const query = new GetMetricDataCommand({
    StartTime: new Date(startAt),
    EndTime: new Date(startAt + 7_200_000),
    MetricDataQueries: [
      {
        Id: 'metric',
        MetricStat: {
          Metric: {
            Namespace: 'Celeriac',
            MetricName: name,
            Dimensions: [{ Name: 'Fleet', Value: 'test' }],
          },
          Period: 60,
          Stat: 'Maximum',
        },
      },
    ],
    ScanBy: 'TimestampAscending',
  })
  const { MetricDataResults } = await twin.deps.cloudwatch.send(query)
  return MetricDataResults?.[0]?.Values ?? []
}

describe('an instance that its group ends', () => {
  it('finishes its task, and goes within seconds of being idle', async () => {
    const rig = await createRig()
    rig.scaleInBy(1)
    await rig.minutes(3)
    const victim = held(rig)
    expect(commanded(rig)).toEqual([victim])
    expect(ended(rig, victim)).toEqual(['complete'])
    expect(heldSeconds(rig, victim)).toBeLessThan(90)
    expect(reasons(rig, victim)).toContain('idle')
    expect(rig.stateOf(victim)).toBeUndefined()
    expect(tally(rig)).toMatchObject(unharmed)
  })

  it('tells how long each step of its drain took, and what became of its tasks', async () => {
    const rig = await createRig({ taskSeconds: 120 })
    rig.scaleInBy(4)
    await rig.minutes(6)
    const longest = async (name: MetricName) => Math.max(...(await published(rig, name)))
    // EventBridge within a second, a batch within another, whole seconds in the event's time.
    expect(await longest('NoticeAgeSeconds')).toBeLessThan(4)
    expect(await longest('NoticeToCommandSeconds')).toBeLessThan(4)
    expect(await longest('CommandToAcknowledgementSeconds')).toBeLessThan(4)
    // An open poll lands within ten.
    expect(await longest('AcknowledgementToQuietSeconds')).toBeLessThan(14)
    const busy = await longest('QuietToIdleSeconds')
    expect(busy).toBeGreaterThan(10)
    expect(busy).toBeLessThan(240)
    expect(await longest('TasksFinished')).toBe(1)
    expect(await longest('TasksForced')).toBe(0)
    expect(await published(rig, 'DrainsUnreachable')).toEqual([])
  })

  it("is waited for while its task runs, past the hook's own timeout", async () => {
    const rig = await createRig({ taskSeconds: 900 })
    rig.scaleInBy(4)
    await rig.minutes(20)
    const extended = rig.changes.filter(({ kind }) => kind === 'autoscaling.heartbeat')
    expect(extended.length).toBeGreaterThan(0)
    const ways = rig.changes.flatMap((c) => (c.kind === 'autoscaling.hook-ended' ? c.by : []))
    expect(ways).toEqual(['complete', 'complete', 'complete', 'complete'])
    expect(tally(rig)).toMatchObject(unharmed)
  })

  it('hands its task back when the budget ends', async () => {
    const rig = await createRig({ taskSeconds: 900, settings: { drain: { within: '3m' } } })
    rig.scaleInBy(4)
    await rig.minutes(6)
    expect(rig.changes.filter(({ kind }) => kind === 'autoscaling.terminating')).toHaveLength(4)
    expect(tally(rig).killedRuns).toBe(0)
    expect(tally(rig).forcedRuns).toBeGreaterThan(0)
  })

  it('of which EventBridge lost the event is found within two minutes', async () => {
    const rig = await createRig({ faults: { lost: 1, withoutWatcher: 1 } })
    rig.scaleInBy(1)
    await rig.minutes(6)
    const victim = held(rig)
    expect(ended(rig, victim)).toEqual(['complete'])
    expect(commanded(rig)[0]).toBe(victim)
    expect(tally(rig)).toMatchObject(unharmed)
  })

  it.each([
    ['events come twice', { doubled: 1 }],
    ['events come up to a minute late', { late: 1 }],
    ['its agent is dead, but its watcher is not', { deadAgents: 1 }],
    ['its role may not report', { mute: 1 }],
    ['events are lost and its agent is dead', { lost: 1, deadAgents: 1 }],
  ])('goes as well when %s', async (_, faultsOfWorld) => {
    const rig = await createRig({ faults: faultsOfWorld })
    rig.scaleInBy(2)
    await rig.minutes(6)
    const hooks = rig.changes.flatMap((c) => (c.kind === 'autoscaling.hook-ended' ? c.by : []))
    expect(hooks).toEqual(['complete', 'complete'])
    expect(tally(rig)).toMatchObject({ killedRuns: 0, forcedRuns: 0 })
  })

  it('that has not booted yet starts no task: its watcher sees where it is to go', async () => {
    const rig = await createRig()
    const before = new Set(rig.inService())
    rig.scaleInBy(-4)
    const launched = () =>
      [...(rig.world.twin.autoscaling.groups.get(group)?.instances.keys() ?? [])].filter(
        (id) => !before.has(id),
      )
    const young = launched()
    rig.scaleInBy(6)
    expect(young.filter((id) => rig.stateOf(id) === 'Terminating:Wait').length).toBeGreaterThan(0)
    // Had its worker taken a task, its group would have ended it: that is a breach, and throws.
    await rig.minutes(5)
    expect(rig.world.instances.ledgers.get(group)?.killedByGroup).toBe(0)
    expect(launched().filter((id) => rig.stateOf(id) === 'Terminating:Wait')).toEqual([])
  })

  it('is let go as unreachable when nothing on it answers', async () => {
    const rig = await createRig({ faults: { deadAgents: 1, withoutWatcher: 1 } })
    // Its task may die with it: the one scale-in that may, and the run says so.
    await expect(async () => {
      rig.scaleInBy(4)
      await rig.minutes(6)
    }).rejects.toThrow('ended')
    const victim = held(rig)
    expect(ended(rig, victim)).toEqual(['complete'])
    expect(heldSeconds(rig, victim)).toBeGreaterThan(125)
    expect(heldSeconds(rig, victim)).toBeLessThan(200)
    expect(faults(rig, victim)).toContain('agent-unreachable')
    expect(reasons(rig, victim)).toContain('unreachable')
  })
})

describe('an instance that Spot takes', () => {
  it('is replaced at once, drained in time, and leaves before it is taken', async () => {
    const rig = await createRig()
    const victim = busyOne(rig)
    rig.world.instances.interrupt(group, victim)
    await rig.minutes(3)
    expect(commanded(rig)).toEqual([victim])
    expect(rig.secondsOf('autoscaling.standby', victim)).toHaveLength(1)
    expect(rig.stateOf(victim)).toBeUndefined()
    expect(rig.world.twin.autoscaling.groups.get(group)?.desired).toBe(4)
    expect(rig.inService()).toHaveLength(4)
    expect(tally(rig)).toMatchObject(unharmed)
  })

  it('hands back what would not end in time', async () => {
    const rig = await createRig({ taskSeconds: 600 })
    for (const id of rig.inService()) rig.world.instances.interrupt(group, id)
    await rig.minutes(4)
    expect(tally(rig).killedRuns).toBe(0)
    expect(tally(rig).forcedRuns).toBeGreaterThan(0)
    expect(rig.inService()).toHaveLength(4)
  })

  it('is replaced afterwards where the group is at its max', async () => {
    const rig = await createRig({ maxSize: 4 })
    const victim = busyOne(rig)
    rig.world.instances.interrupt(group, victim)
    await rig.minutes(5)
    expect(rig.secondsOf('autoscaling.standby', victim)).toEqual([])
    expect(rig.stateOf(victim)).toBeUndefined()
    expect(rig.inService()).toHaveLength(4)
    expect(tally(rig)).toMatchObject(unharmed)
  })

  it('and that its group ends in the same second has one drain, and its hook ends', async () => {
    const rig = await createRig()
    rig.scaleInBy(1)
    const victim = held(rig)
    rig.world.instances.interrupt(group, victim)
    await rig.minutes(4)
    expect(ended(rig, victim)).toHaveLength(1)
    expect(commanded(rig).filter((id) => id === victim).length).toBeLessThanOrEqual(2)
    expect(tally(rig)).toMatchObject(unharmed)
  })
})

describe('an instance that may leave in its own time', () => {
  it('of a queue of long tasks is replaced and drained on a rebalance', async () => {
    const rig = await createRig({ taskSeconds: 120 })
    const victim = busyOne(rig)
    rebalance(rig, victim)
    await rig.minutes(8)
    expect(rig.stateOf(victim)).toBeUndefined()
    expect(rig.world.twin.autoscaling.groups.get(group)?.desired).toBe(4)
    expect(rig.inService()).toHaveLength(4)
    expect(tally(rig)).toMatchObject(unharmed)
  })

  it('of a queue of short tasks stays on a rebalance', async () => {
    const rig = await createRig({ taskSeconds: 20 })
    const [victim = ''] = rig.inService()
    rebalance(rig, victim)
    await rig.minutes(3)
    expect(commanded(rig)).toEqual([])
    expect(rig.stateOf(victim)).toBe('InService')
  })

  it('works again when a person withdraws the request', async () => {
    const rig = await createRig({ taskSeconds: 300 })
    const victim = busyOne(rig)
    ask(rig, victim, 'drain')
    await rig.minutes(1)
    expect(rig.stateOf(victim)).toBe('Standby')
    ask(rig, victim, 'withdraw')
    await rig.minutes(12)
    expect(rig.stateOf(victim)).toBe('InService')
    expect(busy(rig)(victim)).toBe(true)
    expect(tally(rig)).toMatchObject(unharmed)
  })

  it('is drained in time for its maintenance, and not before', async () => {
    const rig = await createRig()
    const victim = busyOne(rig)
    const startTime = new Date(rig.world.twin.engine.now + 3_600_000).toUTCString()
    const about = { service: 'EC2', eventTypeCategory: 'scheduledChange', startTime }
    const affectedEntities = [{ entityValue: victim }, { entityValue: 'vol-0123456789abcdef0' }]
    put(rig, 'aws.health', 'AWS Health Event', { ...about, affectedEntities })
    // An hour, less five minutes and the ten of the queue's budget.
    await rig.minutes(44)
    expect(commanded(rig)).toEqual([])
    await rig.minutes(4)
    expect(commanded(rig)).toEqual([victim])
    expect(rig.stateOf(victim)).toBeUndefined()
    expect(tally(rig)).toMatchObject(unharmed)
  })

  it('stays in service when nothing on it answers', async () => {
    const rig = await createRig({
      ...{ taskSeconds: 120, faults: { deadAgents: 1, withoutWatcher: 1 } },
    })
    const victim = busyOne(rig)
    rebalance(rig, victim)
    await rig.minutes(5)
    expect(rig.stateOf(victim)).toBe('InService')
    expect(reasons(rig, victim)).toContain('unreachable')
    expect(tally(rig)).toMatchObject(unharmed)
  })
})

describe('what is not ours, or no use', () => {
  it.each([['an instance of no group', 'i-0fffffffffffffff0']])(
    '%s is ignored',
    async (_, instance) => {
      const rig = await createRig()
      put(rig, 'aws.ec2', 'EC2 Spot Instance Interruption Warning', { 'instance-id': instance })
      await rig.minutes(1)
      expect(commanded(rig)).toEqual([])
      expect(said(rig)).toContainEqual({ instance, ignored: ['foreign'] })
    },
  )

  it('a malformed event is set aside after five tries, and the others are dealt with', async () => {
    const rig = await createRig()
    const victim = busyOne(rig)
    put(rig, 'aws.ec2', 'EC2 Spot Instance Interruption Warning', { 'instance-id': 'i-no' })
    rig.world.instances.interrupt(group, victim)
    await rig.minutes(3)
    expect(commanded(rig)).toEqual([victim])
    expect(rig.world.stack.undelivered.visible).toBe(1)
    const refused = rig.world.twin.logged.find(({ message }) => message === 'message refused')
    expect(String(refused?.fields['error'])).toContain('detail.instance-id: no instance id')
  })

  it('a group without our hook is counted, once an hour', async () => {
    const rig = await createRig()
    const hook = { AutoScalingGroupName: group, LifecycleHookName: 'talk-prod-drain' }
    const { twin } = rig.world
    twin.emit(twin.autoscaling.apply(twin.engine.now, new DeleteLifecycleHookCommand(hook)).changes)
    await rig.minutes(60)
    expect(await published(rig, 'GroupsWithoutHook')).toEqual([0, 1])
  })
})
