import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { SetDesiredCapacityCommand } from '@aws-sdk/client-auto-scaling'
import { afterAll, describe, expect, it } from 'vitest'
import { drain } from '../functions/drain/handler.ts'
import { runUntil } from '../twin/aws/event-source.ts'
import { compare } from '../twin/compare.ts'
import { parsePolicies, policyNames } from '../twin/policies/find.ts'
import { type ReplaySettings, replay } from '../twin/scenarios/replay.ts'
import { type QueueSummary, summarise } from '../twin/summary.ts'
import { readArrivals } from '../twin/traces/csv.ts'
import { type Traffic, trafficOf } from '../twin/traces/traffic.ts'
import { createWorld, type Drains } from '../twin/world/world.ts'

const exec = promisify(execFile)

// A wave of two hours, of ten arrivals a minute on average.
const wave = (days: number) =>
  ['minute,arrivals']
    .concat(
      Array.from({ length: days * 1_440 }, (_, minute) => {
        return `${minute},${10 + Math.round(8 * Math.sin((minute * Math.PI) / 60))}`
      }),
    )
    .join('\n')

const trafficFor = (days: number, historyDays: number, meanSeconds = 60): Traffic =>
  trafficOf({
    trace: readArrivals(wave(Math.ceil(days + historyDays)), 'wave.csv'),
    durations: { kind: 'exponential', meanSeconds },
    ...{ scale: 1, durationScale: 1, durationCapSeconds: 900 },
    ...{ fromDay: 0, historyDays, days, seed: 1 },
  })

const settings: ReplaySettings = {
  ...{ promiseSeconds: 300, slots: 2, bootSeconds: 90, min: 0, max: 60, spotPerHour: 0.05 },
}

const rowOf = async (policy: string, traffic: Traffic, changed: Partial<ReplaySettings> = {}) => {
  const [choice] = parsePolicies(policy)
  if (!choice) throw new Error('One policy is wanted')
  return compare({ choice, traffic, settings: { ...settings, ...changed }, seed: 1 })
}

/** A wave of capacities, held back by nothing, with drains of either kind. */
async function swing(drains: Drains, meanSeconds: number): Promise<QueueSummary> {
  const traffic = trafficFor(0.25, 0, meanSeconds)
  const scenario = replay(traffic, settings)
  const { twin, stack, ...world } = createWorld(scenario, 1, drains)
  stack.drain = (event) => drain(scenario.fleet)(event, twin.deps)
  for (let minute = 0; minute < 360; minute++) {
    const at = scenario.startAt + minute * 60_000
    await runUntil(twin.engine, at, stack.sources)
    if (drains === 'functions') stack.send(JSON.stringify({ shard: 0, of: 1 }))
    const busy = ((10 + 8 * Math.sin((minute * Math.PI) / 60)) * meanSeconds) / 60
    const DesiredCapacity = Math.round(0.6 * busy) + (minute % 3)
    const command = new SetDesiredCapacityCommand({
      ...{ AutoScalingGroupName: 'replayed-workers', DesiredCapacity },
    })
    twin.emit(twin.autoscaling.apply(at, command).changes)
  }
  await runUntil(twin.engine, traffic.endAt, stack.sources)
  return summarise({ twin, stack, ...world }, 1).total
}

describe('the keeper of drains', () => {
  it.each([20, 200])('costs and keeps what the drain function does, at %i s', async (mean) => {
    const [functions, keeper] = [await swing('functions', mean), await swing('keeper', mean)]
    expect(keeper.launches / functions.launches).toBeCloseTo(1, 1)
    expect(keeper.instanceHours / functions.instanceHours).toBeGreaterThan(0.97)
    expect(keeper.instanceHours / functions.instanceHours).toBeLessThan(1.03)
    expect(Math.abs(keeper.within - functions.within)).toBeLessThan(0.02)
    expect(keeper.tasksKilled).toBeLessThanOrEqual(functions.tasksKilled + 1)
    expect([functions.tasksLost, keeper.tasksLost]).toEqual([0, 0])
  })
})

describe('a replay', () => {
  const traffic = trafficFor(0.2, 1)
  it.each(policyNames)('under %s loses nothing and is the same again', async (policy) => {
    const { row, breaches } = await rowOf(policy, traffic)
    expect(breaches).toEqual([])
    expect(row.tasksLost).toBe(0)
    expect(row.tasks).toBe(traffic.tasks.at.filter((at) => at >= traffic.daysFrom).length)
    expect(row.instanceHours).toBeGreaterThan(0)
    expect((await rowOf(policy, traffic)).row).toEqual(row)
  })
  it('counts and pays nothing of its warm-up', async () => {
    const { row, timeline } = await rowOf('static:size=9', traffic, { spotPerHour: 0 })
    expect(row.instanceHours).toBeCloseTo(9 * 0.2 * 24, 1)
    expect([row.launches, row.terminations, row.decisions]).toEqual([0, 0, 0])
    expect(timeline?.minutes.at(0)?.at).toBe(traffic.startAt)
    expect(timeline?.asked).toEqual([{ at: traffic.startAt, desired: 9, reason: 'static' }])
  })
  it('has no task wait where there is room, and the work as its busy hours', async () => {
    const { row } = await rowOf('static:size=40', traffic, { spotPerHour: 0 })
    const { row: bound } = await rowOf('bound', traffic)
    expect([row.within, row.waitMax]).toEqual([1, 0])
    expect(row.busyHours / bound.busyHours).toBeCloseTo(1, 1)
    expect(row.utilisation).toBeCloseTo(row.busyHours / (row.instanceHours * settings.slots), 3)
    expect(bound.instanceHours).toBe(bound.busyHours / settings.slots)
  })
  it('keeps within the bounds of its group', async () => {
    const { timeline } = await rowOf('panic', traffic, { min: 3, max: 5 })
    const desired = new Set(timeline?.minutes.slice(1).map((minute) => minute.desired))
    expect(Math.min(...desired)).toBeGreaterThanOrEqual(3)
    expect(Math.max(...desired)).toBe(5)
  })
  it('ends no work of its own accord, however often it scales in', async () => {
    const { row } = await rowOf('celery-ratio:hold=0', traffic, { spotPerHour: 0 })
    expect(row.terminations).toBeGreaterThan(100)
    expect([row.tasksKilled, row.tasksRunTwice]).toEqual([0, 0])
  })
  it('says why our function asked for what it did, and what it expected', async () => {
    const { timeline } = await rowOf('celeriac', traffic)
    const expected = timeline?.minutes.map(({ forecast }) => forecast ?? 0) ?? []
    // The wave has its ten arrivals a minute on average.
    expect(expected.reduce((sum, one) => sum + one, 0) / expected.length / 10).toBeCloseTo(1, 0)
    expect(timeline?.asked.length).toBeGreaterThan(3)
    expect(timeline?.asked.map(({ reason }) => reason)).toContain('backlog')
  })
})

describe('simulate --arrivals', () => {
  const folder = mkdtempSync(join(tmpdir(), 'celeriac-'))
  afterAll(() => rmSync(folder, { recursive: true }))
  const file = (name: string, text: string) => {
    writeFileSync(join(folder, name), text)
    return join(folder, name)
  }
  const simulate = (...args: string[]) =>
    exec(process.execPath, ['cli/celeriac.ts', 'simulate', ...args]).then(
      ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
      ({ code, stdout, stderr }) => ({ code, stdout, stderr }),
    )
  const arrivals = file('wave.csv', wave(2))

  it('prints a row for each policy, writes the same as JSON, and is the same again', async () => {
    const json = join(folder, 'rows.json')
    const options = [
      '--arrivals',
      arrivals,
      '--durations',
      'exp:60',
      '--days',
      '0.1',
      '--boot',
      '90',
    ]
    const policies = ['--policy', 'keda:target=3,static:size=10,bound']
    const once = await simulate(...options, ...policies, '--json', json)
    const rows: Record<string, unknown>[] = JSON.parse(readFileSync(json, 'utf8'))
    expect(once.code).toBe(0)
    expect(once.stdout).toContain('0.1 days after 1 of history')
    expect(rows.map(({ policy }) => policy)).toEqual(['keda', 'static', 'bound'])
    expect(rows[0]).toMatchObject({ params: { target: 3, stabilisation: 300 }, tasksLost: 0 })
    expect(
      Object.keys(rows[0] ?? {})
        .toSorted()
        .join(' '),
    ).toBe(
      'busyHours decisions instanceHours launches params policy tasks tasksKilled tasksLost ' +
        'tasksRunTwice terminations utilisation waitMax waitP50 waitP99 within',
    )
    expect((await simulate(...options, ...policies)).stdout).toBe(once.stdout)
  })
  it('writes a page that needs nothing else', async () => {
    const html = join(folder, 'page.html')
    const options = ['--arrivals', arrivals, '--days', '0.05', '--policy', 'keda,bound']
    expect((await simulate(...options, '--html', html)).code).toBe(0)
    const page = readFileSync(html, 'utf8')
    expect(page).not.toMatch(/<(script|link|img)[^>]*(src|href)=|@import|fetch\(/)
    const data = /<script type="application\/json" id="replay">(.*?)<\/script>/.exec(page)?.[1]
    const { policies, rows, promise } = JSON.parse(data ?? '')
    expect([policies.length, rows.length, promise]).toEqual([1, 2, 300])
    expect(policies[0].at).toHaveLength(72)
    expect(policies[0].arrivals).toHaveLength(72)
    expect(policies[0].asked[0]).toEqual([
      expect.any(Number),
      expect.any(Number),
      expect.any(String),
    ])
  })
  it.each([
    [
      'a trace that is out of order',
      ['--arrivals', file('order.csv', 'minute,arrivals\n1,1\n0,1\n')],
      'order.csv:3: minute 0 comes after minute 1; sort the lines',
    ],
    [
      'a policy without its history',
      ['--arrivals', arrivals, '--history-days', '0', '--policy', 'scheduled'],
      'scheduled needs a day of history',
    ],
    ['bounds that cross', ['--arrivals', arrivals, '--min', '9', '--max', '3'], '--min 9 is above'],
    ['options of a replay without one', ['--policy', 'keda'], '--policy needs --arrivals as well'],
    ['a promise that is no time', ['--arrivals', arrivals, '--promise', 'soon'], "such as '90s'"],
  ])('refuses %s', async (_, args, message) => {
    const result = await simulate(...args)
    expect(result.stderr).toContain(message)
    expect(result.code).toBe(2)
  })
})
