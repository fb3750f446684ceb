import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { hundredth } from '../shared/sizing/round.ts'
import { aheadOf, type Picture, size } from '../shared/sizing/size.ts'
import type { Memory, Step } from '../shared/sizing/step.ts'
import { type Constants, noOutlook, type Sensed, type Workload } from '../shared/sizing/types.ts'
import { stepsOf } from './sizing/looks.ts'

/** What the sizing rule never does, whatever it sees. */

const whole = (max: number) => fc.integer({ min: 0, max })
const seconds = (min: number, max: number) => fc.double({ min, max, noNaN: true })

const workload: fc.Arbitrary<Workload> = fc
  .record({
    startWithinSeconds: seconds(1, 7_200),
    bootSeconds: seconds(1, 900),
    tickSeconds: fc.constantFrom(15, 60),
    slots: fc.integer({ min: 1, max: 64 }),
    min: whole(50),
    max: whole(500),
    taskSeconds: seconds(0.01, 7_200),
  })
  .map((one) => ({ ...one, max: one.min + one.max }))

const constants: fc.Arbitrary<Constants> = fc.record({
  spend: fc.constantFrom(0.1, 0.5, 0.8, 1),
  margin: fc.constantFrom(0, 1.4, 4.5),
  release: fc.constantFrom(0.4, 0.7, 1),
  holdSeconds: fc.constantFrom(0, 120, 720),
  grace: fc.constantFrom(0.5, 1, 1.2),
})

/** Counts may be anything: sources are late, and count in ways of their own. */
const look: fc.Arbitrary<Partial<Sensed>> = fc.record({
  visible: fc.oneof(whole(3), whole(100_000)),
  notVisible: fc.oneof(whole(3), whole(5_000)),
  delayed: whole(10),
  sent: fc.option(whole(5_000), { nil: null }),
  deleted: fc.option(whole(5_000), { nil: null }),
  inService: whole(200),
  pending: whole(50),
  draining: whole(10),
  doomed: whole(10),
  desired: whole(300),
})

const situation = fc.record({
  workload,
  constants,
  looks: fc.array(look, { minLength: 1, maxLength: 12 }),
})
type Situation = typeof situation extends fc.Arbitrary<infer S> ? S : never

function told({ workload, constants, looks }: Situation): { step: Step; sensed: Partial<Sensed> } {
  const step = stepsOf(workload, looks, { outlook: { ...noOutlook, constants } }).at(-1)
  const sensed = looks.at(-1)
  if (!step || !sensed) throw new Error('There was no look')
  return { step, sensed }
}

describe('whatever is seen', () => {
  it('the capacity is whole and within its bounds', () => {
    fc.assert(
      fc.property(situation, (s) => {
        const { desired, wanted, shortfall } = told(s).step
        expect(Number.isInteger(desired)).toBe(true)
        expect(desired).toBeGreaterThanOrEqual(s.workload.min)
        expect(desired).toBeLessThanOrEqual(s.workload.max)
        expect(wanted).toBeGreaterThanOrEqual(0)
        expect(shortfall).toBeGreaterThanOrEqual(0)
      }),
    )
  })

  it('nothing that is told is no number', () => {
    fc.assert(
      fc.property(situation, (s) => {
        const { rate, serviceSeconds, ageSeconds, foreseen } = told(s).step
        const numbers = [rate, serviceSeconds, ageSeconds, foreseen.arrivals, foreseen.dispersion]
        expect(numbers.filter((number) => !Number.isFinite(number) || number < 0)).toEqual([])
      }),
    )
  })

  it('more is asked for only up to a slot for each task that is there or foreseen', () => {
    fc.assert(
      fc.property(situation, (s) => {
        const { step, sensed } = told(s)
        const { visible = 0, notVisible = 0, doomed = 0 } = sensed
        const { desired = 0, inService = 0, pending = 0 } = sensed
        // What is there already, whoever asked for it, may be kept.
        if (step.desired <= Math.max(desired, inService + pending) + doomed) return
        const { arrivals, dispersion } = step.foreseen
        const margin = step.constants.margin * Math.sqrt(dispersion * arrivals)
        const tasks = visible + notVisible + arrivals + margin
        const most = Math.max(Math.ceil(tasks / s.workload.slots), s.workload.min)
        expect(step.foreseen.seconds).toBe(aheadOf(s.workload))
        expect(step.desired).toBeLessThanOrEqual(most + doomed)
      }),
    )
  })

  it('more that waits never ends with fewer', () => {
    const known = situation.map((s) => ({
      ...s,
      // What came is the same, and something was done: with nothing done the workers are broken.
      looks: s.looks.map((one) => ({
        ...one,
        sent: one.sent ?? 9,
        deleted: (one.deleted ?? 0) + 1,
      })),
    }))
    fc.assert(
      fc.property(known, whole(10_000), (s, more) => {
        const { step, sensed } = told(s)
        const last = { ...sensed, visible: (sensed.visible ?? 0) + more }
        const longer = told({ ...s, looks: [...s.looks.slice(0, -1), last] })
        expect(longer.step.desired).toBeGreaterThanOrEqual(step.desired)
      }),
    )
  })

  it('what goes is not asked back by a look at what is left', () => {
    // Busy groups, at the edge of what they can do: elsewhere little goes and comes.
    const busy = fc.record({
      ...{ workload, constants, working: fc.integer({ min: 2, max: 60 }) },
      ...{ load: seconds(0, 1.2), rate: seconds(0, 5) },
    })
    fc.assert(
      fc.property(busy, ({ workload, constants, working, load, rate }) => {
        const { slots, taskSeconds, startWithinSeconds } = workload
        const byPromise = 1 + startWithinSeconds / taskSeconds
        const visible = Math.round(working * slots * byPromise * load)
        const ahead = aheadOf(workload)
        const pictureOf = (instances: number): Picture => ({
          ...{ visible, running: instances * slots, ageSeconds: 0, serviceSeconds: taskSeconds },
          capacity: {
            ...{ working: instances, running: instances * slots },
            ...{ booting: 0, bootedSeconds: 0, oldestSeconds: 0 },
          },
          foreseen: { predictor: '', arrivals: rate * ahead, seconds: ahead, dispersion: 1 },
        })
        const sized = size(workload, constants, pictureOf(working), [], 0)
        if (sized.instances >= working) return
        const left = size(workload, constants, pictureOf(sized.instances), sized.needs, 60)
        expect(left.least).toBeLessThanOrEqual(sized.instances)
      }),
      { numRuns: 20_000 },
    )
  })

  it('what was decided is decided again when the look comes twice', () => {
    fc.assert(
      fc.property(situation, (s) => {
        const now = (s.looks.length - 1) * s.workload.tickSeconds
        const again = { ...s.looks.at(-1), now, sent: 0, deleted: 0 }
        const { step } = told(s)
        const twice = told({ ...s, looks: [...s.looks, again] })
        expect(twice.step.sized.least).toBe(step.sized.least)
        expect(twice.step.memory.seen).toEqual(step.memory.seen)
      }),
    )
  })

  it('and by a run that has it from the table, where numbers are rounded', () => {
    fc.assert(
      fc.property(situation, (s) => {
        const { step, sensed } = told(s)
        const text = JSON.stringify(step.memory, (_, value) =>
          typeof value === 'number' ? hundredth(value) : value,
        )
        const remembered: Memory = JSON.parse(text)
        const now = (s.looks.length - 1) * s.workload.tickSeconds
        const outlook = { ...noOutlook, constants: s.constants }
        const again = { ...sensed, now, sent: 0, deleted: 0 }
        const [twice] = stepsOf(s.workload, [again], { outlook, remembered })
        expect(twice?.foreseen).toEqual(step.foreseen)
        expect(twice?.constants).toEqual(step.constants)
      }),
    )
  })

  it('a memory has no number that JSON does not have', () => {
    fc.assert(
      fc.property(situation, (s) => {
        const { memory } = told(s).step
        expect(JSON.parse(JSON.stringify(memory))).toEqual(memory)
      }),
    )
  })
})
