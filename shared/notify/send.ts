import { PublishCommand } from '@aws-sdk/client-sns'
import type { Page } from '../alerts/page.ts'
import { type Severity, severities } from '../alerts/rules.ts'
import type { Channel } from '../alerts/settings.ts'
import type { AlertsDeps } from '../aws.ts'
import type { Fleet } from '../queue-config.ts'
import { postPage } from './channels.ts'
import type { Posted } from './post.ts'
import { readSecrets, type Secret } from './secrets.ts'
import { subjectOf, textOf } from './text.ts'

/** Pages to their channels. A channel that fails keeps nobody from the others. */

/** What came of a page at a channel; no reason: it was taken. */
export type Delivery = {
  readonly page: Page
  readonly channel: string
  readonly reason: string | null
  readonly detail: string | null
}

/** The topic of the stack, which has every page. */
export const topic = 'sns'

type Destination = { readonly name: string; readonly severities: readonly Severity[] }

export const destinationsOf = ({ notify }: Fleet): readonly Destination[] => [
  { name: topic, severities },
  ...notify.channels,
]

export type Sending = { readonly page: Page; readonly channels: readonly string[] }

// Whoever is slower than this with all that a run has to tell gets the rest from the next one: a
// run must be able to write down what was sent, or it would be sent again.
const tellMilliseconds = 12_000

/**
 * Each page on each of its channels: channels at once, the pages of one in their order. A channel
 * that does not answer is not asked again in this run.
 */
export async function tellAll(
  deps: AlertsDeps,
  fleet: Fleet,
  sendings: readonly Sending[],
): Promise<Delivery[]> {
  const used = new Set(sendings.flatMap(({ channels }) => channels))
  const channels = fleet.notify.channels.filter(({ name }) => used.has(name))
  const secrets = await secretsOf(deps, channels)
  const signal = AbortSignal.any([deps.signal, AbortSignal.timeout(tellMilliseconds)])
  const tellOne = (name: string, page: Page): Promise<Posted> => {
    if (name === topic) return publishPage({ ...deps, signal }, page)
    const channel = channels.find((one) => one.name === name)
    // It was taken out of the file since: nobody is there any more.
    if (!channel) return Promise.resolve(null)
    return postPage({ ...deps, signal }, channel, secrets.get(channel.secret), page)
  }
  const tellOn = async (name: string): Promise<Delivery[]> => {
    const deliveries: Delivery[] = []
    let down: Posted = null
    for (const { page, channels: wanted } of sendings) {
      if (!wanted.includes(name)) continue
      const posted: Posted = down ?? (await tellOne(name, page))
      if (posted && isDown(posted)) down = posted
      const { reason, detail } = posted ?? { reason: null, detail: null }
      deliveries.push({ page, channel: name, reason, detail })
    }
    return deliveries
  }
  return (await Promise.all([...used].map(tellOn))).flat()
}

/** Whether the next page would fare no better. */
const isDown = ({ reason }: NonNullable<Posted>) =>
  reason === 'unreachable' || reason === 'unavailable'

/** Where Systems Manager cannot be asked, the channels that need it have no secret. */
async function secretsOf(
  deps: AlertsDeps,
  channels: readonly Channel[],
): Promise<ReadonlyMap<string, Secret>> {
  if (channels.length === 0) return new Map()
  const names = channels.map(({ secret }) => secret)
  const [read] = await Promise.allSettled([readSecrets(deps, names)])
  if (read.status === 'fulfilled') return read.value
  const detail = read.reason instanceof Error ? read.reason.name : 'Systems Manager did not answer'
  return new Map(names.map((name) => [name, { problem: { reason: 'secret-missing', detail } }]))
}

async function publishPage(
  { sns, alertsTopic, signal }: Pick<AlertsDeps, 'sns' | 'alertsTopic' | 'signal'>,
  page: Page,
): Promise<Posted> {
  const text = (StringValue: string) => ({ DataType: 'String', StringValue })
  const command = new PublishCommand({
    TopicArn: alertsTopic,
    Subject: subjectOf(page),
    Message: textOf(page),
    // A subscription filters by these.
    MessageAttributes: { severity: text(page.severity), kind: text(page.kind) },
  })
  const [sent] = await Promise.allSettled([sns.send(command, { abortSignal: signal })])
  if (sent.status === 'fulfilled') return null
  const { reason: error } = sent
  const detail = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
  return { reason: 'unreachable', detail }
}
