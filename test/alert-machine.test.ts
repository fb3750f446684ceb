import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type AlertState,
  advance,
  type Condition,
  type Missing,
  type Sample,
  verdictOf,
} from '../shared/alerts/machine.ts'

/** A story is a number a minute, `-` where there is none. */

const startAt = 1_000_000

const conditionOf = (settings: Partial<Condition> = {}): Condition => ({
  ...{ bad: 'above', threshold: 100, recovery: 80, breaching: 1, looks: 1 },
  ...{ forSeconds: 0, recoverSeconds: 0, missing: 'missing' },
  ...settings,
})

const samplesOf = (story: readonly (number | '-' | 'idle')[]): Sample[] =>
  story.map((value, minute) => {
    const at = startAt + minute * 60
    if (value === 'idle') return { at, value: null, idle: true }
    return { at, value: value === '-' ? null : value }
  })

const later = startAt + 86_400

/** The status after each of the samples. */
function statuses(condition: Condition, story: readonly (number | '-' | 'idle')[]) {
  let state: AlertState | null = null
  return samplesOf(story).map((sample) => {
    state = advance(condition, [sample], state, sample.at).state
    return state.status
  })
}

const end = (condition: Condition, samples: readonly Sample[]) =>
  advance(condition, samples, null, later).state

// X is a breach, 0 is none, - is missing; the newest is on the right. Three periods, of which three
// or two breach: the two tables of CloudWatch's documentation, then rows of its earlier edition
// that the text of the later one does not contradict.
describe('a range of samples is judged as by CloudWatch', () => {
  const modes: readonly Missing[] = ['missing', 'ignore', 'breaching', 'notBreaching']
  const [alarm, ok, none, same] = ['breaching', 'good', 'unknown', 'unknown'] as const
  type Verdict = typeof alarm | typeof ok | typeof none
  const rows: [number, string, [Verdict, Verdict, Verdict, Verdict]][] = [
    [3, '0 - X - X', [ok, ok, ok, ok]],
    [3, '0 - - - -', [ok, ok, ok, ok]],
    [3, '- - - - -', [none, same, alarm, ok]],
    [3, '0 X X - X', [alarm, alarm, alarm, alarm]],
    [3, '- - X - -', [alarm, same, alarm, ok]],
    [2, '0 - X - X', [alarm, alarm, alarm, alarm]],
    [2, '0 0 X 0 X', [alarm, alarm, alarm, alarm]],
    [2, '0 - X - -', [ok, ok, alarm, ok]],
    [2, '- - - - 0', [ok, ok, alarm, ok]],
    [2, '- - - X -', [alarm, same, alarm, ok]],
    [3, 'X - - - -', [alarm, same, alarm, ok]],
    [3, '- - - - X', [none, same, alarm, ok]],
    [2, '- - - - X', [none, same, alarm, ok]],
  ]
  const cases = rows.flatMap(([breaching, range, verdicts]) =>
    modes.map((missing, index) => ({ breaching, range, missing, verdict: verdicts[index] })),
  )
  it.each(cases)('$breaching of 3, $range, $missing: $verdict', (row) => {
    const story = row.range
      .split(' ')
      .map((letter) => (letter === '-' ? '-' : letter === 'X' ? 200 : 50))
    const { breaching, missing } = row
    const condition = conditionOf({ breaching, looks: 3, missing })
    expect(verdictOf(condition, samplesOf(story))).toBe(row.verdict)
  })

  // Not in a table, but in the text below them, which does not say what the state is instead.
  it.each([
    ['the next may be good', ['-', '-', '-', 200, '-'], 'unknown'],
    ['which it is', ['-', '-', 200, '-', 50], 'good'],
    ['where it is, one that is old enough does not count either', ['-', 200, '-', '-', 50], 'good'],
    ['the oldest breach counts, not the newest', ['-', '-', 200, '-', 200], 'breaching'],
  ] as const)('a breach with gaps, three of three: %s', (_, story, verdict) => {
    expect(verdictOf(conditionOf({ breaching: 3, looks: 3 }), samplesOf(story))).toBe(verdict)
  })

  it.each([
    ['one sample of three that would be needed, though nothing is missing', [200], 'good'],
    ['two of them', [200, 200], 'good'],
    ['all three', [200, 200, 200], 'breaching'],
    ['two of them and a gap', [200, 200, '-'], 'breaching'],
    ['a gap and one', ['-', 200], 'unknown'],
  ] as const)('at the beginning: %s', (_, story, verdict) => {
    expect(verdictOf(conditionOf({ breaching: 3, looks: 3 }), samplesOf(story))).toBe(verdict)
  })

  it.each([
    ['a queue that is known to be empty is good', ['idle', 'idle'], 'good'],
    ['one that nobody can tell of is unknown', ['-', '-'], 'unknown'],
    ['empty after a breach: good by now', [200, 'idle'], 'good'],
    ['unknown after a breach: as it was', [200, '-'], 'breaching'],
  ] as const)('without numbers, %s', (_, story, verdict) => {
    expect(verdictOf(conditionOf({ missing: 'idle' }), samplesOf(story))).toBe(verdict)
  })
  it('an empty queue without numbers is missing to every other mode', () => {
    expect(verdictOf(conditionOf(), samplesOf(['idle']))).toBe('unknown')
  })
})

describe('a rule goes from ok to firing and back', () => {
  type Row = [string, Partial<Condition>, readonly (number | '-' | 'idle')[], string[]]
  const rows: Row[] = [
    ['the threshold itself is good', {}, [100, 101], ['ok', 'firing']],
    ['below, where less is worse', { bad: 'below', recovery: 120 }, [100, 99], ['ok', 'firing']],
    [
      'it fires when it has been bad for as long as it must',
      { forSeconds: 120 },
      [200, 200, 200, 200],
      ['pending', 'pending', 'firing', 'firing'],
    ],
    [
      'a good number in between begins it anew',
      { forSeconds: 120 },
      [200, 200, 90, 200, 200],
      ['pending', 'pending', 'ok', 'pending', 'pending'],
    ],
    [
      'it goes on between recovery and threshold',
      {},
      [200, 95, 81, 80],
      ['firing', 'firing', 'firing', 'ok'],
    ],
    [
      'and does not begin there',
      { forSeconds: 60 },
      [95, 200, 95, 95],
      ['ok', 'pending', 'ok', 'ok'],
    ],
    [
      'it is over when it has been good for as long as it must',
      { recoverSeconds: 120 },
      [200, 50, 50, 50],
      ['firing', 'recovering', 'recovering', 'ok'],
    ],
    [
      'one that gets bad again while it recovers is the same',
      { recoverSeconds: 120 },
      [200, 50, 200, 50, 50, 50],
      ['firing', 'recovering', 'firing', 'recovering', 'recovering', 'ok'],
    ],
    [
      'so is one that is neither good nor bad again',
      { recoverSeconds: 120 },
      [200, 50, 95, 50],
      ['firing', 'recovering', 'firing', 'recovering'],
    ],
    [
      'two of three need not be in a row',
      { breaching: 2, looks: 3 },
      [200, 50, 200, 50, 50],
      ['ok', 'ok', 'firing', 'ok', 'ok'],
    ],
    [
      'nothing is known: it stays what it is',
      { missing: 'ignore' },
      [200, '-', '-', '-', 50],
      ['firing', 'firing', 'firing', 'firing', 'ok'],
    ],
    ['a queue that gets empty is good', { missing: 'idle' }, [200, 'idle'], ['firing', 'ok']],
    [
      'no news is good news where a rule says so, once the last number is out of the range',
      { missing: 'notBreaching' },
      [200, '-', '-', '-'],
      ['firing', 'firing', 'firing', 'ok'],
    ],
    [
      'though the last number was bad',
      { missing: 'notBreaching', breaching: 2, looks: 3 },
      [200, 200, '-', '-', '-', '-'],
      ['ok', 'firing', 'firing', 'firing', 'firing', 'ok'],
    ],
  ]
  it.each(rows)('%s', (_, settings, story, expected) => {
    expect(statuses(conditionOf(settings), story)).toEqual(expected)
  })

  it('remembers since when it is bad, and the worst of it', () => {
    const condition = conditionOf({ forSeconds: 60, recoverSeconds: 120 })
    expect(end(condition, samplesOf([50, 120, 180, 150, 60]))).toMatchObject({
      ...{ status: 'recovering', since: startAt + 240, firingSince: startAt + 60, peak: 180 },
      ...{ value: 60, unknown: false },
    })
    expect(end(condition, samplesOf([120, 180, 50, 50, 50]))).toMatchObject({
      ...{ status: 'ok', firingSince: null, peak: null },
    })
  })
  it('one that gets bad again is bad since it first was, and its worst may be the first', () => {
    const condition = conditionOf({ recoverSeconds: 120 })
    expect(end(condition, samplesOf([180, 50, 150]))).toMatchObject({
      ...{ status: 'firing', since: startAt + 120, firingSince: startAt, peak: 180, value: 150 },
    })
  })
  it('says that nothing is known, and what the last number was', () => {
    expect(end(conditionOf({ missing: 'ignore' }), samplesOf([200, '-', '-', '-']))).toMatchObject({
      ...{ status: 'firing', value: 200, unknown: true },
    })
  })
  it('the worst is the least where less is worse', () => {
    const condition = conditionOf({ bad: 'below', recovery: 120 })
    expect(end(condition, samplesOf([90, 20, 70]))).toMatchObject({ status: 'firing', peak: 20 })
  })

  it('what was pending before half an hour without a sample begins anew', () => {
    const condition = conditionOf({ forSeconds: 600 })
    const samples = [
      { at: startAt, value: 200 },
      { at: startAt + 1_801, value: 200 },
    ]
    expect(end(condition, samples)).toMatchObject({ status: 'pending', since: startAt + 1_801 })
  })
  it('what was bad before it does not count with what is bad after it', () => {
    const samples = [
      { at: startAt, value: 200 },
      { at: startAt + 1_801, value: 200 },
    ]
    expect(end(conditionOf({ breaching: 2, looks: 3 }), samples).status).toBe('ok')
  })
  it('what fires goes on, for nobody has said that it is over', () => {
    const samples = [
      { at: startAt, value: 200 },
      { at: startAt + 7_200, value: 200 },
    ]
    expect(end(conditionOf(), samples)).toMatchObject({ status: 'firing', firingSince: startAt })
  })
})

describe('samples that cannot be right', () => {
  const rows: [string, Sample[], object, AlertState['status'], number | null][] = [
    ['from the future', [{ at: later + 121, value: 200 }], { ahead: 1 }, 'ok', null],
    ['a clock that is a little ahead', [{ at: later + 120, value: 200 }], {}, 'firing', 200],
    ['at no time', [{ at: Number.NaN, value: 200 }], { ahead: 1 }, 'ok', null],
    ['before all time', [{ at: Number.NEGATIVE_INFINITY, value: 200 }], { old: 1 }, 'ok', null],
    ['twice', samplesOf([200]).concat(samplesOf([50])), { old: 1 }, 'firing', 200],
    ['no number', samplesOf([Number.NaN]), { absurd: 1 }, 'ok', null],
    ['without end', samplesOf([Number.POSITIVE_INFINITY]), { absurd: 1 }, 'ok', null],
    ['negative', samplesOf([-1]), { absurd: 1 }, 'ok', null],
  ]
  it.each(rows)('%s', (_, samples, refused, status, value) => {
    const outcome = advance(conditionOf(), samples, null, later)
    expect(outcome.refused).toEqual(refused)
    expect(outcome.state).toMatchObject({ status, value })
  })
  it('a time that is none leaves the others in their order', () => {
    const none: Sample = { at: Number.NaN, value: 50 }
    const [first, second] = samplesOf([50, 200])
    if (!first || !second) throw new Error('There were two samples')
    const outcome = advance(conditionOf(), [second, none, first], null, later)
    expect(outcome).toMatchObject({ state: { status: 'firing' }, refused: { ahead: 1 } })
    expect(outcome.refused.old).toBeUndefined()
  })
  it.each([
    ['the worst', 'above', [50, 200, 90], 200],
    ['the least, where less is worse', 'below', [90, 20, 150], 20],
    ['a number rather than none', 'above', [null, 50, Number.NaN], 50],
    ['none rather than what cannot be', 'above', [Number.NaN, null, -5], null],
  ] as const)('of several of one time %s is taken', (_, bad, values, value) => {
    const samples = values.map((one) => ({ at: startAt, value: one }))
    const { state, refused } = advance(conditionOf({ bad }), samples, null, later)
    expect(state.value).toBe(value)
    expect(refused).toEqual({ old: 2 })
  })
  it('of two without a number the one that says why is taken', () => {
    const [known] = samplesOf(['idle'])
    if (!known) throw new Error('There was one sample')
    const samples = [{ at: startAt, value: null }, known]
    expect(end(conditionOf({ missing: 'idle' }), samples).unknown).toBe(false)
  })
  it('an absurd one counts as missing', () => {
    const { state } = advance(conditionOf({ missing: 'breaching' }), samplesOf([-1]), null, later)
    expect(state.status).toBe('firing')
  })
})

const anyValue = fc.oneof(
  fc.integer({ min: 0, max: 200 }),
  fc.constantFrom(null, 79, 80, 81, 100, 101, -5, Number.NaN),
)
const anySamples = fc
  .array(fc.record({ gap: fc.constantFrom(60, 60, 60, 120, 2_000), value: anyValue }))
  .map((parts) => {
    let at = startAt
    return parts.map(({ gap, value }): Sample => {
      at += gap
      return { at, value }
    })
  })
// JSON has no -0.
const anyNumber = fc.double().map((number) => number + 0)
/** What no caller should send: wrong clocks, several of one time, no numbers. */
const anything = fc.array(
  fc.record({
    at: fc.oneof(
      {
        weight: 3,
        arbitrary: fc.integer({ min: 0, max: 6 }).map((minute) => startAt + minute * 60),
      },
      fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1e15),
      anyNumber,
    ),
    value: fc.oneof(anyValue, anyNumber),
  }),
)
const anyCondition = fc
  .record({
    bad: fc.constantFrom('above', 'below'),
    looks: fc.integer({ min: 1, max: 4 }),
    forSeconds: fc.constantFrom(0, 60, 180),
    recoverSeconds: fc.constantFrom(0, 60, 180),
    missing: fc.constantFrom('missing', 'ignore', 'notBreaching', 'breaching', 'idle'),
  })
  .chain((some) =>
    fc
      .integer({ min: 1, max: some.looks })
      .map((breaching) =>
        conditionOf({ ...some, breaching, recovery: some.bad === 'above' ? 80 : 120 }),
      ),
  )

describe('whatever comes', () => {
  it('comes to the same in one call, in many, and in any order within one', () => {
    fc.assert(
      fc.property(
        anyCondition,
        anySamples,
        fc.infiniteStream(fc.boolean()),
        (condition, samples, cuts) => {
          let state: AlertState | null = null
          let part: Sample[] = []
          for (const sample of samples) {
            part.unshift(sample)
            if (!cuts.next().value) continue
            state = advance(condition, part, state, later).state
            part = []
          }
          state = advance(condition, part, state, later).state
          expect(state).toEqual(end(condition, samples))
        },
      ),
    )
  })

  it('comes to the same in any order within one call, whatever the samples are', () => {
    const inTwoOrders = anything.chain((samples) =>
      fc.tuple(fc.constant(samples), fc.shuffledSubarray(samples, { minLength: samples.length })),
    )
    fc.assert(
      fc.property(anyCondition, inTwoOrders, (condition, [one, other]) => {
        const now = startAt + 240
        expect(advance(condition, other, null, now)).toEqual(advance(condition, one, null, now))
      }),
      { numRuns: 1_000 },
    )
  })

  it('counts each sample that it does not take, and remembers few, and only what JSON has', () => {
    fc.assert(
      fc.property(anyCondition, anything, (condition, samples) => {
        const now = startAt + 240
        const { state, refused } = advance(condition, samples, null, now)
        const timely = samples
          .map(({ at }) => at)
          .filter((at) => Number.isFinite(at) && at <= now + 120)
        const taken = samples.length - (refused.ahead ?? 0) - (refused.old ?? 0)
        expect(taken).toBe(new Set(timely).size)
        expect(state.recent.length).toBeLessThanOrEqual(condition.looks + 2)
        expect(JSON.parse(JSON.stringify(state))).toEqual(state)
      }),
    )
  })

  it('goes round in one direction, and fires twice only with an ok in between', () => {
    const after = {
      ok: ['ok', 'pending', 'firing'],
      pending: ['pending', 'ok', 'firing'],
      firing: ['firing', 'recovering', 'ok'],
      recovering: ['recovering', 'firing', 'ok'],
    }
    fc.assert(
      fc.property(anyCondition, anySamples, (condition, samples) => {
        let before: AlertState | null = null
        for (const sample of samples) {
          const { state }: { state: AlertState } = advance(condition, [sample], before, later)
          const from: AlertState['status'] = before?.status ?? 'ok'
          // A pause ends what is pending, and the same sample may begin it.
          expect(from === 'pending' ? ['ok', 'pending', 'firing'] : after[from]).toContain(
            state.status,
          )
          const isOn = state.status === 'firing' || state.status === 'recovering'
          expect(state.firingSince !== null).toBe(isOn)
          if (isOn && before?.firingSince) expect(state.firingSince).toBe(before.firingSince)
          before = state
        }
      }),
    )
  })

  it('never fires where nothing is beyond the threshold', () => {
    fc.assert(
      fc.property(anyCondition, anySamples, (condition, samples) => {
        if (condition.missing === 'breaching') return
        const tame = samples.map(({ at, value }) => ({ at, value: value === null ? null : 100 }))
        expect(end(condition, tame).status).toBe('ok')
      }),
    )
  })

  it('fires with the first sample that is as late as it must be, where all are bad', () => {
    fc.assert(
      fc.property(anyCondition, fc.integer({ min: 1, max: 12 }), (condition, minutes) => {
        const value = condition.bad === 'above' ? 150 : 50
        const samples = samplesOf(Array.from({ length: minutes }, () => value))
        const due = (condition.breaching - 1) * 60 + condition.forSeconds
        const fires = (minutes - 1) * 60 >= due
        expect(end(condition, samples).status === 'firing').toBe(fires)
      }),
    )
  })

  it('is ok after enough good samples', () => {
    fc.assert(
      fc.property(anyCondition, anySamples, (condition, samples) => {
        const first = (samples.at(-1)?.at ?? startAt) + 60
        const good = Array.from(
          { length: 12 },
          (_, minute): Sample => ({
            at: first + minute * 60,
            value: condition.bad === 'above' ? 10 : 150,
          }),
        )
        expect(end(condition, [...samples, ...good]).status).toBe('ok')
      }),
    )
  })

  it('neither begins nor ends between recovery and threshold', () => {
    fc.assert(
      fc.property(anySamples, fc.integer({ min: 81, max: 100 }), (samples, value) => {
        const condition = conditionOf({ recoverSeconds: 60 })
        const before = end(condition, samples)
        const at = (samples.at(-1)?.at ?? startAt) + 60
        const { state } = advance(condition, [{ at, value }], before, later)
        expect(state.firingSince).toBe(before.firingSince)
      }),
    )
  })
})
