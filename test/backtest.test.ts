import { describe, expect, it } from 'vitest'
import { backtest } from '../twin/backtest/run.ts'
import { scenarioNames } from '../twin/backtest/scenarios.ts'

/** One day of each kind: what people are told, against what had happened. More by `backtest`. */

// Its day has another twenty hours: it is told apart.
const troubles = scenarioNames.filter((name) => name !== 'calm')

describe('on a day of the twin', () => {
  it.each(troubles)('%s is told once, and nothing else', async (name) => {
    const { judgement, breaches } = await backtest(name, 1)
    expect(breaches).toEqual([])
    expect(judgement).toMatchObject({
      ...{ scenario: name, seed: 1 },
      ...{ incidents: 1, paged: 1, missed: 0, false: 0, duplicates: 0 },
    })
    // Three looks at most; a time of the simulation, not of the machine.
    expect(judgement.detectionSecondsP95).toBeLessThanOrEqual(180)
  })

  it('calm tells nobody anything', async () => {
    const { judgement, breaches, pages } = await backtest('calm', 1)
    expect(breaches).toEqual([])
    expect(pages).toEqual([])
    expect(judgement).toMatchObject({ incidents: 0, paged: 0, false: 0 })
  }, 300_000)
})
