import {
  CompleteLifecycleActionCommand,
  EnterStandbyCommand,
  RecordLifecycleActionHeartbeatCommand,
  TerminateInstanceInAutoScalingGroupCommand,
} from '@aws-sdk/client-auto-scaling'
import type { Group, Instance } from '../aws/groups.ts'
import { type Twin, twinDrainName } from '../twin.ts'
import type { Bus, BusEvent } from './bus.ts'
import type { Task } from './task.ts'

/**
 * What the drain function does to an instance that leaves, without the function: the same watcher
 * on the box drains, a hook is held while tasks run, and one that Spot takes is replaced first.
 * Comparisons of sizing rules run a thousand drains a minute through it, which the function's own
 * calls would make a matter of hours; a test holds the two against each other.
 */
export function createKeeper(twin: Twin<Task>): Bus {
  const keeper: Keeper = { twin, quiet: new Set() }
  return {
    put(event) {
      if (event.type === hooked) noteNeverUp(keeper, idIn(event))
      twin.engine.at(twin.engine.now + latencyMs, () => hear(keeper, event))
    },
  }
}

type Keeper = {
  readonly twin: Twin<Task>
  /** Instances that have nothing left to do. */
  readonly quiet: Set<string>
}

// From an event until a run has acted on it: the rule, a second's batch, and the calls.
const latencyMs = 1_500

const hooked = 'EC2 Instance-terminate Lifecycle Action'
const ends: readonly unknown[] = ['drained', 'nothing', 'handed-back']

const idIn = ({ detail }: BusEvent) => String(detail['instance-id'] ?? detail['EC2InstanceId'])

/** What is not up when it is to leave runs nothing, and has no watcher that would say so. */
function noteNeverUp({ twin, quiet }: Keeper, id: string): void {
  if (find(twin, id)?.instance.up === false) quiet.add(id)
}

function hear(keeper: Keeper, event: BusEvent): void {
  const { type, detail } = event
  const id = idIn(event)
  const found = find(keeper.twin, id)
  if (!found) return
  if (type === 'EC2 Spot Instance Interruption Warning') replace(keeper, found)
  if (type === hooked) hold(keeper, found)
  if (type === 'Celeriac Drain Progress' && ends.includes(detail['phase'])) {
    keeper.quiet.add(id)
    letGo(keeper, found)
  }
  if (type === 'EC2 Instance State-change Notification') keeper.quiet.delete(id)
}

type Found = { readonly group: Group; readonly instance: Instance }

function find({ autoscaling }: Twin<Task>, id: string): Found | null {
  for (const group of autoscaling.groups.values()) {
    const instance = group.instances.get(id)
    if (instance) return { group, instance }
  }
  return null
}

/** On standby Auto Scaling starts another at once, within the group's bounds. */
function replace({ twin }: Keeper, { group, instance }: Found): void {
  const standby = [...group.instances.values()].filter(({ state }) => state === 'Standby').length
  if (instance.state !== 'InService' || group.desired + standby >= group.maxSize) return
  apply(
    twin,
    new EnterStandbyCommand({
      AutoScalingGroupName: group.name,
      InstanceIds: [instance.id],
      ShouldDecrementDesiredCapacity: false,
    }),
  )
}

/** While tasks run, the hook's timeout is put off at half of it. */
function hold(keeper: Keeper, { group, instance }: Found): void {
  letGo(keeper, { group, instance })
  const action = instance.actions.get(twinDrainName)
  if (!action) return
  const { engine } = keeper.twin
  engine.at(engine.now + (action.hook.heartbeatSeconds / 2) * 1_000, () => {
    if (instance.actions.get(twinDrainName) !== action) return
    apply(keeper.twin, new RecordLifecycleActionHeartbeatCommand(named({ group, instance })))
    hold(keeper, { group, instance })
  })
}

function letGo({ twin, quiet }: Keeper, { group, instance }: Found): void {
  if (!quiet.has(instance.id)) return
  if (instance.actions.has(twinDrainName)) {
    const result = { LifecycleActionResult: 'CONTINUE' }
    apply(twin, new CompleteLifecycleActionCommand({ ...named({ group, instance }), ...result }))
  } else if (instance.state === 'Standby' || instance.state === 'InService') {
    const InstanceId = instance.id
    apply(
      twin,
      new TerminateInstanceInAutoScalingGroupCommand({
        ...{ InstanceId, ShouldDecrementDesiredCapacity: false },
      }),
    )
  }
}

const named = ({ group, instance }: Found) => ({
  AutoScalingGroupName: group.name,
  LifecycleHookName: twinDrainName,
  InstanceId: instance.id,
})

const apply = (twin: Twin<Task>, command: object) =>
  twin.emit(twin.autoscaling.apply(twin.engine.now, command).changes)
