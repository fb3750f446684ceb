import { describe, expect, it } from 'vitest'
import {
  type Constants,
  firstConstants,
  noOutlook,
  type Sensed,
  type Workload,
} from '../shared/sizing/types.ts'
import {
  groupOf,
  lastOf,
  longTaskSeconds,
  stepsOf,
  times,
  verdictOf,
  workloadOf,
} from './sizing/looks.ts'

/** What the sizing rule says, look after look. */

const long = { taskSeconds: longTaskSeconds }

type Row = {
  readonly name: string
  readonly workload?: Partial<Workload>
  readonly constants?: Partial<Constants>
  readonly looks: readonly Partial<Sensed>[]
  readonly expected: { readonly desired: number; readonly reason: string }
}

const holdsIn = (rows: readonly Row[]) =>
  it.each(rows)('$name', ({ workload, constants, looks, expected }) => {
    const outlook = { ...noOutlook, constants: { ...firstConstants, ...constants } }
    expect(verdictOf(lastOf(workloadOf(workload), looks, { outlook }))).toEqual(expected)
  })

describe('from zero', () => {
  holdsIn([
    {
      name: 'nothing there and nothing foreseen: nothing',
      looks: [{}],
      expected: { desired: 0, reason: 'steady' },
    },
    {
      name: 'a burst of tasks too long to wait for one another: a slot for each, at once',
      workload: long,
      looks: [{}, { visible: 100, sent: 0 }],
      expected: { desired: 100, reason: 'backlog' },
    },
    {
      name: 'and on a first look as well',
      workload: long,
      looks: [{ visible: 100 }],
      expected: { desired: 100, reason: 'backlog' },
    },
    {
      name: 'four slots an instance: a quarter of the instances, rounded up',
      workload: { ...long, slots: 4 },
      looks: [{ visible: 9, sent: 0 }],
      expected: { desired: 3, reason: 'backlog' },
    },
    {
      name: 'more than max: max, and it is said',
      workload: { ...long, max: 20 },
      looks: [{ visible: 100, sent: 0 }],
      expected: { desired: 20, reason: 'capped-by-max' },
    },
    {
      name: 'one message that was not there may be a phantom: a second look is taken',
      looks: [{}, { visible: 1 }],
      expected: { desired: 0, reason: 'settling' },
    },
    {
      name: 'and so may two',
      looks: [{}, { visible: 2 }],
      expected: { desired: 0, reason: 'settling' },
    },
    {
      name: 'one that is still there on the second look is none',
      looks: [{}, { visible: 1, sent: 0 }, { visible: 1, sent: 0 }],
      expected: { desired: 1, reason: 'backlog' },
    },
    {
      name: 'the same look twice is not a second one',
      looks: [{}, { visible: 1 }, { now: 62, visible: 1 }],
      expected: { desired: 0, reason: 'settling' },
    },
    {
      name: 'three are beyond what counts make up',
      workload: long,
      looks: [{}, { visible: 3, sent: 0 }],
      expected: { desired: 3, reason: 'backlog' },
    },
    {
      name: 'a promise that a second look would take too much of is kept on the first',
      workload: { ...long, startWithinSeconds: 240 },
      looks: [{}, { visible: 1, sent: 0 }],
      expected: { desired: 1, reason: 'backlog' },
    },
    {
      name: 'fewer desired than min: min, whatever waits',
      workload: { min: 2 },
      looks: [groupOf(1)],
      expected: { desired: 2, reason: 'below-min' },
    },
  ])

  it('what is wanted beyond max is a shortfall', () => {
    const { wanted, shortfall } = lastOf(workloadOf({ ...long, max: 20 }), [{ visible: 100 }])
    expect({ wanted, shortfall }).toEqual({ wanted: 100, shortfall: 80 })
  })
})

describe('instances that boot', () => {
  const burst = { visible: 10, sent: 0, deleted: 0 }
  holdsIn([
    {
      name: 'are not asked for twice',
      workload: long,
      looks: [burst, { ...burst, pending: 10, desired: 10 }],
      expected: { desired: 10, reason: 'steady' },
    },
    {
      name: 'are not either where the source says only what is desired',
      workload: long,
      looks: [burst, { ...burst, desired: 10 }],
      expected: { desired: 10, reason: 'steady' },
    },
    {
      name: 'leave what is missing beyond them to be asked for',
      workload: long,
      looks: [burst, { ...burst, visible: 14, pending: 10, desired: 10 }],
      expected: { desired: 14, reason: 'backlog' },
    },
  ])

  it('count for more, the longer they have been booting', () => {
    const backlog = { visible: 60, sent: 0, deleted: 0 }
    const launched = { ...backlog, pending: 5, desired: 5 }
    const workload = workloadOf({ taskSeconds: 20 })
    const old = lastOf(workload, [{}, launched, launched])
    const young = lastOf(workload, [{}, backlog, launched])
    expect(old.sized.least).toBeLessThan(young.sized.least)
  })

  it('are not needed for what those present will start in time', () => {
    const looks = times(8, { visible: 10, notVisible: 20, sent: 60, deleted: 60, ...groupOf(20) })
    expect(lastOf(workloadOf({ taskSeconds: 20 }), looks).wanted).toBeLessThanOrEqual(30)
  })
})

describe('instances that leave', () => {
  const running = { notVisible: 10, sent: 0, deleted: 0 }
  holdsIn([
    {
      name: 'doomed ones that count in their group are wanted on top',
      workload: { ...long, min: 10 },
      looks: [{ ...groupOf(10), doomed: 2 }],
      expected: { desired: 12, reason: 'below-min' },
    },
    {
      name: 'and so they are where the source counts them apart from those in service',
      workload: { ...long, min: 10 },
      looks: [{ inService: 8, desired: 10, doomed: 2 }],
      expected: { desired: 12, reason: 'below-min' },
    },
    {
      name: 'on top, but never beyond max',
      workload: { ...long, min: 10, max: 11 },
      looks: [{ ...groupOf(10), doomed: 2 }],
      expected: { desired: 11, reason: 'below-min' },
    },
    {
      name: 'once they are replaced no more are asked for',
      workload: { ...long, min: 10 },
      looks: [{ inService: 12, desired: 12, doomed: 2 }],
      expected: { desired: 12, reason: 'steady' },
    },
    {
      name: 'what runs on draining ones needs no slot elsewhere',
      workload: long,
      looks: [{ ...running, inService: 10, draining: 2, desired: 8 }],
      expected: { desired: 8, reason: 'steady' },
    },
    {
      name: 'and as little where they are counted apart',
      workload: long,
      looks: [{ ...running, inService: 8, draining: 2, desired: 8 }],
      expected: { desired: 8, reason: 'steady' },
    },
  ])
})

describe('what does not help', () => {
  const missing = { notVisible: 2, inService: 2, desired: 10, sent: 20, deleted: 1 }
  const growing = (count: number, look: Partial<Sensed>) =>
    times(count, look).map((one, index) => ({ ...one, visible: 20 * (index + 1) }))
  const stuck = { ...groupOf(5), sent: 10, deleted: 0 }
  // Five slots of a hundred are always between two tasks, and three messages always on their way.
  const busy = { visible: 3, notVisible: 95, ...groupOf(100) }
  holdsIn([
    {
      name: 'launches that are three boots old and not there: no more of them',
      workload: long,
      looks: growing(8, missing),
      expected: { desired: 10, reason: 'no-capacity' },
    },
    {
      name: 'workers that do nothing for minutes while messages wait: no more of them',
      looks: growing(8, stuck),
      expected: { desired: 5, reason: 'broken-workers' },
    },
    {
      name: 'tasks that take long are given longer',
      workload: { taskSeconds: 600 },
      looks: growing(40, { ...stuck, sent: 20 }).slice(0, 30),
      expected: { desired: 500, reason: 'capped-by-max' },
    },
    {
      name: 'with deletes unread, workers that run nothing at all are broken',
      looks: growing(8, { ...stuck, deleted: null }),
      expected: { desired: 5, reason: 'broken-workers' },
    },
    {
      name: 'with deletes unread, a busy queue of short tasks has no broken workers',
      workload: { taskSeconds: 1, max: 200 },
      looks: [...times(10, busy), { ...busy, visible: 90_000, notVisible: 99 }],
      expected: { desired: 200, reason: 'capped-by-max' },
    },
  ])

  it.each([
    {
      name: 'launches that have come are followed by more',
      looks: growing(8, missing),
      last: { visible: 200, notVisible: 10, ...groupOf(10), sent: 0, deleted: 0 },
    },
    {
      name: 'workers that work again are no longer held',
      looks: growing(8, stuck),
      last: { visible: 200, notVisible: 5, ...groupOf(5), sent: 0, deleted: 5 },
    },
  ])('$name', ({ looks, last }) => {
    const { desired, reason } = lastOf(workloadOf(), [...looks, last])
    expect(reason).toBe('backlog')
    expect(desired).toBeGreaterThan(last.desired)
  })
})

describe('fewer', () => {
  const nothing = { ...groupOf(10), sent: 0, deleted: 0 }
  const one = { ...nothing, notVisible: 1 }
  const unheld = { workload: { taskSeconds: 1 }, constants: { holdSeconds: 0 } }
  holdsIn([
    {
      name: 'without a memory nothing is removed',
      looks: [nothing],
      expected: { desired: 10, reason: 'settling' },
    },
    {
      name: 'nor within five minutes of the first look',
      looks: times(5, nothing),
      expected: { desired: 10, reason: 'settling' },
    },
    {
      name: 'after that an empty queue has nothing',
      looks: times(6, nothing),
      expected: { desired: 0, reason: 'idle' },
    },
    {
      name: 'down to min',
      workload: { min: 3 },
      looks: times(6, nothing),
      expected: { desired: 3, reason: 'idle' },
    },
    {
      name: 'a pause of an hour is as if there had been no look',
      looks: [...times(10, nothing), { ...nothing, now: 4_200 }],
      expected: { desired: 10, reason: 'settling' },
    },
    {
      name: 'the last one stays on the first look that finds nothing',
      ...unheld,
      looks: [...times(8, one), nothing],
      expected: { desired: 1, reason: 'settling' },
    },
    {
      name: 'and on a look two seconds later, as when one event came twice',
      ...unheld,
      looks: [...times(8, one), nothing, { ...nothing, now: 482 }],
      expected: { desired: 1, reason: 'settling' },
    },
    {
      name: 'it goes when the counts have had a minute to settle',
      ...unheld,
      looks: [...times(8, one), ...times(2, nothing)],
      expected: { desired: 0, reason: 'idle' },
    },
    {
      name: 'what is beyond max goes, whatever waits',
      workload: { ...long, max: 4 },
      looks: times(6, { visible: 100, notVisible: 10, ...groupOf(10) }),
      expected: { desired: 4, reason: 'surplus' },
    },
  ])

  it('goes not before what was needed is over for the hold time', () => {
    const workload = workloadOf()
    const constants = { ...firstConstants, holdSeconds: 600 }
    const busy = { notVisible: 40, sent: 40, deleted: 40, ...groupOf(60) }
    const looks = [...times(12, busy), ...times(11, { ...groupOf(60), sent: 0, deleted: 0 })]
    const steps = stepsOf(workload, looks, { outlook: { ...noOutlook, constants } })
    const needed = steps[11]?.sized.needs.at(-1)?.instances ?? Number.NaN
    expect(needed).toBeGreaterThan(10)
    expect(steps[20]?.desired).toBeGreaterThanOrEqual(needed)
    expect(steps[21]?.desired).toBeLessThan(needed)
  })
})

describe('why more', () => {
  const ready = { notVisible: 2, ...groupOf(2), deleted: 2 }
  it('what waits is a backlog', () => {
    const { reason } = lastOf(workloadOf(), [{ ...ready, visible: 50, sent: 0 }])
    expect(reason).toBe('backlog')
  })
  it('what comes without anything waiting is a rate', () => {
    const looks = times(4, { ...ready, sent: 200 })
    expect(lastOf(workloadOf({ startWithinSeconds: 60 }), looks).reason).toBe('rate')
  })
  it('what a season says is a forecast', () => {
    // Each half hour the traffic is another, as it was a day ago; now it is about to rise.
    const perMinute = (second: number) => (second % 3_600 < 1_800 ? 10 : 100)
    const counts = Array.from({ length: 200 }, (_, step) => 5 * perMinute(step * 300))
    const profile = { from: -10_800, stepSeconds: 300, counts }
    const outlook = { ...noOutlook, profiles: { 'a day ago': profile } }
    const looks = Array.from({ length: 150 }, (_, index) => {
      const sent = perMinute(index * 60 - 1)
      const instances = sent === 10 ? 15 : 200
      return { notVisible: sent, sent, deleted: sent, ...groupOf(instances) }
    })
    const steps = stepsOf(workloadOf({ startWithinSeconds: 60 }), looks, { outlook })
    const rise = steps[148]
    expect(rise?.foreseen.predictor).toBe('a day ago')
    expect(rise?.reason).toBe('forecast')
    expect(rise?.desired).toBeGreaterThan(15)
  })
})

describe('the error budget', () => {
  // A hundred tasks a minute start, and the oldest of those that wait has waited for twenty.
  const late = times(30, { visible: 2_000, notVisible: 100, sent: 100, deleted: 100 })
  const inTime = times(600, { notVisible: 100, sent: 100, deleted: 100 })
  const workload = workloadOf({ taskSeconds: 20 })

  it('that is spent makes the rule more careful', () => {
    const { constants } = lastOf(workload, late)
    expect(constants.spend).toBeLessThan(firstConstants.spend)
    expect(constants.margin).toBeGreaterThan(firstConstants.margin)
  })
  it('that was spent yesterday does not', () => {
    expect(lastOf(workload, [...late, ...inTime]).constants).toEqual(firstConstants)
  })
  it('is full at first', () => {
    expect(lastOf(workload, late.slice(0, 2)).constants).toEqual(firstConstants)
  })
})

describe('a doubled look', () => {
  it('changes neither the capacity nor what is remembered of arrivals and service', () => {
    const busy = { visible: 5, notVisible: 40, sent: 60, deleted: 60, ...groupOf(45) }
    const steps = stepsOf(workloadOf({ taskSeconds: 40 }), [
      ...times(20, busy),
      { ...busy, now: 1_140, sent: 0, deleted: 0 },
    ])
    const [first, second] = [steps.at(-2), steps.at(-1)]
    expect(second?.desired).toBe(first?.desired)
    expect(second?.reason).toBe(first?.reason)
    expect(second?.memory.seen).toEqual(first?.memory.seen)
    expect(second?.memory.service).toEqual(first?.memory.service)
  })
})
