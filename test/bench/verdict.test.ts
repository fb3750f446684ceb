import { describe, expect, it } from 'vitest'
import {
  barsOf,
  bestOf,
  type CaseScores,
  comparedOf,
  faultsOf,
  geometricMean,
  nearest,
  ratiosOf,
  type Score,
} from '../../bench/scaling/verdict.ts'

const score = (policy: string, over: Partial<Score> = {}): Score => ({
  ...{ policy, params: {}, within: 0.999, instanceHours: 100, busyHours: 80, utilisation: 0.8 },
  ...{ launches: 50, tasksKilled: 0, ...over },
})
const scores = (over: Partial<CaseScores> = {}): CaseScores => ({
  ...{ id: 'taxi', boundHours: 80, ours: score('celeriac') },
  peers: [score('keda'), score('static', { instanceHours: 200 })],
  ...over,
})

describe('the best tuned peer', () => {
  it.each<[string, Score[], string | undefined]>([
    [
      'is the one with the fewest hours',
      [score('keda', { instanceHours: 90 }), score('buildkite')],
      'keda',
    ],
    [
      'keeps the promise',
      [score('keda', { instanceHours: 90, within: 0.9949 }), score('buildkite')],
      'buildkite',
    ],
    [
      'is no static size, however cheap',
      [score('static', { instanceHours: 1 }), score('keda')],
      'keda',
    ],
    ['is nobody where only a static size keeps', [score('static')], undefined],
    ['is nobody where there are none', [], undefined],
  ])('%s', (_, peers, expected) => {
    expect(bestOf(peers)?.policy).toBe(expected)
  })
})

describe('ratios', () => {
  it.each<[string, Partial<Score>, Partial<Score>, object]>([
    ['hours as they are', { instanceHours: 90 }, { instanceHours: 100 }, { hours: 0.9 }],
    [
      'waste is what is paid and not used',
      { utilisation: 0.8 },
      { utilisation: 0.5 },
      {
        waste: expect.closeTo(0.25),
      },
    ],
    ['launches as they are', { launches: 10 }, { launches: 40 }, { launches: 0.25 }],
    ['no launch counts as one', { launches: 0 }, { launches: 4 }, { launches: 0.25 }],
  ])('%s', (_, ours, best, expected) => {
    expect(ratiosOf(score('celeriac', ours), score('keda', best))).toMatchObject(expected)
  })

  it('the geometric mean of a half and a double is one', () => {
    expect(geometricMean([0.5, 2])).toBeCloseTo(1)
  })
})

describe('the bars', () => {
  const good = { instanceHours: 85, utilisation: 0.95, launches: 40 }
  const named = (ours: Partial<Score>, id = 'taxi') =>
    comparedOf(scores({ id, ours: score('celeriac', { ...good, ...ours }) }))
  const notMet = (all: readonly ReturnType<typeof named>[]) =>
    barsOf(all)
      .filter(({ met }) => !met)
      .map(({ what }) => what.split(',')[0])

  it.each<[string, readonly ReturnType<typeof named>[], readonly string[]]>([
    ['are met', [named({})], []],
    ['allow one case to miss by a little', [named({}), named({ within: 0.991 }, 'web')], []],
    ['do not allow it to miss by much', [named({ within: 0.98 })], ['kept untuned on 1 cases']],
    [
      'do not allow two',
      [named({ within: 0.991 }), named({ within: 0.991 }, 'web')],
      ['kept untuned on 2 cases'],
    ],
    [
      'see waste and hours',
      [named({ utilisation: 0.83, instanceHours: 96 }, 'elb')],
      ['waste against the best tuned peer', 'instance-hours against it'],
    ],
    [
      'see one case that is dear among cheap ones',
      [named({ instanceHours: 50 }), named({ instanceHours: 104 }, 'web')],
      ['instance-hours against it'],
    ],
    [
      'see what a smooth load wastes',
      [named({ utilisation: 0.92 })],
      ['utilisation where the load is smooth'],
    ],
    ['let a rough load waste more', [named({ utilisation: 0.92 }, 'elb')], []],
    ['see launches', [named({ launches: 51 })], ['launches against it']],
    ['see killed tasks', [named({ tasksKilled: 1 })], ['tasks killed']],
  ])('%s', (_, all, expected) => {
    expect(notMet(all).map((what) => what?.replace(' that a tuned peer keeps', ''))).toEqual(
      expected,
    )
  })

  it('leave out what no tuned peer keeps', () => {
    const apart = comparedOf(scores({ ours: score('celeriac', { within: 0.5 }), peers: [] }))
    expect(barsOf([named({}), { ...apart, id: 'ci' }])[0]).toMatchObject({ met: true })
  })
})

describe('faults of the benchmark itself', () => {
  it.each<[string, Partial<CaseScores>, number]>([
    ['there are none', {}, 0],
    ['nobody needs less than the work', { ours: score('celeriac', { instanceHours: 70 }) }, 1],
    [
      'unless it leaves work undone',
      {
        ours: score('celeriac', { instanceHours: 70, within: 0.9 }),
      },
      0,
    ],
    ['some static size keeps what another peer does', { peers: [score('keda')] }, 1],
    ['nobody keeps what is beyond the max', { peers: [] }, 0],
  ])('%s', (_, over, count) => {
    expect(faultsOf(scores(over))).toHaveLength(count)
  })
})

describe('who runs again', () => {
  it('is everyone within a tenth of the cheapest that keeps, static sizes aside', () => {
    const tuned = {
      ...{ keda: { instanceHours: 100 }, judoscale: { instanceHours: 109 } },
      ...{ buildkite: { instanceHours: 111 }, panic: null, static: { instanceHours: 50 } },
    }
    expect(nearest(tuned).map(({ policy }) => policy)).toEqual(['keda', 'judoscale'])
  })
})
