import type { Engine } from '../engine.ts'
import type { AutoScaling } from './autoscaling.ts'
import { type CloudWatch, vendedKey } from './cloudwatch.ts'
import type { Sqs } from './sqs.ts'

const minuteMs = 60_000

/** What SQS and Auto Scaling publish of a minute that is over. */
export function startVending<T>(
  engine: Engine,
  sqs: Sqs<T>,
  autoscaling: AutoScaling,
  cloudwatch: CloudWatch,
): void {
  const before = new Map<string, { sent: number; deleted: number }>()
  const publish = () => {
    const minute = Math.floor(engine.now / minuteMs) - 1
    for (const queue of sqs.tasks.values()) {
      const last = before.get(queue.name) ?? { sent: 0, deleted: 0 }
      const { sent, deleted, inFlight } = queue
      before.set(queue.name, { sent, deleted })
      const values = {
        NumberOfMessagesSent: sent - last.sent,
        NumberOfMessagesDeleted: deleted - last.deleted,
        ApproximateNumberOfMessagesNotVisible: inFlight,
      }
      for (const [metric, value] of Object.entries(values)) {
        cloudwatch.vended.add(sqsKey(metric, queue.name), minute, value)
      }
    }
    for (const group of autoscaling.groups.values()) {
      if (!group.publishes) continue
      // In service, pending and terminating: what is on standby has a metric of its own.
      const count = [...group.instances.values()].filter(
        ({ state }) => !state.includes('Standby'),
      ).length
      cloudwatch.vended.add(totalKey(group.name), minute, count)
    }
    engine.at(engine.now + minuteMs, publish)
  }
  engine.at(Math.ceil((engine.now + 1) / minuteMs) * minuteMs, publish)
}

export const sqsKey = (metric: string, queue: string) =>
  vendedKey('AWS/SQS', metric, 'QueueName', queue)

export const totalKey = (group: string) =>
  vendedKey('AWS/AutoScaling', 'GroupTotalInstances', 'AutoScalingGroupName', group)
