import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decide } from '../functions/drain/fewer/decide.ts'
import { fold } from '../functions/drain/fold.ts'
import type { Drain } from '../shared/drains.ts'
import type { Notice, Phase } from '../shared/events.ts'
import type { Fewer } from '../shared/fewer.ts'
import type { Member } from '../shared/fleet.ts'
import { at, interruption, longTasks, report, t0 } from './drain/rows.ts'
import { groupOf } from './fixtures.ts'

/** Who is asked, who leaves and who is let be: instances are numbers, seconds are from `t0`. */

type Told = readonly [seconds: number, what: 'ask' | 'release' | 'spot' | Phase, running?: number]

const idOf = (number: number) => `i-${String(number).padStart(17, '0')}`
const numberOf = (id: string) => Number(id.slice(2))

function noticeOf([seconds, what, running = 0]: Told, instance: string): Notice {
  const about = { instance, at: at(seconds) }
  if (what === 'ask') return { kind: 'ask', ...about, deadline: at(seconds + 120) }
  if (what === 'release') return { kind: 'release', ...about }
  if (what === 'spot') return { ...interruption(seconds), instance }
  return { ...report(seconds, what, { running, reason: 'surplus' }), instance }
}

/** The drain that these leave; a command was sent whenever it was asked. */
function drainOf(instance: string, tale: readonly Told[]): Drain | null {
  const place = { instance, group: 'video-workers', queue: longTasks }
  let drain: Drain | null = null
  for (const told of tale) {
    const [seconds, what] = told
    drain = fold(drain, noticeOf(told, instance), place, at(seconds)).drain
    if (!drain) continue
    const sent = { at: at(seconds), deadline: at(seconds + 120), asked: true, command: 'c' }
    if (what === 'ask') drain = { ...drain, sent }
    const ended = { how: 'withdrawn', at: at(seconds) }
    if (what === 'release') drain = { ...drain, ended }
  }
  return drain
}

type Situation = {
  /** What was heard of each instance that is in service, in their order. */
  readonly tales: readonly (readonly Told[])[]
  readonly wanted: number
  readonly from?: number
  readonly minSize?: number
  readonly until?: number
  /** Those that were chosen, and when. */
  readonly chosen?: Readonly<Record<number, number>>
}

function roundOf(s: Situation, seconds: number) {
  const ids = s.tales.map((_, index) => idOf(index))
  const members = ids.map((id): Member => ({ id, state: 'InService', kind: 'inService' }))
  const desired = ids.length
  const group = groupOf({ desired, minSize: s.minSize ?? 0, members })
  const { wanted, from = desired, until = 140 } = s
  const wish = { group: group.name, wanted, from, at: t0, until: at(until) }
  const chosen = Object.entries(s.chosen ?? {}).map(([id, when]) => [idOf(Number(id)), at(when)])
  const fewer: Fewer = { wish, leaving: Object.fromEntries(chosen) }
  const drains = new Map<string, Drain>()
  s.tales.forEach((tale, index) => {
    const drain = drainOf(idOf(index), tale)
    if (drain) drains.set(drain.instance, drain)
  })
  const round = decide({ group, fewer, drains }, at(seconds))
  const of = (kind: Notice['kind']) =>
    round.notices.flatMap((one) => (one.kind === kind ? numberOf(one.instance) : []))
  return { ask: of('ask'), leave: of('leave'), release: of('release'), leaving: round.leaving }
}

const nothing: readonly Told[] = []
const none = (count: number) => Array.from({ length: count }, () => nothing)
const asked: readonly Told[] = [[0, 'ask']]
const idle: readonly Told[] = [...asked, [8, 'idle']]
const busy: readonly Told[] = [...asked, [2, 'busy', 1]]
const wasBusy: readonly Told[] = [...busy, [3, 'release']]

describe('a round of a group that should have fewer instances', () => {
  it.each<[string, Situation, number, { ask?: number[]; leave?: number[]; release?: number[] }]>([
    ['asks the surplus and two more', { tales: none(10), wanted: 9 }, 0, { ask: [0, 1, 2] }],
    ['never asks more than half', { tales: none(4), wanted: 1 }, 0, { ask: [0, 1] }],
    ['asks the only one', { tales: none(1), wanted: 0 }, 0, { ask: [0] }],
    ['asks nobody when enough are asked', { tales: [asked, asked, asked], wanted: 2 }, 9, {}],
    ['lets the idle leave', { tales: [idle, ...none(3)], wanted: 3 }, 9, { leave: [0] }],
    [
      'lets no more leave than are surplus, and releases the others',
      { tales: [idle, idle, asked, nothing], wanted: 3 },
      9,
      { leave: [0], release: [1, 2] },
    ],
    [
      'releases who is busy, and asks another',
      { tales: [busy, asked, ...none(6)], wanted: 7 },
      3,
      { release: [0], ask: [2, 3] },
    ],
    [
      'releases who does not answer in time, and asks another',
      { tales: [asked, ...none(5)], wanted: 5 },
      45,
      { release: [0], ask: [1, 2, 3] },
    ],
    [
      'asks nobody again who was busy',
      { tales: [wasBusy, wasBusy, ...none(6)], wanted: 7 },
      9,
      { ask: [2, 3, 4] },
    ],
    [
      'asks again after a while',
      { tales: [wasBusy, ...none(1)], wanted: 1, until: 400 },
      200,
      { ask: [0] },
    ],
    [
      'lets one leave that has the least to finish when all are busy',
      { tales: [busy, [...asked, [2, 'busy', 3]], wasBusy], wanted: 2 },
      4,
      { leave: [0], release: [1] },
    ],
    [
      'waits for the last answers before it settles for a busy one',
      { tales: [wasBusy, wasBusy, asked], wanted: 2 },
      9,
      {},
    ],
    [
      'looks no further after many were busy',
      { tales: [...Array.from({ length: 6 }, () => wasBusy), ...none(20)], wanted: 25 },
      9,
      { leave: [0] },
    ],
    [
      'counts those that were chosen already',
      { tales: [idle, ...none(3)], wanted: 3, chosen: { 1: 5 } },
      9,
      { release: [0] },
    ],
    [
      'chooses anew where the group did not take the one that was chosen',
      { tales: [idle, ...none(3)], wanted: 3, chosen: { 1: -60 } },
      9,
      { leave: [0] },
    ],
    ['stops at the min', { tales: [idle, ...none(3)], wanted: 1, minSize: 4 }, 9, { release: [0] }],
    [
      'releases all once the wish is over',
      { tales: [idle, asked], wanted: 1 },
      140,
      { release: [0, 1] },
    ],
    [
      'releases all where more are wanted than when it was wished',
      { tales: [idle, asked, ...none(3)], wanted: 1, from: 4 },
      9,
      { release: [0, 1] },
    ],
    [
      'leaves alone who leaves for another reason',
      { tales: [[[0, 'spot']], [...asked, [3, 'spot']], ...none(4)], wanted: 5 },
      9,
      { ask: [2, 3, 4] },
    ],
    [
      'believes an idle answer only while the box keeps quiet',
      { tales: [idle, ...none(3)], wanted: 3 },
      106,
      { release: [0], ask: [1, 2] },
    ],
  ])('%s', (_, situation, seconds, expected) => {
    const { leaving: _leaving, ...round } = roundOf(situation, seconds)
    expect(round).toEqual({ ask: [], leave: [], release: [], ...expected })
  })

  const tale = fc.constantFrom(nothing, asked, idle, busy, wasBusy, [[0, 'spot']] as const)
  const situation = fc.record({
    tales: fc.array(tale, { maxLength: 12 }),
    wanted: fc.nat(12),
    minSize: fc.nat(4),
    seconds: fc.constantFrom(9, 46, 106, 141),
  })

  it('never lowers a group below what was wished for, nor below its min', () => {
    fc.assert(
      fc.property(situation, ({ seconds, ...s }) => {
        const { leave, leaving } = roundOf(s, seconds)
        const left = s.tales.length - Object.keys(leaving).length
        if (leave.length > 0) expect(left).toBeGreaterThanOrEqual(Math.max(s.wanted, s.minSize))
      }),
    )
  })

  it('never has more quiet than the surplus and two, nor all, and says one thing to each', () => {
    fc.assert(
      fc.property(situation, ({ seconds, ...s }) => {
        const { ask, leave, release } = roundOf(s, seconds)
        const all = [...ask, ...leave, ...release]
        expect(new Set(all).size).toBe(all.length)
        const surplus = Math.max(0, s.tales.length - Math.max(s.wanted, s.minSize))
        expect(ask.length).toBeLessThanOrEqual(surplus === 0 ? 0 : surplus + 2)
        if (s.tales.length > 1) expect(ask.length).toBeLessThan(s.tales.length)
      }),
    )
  })
})
