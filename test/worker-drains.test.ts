import { expect, it } from 'vitest'
import { drainOften } from '../bench/drains.ts'
import { describeWithCelery } from './worker/describe.ts'

/** A few of the drains of bench/drains.ts, where more of them are run. */

// Few enough for every run of the tests; the bench does fifty.
const drains = 3

describeWithCelery('repeated drains of a loaded worker', ({ moto, python }) => {
  it('lose no task and leave none in flight', async () => {
    const outcome = await drainOften(moto, python, drains)
    expect(outcome).toMatchObject({ lost: [], left: { visible: 0, inFlight: 0 } })
    expect(outcome.completed).toBe(outcome.enqueued)
    expect(outcome.handedBack).toBeGreaterThan(0)
  })
})
