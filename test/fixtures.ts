import type { Group, InstanceCounts } from '../shared/fleet.ts'
import { checkFleet, type Fleet, type QueueConfig } from '../shared/queue-config.ts'
import type { Counts } from '../shared/queues.ts'

/** A queue as a file with these settings would give it. */
export function queueOf(settings: object = {}): QueueConfig {
  const [queue] = fleetOf({ queues: { video: settings } }).queues
  if (!queue) throw new Error('A fleet of one queue has none')
  return queue
}

export function fleetOf(input: object): Fleet {
  const { fleet, problems } = checkFleet({ name: 'test', ...input })
  if (!fleet) throw new Error(JSON.stringify(problems))
  return fleet
}

export const countsOf = (visible: number, notVisible = 0): Counts => ({
  visible,
  notVisible,
  delayed: 0,
})

export function groupOf({
  instances = {},
  ...group
}: Partial<Omit<Group, 'instances'>> & { instances?: Partial<InstanceCounts> } = {}): Group {
  const none = { inService: 0, pending: 0, leaving: 0, standby: 0, unhealthy: 0 }
  return {
    name: 'video-workers',
    arn: 'arn:aws:autoscaling:us-east-1:123456789012:autoScalingGroup:1:autoScalingGroupName/video',
    queue: 'video',
    fleet: null,
    slotsPerInstance: 1,
    minSize: 0,
    maxSize: 20,
    desired: 0,
    members: [],
    capacityRebalance: false,
    ...group,
    instances: { ...none, ...instances },
  }
}
