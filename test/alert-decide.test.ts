import { describe, expect, it } from 'vitest'
import { asksOf, decide } from '../functions/alerts/decide.ts'
import { recalled } from '../functions/alerts/observe.ts'
import type { RuleName } from '../shared/alerts/rules.ts'
import {
  factsOf,
  firing,
  firstFired,
  type Minute,
  published,
  startAt,
  story,
  sweptAt,
  times,
  usual,
} from './alerts/looks.ts'
import { queueOf } from './fixtures.ts'

/**
 * A queue that promises five minutes, with tasks of 20 s, boots of two minutes and two slots an
 * instance: 4 instances, of at most 20, start 120 tasks within the promise.
 */

const busy: Minute = { visible: 20, notVisible: 8, received: 24, deleted: 24, age: 70 }
const quiet: Minute = { visible: 0, notVisible: 0 }

describe('nobody is told', () => {
  const rows: [string, Minute[]][] = [
    ['of a queue that is empty', times(60, quiet)],
    ['of one that works off what comes', times(60, busy)],
    ['of a message that is not there', [...times(5, quiet), { visible: 2 }, ...times(5, quiet)]],
    [
      'of a phantom in an empty dead-letter queue',
      [...times(5, busy), { ...busy, deadLetters: 2 }, ...times(5, { ...busy, deadLetters: 0 })],
    ],
    [
      'of a task that runs for ten minutes while others come and go',
      Array.from({ length: 30 }, (_, minute) => ({
        ...{ visible: minute % 3, notVisible: 3, received: 20, deleted: 20 },
        age: Math.min(480, minute * 60),
      })),
    ],
    [
      'of a task that runs for as long as its visibility timeout, where few wait',
      [...times(10, { ...busy, age: 580 })],
    ],
    [
      'of a group that grows by one each minute, however long that goes on',
      Array.from({ length: 16 }, (_, minute) => ({
        ...busy,
        ...{ desired: 4 + minute, inService: 4 + Math.max(0, minute - 1) },
      })),
    ],
    [
      'of instances that Spot takes one after the other and that are replaced',
      Array.from({ length: 40 }, (_, minute) => ({
        ...busy,
        ...{ desired: 8, inService: minute % 3 === 0 ? 7 : 8 },
      })),
    ],
    [
      'of workers that boot while the first messages wait',
      [
        ...times(3, quiet),
        ...times(3, { visible: 30, desired: 3, inService: 3, received: 0, deleted: 0 }),
        ...times(10, busy),
      ],
    ],
    [
      'of a burst that the group clears in time',
      [
        ...times(10, busy),
        { ...busy, visible: 110 },
        { ...busy, visible: 85 },
        { ...busy, visible: 60 },
        { ...busy, visible: 35 },
        ...times(5, busy),
      ],
    ],
    [
      'of more than max for less than five minutes',
      [...times(3, busy), ...times(4, { ...busy, shortfall: 3 }), ...times(5, busy)],
    ],
  ]
  it.each(rows)('%s', (_, minutes) => {
    expect(firing(story(minutes)).flat()).toEqual([])
  })

  it('of tasks of an hour that delete nothing for an hour', () => {
    const queue = queueOf({ ...usual, startWithin: '2h', taskTime: '1h' })
    const minutes = Array.from({ length: 120 }, (_, minute): Minute => {
      const at = startAt + minute * 60
      const more = { swept: sweptAt(at, { serviceSeconds: 3_600, waitedSeconds: 300 }) }
      return { visible: 5, notVisible: 8, received: 0, deleted: 0, more }
    })
    expect(firing(story(minutes, queue)).flat()).toEqual([])
  })
})

describe('a rule fires in the minute in which it is sure', () => {
  // Ten minutes as usual come first; the number is that of the minute after them.
  const rows: [string, RuleName, Minute[], number][] = [
    [
      'the oldest is older than the promise and three tasks, and tasks do wait',
      'oldest-age',
      times(5, { ...busy, visible: 200, age: 400 }),
      1,
    ],
    [
      'few wait, but one is older than promise and visibility timeout together',
      'oldest-age',
      times(5, { ...busy, age: 610 }),
      1,
    ],
    ['more waits than max could start in time', 'depth', times(5, { ...busy, visible: 620 }), 2],
    [
      'the promise breaks before a launch could help',
      'time-to-breach',
      Array.from({ length: 10 }, (_, minute) => ({ ...busy, visible: 20 + minute * 25 })),
      6,
    ],
    [
      'nothing is deleted while slots are free',
      'stalled',
      times(12, { visible: 20, notVisible: 2, received: 0, deleted: 0 }),
      7,
    ],
    [
      'all slots are taken and nothing moves',
      'stalled',
      times(12, { visible: 20, notVisible: 8, received: 0, deleted: 0 }),
      7,
    ],
    [
      'more is in flight than all workers hold',
      'orphaned',
      times(8, { ...busy, notVisible: 30 }),
      5,
    ],
    ['a message was given up', 'dead-letter', times(5, { ...busy, deadLetters: 1 }), 2],
    [
      'instances that were asked for do not come in a boot',
      'no-capacity',
      times(5, { ...busy, desired: 9, inService: 4 }),
      2,
    ],
    [
      'instances that are gone are not replaced in a boot',
      'no-capacity',
      times(6, { ...busy, desired: 4, inService: 2 }),
      2,
    ],
    ['more than max is wanted', 'at-max', times(8, { ...busy, shortfall: 2 }), 5],
    [
      'the counts cannot be read',
      'blind',
      times(9, { more: { counts: null, problem: 'AccessDenied' } }),
      5,
    ],
    [
      'the group is gone',
      'blind',
      times(9, { more: { group: null, problem: 'there is no group' } }),
      5,
    ],
    [
      'the sweep has stopped',
      'blind',
      times(9, {
        ...busy,
        more: { swept: sweptAt(startAt + 540) },
      }),
      5,
    ],
  ]
  it.each(rows)('%s: %s', (_, rule, minutes, expected) => {
    const told = story([...times(10, busy), ...minutes])
    expect(firstFired(told, rule) - 10).toBe(expected)
  })

  it('messages come back: of ten that are received one is not deleted', () => {
    const sick = { ...busy, received: 30, deleted: 27 }
    const told = story([...times(10, busy), ...times(20, sick)])
    const { alerts } = told.last
    expect(alerts.map(({ rule }) => rule)).toEqual(['redelivery'])
    // Three a minute of a quarter of an hour; a tenth comes back, and a twentieth may.
    expect(alerts[0]?.value).toBe(45)
    expect(firstFired(told, 'redelivery') - 10).toBe(0)
  })
  it('but not where our own drains gave them back', () => {
    const sick = { ...busy, received: 30, deleted: 27, handedBack: 50 }
    expect(firing(story([...times(10, busy), ...times(20, sick)])).flat()).toEqual([])
  })

  it.each<[string, Partial<Minute>, number[]]>([
    ['four messages that a worker counted', { again: 4 }, [4]],
    ['three', { again: 3 }, []],
    ['four, of which drains gave back one', { again: 4, handedBack: 1 }, []],
    ['some, where the rates show nothing', { again: 9, received: 30, deleted: 30 }, [9]],
    ['none, where the rates show many', { again: 0, received: 30, deleted: 20 }, [150]],
    ['fewer than drains gave back', { again: 5, handedBack: 20, received: 30, deleted: 30 }, []],
  ])('messages come back: %s', (_, more, values) => {
    const told = story([...times(10, busy), ...times(20, { ...busy, ...more })])
    expect(told.last.alerts.map(({ value }) => value)).toEqual(values)
    const counted = told.last.alerts.map(({ context }) => context.again > 0)
    expect(counted).toEqual(values.map(() => (more.again ?? 0) > 0))
  })

  const nothingSince = (now: number) => ({
    swept: sweptAt(now, { cameAt: startAt }),
    sent: published(now, 15, 0),
  })
  it('nothing comes where thirty tasks should have', () => {
    const foreseen = { from: startAt, stepSeconds: 300, counts: new Float32Array(24).fill(10) }
    const silent = (minute: number): Minute => ({
      ...quiet,
      more: {
        ...nothingSince(startAt + minute * 60),
        profiles: { daily: foreseen },
      },
    })
    const told = story(Array.from({ length: 30 }, (_, minute) => silent(minute)))
    expect(firstFired(told, 'producer-silent')).toBe(15)
  })
  it('but not where one of the predictors expects none', () => {
    const of = (count: number) => ({
      ...{ from: startAt, stepSeconds: 300, counts: new Float32Array(24).fill(count) },
    })
    const minutes = Array.from({ length: 30 }, (_, minute) => ({
      ...quiet,
      more: {
        ...nothingSince(startAt + minute * 60),
        profiles: { daily: of(10), weekly: of(0) },
      },
    }))
    expect(firing(story(minutes)).flat()).toEqual([])
  })
})

describe('CloudWatch knows better than the counts', () => {
  it('what was sent and done between two looks', () => {
    const foreseen = { from: startAt, stepSeconds: 300, counts: new Float32Array(24).fill(10) }
    const minutes = Array.from({ length: 30 }, (_, minute): Minute => {
      const now = startAt + minute * 60
      const swept = sweptAt(now, { cameAt: startAt })
      const more = { swept, sent: published(now, 5, 2), profiles: { daily: foreseen } }
      return { ...quiet, more }
    })
    expect(firing(story(minutes)).flat()).toEqual([])
  })
})

describe('a threshold of the file', () => {
  const rows: [string, object, Minute, RuleName, number][] = [
    [
      'is taken as it is: the age of the message, whatever runs',
      { 'oldest-age': { threshold: '3m' } },
      { ...busy, age: 181 },
      'oldest-age',
      1,
    ],
    ['for the depth as well', { depth: { threshold: 19 } }, busy, 'depth', 2],
    ['together with its own times', { depth: { threshold: 19, for: '0s' } }, busy, 'depth', 0],
    [
      'and its own looks',
      { depth: { threshold: 19, for: '0s', breaching: 4, looks: 4 } },
      busy,
      'depth',
      3,
    ],
  ]
  it.each(rows)('%s', (_, alerts, minute, rule, expected) => {
    const told = story(times(6, minute), queueOf({ ...usual, alerts }))
    expect(firstFired(told, rule)).toBe(expected)
  })
  it('a rule that is off says nothing', () => {
    const queue = queueOf({ ...usual, alerts: { off: ['dead-letter'] } })
    expect(firing(story(times(9, { ...busy, deadLetters: 5 }), queue)).flat()).toEqual([])
  })
})

describe('what is over', () => {
  it('ends two minutes after it is good again', () => {
    const told = story([
      ...times(10, busy),
      ...times(5, { ...busy, deadLetters: 1 }),
      ...times(4, { ...busy, deadLetters: 0 }),
    ])
    const rules = firing(told).slice(10)
    expect(rules.map((all) => all.includes('dead-letter'))).toEqual([
      ...[false, false, true, true, true],
      ...[true, true, false, false],
    ])
  })
  it('a stall ends with the first deletes that are published', () => {
    const told = story([
      ...times(10, busy),
      ...times(12, { visible: 20, notVisible: 2, received: 0, deleted: 0 }),
      ...times(6, busy),
    ])
    expect(
      firing(told)
        .slice(22)
        .map((all) => all.includes('stalled')),
    ).toEqual([...[true, true, false, false, false, false]])
  })
  it('what fired before a long pause still fires, until it is seen to be over', () => {
    const sick = { ...busy, deadLetters: 1 }
    const { last } = story(times(6, sick))
    const now = startAt + 7_200
    const after = (minute: Minute) => decide(factsOf(minute, now), recalled(last.watched, now), now)
    expect(after(sick).alerts.map(({ rule, since }) => [rule, since])).toEqual([
      ['dead-letter', startAt],
    ])
  })
})

describe('the same look again', () => {
  it('changes nothing', () => {
    const minutes = [...times(10, busy), ...times(8, { ...busy, notVisible: 30, deadLetters: 3 })]
    const { last } = story(minutes)
    const now = startAt + (minutes.length - 1) * 60
    const facts = factsOf(minutes.at(-1) ?? {}, now)
    const again = decide(facts, recalled(last.watched, now), now)
    expect(again.watched).toEqual(last.watched)
    expect(again.alerts).toEqual(last.alerts)
    expect(again.changes).toEqual([])
  })
})

describe('CloudWatch is asked', () => {
  const asks = (minutes: readonly Minute[], minute: Minute) => {
    const { last } = story(minutes)
    const now = startAt + minutes.length * 60
    return asksOf(factsOf(minute, now), recalled(last.watched, now), now)
  }
  const rows: [string, Minute[], Minute, boolean, boolean][] = [
    ['nothing of a queue that is empty', times(9, quiet), quiet, false, false],
    [
      'nothing of one that was empty a moment ago, but how much it does',
      [...times(9, quiet), { visible: 3 }],
      { visible: 3 },
      false,
      true,
    ],
    [
      'for the rates every five minutes',
      [...times(9, quiet), busy, ...times(3, { visible: 3 })],
      { visible: 3 },
      false,
      false,
    ],
    [
      'for the age of one that has not been empty for half of its threshold',
      [...times(9, quiet), ...times(6, busy)],
      { visible: 3 },
      true,
      false,
    ],
    ['for both where nothing is known', [], { visible: 20, notVisible: 8 }, true, true],
    [
      'for the rates again when a stall could be told',
      [...times(10, busy), ...times(6, { visible: 20, notVisible: 2, received: 0, deleted: 0 })],
      { visible: 20, notVisible: 2 },
      true,
      true,
    ],
  ]
  it.each(rows)('%s', (_, minutes, minute, ages, rates) => {
    const some = minutes.length === 0 ? null : minutes
    if (!some) {
      const now = startAt
      expect(asksOf(factsOf(minute, now), recalled(null, now), now)).toMatchObject({ ages, rates })
      return
    }
    expect(asks(some, minute)).toEqual({ ages, rates, sent: false })
  })
})

describe('what CloudWatch has of an age', () => {
  it('is taken once a minute, however often it is read', () => {
    const ages = published(startAt + 600, 10, 700)
    const facts = factsOf({ ...busy, more: { ages } }, startAt + 600)
    const first = decide(facts, recalled(null, startAt + 600), startAt + 600)
    expect(first.alerts.map(({ rule }) => rule)).toEqual(['oldest-age'])
    const second = decide(facts, recalled(first.watched, startAt + 660), startAt + 660)
    expect(second.refused).toMatchObject({ old: 10 })
  })
  it('may be missing for minutes: it is neither good nor bad', () => {
    const gaps = { from: startAt, values: [700, Number.NaN, Number.NaN, 700, 700] }
    const facts = factsOf({ ...busy, more: { ages: gaps } }, startAt + 600)
    const { watched } = decide(facts, recalled(null, startAt + 600), startAt + 600)
    expect(watched.states['oldest-age']).toMatchObject({ status: 'firing', value: 700 })
  })
})
