import { SetDesiredCapacityCommand } from '@aws-sdk/client-auto-scaling'
import { GetQueueAttributesCommand } from '@aws-sdk/client-sqs'
import { isLive } from './aws/groups.ts'
import type { Message } from './aws/sqs-queue.ts'
import type { Deque } from './deque.ts'
import type { Peer, Running, View } from './policies/peer.ts'
import { replayed } from './scenarios/replay.ts'
import type { Asked } from './timeline.ts'
import { createWorld, groupName, type Scenario, type World } from './world/world.ts'

type Options = {
  readonly scenario: Scenario
  readonly seed: number
  readonly endAt: number
  readonly peer: Peer
  readonly running: Running
  /** Whether to go on; a run that is given up ends there. */
  readonly onMinute: (world: World) => boolean
  readonly onAsked?: (asked: Asked) => void
}

const minuteMs = 60_000

/** Lets a replay run with another autoscaler in our functions' place; the drains are the same. */
export function simulatePeer(options: Options): World {
  const { scenario, seed, endAt, peer, running, onMinute, onAsked } = options
  const world = createWorld(scenario, seed, 'keeper')
  const { engine } = world.twin
  const look = createLook(world, running.warmupSeconds)
  const stepMs = peer.cadenceSeconds * 1_000
  let minute = scenario.startAt
  for (let at = scenario.startAt; at < endAt; at += stepMs) {
    engine.runUntil(at)
    const view = look()
    const { desired, reason } = running.look(view)
    const wanted = Math.min(Math.max(Math.round(desired), view.min), view.max)
    if (wanted !== view.desired) {
      ask(world, wanted)
      onAsked?.({ at, desired: wanted, reason })
    }
    for (; minute <= at; minute += minuteMs) if (!onMinute(world)) return world
  }
  engine.runUntil(endAt)
  return world
}

function ask({ twin }: World, desired: number): void {
  const command = new SetDesiredCapacityCommand({
    AutoScalingGroupName: groupName(replayed),
    DesiredCapacity: desired,
    HonorCooldown: false,
  })
  twin.emit(twin.autoscaling.apply(twin.engine.now, command).changes)
}

/** What an autoscaler sees of the queue and its group, now and since it looked last. */
function createLook(world: World, warmupSeconds: number): () => View {
  const { twin, machines, tallies } = world
  const queue = twin.sqs.queue(replayed)
  const group = twin.autoscaling.groups.get(groupName(replayed))
  const workers = machines.get(replayed)?.workers
  const served = tallies.get(replayed)?.served
  if (!group || !workers || !served) throw new Error('The world is not that of a replay')
  const counts = new GetQueueAttributesCommand({
    QueueUrl: queue.url,
    AttributeNames: ['ApproximateNumberOfMessages', 'ApproximateNumberOfMessagesNotVisible'],
  })
  let before = { sent: 0, tasks: 0, ms: 0 }
  return () => {
    const { now } = twin.engine
    const { output } = twin.sqs.apply(now, counts)
    const { Attributes: seen = {} } = output as { Attributes?: Record<string, string> }
    let [inService, warm, live] = [0, 0, 0]
    for (const instance of group.instances.values()) {
      if (!isLive(instance)) continue
      live++
      if (instance.state !== 'InService' || instance.inServiceAt === null) continue
      inService++
      if (now - instance.inServiceAt >= warmupSeconds * 1_000) warm++
    }
    const view = {
      now,
      visible: Number(seen['ApproximateNumberOfMessages'] ?? 0),
      notVisible: Number(seen['ApproximateNumberOfMessagesNotVisible'] ?? 0),
      ...{ desired: group.desired, min: group.minSize, max: group.maxSize },
      ...{ inService, warm, warming: live - warm, online: workers.online },
      oldestSeconds: oldestMs(queue.waiting, now) / 1_000,
      sent: queue.sent - before.sent,
      completed: served.tasks - before.tasks,
      completedSeconds: (served.ms - before.ms) / 1_000,
    }
    before = { sent: queue.sent, ...served }
    return view
  }
}

/** How long the first message that is still visible has waited. */
function oldestMs({ items, head }: Deque<Message<unknown>>, now: number): number {
  for (let at = head; at < items.length; at++) {
    const message = items[at]
    if (message?.place === 'visible') return now - message.sentAt
  }
  return 0
}
