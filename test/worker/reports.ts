import { EventBridgeClient, PutRuleCommand, PutTargetsCommand } from '@aws-sdk/client-eventbridge'
import { GetQueueAttributesCommand, ReceiveMessageCommand } from '@aws-sdk/client-sqs'
import type { Moto } from '../moto.ts'
import { makeQueue, type Queue } from './queue.ts'

/** An event as the control plane receives it. */
export type Report = {
  readonly source: string
  readonly 'detail-type': string
  /** When it was put, to the second. */
  readonly time: string
  readonly detail: Readonly<Record<string, unknown>>
}

/** Lets whatever workers report on moto's default bus end in a queue. */
export async function collectReports(moto: Moto): Promise<Queue> {
  const queue = await makeQueue(moto)
  const events = new EventBridgeClient(moto.client)
  const { Attributes } = await queue.sqs.send(
    new GetQueueAttributesCommand({ QueueUrl: queue.url, AttributeNames: ['QueueArn'] }),
  )
  const pattern = { source: ['celeriac.worker'] }
  await events.send(new PutRuleCommand({ Name: queue.name, EventPattern: JSON.stringify(pattern) }))
  await events.send(
    new PutTargetsCommand({
      Rule: queue.name,
      Targets: [{ Id: 'queue', Arn: Attributes?.['QueueArn'] ?? '' }],
    }),
  )
  return queue
}

/** The reports that have come since the last time, in the order of their `at`. */
export async function reports(queue: Queue): Promise<Report[]> {
  const found: Report[] = []
  for (;;) {
    const { Messages = [] } = await queue.sqs.send(
      new ReceiveMessageCommand({ QueueUrl: queue.url, MaxNumberOfMessages: 10 }),
    )
    if (Messages.length === 0) return found
    for (const message of Messages) found.push(JSON.parse(message.Body ?? ''))
  }
}
