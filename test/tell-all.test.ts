import { setTimeout as sleep } from 'node:timers/promises'
import { PutParameterCommand } from '@aws-sdk/client-ssm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Page } from '../shared/alerts/page.ts'
import { newRunId, type Web } from '../shared/aws.ts'
import { type Delivery, tellAll } from '../shared/notify/send.ts'
import { fleetOf } from './fixtures.ts'
import { makeRig, type Rig } from './loopback/rig.ts'

/** Ten pages for the topic and for a channel that answers as a row says. */

const fleet = fleetOf({
  defaultQueues: ['a'],
  notify: { channels: { chat: { slack: '/test/chat' } } },
})

const pageOf = (key: string): Page => ({
  ...{ key, kind: 'trigger', fleet: 'test', severity: 'critical', title: key },
  ...{ at: 1_700_000_260, since: 1_700_000_000, until: null },
  ...{ impact: '', cause: 'none', action: '', alerts: [], silenced: [], link: null },
})
const many = Array.from({ length: 10 }, (_, index) => ({
  page: pageOf(`q${index}`),
  channels: ['chat', 'sns'],
}))

let rig: Rig
beforeAll(async () => {
  rig = await makeRig({})
  const parameter = { Name: '/test/chat', Value: 'https://chat.test/' }
  rig.stub.cloud.apply('ssm', new PutParameterCommand({ ...parameter, Type: 'SecureString' }))
})
afterAll(() => rig.close())

const tell = (fetch: Web['fetch']) => {
  const wait = () => Promise.resolve()
  return tellAll(
    { ...rig.deps, runId: newRunId(), web: { ...rig.deps.web, fetch, wait } },
    fleet,
    many,
  )
}
const taken = (deliveries: readonly Delivery[], name: string) =>
  deliveries.filter(({ channel, reason }) => channel === name && reason === null).length

const answers = (status: number) => Promise.resolve(new Response('', { status }))

describe('of ten pages at once', () => {
  type Row = [string, (asked: number) => Promise<Response>, { asked: number; taken: number }]
  it.each<Row>([
    ['a channel that works takes all', () => answers(200), { asked: 10, taken: 10 }],
    [
      'one that does not answer is asked for one alone',
      () => Promise.reject(new DOMException('late', 'TimeoutError')),
      { asked: 3, taken: 0 },
    ],
    ['so is one that has trouble', () => answers(503), { asked: 3, taken: 0 }],
    [
      'one that breaks down has what it took',
      (asked) => answers(asked <= 4 ? 200 : 500),
      { asked: 7, taken: 4 },
    ],
    [
      'one that refuses one may take the next',
      (asked) => answers(asked === 2 ? 400 : 200),
      { asked: 10, taken: 9 },
    ],
  ])('%s', async (_, answer, expected) => {
    let asked = 0
    const deliveries = await tell(() => answer(++asked))
    expect({ asked, taken: taken(deliveries, 'chat') }).toEqual(expected)
    expect(deliveries).toHaveLength(20)
    expect(taken(deliveries, 'sns')).toBe(10)
  })

  it('one that is slow takes what there is time for, and the others all', async () => {
    let asked = 0
    const deliveries = await tell(async (_, { signal }) => {
      asked++
      await sleep(2_500, null, signal ? { signal } : {})
      return new Response('')
    })
    expect(taken(deliveries, 'sns')).toBe(10)
    const told = taken(deliveries, 'chat')
    expect(told).toBeGreaterThan(0)
    expect(told).toBeLessThan(10)
    expect(asked).toBe(told + 1)
  })

  it('a topic that hangs keeps nobody from the channel', async () => {
    rig.stub.fail({ action: 'Publish', times: 40, how: 'silence' })
    const deliveries = await tell(() => answers(200))
    expect(taken(deliveries, 'chat')).toBe(10)
    expect(taken(deliveries, 'sns')).toBe(0)
  })
})
