import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { parseStart } from '../functions/alerts/start.ts'
import { parseBatch } from '../functions/drain/handler.ts'
import { handledEvents, parseMessage } from '../shared/events.ts'
import { parseTick } from '../shared/looks.ts'

const read = (file: string): unknown => JSON.parse(readFileSync(`events/${file}`, 'utf8'))

/** The one message of a batch that is a sample. */
function body(file: string): string {
  const [record, ...others] = parseBatch(read(file)).Records
  if (!record || others.length > 0) throw new Error(`${file} has not one record`)
  return record.body
}

const at = Date.parse('2026-01-01T00:00:00Z')
const about = { instance: 'i-1234567890abcdef0', at }
const other = { ...about, instance: 'i-0fedcba9876543210' }
const hook = {
  ...about,
  kind: 'hook',
  group: 'video-workers',
  hook: {
    name: 'talk-prod-drain',
    token: '87654321-4321-4321-4321-210987654321',
    toWarmPool: false,
  },
}
const startsAt = Date.parse('2026-01-15T15:00:00Z')
const maintenance = { kind: 'health', startsAt, cancelled: false }

/** What each of drain's samples says. */
const said: Readonly<Record<string, object>> = {
  'drain-spot.json': [{ kind: 'interruption', ...about }],
  'drain-rebalance.json': [{ kind: 'rebalance', ...about }],
  'drain-reservation.json': [{ kind: 'interruption', ...about }],
  'drain-hook.json': [hook],
  'drain-hook-warm-pool.json': [
    {
      ...hook,
      hook: { ...hook.hook, token: '87654321-4321-4321-4321-210987654322', toWarmPool: true },
    },
  ],
  'drain-state.json': [{ kind: 'state', ...about, state: 'shutting-down' }],
  'drain-health.json': [
    { ...maintenance, ...about },
    { ...maintenance, ...other },
  ],
  'drain-invocation.json': [
    {
      ...{ kind: 'invocation', ...about },
      ...{ command: 'e8d3c0e4-71f7-4491-898f-c9b35bee5f3b', status: 'Success' },
    },
  ],
  'drain-report.json': [
    {
      ...{ kind: 'report', ...about, at: at + 8_000 },
      report: expect.objectContaining({
        ...{ phase: 'running', reason: 'spot', deadline: at + 120_000 },
        drainId: '4d6ba0a3-6a5d-4f9b-9a52-1d1e6e9d1a5e',
        ...{ running: 2, handedBack: 6, finished: 1, forced: 0 },
      }),
    },
  ],
  'drain-request.json': [{ kind: 'request', ...about, deadline: at + 1_800_000 }],
  'drain-withdrawal.json': [{ kind: 'withdrawal', ...about }],
}

const rows: Readonly<Record<string, () => void>> = {
  'schedule.json': () => {
    expect(parseTick(read('schedule.json'))).toEqual({ shard: 0, of: 1 })
  },
  'malformed.json': () => {
    expect(() => parseTick(read('malformed.json'))).toThrow(
      "The schedule's shard is 2, not below its of, 2",
    )
  },
  'unknown.json': () => {
    expect(() => parseTick(read('unknown.json'))).toThrow(
      "it is 'EC2 Spot Instance Interruption Warning' from aws.ec2",
    )
  },
  ...Object.fromEntries(
    Object.entries(said).map(([file, notices]) => [
      file,
      () => expect(parseMessage(body(file))).toEqual({ kind: 'notices', notices }),
    ]),
  ),
  'alerts-received.json': () => {
    expect(parseStart(read('alerts-received.json'))).toMatchObject({
      again: { queue: 'talk-transcript', messages: 4, at: at / 1_000 },
    })
  },
  'drain-timer.json': () => {
    const instances = [about.instance, other.instance]
    expect(parseMessage(body('drain-timer.json'))).toEqual({ kind: 'timer', instances })
  },
  'drain-fewer.json': () => {
    const wish = { group: 'video-workers', wanted: 3, from: 5, at, until: at + 140_000 }
    expect(parseMessage(body('drain-fewer.json'))).toEqual({ kind: 'fewer', wish })
  },
  'drain-malformed.json': () => {
    expect(() => parseMessage(body('drain-malformed.json'))).toThrow(
      "'EC2 Spot Instance Interruption Warning' is malformed: detail.instance-id: ",
    )
  },
}

describe('each sample event is what its name says', () => {
  it.each(Object.entries(rows))('%s', (_, check) => check())
  it('and none is without a row', () => {
    expect(readdirSync('events').sort()).toEqual(Object.keys(rows).sort())
  })
  it('and no kind of event that drain handles is without a sample', () => {
    const kinds = Object.keys(said).map((file) => {
      const { source, 'detail-type': type } = JSON.parse(body(file))
      return `${source}/${type}`
    })
    expect([...new Set(kinds)].sort()).toEqual(handledEvents.toSorted())
  })
})

describe('a schedule that is none is refused by its field', () => {
  it.each([
    ['no shard', { of: 1 }, 'shard:'],
    ['a shard in words', { shard: 'first', of: 1 }, 'shard:'],
    ['no shards at all', { shard: 0, of: 0 }, 'of:'],
    ['nothing', null, 'event:'],
  ])('%s', (_, event, field) => {
    expect(() => parseTick(event)).toThrow(`This event is not a schedule's {shard, of}: ${field}`)
  })
})

describe('a message of drain that is malformed is refused by its field', () => {
  const change = (file: string, from: string, to: string) => body(file).replace(from, to)
  it.each([
    ['no JSON', 'Records', 'The message is not JSON: '],
    ['no time', change('drain-spot.json', '"time":"2026-01-01T00:00:00Z",', ''), 'time: '],
    ['a time that is none', change('drain-spot.json', '2026-01-01T', 'soon'), 'time: no time'],
    [
      'an id that is none',
      change('drain-state.json', '"instance-id":"i-', '"instance-id":"'),
      'detail.instance-id: no instance id',
    ],
    ['a hook without its token', change('drain-hook.json', 'ActionToken', 'X'), 'ActionToken: '],
    ['maintenance without its start', change('drain-health.json', 'startTime', 'x'), 'startTime: '],
    ['a phase that is none', change('drain-report.json', '"running",', '"asleep",'), 'phase: '],
    [
      'fewer than no tasks',
      change('drain-report.json', '"running":2', '"running":-2'),
      'running: ',
    ],
    [
      'a deadline in milliseconds',
      change('drain-request.json', '1767227400', '1767227400000'),
      'detail.deadline: ',
    ],
    ['a wish that is none', change('drain-request.json', '"drain"', '"stop"'), 'detail.action: '],
    ['fewer than none', change('drain-fewer.json', '"wanted":3', '"wanted":-3'), 'fewer.wanted: '],
    ['a timer for nobody', '{"timer":["everyone"]}', "This event is not a schedule's"],
  ])('%s', (_, text, field) => {
    expect(() => parseMessage(text)).toThrow(field)
  })
})
