import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { PutParameterCommand, SSMClient } from '@aws-sdk/client-ssm'
import { afterAll, describe, expect, it } from 'vitest'
import type { Page } from '../shared/alerts/page.ts'
import type { Channel } from '../shared/alerts/settings.ts'
import { makeSsm, makeWeb } from '../shared/aws.ts'
import { pagerDutyEvent, postPage, slackMessage } from '../shared/notify/channels.ts'
import { post } from '../shared/notify/post.ts'
import { readSecrets } from '../shared/notify/secrets.ts'
import { subjectOf, textOf } from '../shared/notify/text.ts'
import { describeWithMoto } from './moto.ts'

/** Channels against a server that answers as it is told. */

const pageOf = (some: Partial<Page> = {}): Page => ({
  ...{ key: 'talk/stalled/video/1000', kind: 'trigger', fleet: 'talk', severity: 'critical' },
  title: 'video: messages wait and nothing is done',
  ...{ at: 1_700_000_260, since: 1_700_000_000, until: null },
  impact: 'video: 40 wait, the newest about 3 min (promise 10 min)',
  cause: 'workers that hang, do not poll, or may not read the queue',
  action: 'launches no more, for more would not help: 4 of 4 instances are in service, max 20',
  alerts: [
    {
      ...{ queue: 'video', rule: 'stalled', severity: 'critical', unit: 'seconds' },
      ...{ value: 360, threshold: 300, peak: 400, since: 1_700_000_000 },
    },
  ],
  ...{ silenced: ['video: oldest-age'], link: 'https://wiki/stalled' },
  ...some,
})

type Answer = { status: number; headers?: Record<string, string>; body?: string } | 'silence'
type Got = { readonly path: string; readonly body: unknown; readonly at: number }

const closing: (() => void)[] = []
afterAll(() => {
  for (const close of closing) close()
})

const bodyOf = async (request: IncomingMessage) => {
  const parts: Buffer[] = []
  for await (const part of request) parts.push(part)
  return JSON.parse(Buffer.concat(parts).toString())
}

/** A server with these answers, one after the other; then 202 for everything. */
async function serverOf(answers: readonly Answer[]) {
  const got: Got[] = []
  const left = [...answers]
  const server = createServer(async (request, response) => {
    const body = await bodyOf(request)
    got.push({ path: request.url ?? '', body, at: performance.now() })
    const answer = left.shift() ?? { status: 202 }
    if (answer === 'silence') return
    response.writeHead(answer.status, answer.headers).end(answer.body ?? '')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closing.push(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}`, got, close: closing.at(-1) ?? (() => {}) }
}

const waits: number[] = []
const web = {
  ...makeWeb(),
  wait: async (milliseconds: number) => {
    waits.push(milliseconds)
  },
}
const deps = (more: Partial<typeof web> = {}) => ({
  web: { ...web, ...more },
  signal: AbortSignal.timeout(20_000),
})
const channel = (kind: Channel['kind']): Channel => ({
  ...{ name: 'chat', kind, secret: '/talk/secret', severities: ['critical'] },
})

describe('a post', () => {
  const rows: [string, Answer[], object | null, number][] = [
    ['is taken at once', [{ status: 202 }], null, 1],
    ['is taken after trouble on the other side', [{ status: 500 }, { status: 202 }], null, 2],
    [
      'is given up for now after three tries',
      [{ status: 503 }, { status: 502 }, { status: 500, body: 'down\n for now' }],
      { reason: 'unavailable', detail: 'HTTP 500: down for now' },
      3,
    ],
    [
      'is not tried again where it would be refused again',
      [{ status: 400, body: 'invalid_payload' }],
      { reason: 'refused', detail: 'HTTP 400: invalid_payload' },
      1,
    ],
    [
      'waits for as long as it is asked to',
      [{ status: 429, headers: { 'retry-after': '1' } }, { status: 200 }],
      null,
      2,
    ],
    [
      'leaves a longer wait to the next run',
      [{ status: 429, headers: { 'retry-after': '30' } }],
      { reason: 'unavailable', detail: 'HTTP 429: ' },
      1,
    ],
    [
      'follows nobody elsewhere',
      [
        { status: 302, headers: { location: 'http://127.0.0.1:1/x' } },
        { status: 302, headers: { location: 'http://127.0.0.1:1/x' } },
        { status: 302, headers: { location: 'http://127.0.0.1:1/x' } },
      ],
      { reason: 'unreachable', detail: 'TypeError' },
      3,
    ],
  ]
  it.each(rows)('%s', async (_, answers, outcome, tries) => {
    const { url, got } = await serverOf(answers)
    expect(await post(deps(), url, { a: 1 })).toEqual(outcome)
    expect(got.map(({ body }) => body)).toEqual(Array(tries).fill({ a: 1 }))
  })

  it('waits a second where it is told to, and less where it is not', async () => {
    waits.length = 0
    const { url } = await serverOf([
      { status: 429, headers: { 'retry-after': '1' } },
      { status: 500 },
    ])
    await post(deps(), url, {})
    expect(waits).toEqual([1_000, 600])
  })

  it('to nobody says so, without the address', async () => {
    const { url, close } = await serverOf([])
    close()
    const outcome = await post(deps(), `${url}/services/T0/SECRET`, {})
    expect(outcome?.reason).toBe('unreachable')
    expect(JSON.stringify(outcome)).not.toContain('SECRET')
  })

  it('that is not answered is given up in time', async () => {
    const { url, got } = await serverOf(['silence', 'silence', 'silence'])
    const signal = AbortSignal.timeout(500)
    const outcome = await post({ ...deps(), signal }, url, {})
    expect(outcome).toEqual({ reason: 'unreachable', detail: 'TimeoutError' })
    expect(got).toHaveLength(1)
  })
})

describe('a page at a channel', () => {
  it('PagerDuty: one incident from the trigger to the resolve', async () => {
    const { url, got } = await serverOf([])
    const secret = { value: 'routing-key' }
    for (const kind of ['trigger', 'update', 'repeat', 'resolve'] as const) {
      const page = pageOf({ kind, until: kind === 'resolve' ? 1_700_000_900 : null })
      expect(await postPage(deps({ pagerDutyUrl: url }), channel('pagerduty'), secret, page)).toBe(
        null,
      )
    }
    const key = 'talk/stalled/video/1000'
    expect(got.map(({ body }) => body)).toMatchObject([
      { routing_key: 'routing-key', event_action: 'trigger', dedup_key: key },
      { event_action: 'trigger', dedup_key: key },
      { event_action: 'trigger', dedup_key: key },
      { routing_key: 'routing-key', event_action: 'resolve', dedup_key: key },
    ])
    expect(got[0]?.body).toMatchObject({
      payload: {
        summary: '[talk] critical: video: messages wait and nothing is done',
        ...{ source: 'talk', severity: 'critical', timestamp: '2023-11-14T22:13:20Z' },
        custom_details: { cause: pageOf().cause, silenced: ['video: oldest-age'] },
      },
      links: [{ href: 'https://wiki/stalled', text: 'Runbook' }],
    })
  })

  it('Slack: a section, and a line where no more is shown', async () => {
    const { url, got } = await serverOf([])
    const page = pageOf({ title: 'a<b>: c & d' })
    await postPage(deps(), channel('slack'), { value: `${url}/services/x` }, page)
    expect(got).toMatchObject([
      {
        path: '/services/x',
        body: {
          text: '[talk] critical: a&lt;b&gt;: c &amp; d',
          blocks: [{ type: 'section', text: { type: 'mrkdwn' } }],
        },
      },
    ])
    expect(JSON.stringify(got[0]?.body)).toContain('*a&lt;b&gt;: c &amp; d*')
  })

  it('a webhook: the page as it is, with its text', async () => {
    const { url, got } = await serverOf([])
    await postPage(deps(), channel('webhook'), { value: url }, pageOf())
    expect(got[0]?.body).toEqual({ version: 1, ...pageOf(), text: textOf(pageOf()) })
  })

  it.each([
    ['an address without encryption', { value: 'http://example.com/x' }, 'secret-no-address'],
    ['a secret that is no address', { value: 'xoxb-123' }, 'secret-no-address'],
    ['a secret that was not read', undefined, 'secret-missing'],
    [
      'a secret in clear',
      { problem: { reason: 'secret-not-secure' as const, detail: 'it is a String' } },
      'secret-not-secure',
    ],
  ])('refuses %s, and does not say it', async (_, secret, reason) => {
    const outcome = await postPage(deps(), channel('webhook'), secret, pageOf())
    expect(outcome?.reason).toBe(reason)
    if (secret && 'value' in secret) expect(JSON.stringify(outcome)).not.toContain(secret.value)
  })
})

describe('what a page says', () => {
  it('answers in its order', () => {
    expect(textOf(pageOf())).toBe(
      [
        'video: messages wait and nothing is done',
        '',
        'Since: 2023-11-14T22:13:20Z, for 4 min 20 s',
        'Impact: video: 40 wait, the newest about 3 min (promise 10 min)',
        'Likely cause: workers that hang, do not poll, or may not read the queue',
        `Celeriac: ${pageOf().action}`,
        '',
        '- video stalled: 6 min, worst 6 min 40 s, threshold 5 min',
        '',
        'Explained by it: video: oldest-age',
        '',
        'https://wiki/stalled',
      ].join('\n'),
    )
  })
  it('says for how long it was, and the worst of it', () => {
    const text = textOf(pageOf({ kind: 'resolve', until: 1_700_000_900 }))
    expect(text).toContain('Over: 2023-11-14T22:28:20Z, after 15 min')
    expect(text).toContain('- video stalled: worst 6 min 40 s, threshold 5 min')
  })
  it.each([
    ['a line break', 'a\nSubject: b', '[talk] critical: a Subject: b'],
    ['letters that mail does not take', 'größe: 5', '[talk] critical: gr e: 5'],
    ['a long title', 'x'.repeat(300), `[talk] critical: ${'x'.repeat(80)}...`],
  ])('a subject is one short line: %s', (_, title, subject) => {
    expect(subjectOf(pageOf({ title }))).toBe(subject)
  })
  it('fits every channel, however much fires', () => {
    const queue = 'q'.repeat(80)
    const alert = pageOf().alerts[0]
    if (!alert) throw new Error('The page has an alert')
    const alerts = Array.from({ length: 100 }, () => ({ ...alert, queue }))
    const silenced = Array.from({ length: 101 }, () => `${queue}: oldest-age`)
    const page = pageOf({ alerts, silenced, key: `talk/stalled/${queue.repeat(5)}` })
    const slack = JSON.parse(JSON.stringify(slackMessage(page)))
    expect(slack.blocks[0].text.text.length).toBeLessThanOrEqual(3_000)
    const event = JSON.parse(JSON.stringify(pagerDutyEvent(page, 'key')))
    expect(event.dedup_key).toHaveLength(255)
    // Events of PagerDuty hold 512 KB, messages of SNS 256.
    expect(JSON.stringify(event).length).toBeLessThan(512_000)
    expect(textOf(page).length).toBeLessThan(256_000)
  })
})

describeWithMoto('secrets of an AWS that nobody here wrote', (moto) => {
  it('are read twelve at a time, and only where they are secure', async () => {
    const client = new SSMClient(moto.client)
    const put = (Name: string, Type: 'String' | 'SecureString') =>
      client.send(new PutParameterCommand({ Name, Type, Value: `value of ${Name}\n` }))
    const names = Array.from({ length: 10 }, (_, index) => `/talk/${index}`)
    for (const name of names) await put(name, 'SecureString')
    await put('/talk/clear', 'String')
    process.env['AWS_ENDPOINT_URL'] = moto.endpoint
    const ssm = makeSsm()
    const secrets = await readSecrets({ ssm, signal: AbortSignal.timeout(20_000) }, [
      ...names,
      ...['/talk/clear', '/talk/none', '/talk/0'],
    ])
    expect(secrets.get('/talk/7')).toEqual({ value: 'value of /talk/7' })
    expect(secrets.get('/talk/clear')).toMatchObject({ problem: { reason: 'secret-not-secure' } })
    expect(secrets.get('/talk/none')).toMatchObject({ problem: { reason: 'secret-missing' } })
    expect(JSON.stringify(secrets.get('/talk/clear'))).not.toContain('value of')
  })
})
