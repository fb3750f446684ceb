import { PublishCommand } from '@aws-sdk/client-sns'
import type { Page } from '../alerts/page.ts'
import { severities } from '../alerts/rules.ts'
import type { AlertsDeps } from '../aws.ts'
import type { Fleet } from '../queue-config.ts'
import { subjectOf, textOf } from './text.ts'

/** What came of a page at a channel; no reason: it was taken. */
export type Delivery = {
  readonly page: Page
  readonly channel: string
  readonly reason: string | null
}

type Destination = { readonly name: string; readonly severities: readonly string[] }

/** The topic of the stack, which has every page. */
export const topic = 'sns'

export const channelsOf = (_: Fleet): readonly Destination[] => [{ name: topic, severities }]

type Sending = { readonly page: Page; readonly channels: readonly string[] }

/** Each page on each of its channels; a channel that fails is its own failure, and never throws. */
export async function tellAll(
  deps: Pick<AlertsDeps, 'sns' | 'alertsTopic' | 'signal'>,
  sendings: readonly Sending[],
): Promise<Delivery[]> {
  const deliveries: Delivery[] = []
  for (const { page, channels } of sendings) {
    if (!channels.includes(topic)) continue
    const [sent] = await Promise.allSettled([publishPage(deps, page)])
    const reason = sent.status === 'fulfilled' ? null : reasonOf(sent.reason)
    deliveries.push({ page, channel: topic, reason })
  }
  return deliveries
}

const reasonOf = (error: unknown) =>
  error instanceof Error ? `${error.name}: ${error.message}` : String(error)

async function publishPage(
  { sns, alertsTopic, signal }: Pick<AlertsDeps, 'sns' | 'alertsTopic' | 'signal'>,
  page: Page,
): Promise<void> {
  const text = (StringValue: string) => ({ DataType: 'String', StringValue })
  const command = new PublishCommand({
    TopicArn: alertsTopic,
    Subject: subjectOf(page),
    Message: textOf(page),
    // A subscription filters by these.
    MessageAttributes: { severity: text(page.severity), kind: text(page.kind) },
  })
  await sns.send(command, { abortSignal: signal })
}
