import { ReceiveMessageCommand } from '@aws-sdk/client-sqs'
import { describe, expect, it } from 'vitest'
import { backlog } from '../functions/backlog/handler.ts'
import { laneOf, lanesOf, whyDropped } from '../shared/lanes.ts'
import { parseLook } from '../shared/looks.ts'
import type { Fleet } from '../shared/queue-config.ts'
import { readMemory } from '../shared/state.ts'
import { lookSecondsOf } from '../shared/timing.ts'
import { awsError } from '../twin/aws/service.ts'
import { twinFastQueue } from '../twin/twin.ts'
import { fleetOf, queueOf } from './fixtures.ts'
import { addMessages, desiredOf, startAt, type TestTwin, twinOf } from './sweeps.ts'

/** Queues with a promise too short for a look each minute. */

const direct = { mode: 'direct' }

describe('how often a queue is looked at', () => {
  it.each([
    ['each minute, with a boot and two minutes to spare', { startWithin: '240s' }, 60],
    ['every 15 s, with less', { startWithin: '239s' }, 15],
    ['every 15 s, with less than a boot', { startWithin: '20s' }, 15],
    ['by its own boot', { startWithin: '10m', bootTime: '9m' }, 15],
  ])('%s', (_, settings, seconds) => {
    expect(lookSecondsOf(queueOf({ bootTime: '2m', ...settings, scaling: direct }))).toBe(seconds)
  })
  it.each(['observe', 'target-tracking'])(
    'each minute in mode %s, whatever it promises',
    (mode) => {
      expect(laneOf(queueOf({ startWithin: '20s', scaling: { mode } }))).toBe('minute')
    },
  )
  const short = { startWithin: '1m' } as const
  const long = { a: { startWithin: '1h' } } as const
  it.each([
    ['one lane', { defaults: {}, queues: long }, ['minute']],
    ['two, for one short promise', { queues: { ...long, b: short } }, ['fast', 'minute']],
    ['two, for a stranger', { defaults: short, queues: long }, ['fast', 'minute']],
    ['one, with no strangers', { adopt: false, defaults: short, queues: long }, ['minute']],
  ])('a fleet has %s', (_, input: { defaults?: object; queues: object }, lanes) => {
    const defaults = { scaling: direct, ...input.defaults }
    expect(lanesOf(fleetOf({ ...input, defaults }))).toEqual(lanes)
  })
})

describe('a look that was asked for', () => {
  it.each([
    ['is taken when it is due', 0, 15, null],
    ['is taken when it is 30 s late', 30, 45, null],
    ['is late after that', 31, 46, 'late'],
    ['is taken when the lane was never looked at', 0, null, null],
    ['comes too soon after another', 0, 4, 'too-soon'],
    ['is taken 5 s after another', 0, 5, null],
  ])('%s', (_, lateSeconds, sinceSeconds, dropped) => {
    const now = startAt + lateSeconds * 1_000
    const last = sinceSeconds === null ? null : now - sinceSeconds * 1_000
    expect(whyDropped(startAt, last, now)).toBe(dropped)
  })
  const message = (body: unknown) => ({ Records: [{ body: JSON.stringify(body) }] })
  it('is read from its message', () => {
    const body = { shard: 1, of: 2, dueAt: 15, groups: ['a-workers'] }
    const fast = { dueAt: 15, groups: ['a-workers'] }
    expect(parseLook(message(body))).toEqual({ shard: 1, of: 2, fast })
  })
  it.each([
    ['names no groups', { shard: 0, of: 1, dueAt: 15 }, "'fast look' is malformed: groups"],
    ['is of no shard', { shard: 1, of: 1, dueAt: 15, groups: [] }, "The schedule's shard is 1"],
  ])('is refused when it %s', (_, body, error) => {
    expect(() => parseLook(message(body))).toThrow(error)
  })
})

// A task of half a day: each that waits needs a slot of its own.
const defaults = { startWithin: '200s', bootTime: '2m', taskTime: '12h', scaling: direct }
const fleet = fleetOf({ defaults, queues: { a: {}, b: {}, slow: { startWithin: '5m' } } })
const tick = { shard: 0, of: 1 }

/** The looks that are due by that second after the start, taken in turn. */
async function takeLooks(twin: TestTwin, of: Fleet, second: number) {
  twin.engine.runUntil(startAt + second * 1_000)
  const QueueUrl = `https://sqs.us-east-1.amazonaws.com/123456789012/${twinFastQueue}`
  const receive = new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10 })
  const { Messages = [] } = await twin.deps.sqs.send(receive)
  const reports = []
  for (const { Body: body } of Messages) {
    reports.push(await backlog(of)(parseLook({ Records: [{ body }] }), twin.deps))
  }
  return reports
}
const queuesOf = ({ queues }: { queues: readonly Record<string, unknown>[] }) =>
  queues.map((line) => line['queue'])

describe('between two minutes', () => {
  it('the fast queues are looked at three times, and no others', async () => {
    const twin = await twinOf({ a: 1, b: 0, slow: 1 })
    await backlog(fleet)(tick, twin.deps)
    const looks = []
    for (const second of [14, 15, 30, 45, 59]) {
      looks.push((await takeLooks(twin, fleet, second)).map(queuesOf))
    }
    const both = [['a', 'b']]
    expect(looks).toEqual([[], both, both, both, []])
  })

  it('what comes after the minute is launched for at the next look', async () => {
    const twin = await twinOf({ a: 1, b: 0, slow: 1 })
    await backlog(fleet)(tick, twin.deps)
    await addMessages(twin, 'a', 6)
    await addMessages(twin, 'slow', 6)
    await takeLooks(twin, fleet, 30)
    expect(desiredOf(twin)).toMatchObject({ 'b-workers': 0, 'slow-workers': 1 })
    expect(desiredOf(twin)['a-workers']).toBeGreaterThanOrEqual(7)
  })

  it('each lane has its own memory, and a look at one queue keeps that of the others', async () => {
    const twin = await twinOf({ a: 1, b: 0, slow: 1 })
    await backlog(fleet)(tick, twin.deps)
    twin.engine.runUntil(startAt + 15_000)
    const fast = { dueAt: startAt + 15_000, groups: ['a-workers'] }
    await backlog(fleet)({ ...tick, fast }, twin.deps)
    const at = async (lane: 'minute' | 'fast') =>
      Object.entries((await readMemory(twin.deps, tick, lane)).queues).map(
        ([name, memory]) => `${name} ${memory.at - startAt / 1_000}`,
      )
    expect(await at('minute')).toEqual(['slow 0'])
    expect(await at('fast')).toEqual(['a 15', 'b 0'])
  })

  it('a message that comes twice is one look, and the other is counted', async () => {
    const twin = await twinOf({ a: 1, b: 0, slow: 0 })
    await backlog(fleet)(tick, twin.deps)
    twin.engine.runUntil(startAt + 15_000)
    const look = { ...tick, fast: { dueAt: startAt + 15_000, groups: ['a-workers'] } }
    const [first, second] = [
      await backlog(fleet)(look, twin.deps),
      await backlog(fleet)(look, twin.deps),
    ]
    expect([first.dropped, second.dropped]).toEqual([undefined, 'too-soon'])
    const lines = twin.logged.filter(({ message }) => message === 'dropped')
    expect(lines.map(({ fields }) => fields['reason'])).toEqual(['too-soon'])
  })

  it('of a look and a run of the minute at once, one acts on the fast queues', async () => {
    const twin = await twinOf({ a: 4, b: 0, slow: 3 })
    await backlog(fleet)(tick, twin.deps)
    twin.engine.runUntil(startAt + 15_000)
    const look = { ...tick, fast: { dueAt: startAt + 15_000, groups: ['a-workers', 'b-workers'] } }
    await addMessages(twin, 'a', 3)
    twin.engine.runUntil(startAt + 20_000)
    const acted: string[] = []
    twin.logged.length = 0
    await Promise.all([backlog(fleet)(look, twin.deps), backlog(fleet)(tick, twin.deps)])
    for (const { message, fields } of twin.logged) acted.push(`${message} ${fields['queue']}`)
    expect(acted.sort()).toEqual([
      'decided a',
      'decided b',
      'decided slow',
      'superseded a',
      'superseded b',
    ])
    expect(desiredOf(twin)['a-workers']).toBeGreaterThanOrEqual(7)
  })

  it('a group that has gone meanwhile is left to the next minute', async () => {
    const twin = await twinOf({ a: 1, b: 0, slow: 0 })
    const fast = { dueAt: startAt, groups: ['gone', 'b-workers'] }
    expect(queuesOf(await backlog(fleet)({ ...tick, fast }, twin.deps))).toEqual(['b'])
  })

  it('looks that cannot be asked for are the failure of the fast queues alone', async () => {
    const twin = await twinOf({ a: 1, b: 0, slow: 3 })
    const error = awsError('AccessDenied', 'No.')
    twin.inject([{ command: 'SendMessageBatchCommand', error }])
    await expect(backlog(fleet)(tick, twin.deps)).rejects.toThrow(
      'backlog: 2 of 3 queues failed: a: act: AccessDenied: No.; b: act: AccessDenied: No.',
    )
    expect(desiredOf(twin)).toMatchObject({ 'a-workers': 1, 'slow-workers': 3 })
  })
})
