import { readFileSync } from 'node:fs'
import { afterAll, describe, expect, it } from 'vitest'
import { alerts } from '../functions/alerts/handler.ts'
import { parseStart } from '../functions/alerts/start.ts'
import { countAgain, putAgain } from '../shared/again.ts'
import { newRunId } from '../shared/aws.ts'
import { fleetOf } from './fixtures.ts'
import { makeRig, type Rig } from './loopback/rig.ts'

/** What workers receive again and again: from their event to the page. */

const sample = JSON.parse(readFileSync('events/alerts-received.json', 'utf8'))
const eventOf = (more: object) => ({ ...sample, ...more })

describe('what starts alerts', () => {
  it.each<[string, unknown, unknown]>([
    ['the schedule', { shard: 1, of: 2 }, { shard: 1, of: 2 }],
    [
      'a report',
      sample,
      { again: { id: sample.id, queue: 'talk-transcript', messages: 4, at: 1_767_225_600 } },
    ],
  ])('%s', (_, event, start) => {
    expect(parseStart(event)).toEqual(start)
  })
  it.each<[string, unknown, string]>([
    [
      'a report without a count',
      eventOf({ detail: { queue: 'a' } }),
      "'Celeriac Messages Received Again' is malformed: detail.messages",
    ],
    ['a report of none', eventOf({ detail: { queue: 'a', messages: 0 } }), 'detail.messages'],
    ['a report of no time', eventOf({ time: 'now' }), 'malformed: time'],
    [
      'what drain handles',
      eventOf({ 'detail-type': 'Celeriac Drain Progress' }),
      "it is 'Celeriac Drain Progress' from celeriac.worker",
    ],
    [
      'the same of somebody else',
      eventOf({ source: 'app' }),
      "'Celeriac Messages Received Again' from app",
    ],
    ['a shard that there is not', { shard: 2, of: 2 }, 'shard is 2, not below its of, 2'],
  ])('is not %s', (_, event, message) => {
    expect(() => parseStart(event)).toThrow(message)
  })
})

const rigs: Rig[] = []
afterAll(() => Promise.all(rigs.map(({ close }) => close())))

const fleet = fleetOf({
  defaultQueues: ['x-a', 'x-b'],
  defaults: { taskTime: '20s', scaling: { mode: 'observe' }, alerts: { off: ['blind'] } },
})

async function begin() {
  const rig = await makeRig({ 'x-a': 1, 'x-b': 1 })
  rigs.push(rig)
  const now = Math.floor(rig.deps.clock.now() / 1_000)
  const report = (id: string, queue: string, messages: number, ago: number) =>
    putAgain(rig.deps, { id, queue, messages, at: now - ago })
  return { rig, now, report }
}

describe('what workers report', () => {
  it('is counted by queue over a quarter of an hour, each report once', async () => {
    const { rig, now, report } = await begin()
    await report('1', 'x-a', 2, 10)
    await report('1', 'x-a', 2, 10)
    await report('2', 'x-a', 3, 890)
    await report('3', 'x-a', 5, 910)
    await report('4', 'x-b', 1, 0)
    expect([...(await countAgain(rig.deps, now - 900, now))].sort()).toEqual([
      ['x-a', 5],
      ['x-b', 1],
    ])
  })

  it('is a page of its queue alone, which says that it was counted', async () => {
    const { rig, report } = await begin()
    await report('1', 'x-a', 3, 30)
    await report('2', 'x-a', 2, 90)
    await report('3', 'x-b', 3, 90)
    const deps = { ...rig.deps, runId: newRunId() }
    const { firing, pages } = await alerts(fleet)({ shard: 0, of: 1 }, deps)
    expect(firing).toMatchObject([{ queue: 'x-a', rule: 'redelivery', value: 5, threshold: 3 }])
    expect(pages).toEqual(['trigger: x-a: messages come back unfinished'])
    expect(rig.stub.cloud.told[0]?.message).toContain('(counted by the workers)')
  })
})
