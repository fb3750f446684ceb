import { describe, expect, it } from 'vitest'
import { describe as inText } from '../cli/backtest/describe.ts'
import { breaksOf, judge } from '../cli/backtest/judge.ts'
import {
  byColumn,
  type Column,
  csvOf,
  type Recorded,
  readRecorded,
} from '../cli/backtest/recorded.ts'
import { replay } from '../cli/backtest/replay.ts'
import { readRecorded as readAccount } from '../cli/export-metrics.ts'
import { findQueue } from '../cli/place.ts'
import { scenarioOf } from '../twin/backtest/scenarios.ts'
import { runMinutes } from '../twin/run.ts'
import { createWorld } from '../twin/world/world.ts'

/** Rules over what CloudWatch has recorded: the file, the promise, and whole days of the twin. */

const from = Date.parse('2026-01-06T13:00:00Z') / 1_000

describe('a file of metrics', () => {
  it('is read as it was written', () => {
    const none = () => Float64Array.of(Number.NaN, Number.NaN, Number.NaN)
    const recorded: Recorded = {
      ...{ from, minutes: 3 },
      values: {
        ...byColumn(none),
        visible: Float64Array.of(1, Number.NaN, 3.5),
        notVisible: Float64Array.of(0, 1, 2),
      },
    }
    const csv = csvOf(recorded)
    expect(csv.split('\n')[1]).toBe('2026-01-06T13:00:00Z,1,0,,,,,,,,,,,')
    expect(readRecorded(csv, 'a.csv')).toEqual(recorded)
  })

  it('may have fewer columns, in any order, seconds as times, and gaps', () => {
    const text = `notVisible,time,visible\n1,${from},5\n2,${from + 180},\n`
    const { minutes, values } = readRecorded(text, 'a.csv')
    expect(minutes).toBe(4)
    expect([...values.notVisible]).toEqual([1, Number.NaN, Number.NaN, 2])
    expect([...values.visible]).toEqual([5, Number.NaN, Number.NaN, Number.NaN])
  })

  const head = 'time,visible,notVisible'
  it.each<[string, string, string]>([
    ['an empty one', '', 'a.csv is empty; begin it with a line such as time,visible'],
    ['one without minutes', `${head}\n`, 'a.csv has no minutes; write one on each line'],
    ['an unknown column', `${head},depth\n`, "a.csv:1: there is no column 'depth'; there are time"],
    ['a missing column', 'time,visible\n', "a.csv:1: the column 'notVisible' is missing; add it"],
    ['a column twice', `${head},visible\n`, "a.csv:1: the column 'visible' is there twice"],
    ['a short line', `${head}\n${from},1\n`, 'a.csv:2: has 2 columns; the header has 3'],
    ['a time that is none', `${head}\nnoon,1,1\n`, "a.csv:2: the time 'noon' does not fit; write"],
    ['half a minute', `${head}\n${from + 30},1,1\n`, 'does not fit; write whole minutes'],
    ['a negative count', `${head}\n${from},-1,1\n`, "a.csv:2: visible '-1' does not fit"],
    ['a word for a count', `${head}\n${from},1,many\n`, "a.csv:2: notVisible 'many' does not fit"],
    [
      'a minute twice',
      `${head}\n${from},1,1\n${from},1,1\n`,
      'a.csv:3: this minute is there twice',
    ],
    [
      'an earlier minute',
      `${head}\n${from},1,1\n${from - 60},1,1\n`,
      'a.csv:3: comes after a later',
    ],
  ])('%s is refused with its line and a remedy', (_, text, message) => {
    expect(() => readRecorded(text, 'a.csv')).toThrow(message)
  })
})

/** Minutes of a queue: what was sent, and what waits at the end of each. */
const minutesOf = (rows: readonly (readonly [sent: number, visible: number])[]): Recorded => ({
  ...{ from, minutes: rows.length },
  values: {
    ...byColumn((_: Column) => new Float64Array(rows.length)),
    sent: Float64Array.from(rows, ([sent]) => sent),
    visible: Float64Array.from(rows, ([, visible]) => visible),
  },
})

describe('a promise of five minutes', () => {
  const times = <T>(count: number, one: T): T[] => Array.from({ length: count }, () => one)
  it.each<[string, (readonly [number, number])[], [number, number][]]>([
    ['is kept where nothing waits', times(30, [10, 0]), []],
    ['is kept where what waits is of the last minutes', times(30, [10, 40]), []],
    [
      'is broken where it is older',
      [
        ...times(20, [10, 40] as const),
        ...Array.from({ length: 10 }, (_, minute) => [10, 50 + 10 * minute] as const),
      ],
      [[22, 30]],
    ],
    [
      'is broken by one message that nobody takes',
      [[1, 1], ...times(9, [0, 1] as const), [0, 0]],
      [[6, 10]],
    ],
    [
      'is broken once where it is kept for a moment in between',
      [[1, 1], ...times(9, [0, 1] as const), [0, 0], [1, 1], ...times(8, [0, 1] as const)],
      [[6, 20]],
    ],
    ['is not judged where nobody knows what was sent', times(30, [0, 50]), []],
  ])('%s', (_, rows, spells) => {
    expect(
      breaksOf(minutesOf(rows), 300).map((spell) => [
        (spell.from - from) / 60,
        (spell.until - from) / 60,
      ]),
    ).toEqual(spells)
  })
})

/** Four hours of the twin, by way of the file. */
async function recordedDay(name: string, some?: string) {
  const { scenario, incidents } = scenarioOf(name, 1)
  const world = createWorld(scenario, 1)
  await runMinutes(world, 240)
  const queue = findQueue(scenario.fleet, some ?? incidents[0]?.queues[0] ?? '')
  const read = await readAccount(world.twin.deps, scenario.fleet, queue.name, 1)
  const recorded = readRecorded(csvOf(read), 'a.csv')
  const replayed = replay(scenario.fleet, queue, recorded)
  const verdict = judge(recorded, replayed, queue.startWithinSeconds)
  const titles = replayed.pages.flatMap(({ kind, title }) => (kind === 'trigger' ? title : []))
  return { queue, replayed, verdict, titles }
}

describe('a recorded day', () => {
  it('with workers that do nothing is one page, and the rule that says why', async () => {
    const { queue, replayed, verdict, titles } = await recordedDay('stalled-workers')
    expect(titles).toEqual([`${queue.name}: messages wait and nothing is done`])
    expect(verdict.breaks).toHaveLength(1)
    expect(verdict.untold).toEqual([])
    expect(verdict.rules.find(({ rule }) => rule === 'stalled')).toMatchObject({
      ...{ fired: 1, withBreak: 1 },
    })
    const text = inText(replayed, verdict)
    expect(text).toMatch(/the promise was broken once, \d+ minutes in all; people would have had 1/)
    expect(text).toMatch(/^stalled +1 +\d+ +1 of 1 +\d+ .*/m)
    expect(text).toContain('Not judged, for the recording does not have it: blind.')
  })

  it('with too small a max is seen coming', async () => {
    const { titles, verdict } = await recordedDay('group-at-max')
    expect(titles).toHaveLength(1)
    const lead = verdict.rules.find(({ rule }) => rule === 'at-max')?.leadSecondsMedian
    expect(lead).toBeGreaterThan(120)
  })

  it('with nothing wrong is no page', async () => {
    const { titles, verdict } = await recordedDay('calm', 'report')
    expect(titles).toEqual([])
    expect(verdict.breaks).toEqual([])
    expect(verdict.rules.filter(({ fired }) => fired > 0)).toEqual([])
  })

  it('without the metrics of the group is judged by the others', async () => {
    const { scenario } = scenarioOf('calm', 1)
    const recorded = minutesOf(Array.from({ length: 60 }, () => [10, 0] as const))
    const nothing = new Float64Array(60).fill(Number.NaN)
    const values = { ...recorded.values, desired: nothing, inService: nothing, max: nothing }
    const { notJudged } = replay(scenario.fleet, findQueue(scenario.fleet, 'report'), {
      ...recorded,
      values,
    })
    expect(notJudged).toEqual([
      ...['depth', 'time-to-breach', 'stalled', 'orphaned', 'no-capacity', 'at-max', 'blind'],
    ])
  })
})
