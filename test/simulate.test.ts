import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { simulate } from '../twin/run.ts'
import { talk } from '../twin/scenarios/talk.ts'

const exec = promisify(execFile)
const celeriac = (...args: string[]) => exec(process.execPath, ['cli/celeriac.ts', ...args])
const failure = (promise: Promise<unknown>) =>
  promise.then(
    () => ({ code: 0, stderr: '' }),
    ({ code, stderr }: { code: number; stderr: string }) => ({ code, stderr }),
  )

// The busiest hours: meetings end, groups grow, and a Spot storm takes a zone at 11:21.
const busy = () => talk(10)

// Twenty seconds on a quiet machine; ten times that beside the other tests on a busy one.
const timeout = 240_000

describe('a simulated morning', { timeout }, () => {
  it('is the same for the same seed, loses nothing and breaks no invariant', async () => {
    const once = await simulate({ scenario: busy(), seed: 7, hours: 2 })
    // Handlers that run once: that the first ran each of them twice has changed nothing.
    const again = await simulate({ scenario: busy(), seed: 7, hours: 2, repeats: 'once' })
    expect(JSON.stringify(again.summary)).toBe(JSON.stringify(once.summary))
    expect(once.breaches).toEqual([])
    expect(once.summary.total.tasksLost).toBe(0)
    expect(once.summary.total.interruptions).toBeGreaterThan(0)
    expect(once.summary.total.tasks).toBeGreaterThan(50_000)
  })
  it('has a total that is no less deep than any queue', async () => {
    const { summary } = await simulate({ scenario: busy(), seed: 1, hours: 0.5 })
    const deepest = Math.max(...Object.values(summary.queues).map(({ peakDepth }) => peakDepth))
    expect(deepest).toBeGreaterThan(0)
    expect(summary.total.peakDepth).toBeGreaterThanOrEqual(deepest)
  })
  it('differs for another seed', async () => {
    const one = await simulate({ scenario: busy(), seed: 1, hours: 0.2 })
    const other = await simulate({ scenario: busy(), seed: 2, hours: 0.2 })
    expect(one.summary.total.tasks).not.toBe(other.summary.total.tasks)
  })
})

describe('the command line', { timeout }, () => {
  it('simulate prints one row a queue and a total, and writes the same as JSON', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'celeriac-'))
    const file = join(folder, 'summary.json')
    const { stdout } = await celeriac('simulate', '--hours', '0.2', '--json', file)
    const summary: unknown = JSON.parse(readFileSync(file, 'utf8'))
    rmSync(folder, { recursive: true })
    expect(summary).toMatchObject({ seed: 1, simulatedHours: 0.2, total: { tasksLost: 0 } })
    expect(stdout).toContain('meeting-join')
    expect(stdout.trimEnd().split('\n').at(-1)).toMatch(/^total/)
  })
  it('invoke runs a sweep on the twin and says why', async () => {
    const { stdout } = await celeriac('invoke', 'backlog', '--event', 'events/schedule.json')
    expect(stdout).toContain('Shard 0 of 1: 70 queues measured')
    expect(stdout).toContain('target-tracking')
  })
  it.each([
    ['an event that is no schedule', 'unknown.json', 'EC2 Spot Instance Interruption Warning'],
    ['a malformed schedule', 'malformed.json', "The schedule's shard is 2"],
  ])('invoke refuses %s', async (_, file, message) => {
    const result = await failure(celeriac('invoke', 'backlog', '--event', `events/${file}`))
    expect(result.code).toBe(1)
    expect(result.stderr).toContain(message)
  })
  it('simulate refuses a seed that is no number', async () => {
    expect((await failure(celeriac('simulate', '--seed', 'x'))).code).toBe(2)
  })
  it('check shows what every queue comes to', async () => {
    const { stdout } = await celeriac('check')
    expect(stdout).toContain('Fleet talk: 70 queues in 1 shard, no problems.')
    expect(stdout).toMatch(/The fast lane \(meeting-join\) costs about \$\d\.\d\d a month:/)
  })
})
