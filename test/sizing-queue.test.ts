import { beforeAll, describe, expect, it } from 'vitest'
import type { Memory, Step } from '../shared/sizing/step.ts'
import { noOutlook } from '../shared/sizing/types.ts'
import { readMemory, writeMemory } from '../shared/state.ts'
import { createTwin } from '../twin/twin.ts'
import { workloadOf } from './sizing/looks.ts'
import { type Ran, type Run, runQueue } from './sizing/queue.ts'

/** The rule on a queue that runs: what it learns, and how close it stays to what is needed. */

// Two a second, of twenty seconds each: forty slots of work.
const steady: Run = {
  workload: workloadOf({ taskSeconds: 20 }),
  rate: () => 2,
  serviceSeconds: 20,
  hours: 6,
  readsRates: true,
}

const meanOf = (steps: readonly Step[], what: (step: Step) => number) =>
  steps.reduce((sum, step) => sum + what(step), 0) / steps.length

/** The first two hours aside, in which the group finds its size. */
const settled = ({ steps }: Ran) => steps.slice(120)

describe('a steady queue', () => {
  let known: Ran
  let unread: Ran
  beforeAll(async () => {
    known = await runQueue(steady)
    unread = await runQueue({ ...steady, readsRates: false })
  })

  it('keeps its promise with about the instances that its work fills', () => {
    expect(known.kept).toBeGreaterThan(0.995)
    const desired = meanOf(settled(known), (step) => step.desired)
    expect(Math.abs(desired - 40)).toBeLessThan(6)
  })
  it('has the rate that it has', () => {
    expect(Math.abs(meanOf(settled(known), ({ rate }) => rate) - 2)).toBeLessThan(0.1)
  })
  it('without its rates read keeps its promise too', () => {
    expect(unread.kept).toBeGreaterThan(0.995)
  })
  it('without its rates read has them from the counts, to a tenth', () => {
    expect(Math.abs(meanOf(settled(unread), ({ rate }) => rate) - 2)).toBeLessThan(0.2)
  })
  it('without its rates read has as many instances, to a tenth', () => {
    const [a, b] = [known, unread].map((ran) => meanOf(settled(ran), ({ desired }) => desired))
    expect(Math.abs((a ?? 0) / (b ?? 0) - 1)).toBeLessThan(0.1)
  })
})

describe('a service time that was said wrong', () => {
  const wrong = { ...steady, workload: workloadOf({ taskSeconds: 60 }) }
  it('is learned to a tenth within hours', async () => {
    const { steps, kept } = await runQueue(wrong)
    expect(steps[0]?.serviceSeconds).toBe(60)
    expect(Math.abs((steps.at(-1)?.serviceSeconds ?? 0) / 20 - 1)).toBeLessThan(0.1)
    expect(kept).toBeGreaterThan(0.995)
  })
  it('cannot be learned without deletes, but costs no promise', async () => {
    const { steps, kept } = await runQueue({ ...wrong, readsRates: false })
    expect(steps.at(-1)?.serviceSeconds).toBe(60)
    expect(kept).toBeGreaterThan(0.995)
  })
})

describe('a season', () => {
  // Each half hour another traffic; a promise of half a boot leaves no time to launch for it.
  const rate = (second: number) => (second % 3_600 < 1_800 ? 0.5 : 3)
  const short = workloadOf({ taskSeconds: 20, startWithinSeconds: 60 })
  const counts = Array.from({ length: 100 }, (_, step) => 300 * rate((step - 14) * 300))
  const profile = { from: -14 * 300, stepSeconds: 300, counts }
  const profiles = { 'a day ago': profile }
  const run = { ...steady, workload: short, rate }

  it('that was foreseen is launched for before it comes', async () => {
    const blind = await runQueue(run)
    const foreseen = await runQueue({ ...run, outlook: { ...noOutlook, profiles } })
    expect(foreseen.steps.map(({ reason }) => reason)).toContain('forecast')
    expect(foreseen.kept).toBeGreaterThan(blind.kept)
  })
  it('that has stopped is given up within hours', async () => {
    const outlook = { ...noOutlook, profiles }
    const { steps } = await runQueue({ ...run, rate: () => 1, outlook })
    expect(steps.at(-1)?.foreseen.predictor).toMatch(/^last .* min$/)
  })
})

describe('a boot that is longer than anything is held', () => {
  // A hundred tasks in one minute, after an hour and again after another; then nothing.
  const rate = (second: number) => (second % 3_600 < 60 && second >= 3_600 ? 100 / 60 : 0)
  const workload = workloadOf({ taskSeconds: 60, startWithinSeconds: 900, bootSeconds: 600 })

  it('keeps what was launched for a burst until it is there', async () => {
    const { kept } = await runQueue({ ...steady, workload, serviceSeconds: 60, rate, hours: 3 })
    expect(kept).toBeGreaterThan(0.98)
  })
})

describe('a memory that is written and read between looks', () => {
  const tick = { shard: 0, of: 1 }
  const packing = () => {
    const { deps } = createTwin({ seed: 1, startAt: 0, makeTask: () => null })
    return async (memory: Memory) => {
      await writeMemory(deps, tick, await readMemory(deps, tick), { video: memory })
      const read = (await readMemory(deps, tick)).queues['video']
      if (!read) throw new Error('What was written cannot be read')
      return read
    }
  }

  it.each([
    ['a busy queue', 2],
    ['a sparse queue', 0.01],
  ])('changes no decision of %s by more than rounding', async (_, rate) => {
    const run = { ...steady, rate: () => rate, hours: 2 }
    const { steps } = await runQueue(run)
    const packed = await runQueue({ ...run, keep: packing() })
    const differences = packed.steps.map(({ desired }, index) =>
      Math.abs(desired - (steps[index]?.desired ?? Number.NaN)),
    )
    expect(differences).toHaveLength(120)
    expect(Math.max(...differences)).toBeLessThanOrEqual(1)
  })
})
