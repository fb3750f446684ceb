import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { explain, meanings } from '../cli/explain/explanation.ts'
import { lookAt } from '../cli/explain/look.ts'
import { describe as inWords } from '../cli/explain/words.ts'
import { backlog } from '../functions/backlog/handler.ts'
import { forecast } from '../functions/forecast/handler.ts'
import { createWorld, groupName, type Scenario, type World } from '../twin/world/world.ts'
import { fleetOf } from './fixtures.ts'

const exec = promisify(execFile)
const celeriac = (...args: string[]) => exec(process.execPath, ['cli/celeriac.ts', ...args])

const startAt = Date.parse('2026-01-06T15:00:00Z')
const tick = { shard: 0, of: 1 }
const fleet = fleetOf({
  defaults: { startWithin: '3m', taskTime: '90s', scaling: { mode: 'direct', min: 1 } },
  defaultQueues: ['work'],
})
const scenario: Scenario = {
  ...{ name: 'test', startAt, fleet, pastDays: 4 },
  queue: () => ({
    ...{ rate: () => 0.2, taskSeconds: 30, taskVariation: 0.5, visibilitySeconds: 300, slots: 2 },
    ...{ prefetchMultiplier: 1, bootSeconds: 60, minSize: 1, maxSize: 20 },
  }),
  market: { reclaimsPerDay: 0, storms: [] },
}
const worldOf = (): World => {
  const world = createWorld(scenario, 1)
  world.twin.engine.runUntil(startAt)
  return world
}
const told = async ({ twin }: World) => explain(await lookAt(twin.deps, fleet, 'work'))

describe('an explanation', () => {
  it('of a queue that nothing has looked at yet says so', async () => {
    const one = await told(worldOf())
    expect(one).toMatchObject({
      ...{ lastLook: null, rehearsal: null },
      forecast: { outlook: 'none', at: null },
      service: { measured: null, configured: 90 },
    })
    const text = inWords(one)
    expect(text).toContain('No sweep has looked at it yet.')
    expect(text).toContain('No forecast was written yet')
    expect(text).toContain('nothing was rehearsed yet')
  })

  it('has the predictor, the errors, the rehearsal and the service time', async () => {
    const world = worldOf()
    const { deps, engine } = world.twin
    await forecast(fleet)(tick, deps)
    for (let minute = 1; minute <= 20; minute++) {
      engine.runUntil(startAt + minute * 60_000)
      await backlog(fleet)(tick, deps)
    }
    const one = await told(world)
    expect(one).toMatchObject({
      ...{ queue: 'work', group: groupName('work'), lastLook: { secondsAgo: 0 } },
      forecast: { outlook: 'fresh', at: startAt / 1_000 },
      rehearsal: { at: startAt / 1_000 },
      service: { measured: { source: 'group-metrics' }, configured: 90 },
    })
    const { predictors, predictor } = one.forecast
    expect(predictors).toHaveLength(9)
    expect(predictors.some(({ name }) => name === predictor)).toBe(true)
    expect(predictors.every(({ errorTasks }) => errorTasks !== null)).toBe(true)
    expect(one.service.seconds).toBeGreaterThan(27)
    expect(one.service.seconds).toBeLessThan(33)
    const text = inWords(one)
    expect(text).toContain(`Trusted: ${predictor}`)
    expect(text).toContain('Rehearsed 20 min ago')
    expect(text).toContain(meanings[one.decision.reason])
  })

  it('is that of what a sweep decides, and changes nothing', async () => {
    const world = worldOf()
    const changes: unknown[] = []
    world.twin.onChange((change) => changes.push(change))
    const one = await told(world)
    expect(changes).toEqual([])
    const { queues } = await backlog(fleet)(tick, world.twin.deps)
    expect(queues).toMatchObject([
      { reason: one.decision.reason, to: one.decision.desired, wanted: one.decision.wanted },
    ])
  })

  it('of a queue that is none of the fleet lists those that are', async () => {
    await expect(lookAt(worldOf().twin.deps, fleet, 'nope')).rejects.toThrow(
      'There is no queue nope in fleet.config.ts; there are work',
    )
  })
})

describe('the command line', () => {
  it('explain answers from the twin, as text and as data', async () => {
    const { stdout, stderr } = await celeriac('explain', '--queue', 'report', '--twin', '--json')
    expect(stderr).toContain('on the twin')
    expect(JSON.parse(stdout)).toMatchObject({ queue: 'report', forecast: { outlook: 'fresh' } })
  })
})
