import { describe, expect, it } from 'vitest'
import { type Outcome, type Space, search, type Trial } from '../../bench/scaling/search.ts'

/** A peer whose hours fall and whose lateness rises along the slide, as knobs would have it. */
type World = (trial: Trial) => { readonly within: number; readonly hours: number }

const falling: World = ({ place, knobs }) => ({
  within: place <= 20 + (knobs['slack'] ?? 0) ? 1 : 0.9,
  hours: 1_000 - place,
})

function searched(space: Space, world: World, refineHoursMax?: number) {
  let runs = 0
  const run = (trial: Trial, hoursMax: number): Outcome => {
    runs++
    const { within, hours } = world(trial)
    if (within < 0.995) return { end: 'late' }
    return hours >= hoursMax ? { end: 'dear' } : { end: 'whole', within, hours }
  }
  const limits = refineHoursMax === undefined ? {} : { refineHoursMax }
  const [best] = search(space, { keep: 0.995, run, ...limits })
  return { best, runs }
}

const plain: Space = { places: 60, variants: [{}], minor: {} }

describe('the search for the cheapest setting that keeps', () => {
  it.each<[string, Space, World, Partial<Trial> | undefined]>([
    ['finds the last place that is in time', plain, falling, { place: 20 }],
    [
      'finds the first place',
      plain,
      ({ place }) => falling({ place: place + 20, knobs: {} }),
      {
        place: 0,
      },
    ],
    ['finds the last place', plain, (trial) => ({ ...falling(trial), within: 1 }), { place: 59 }],
    ['finds nothing where nothing keeps', plain, () => ({ within: 0.9, hours: 1 }), undefined],
    [
      'takes the variant that goes further',
      { ...plain, variants: [{ slack: 0 }, { slack: 7 }] },
      falling,
      { place: 27, knobs: { slack: 7 } },
    ],
    [
      'takes a minor knob that goes further, or less far but cheaper',
      { ...plain, minor: { slack: [5, 11], thrift: [1] } },
      (trial) => {
        const { within, hours } = falling(trial)
        return { within, hours: trial.knobs['thrift'] ? hours / 2 : hours }
      },
      { place: 31, knobs: { slack: 11, thrift: 1 } },
    ],
    [
      'finds a minor knob without which nothing keeps',
      { ...plain, minor: { slack: [9] } },
      (trial) => (trial.knobs['slack'] ? falling(trial) : { within: 0, hours: 1 }),
      { place: 29, knobs: { slack: 9 } },
    ],
    [
      'does without a knob that costs more',
      { ...plain, minor: { slack: [-5] } },
      falling,
      { place: 20, knobs: {} },
    ],
    ['does with a slide of one place', { ...plain, places: 1 }, falling, { place: 0 }],
  ])('%s', (_, space, world, expected) => {
    const { best } = searched(space, world)
    if (expected === undefined) expect(best).toBeUndefined()
    else expect(best).toMatchObject(expected)
  })

  it.each([
    ['does without minor knobs where the best variant is too dear', 979, { place: 20, knobs: {} }],
    ['tries them where it is not', 980, { place: 31, knobs: { slack: 11 } }],
  ])('%s', (_, refineHoursMax, expected) => {
    const space = { ...plain, minor: { slack: [11] } }
    expect(searched(space, falling, refineHoursMax).best).toMatchObject(expected)
  })

  it('runs a dozen of sixty places at most', () => {
    expect(searched(plain, falling).runs).toBeLessThanOrEqual(12)
  })
})
