import type { Page } from '../alerts/page.ts'
import type { Channel } from '../alerts/settings.ts'
import type { AlertsDeps } from '../aws.ts'
import { type Posted, post } from './post.ts'
import type { Secret } from './secrets.ts'
import { subjectOf, textOf, timeOf } from './text.ts'

/** The channels beside the topic: what each is posted, and where. */

type Web = Pick<AlertsDeps, 'web' | 'signal'>

/** Posts a page to a channel. Never throws. */
export function postPage(
  deps: Web,
  channel: Channel,
  secret: Secret | undefined,
  page: Page,
): Promise<Posted> {
  if (!secret) return Promise.resolve({ reason: 'secret-missing', detail: 'it was not read' })
  if ('problem' in secret) return Promise.resolve(secret.problem)
  if (channel.kind === 'pagerduty') {
    return post(deps, deps.web.pagerDutyUrl, pagerDutyEvent(page, secret.value))
  }
  if (!isAddress(secret.value)) {
    const detail = `the value of ${channel.secret} is no https:// address`
    return Promise.resolve({ reason: 'secret-no-address', detail })
  }
  return post(deps, secret.value, channel.kind === 'slack' ? slackMessage(page) : hookBody(page))
}

/** Of this machine only what is on it needs no encryption. */
function isAddress(text: string): boolean {
  const url = URL.parse(text)
  if (!url) return false
  return url.protocol === 'https:' || ['127.0.0.1', 'localhost'].includes(url.hostname)
}

// The most that PagerDuty takes.
const summaryMost = 1_024
const keyMost = 255

/**
 * Events API v2. The key is the same from the trigger to the resolve, so that what comes twice is
 * one incident there.
 */
export function pagerDutyEvent(page: Page, routingKey: string): object {
  const { key, kind, fleet, severity, since, impact, cause, action, alerts, silenced, link } = page
  const about = {
    routing_key: routingKey,
    dedup_key: key.slice(0, keyMost),
    event_action: kind === 'resolve' ? 'resolve' : 'trigger',
  }
  if (kind === 'resolve') return about
  return {
    ...about,
    payload: {
      summary: subjectOf(page).slice(0, summaryMost),
      source: fleet,
      severity,
      timestamp: timeOf(since),
      custom_details: { impact, cause, celeriac: action, alerts, silenced },
    },
    client: 'Celeriac',
    ...(link === null ? {} : { links: [{ href: link, text: 'Runbook' }] }),
  }
}

// The most characters of a section; what is escaped is longer than it was.
const sectionMost = 3_000

const escapes: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;' }

/** An incoming webhook's message: one section, and its first line where no more is shown. */
export function slackMessage(page: Page): object {
  const escaped = (text: string) => text.replace(/[&<>]/g, (one) => escapes[one] ?? '')
  const [title = '', ...rest] = textOf(page).split('\n')
  const lines = [`*${escaped(title)}*`, ...rest.map(escaped)]
  const shown: string[] = []
  let length = 0
  for (const line of lines) {
    length += line.length + 1
    // A line that is cut could end in half an escape.
    if (length > sectionMost - 100) break
    shown.push(line)
  }
  if (shown.length < lines.length) shown.push(`and ${lines.length - shown.length} more lines`)
  return {
    text: escaped(subjectOf(page)),
    blocks: [{ type: 'section', text: { type: 'mrkdwn', text: shown.join('\n') } }],
  }
}

/** The page as it is, and as a text. */
export const hookBody = (page: Page): object => ({ version: 1, ...page, text: textOf(page) })
