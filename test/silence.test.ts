import { afterAll, describe, expect, it } from 'vitest'
import { describe as inText } from '../cli/alerts/describe.ts'
import { describeRules, readRules } from '../cli/alerts/rules.ts'
import { addSilence, endSilence, type Wish } from '../cli/alerts/silence.ts'
import { readState } from '../cli/alerts/state.ts'
import { exitCodeOf, viewOf } from '../cli/alerts/view.ts'
import { alerts } from '../functions/alerts/handler.ts'
import { newRunId } from '../shared/aws.ts'
import { fleetOf } from './fixtures.ts'
import { makeRig, type Rig } from './loopback/rig.ts'

/** Silences and windows from the command to the page, through the real SDK clients. */

// Every message is one too many, at once; and nobody sweeps here.
const strict = { depth: { threshold: 0, for: '0s', recoverFor: '0s' }, off: ['blind'] }
const fleet = (notify: object = {}) =>
  fleetOf({
    defaults: { taskTime: '20s', scaling: { mode: 'observe' }, alerts: strict },
    ...{ defaultQueues: ['a', 'b'], notify },
  })

const rigs: Rig[] = []
afterAll(() => Promise.all(rigs.map(({ close }) => close())))

/** A fleet of which `a` has too much, at a time that the test tells. */
async function begin(own = fleet()) {
  const rig = await makeRig({ a: 3, b: 0 })
  rigs.push(rig)
  let minutes = 0
  const clock = { now: () => Date.now() + minutes * 60_000 }
  const deps = () => ({ ...rig.deps, runId: newRunId(), clock })
  const wish = (some: Partial<Wish> = {}): Wish => ({
    ...{ queues: ['a'], rules: [], forSeconds: 600, reason: 'known', by: 'ada' },
    ...some,
  })
  return {
    rig,
    deps,
    silence: (some?: Partial<Wish>) => addSilence(deps(), own, wish(some)),
    run: async (until: number) => {
      for (; minutes < until; minutes++) await alerts(own)({ shard: 0, of: 1 }, deps())
    },
    view: async () => viewOf(await readState(deps(), own)),
    told: () => rig.stub.cloud.told.map(({ subject }) => subject),
  }
}

describe('a silence', () => {
  it('keeps what fires from people until it is over', async () => {
    const { run, silence, told, view } = await begin()
    const { until } = await silence()
    await run(9)
    expect(told()).toEqual([])
    const silenced = await view()
    expect(silenced.alerts).toMatchObject([
      { queue: 'a', rule: 'depth', known: { how: 'silence', until, reason: 'known' } },
    ])
    expect(exitCodeOf(silenced)).toBe(0)
    await run(12)
    expect(told()).toEqual(['[test] critical: a: falls behind its promise'])
    const spoken = await view()
    expect(spoken.silences).toEqual([])
    expect(spoken.alerts).toMatchObject([{ known: { how: 'told' } }])
    expect(exitCodeOf(spoken)).toBe(2)
  })

  it('that is ended before its time is over', async () => {
    const { deps, run, silence, told } = await begin()
    const { id } = await silence()
    await silence({ queues: ['b'] })
    await run(2)
    await endSilence(deps(), id)
    await run(4)
    expect(told()).toEqual(['[test] critical: a: falls behind its promise'])
    await expect(endSilence(deps(), id)).rejects.toThrow(`There is no silence ${id}; there are s`)
  })

  it.each<[string, Partial<Wish>, number]>([
    ['of another rule', { rules: ['blind'] }, 1],
    ['of this rule', { rules: ['blind', 'depth'] }, 0],
    ['of another queue', { queues: ['b'] }, 1],
    ['of several by a pattern', { queues: ['*'] }, 0],
  ])('%s', async (_, wish, pages) => {
    const { run, silence, told } = await begin()
    await silence(wish)
    await run(3)
    expect(told()).toHaveLength(pages)
  })

  it('is refused where it would silence nothing, or for ever', async () => {
    const { silence, view } = await begin()
    await expect(silence({ queues: ['mail-*'] })).rejects.toThrow(
      'No queue of fleet.config.ts is like mail-*; there are a, b',
    )
    await expect(silence({ forSeconds: 700_000 })).rejects.toThrow('a week at most')
    // A group that is adopted may have any name.
    await silence({ queues: ['adopted'] })
    expect((await view()).silences).toMatchObject([{ queues: ['adopted'] }])
  })

  it('of two people at once: both are kept', async () => {
    const { rig, silence, view } = await begin()
    rig.stub.gather('GetItem', 2)
    await Promise.all([silence({ reason: 'one' }), silence({ reason: 'other' })])
    expect((await view()).silences.map(({ reason }) => reason).sort()).toEqual(['one', 'other'])
  })
})

describe('a maintenance window', () => {
  it('that is open keeps what fires from people, and says until when', async () => {
    // It begins with this hour, and ends with the next.
    const hour = new Date().getUTCHours()
    const window = { cron: `0 ${hour} * * *`, for: '2h', reason: 'moving', queues: ['a*'] }
    const { run, told, view } = await begin(fleet({ maintenance: [window] }))
    await run(2)
    const { alerts: fired, windows } = await view()
    expect(told()).toEqual([])
    expect(windows).toMatchObject([{ queues: ['a*'], reason: 'moving' }])
    const until = windows[0]?.until
    expect(new Date((until ?? 0) * 1_000).getUTCHours()).toBe((hour + 2) % 24)
    expect(fired).toMatchObject([{ known: { how: 'maintenance', until, reason: 'moving' } }])
  })
})

describe('what the alerts command shows', () => {
  it('says that nobody has ever evaluated, and that nobody does any more', async () => {
    const { deps, run, view } = await begin()
    const never = await view()
    expect(inText(never, 'test')).toBe('Fleet test: the alerts have never been evaluated.')
    expect(exitCodeOf(never)).toBe(3)
    await run(1)
    expect(exitCodeOf(await view())).toBe(2)
    const clock = { now: () => Date.now() + 6 * 60_000 }
    const late = viewOf(await readState({ ...deps(), clock }, fleet()))
    expect(inText(late, 'test')).toMatch(/^NOBODY EVALUATES THE ALERTS\./)
    expect(exitCodeOf(late)).toBe(3)
  })

  it('is of one queue each rule as it stands, and writes nothing', async () => {
    const { rig, deps, run } = await begin()
    await run(2)
    const puts = rig.stub.calls.get('PutItem')
    const view = await readRules(deps(), fleet(), 'a')
    expect(rig.stub.calls.get('PutItem')).toBe(puts)
    expect(view.off).toEqual(['blind'])
    expect(view.rules).toHaveLength(10)
    expect(view.rules.find(({ rule }) => rule === 'depth')).toMatchObject({
      ...{ status: 'firing', value: 3, severity: 'critical' },
      condition: { bad: 'above', threshold: 0, forSeconds: 0 },
    })
    expect(describeRules(view)).toMatch(/^depth +critical +firing +.* 3 +above 0 +0 s +at 0 +0 s$/m)
    await expect(readRules(deps(), fleet(), 'c')).rejects.toThrow('There is no queue c in')
  })

  it('is one row an alert, with what people know of it', async () => {
    const { run, silence, view } = await begin()
    await run(2)
    await silence({ queues: ['b'], reason: 'reindexing' })
    const text = inText(await view(), 'test')
    expect(text).toMatch(/^Fleet test: 1 alert fires at 2 queues, evaluated .* ago\.$/m)
    expect(text).toMatch(
      /^a +depth +critical +.* 3 messages +0 messages +3 messages +told .* ago$/m,
    )
    expect(text).toMatch(/^s\w+ +b +all +2\d{3}-.*Z +ada +reindexing$/m)
  })
})
