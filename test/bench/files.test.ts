import { mkdtemp, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { parseCases, readCases, trafficOfCase } from '../../bench/scaling/cases.ts'
import { grids } from '../../bench/scaling/grids.ts'
import { parseTuned, readTuned, tunedOf, withTuned, writeTuned } from '../../bench/scaling/tuned.ts'
import { paramsOf, peers } from '../../twin/policies/find.ts'

const plain = {
  ...{ id: 'short', arrivals: 'short.csv', durations: 'exp:30', scale: 1 },
  ...{ fromDay: 0, historyDays: 2, days: 1, promiseSeconds: 300, bootSeconds: 120 },
}
const casesOf = (...all: object[]) => parseCases(JSON.stringify(all), 'cases.json')

describe('a file of cases', () => {
  it('has usual values for what it leaves out', () => {
    expect(casesOf(plain)).toMatchObject([{ slots: 1, min: 0, max: 500, spotPerHour: 0.01 }])
  })

  it.each<[string, string, RegExp]>([
    ['is JSON', '[', /cases\.json is not JSON .*write an array of cases/],
    ['has a case', '[]', /cases\.json has no cases; write at least one/],
    ['is an array', '{}', /write an array of cases/],
    [
      'knows its fields',
      JSON.stringify([{ ...plain, sloths: 1 }]),
      /case 1: there is no field sloths; there are id, arr/,
    ],
    ['has what a case needs', JSON.stringify([{ id: 'a' }]), /case 1, arrivals: write the name/],
    [
      'has numbers that fit',
      JSON.stringify([{ ...plain, days: -1 }]),
      /case 1, days: write a number above 0/,
    ],
    ['has history to tune on', JSON.stringify([{ ...plain, historyDays: 1 }]), /historyDays/],
    ['has each id once', JSON.stringify([plain, plain]), /the case 'short' twice/],
    ['has min below max', JSON.stringify([{ ...plain, min: 2, max: 1 }]), /'short': min is above/],
  ])('%s', (_, text, message) => {
    expect(() => parseCases(text, 'cases.json')).toThrow(message)
  })

  it('is there', async () => {
    await expect(readCases('/nowhere/cases.json')).rejects.toThrow(
      /not there; name a file of cases/,
    )
  })
})

describe('the traffic of a case', () => {
  let folder = ''
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'cases-'))
    const minutes = Array.from({ length: 3 * 1_440 }, (_, minute) => `${minute},${minute % 3}`)
    await writeFile(join(folder, 'short.csv'), `minute,arrivals\n${minutes.join('\n')}\n`)
  })
  const one = casesOf(plain)[0]
  if (!one) throw new Error('There is no case')

  it('of the day before ends where that of the judged days begins, and is the same', async () => {
    const judged = await trafficOfCase(one, folder, 'judged', 1)
    const before = await trafficOfCase(one, folder, 'before', 1)
    expect(before.endAt).toBe(judged.daysFrom)
    expect(before.historyPerMinute).toEqual(judged.historyPerMinute.slice(0, 1_440))
  })

  it.each([
    ['arrivals', { ...one, arrivals: 'none.csv' }],
    ['durations', { ...one, durations: 'none.csv' }],
  ])('needs its %s beside the cases', async (_, lacking) => {
    await expect(trafficOfCase(lacking, folder, 'judged', 1)).rejects.toThrow(
      /none\.csv is not there; case 'short' names it: put it beside the cases/,
    )
  })
})

describe('the file of tuned settings', () => {
  const one = casesOf(plain)[0]
  if (!one) throw new Error('There is no case')
  const setting = {
    ...{ params: { target: 2.345678901 }, within: 0.996, instanceHours: 12, busyHours: 10 },
    ...{ utilisation: 0.8, launches: 4, tasksKilled: 0, tried: 9 },
  }
  const tuned = withTuned({}, { one, when: 'judged', peer: 'keda' }, setting)

  it('comes back as it was written, its numbers short', async () => {
    const file = join(await mkdtemp(join(tmpdir(), 'tuned-')), 'tuned.json')
    await writeTuned(file, withTuned(tuned, { one, when: 'before', peer: 'panic' }, null))
    expect(tunedOf(await readTuned(file), one)).toMatchObject({
      judged: { keda: { params: { target: 2.34568 } } },
      before: { panic: null },
    })
    expect(await readFile(file, 'utf8')).toMatch(/\n$/)
  })

  it('is empty where it is not there', async () => {
    expect(await readTuned('/nowhere/tuned.json')).toEqual({})
  })

  it('forgets a case that has changed, but not for its remarks', () => {
    expect(tunedOf(tuned, { ...one, promiseSeconds: 60 }).judged).toEqual({})
    expect(Object.keys(tunedOf(tuned, { ...one, meanSeconds: 60 }).judged)).toEqual(['keda'])
  })

  it.each([
    ['is JSON', '{', /is not JSON; restore it, or remove it and run with --tune/],
    ['has what a setting needs', '{"a":{"of":"","judged":{"keda":{}},"before":{}}}', /a\.judged/],
    ['has nothing else', '{"a":{"of":"","judged":{},"before":{},"after":{}}}', /does not fit/],
  ])('%s', (_, text, message) => {
    expect(() => parseTuned(text, 'tuned.json')).toThrow(message)
  })
})

describe('the grids', () => {
  const setting = {
    ...{ promiseSeconds: 300, slots: 2, bootSeconds: 120, min: 0, max: 50, spotPerHour: 0 },
    ...{ serviceSeconds: 30, historyPerMinute: new Float64Array(1_440), daysFrom: 0 },
  }

  it('are there for every peer', () => {
    expect(grids.map(({ peer }) => peer).sort()).toEqual(peers.map(({ name }) => name).sort())
  })

  it.each(grids.map((grid) => [grid.peer, grid] as const))(
    'of %s set parameters that it has, from the safest to the cheapest',
    (name, { space, params }) => {
      const peer = peers.find((known) => known.name === name)
      if (!peer) throw new Error(`There is no ${name}`)
      const { places, variants, minor } = space(setting)
      const trials = [0, places - 1].flatMap((place) =>
        variants.flatMap((knobs) => [
          { place, knobs },
          ...Object.entries(minor).flatMap(([knob, values]) =>
            values.map((value) => ({ place, knobs: { ...knobs, [knob]: value } })),
          ),
        ]),
      )
      for (const trial of trials) {
        const given = params(trial, setting)
        expect(Object.keys(peer.params)).toEqual(expect.arrayContaining(Object.keys(given)))
        expect(Object.values(paramsOf(peer, given, setting)).every(Number.isFinite)).toBe(true)
      }
    },
  )
})
