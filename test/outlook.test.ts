import { GetItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb'
import { describe, expect, it } from 'vitest'
import { profilesOf } from '../shared/forecast/history.ts'
import {
  type KeptOutlook,
  type OutlookNote,
  outlookFor,
  readOutlooks,
  writeOutlook,
} from '../shared/outlook.ts'
import { firstConstants, noOutlook } from '../shared/sizing/types.ts'
import { createTwin } from '../twin/twin.ts'

/** What forecast writes down and backlog reads. */

const day = 86_400
const at = 20 * day
const startTwin = () => createTwin({ seed: 1, startAt: 0, makeTask: () => null })
const constants = { ...firstConstants, spend: 0.35 }

// As wide as numbers get.
const counts = Float64Array.from({ length: 20 * 1_440 }, (_, minute) => 250 + (minute % 7))
const outlookAt = (seconds: number): KeptOutlook => ({
  ...{ at: seconds, historyFrom: 6 * day },
  profiles: profilesOf({ from: 0, counts: counts }, at),
  service: { seconds: 12.5, source: 'group-metrics', done: 400 },
  rehearsal: {
    at: seconds,
    workload: {
      ...{ startWithinSeconds: 300, bootSeconds: 120, tickSeconds: 60 },
      ...{ slots: 2, taskSeconds: 12.5 },
    },
    constants,
    outcome: { kept: 0.9987, instanceHours: 42.5 },
    tried: 40,
  },
})

const textOf = () => ({
  ...{ ...outlookAt(at), version: 1 },
  profiles: [{ name: 'a day ago', from: at, stepSeconds: 300, steps: 33 }],
})

/** Counts are kept in four bytes. */
const asKept = ({ profiles, ...rest }: KeptOutlook): KeptOutlook => ({
  ...rest,
  profiles: Object.fromEntries(
    Object.entries(profiles).map(([name, profile]) => [
      name,
      { ...profile, counts: Float32Array.from(profile.counts) },
    ]),
  ),
})

describe('an outlook', () => {
  it('is read as it was written', async () => {
    const { deps } = startTwin()
    expect(await writeOutlook(deps, 'video', outlookAt(at))).toBe('written')
    const { found, failed } = await readOutlooks(deps, ['video', 'email'])
    expect(found.get('video')).toEqual(asKept(outlookAt(at)))
    expect([found.get('email'), failed.size]).toEqual([undefined, 0])
  })

  it.each([
    ['an older run', at - 60],
    ['the same run, whose write was sent again', at],
  ])('is not written over by %s', async (_, older) => {
    const { deps } = startTwin()
    await writeOutlook(deps, 'video', outlookAt(at))
    const late = { ...outlookAt(older), profiles: {} }
    expect(await writeOutlook(deps, 'video', late)).toBe('superseded')
    const { found } = await readOutlooks(deps, ['video'])
    expect(found.get('video')).toEqual(asKept(outlookAt(at)))
  })

  it('of a newer run takes its place', async () => {
    const { deps } = startTwin()
    await writeOutlook(deps, 'video', outlookAt(at))
    expect(await writeOutlook(deps, 'video', outlookAt(at + 3_600))).toBe('written')
  })

  it.each([
    ['of no text', { B: Buffer.from('no text') }],
    ['of no JSON', { S: '{"version":1,' }],
    ['of another version', { S: JSON.stringify({ ...textOf(), version: 2 }) }],
    ['that lacks something', { S: JSON.stringify({ version: 1, at }) }],
    ['that lacks its numbers', { S: JSON.stringify(textOf()) }],
  ])('%s cannot be read, and is written anew', async (_, outlook) => {
    const { deps } = startTwin()
    const Item = { pk: { S: 'outlook#video' }, writtenAt: { N: '5' }, outlook }
    await deps.dynamodb.send(new PutItemCommand({ TableName: deps.stateTable, Item }))
    await writeOutlook(deps, 'email', outlookAt(at))
    const { found } = await readOutlooks(deps, ['video', 'email'])
    expect(found.get('video')).toBe('unreadable')
    expect(found.get('email')).toMatchObject({ at })
    expect(await writeOutlook(deps, 'video', outlookAt(at))).toBe('written')
  })

  it('of seventy queues is one call, and of two hundred and fifty three', async () => {
    for (const [count, calls] of [
      [70, 1],
      [250, 3],
    ] as const) {
      const { deps } = startTwin()
      const names = Array.from({ length: count }, (_, index) => `queue-${index}`)
      for (const name of names) await writeOutlook(deps, name, outlookAt(at))
      let made = 0
      const send = (...args: Parameters<typeof deps.dynamodb.send>) => {
        made++
        return deps.dynamodb.send(...args)
      }
      const counted = { ...deps, dynamodb: { send } as typeof deps.dynamodb }
      expect((await readOutlooks(counted, names)).found.size).toBe(count)
      expect(made).toBe(calls)
    }
  })

  it('that may not be read is that of the queues of its call', async () => {
    const twin = startTwin()
    twin.inject([{ command: 'BatchGetItemCommand', error: new Error('denied') }])
    const { found, failed } = await readOutlooks(twin.deps, ['video'])
    expect([found.size, failed.get('video')]).toEqual([0, new Error('denied')])
  })

  it('is less than the four kilobytes that a read is counted in', async () => {
    const { deps } = startTwin()
    await writeOutlook(deps, 'video', outlookAt(at))
    const Key = { pk: { S: 'outlook#video' } }
    const get = new GetItemCommand({ TableName: deps.stateTable, Key })
    const { Item } = await deps.dynamodb.send(get)
    const bytes = (Item?.['outlook']?.S?.length ?? 0) + (Item?.['profiles']?.B?.length ?? 0)
    expect(bytes).toBeGreaterThan(1_000)
    expect(bytes).toBeLessThan(4_000)
  })
})

describe('what a decision rests on', () => {
  const known = { profiles: outlookAt(at).profiles, constants, serviceSeconds: 12.5 }
  it.each<[string, Parameters<typeof outlookFor>[0], number, object, OutlookNote]>([
    ['what was found an hour ago', outlookAt(at), at + 3_600, known, 'fresh'],
    ['two days old, still', outlookAt(at), at + 2 * day, known, 'fresh'],
    ['older, the first constants alone', outlookAt(at), at + 2 * day + 1, noOutlook, 'stale'],
    ['nothing, the same', undefined, at, noOutlook, 'none'],
    ['what cannot be read, the same', 'unreadable', at, noOutlook, 'unreadable'],
    [
      'never rehearsed, the first constants',
      { ...outlookAt(at), rehearsal: null },
      at,
      { ...known, constants: firstConstants },
      'fresh',
    ],
  ])('%s', (_, reading, now, outlook, note) => {
    expect(outlookFor(reading, now)).toEqual({ outlook, note })
  })
})
