import { CreateAutoScalingGroupCommand } from '@aws-sdk/client-auto-scaling'
import { CreateQueueCommand, SendMessageCommand } from '@aws-sdk/client-sqs'
import { createTwin, type Twin, twinFastQueue } from '../twin/twin.ts'

/** A twin without a world: queues, groups and messages, for single runs of backlog. */

export const startAt = Date.parse('2026-01-06T15:00:00Z')

export type TestTwin = Twin<null>

/** A twin with a queue and a tagged group for each name, and that many messages in each queue. */
export async function twinOf(depths: Record<string, number>, desired = 0): Promise<TestTwin> {
  const twin = createTwin({ seed: 1, startAt, makeTask: () => null })
  twin.sqs.createTextQueue({
    QueueName: twinFastQueue,
    // As deployed: what was received is not seen again in this minute.
    Attributes: { VisibilityTimeout: '60' },
  })
  for (const [name, depth] of Object.entries(depths)) {
    await addQueue(twin, name, depth)
    await addGroup(twin, `${name}-workers`, { 'celery:queue': name }, desired)
  }
  return twin
}

export async function addQueue(twin: TestTwin, QueueName: string, depth: number): Promise<void> {
  await twin.deps.sqs.send(new CreateQueueCommand({ QueueName }))
  await addMessages(twin, QueueName, depth)
}

export async function addMessages(twin: TestTwin, queue: string, depth: number): Promise<void> {
  const QueueUrl = `https://sqs.us-east-1.amazonaws.com/123456789012/${queue}`
  for (let i = 0; i < depth; i++) {
    await twin.deps.sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: 'task' }))
  }
}

export async function addGroup(
  twin: TestTwin,
  name: string,
  tags: Record<string, string>,
  desired = 0,
) {
  await twin.deps.autoscaling.send(
    new CreateAutoScalingGroupCommand({
      AutoScalingGroupName: name,
      MinSize: 0,
      MaxSize: 20,
      DesiredCapacity: desired,
      Tags: Object.entries(tags).map(([Key, Value]) => ({ Key, Value })),
    }),
  )
}

export const desiredOf = (twin: TestTwin) =>
  Object.fromEntries([...twin.autoscaling.groups].map(([name, { desired }]) => [name, desired]))
