import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { afterAll, describe, expect, it } from 'vitest'
import { type Answer, answer, createShadow, type Shadow } from '../cli/shadow/shadow.ts'
import { firstConstants } from '../shared/sizing/types.ts'
import { longTaskSeconds, workloadOf } from './sizing/looks.ts'

/** Looks through a pipe: each line has its answer, and a bad one changes nothing. */

const lookOf = (own: object = {}) => ({
  ...{ now: 60, visible: 0, notVisible: 0, delayed: 0, oldestAge: null, sent: null, deleted: null },
  ...{ inService: 0, pending: 0, draining: 0, doomed: 0, desired: 0 },
  ...own,
})
const lineOf = (own: object = {}) => JSON.stringify(lookOf(own))

const shadowOf = (history: readonly number[] = []): Shadow => {
  const { tickSeconds, ...workload } = workloadOf({ taskSeconds: longTaskSeconds })
  return createShadow(workload, 1, history, tickSeconds)
}

const answers = (shadow: Shadow, lines: readonly string[]): Answer[] =>
  lines.map((line) => answer(shadow, line))

const errorOf = (told: Answer | undefined) => (told && 'error' in told ? told : null)

describe('a look', () => {
  it('is answered with the capacity, its reason, and what is known of the traffic', () => {
    expect(answer(shadowOf(), lineOf({ visible: 7 }))).toEqual({
      ...{ now: 60, desired: 7, reason: 'backlog', shortfall: 0 },
      ...{ rate: 0, serviceTime: longTaskSeconds, forecast: 0 },
    })
  })
  it('beyond max has a shortfall', () => {
    const told = answer(shadowOf(), lineOf({ visible: 600 }))
    expect(told).toMatchObject({ desired: 500, reason: 'capped-by-max' })
    expect('shortfall' in told && told.shortfall).toBeGreaterThan(90)
  })
  it('has the rate of the last minutes, in tasks a second', () => {
    const minutes = Array.from({ length: 10 }, (_, index) =>
      lineOf({
        now: 60 * (index + 1),
        notVisible: 30,
        sent: 30,
        deleted: 30,
        inService: 30,
        desired: 30,
      }),
    )
    expect(answers(shadowOf(), minutes).at(-1)).toMatchObject({ rate: 0.5, forecast: 0.5 })
  })
  it('may come in any rhythm, with moments that are no whole seconds', () => {
    const lines = [0, 15.5, 31.25, 300].map((now) => lineOf({ now, visible: 3 }))
    expect(answers(shadowOf(), lines).map((told) => errorOf(told))).toEqual([
      null,
      null,
      null,
      null,
    ])
  })
  it('may say more than is asked', () => {
    expect(errorOf(answer(shadowOf(), lineOf({ comment: 'Monday' })))).toBeNull()
  })
})

describe('a line that is refused', () => {
  const rows: [string, string, string][] = [
    ['is no JSON', '{"now":', 'no JSON: '],
    ['is empty', '', 'no JSON: '],
    ['is a number', '7', 'write a JSON object'],
    ['is nothing', 'null', 'write a JSON object'],
    ['is a list', '[]', 'write a JSON object'],
    [
      'lacks a field',
      JSON.stringify({ ...lookOf(), visible: undefined }),
      'visible: missing; write a number',
    ],
    ['has a count below nothing', lineOf({ doomed: -1 }), 'doomed: write a number, 0 or more'],
    ['has a count that is a text', lineOf({ desired: '5' }), 'desired: write a number, 0 or more'],
    ['has no capacity', lineOf({ inService: null }), 'inService: write a number, 0 or more'],
    ['has a rate below nothing', lineOf({ sent: -3 }), 'sent: write a number, 0 or more, or null'],
    [
      'has a number beyond numbers',
      lineOf().replace('"now":60', '"now":1e999'),
      'now: write a number',
    ],
    ['comes twice', lineOf({ now: 120 }), 'now: 120 is not after 120, the last look'],
    ['comes too late', lineOf({ now: 90 }), 'now: 90 is not after 120, the last look'],
  ]
  const before = [lineOf({ visible: 5 }), lineOf({ now: 120, visible: 5, desired: 5 })]
  const after = lineOf({ now: 180, visible: 9, desired: 5 })

  it.each(rows)('because it %s is named with its number, and changes nothing', (_, line, says) => {
    const shadow = shadowOf()
    const told = answers(shadow, [...before, line, after])
    expect(errorOf(told[2])).toEqual({ line: 3, error: expect.stringContaining(says) })
    expect(told[3]).toEqual(answers(shadowOf(), [...before, after])[2])
  })

  it('names every field that is wrong', () => {
    const { now: _, ...look } = lookOf({ visible: -1, sent: 'many' })
    const told = errorOf(answer(shadowOf(), JSON.stringify(look)))
    expect(told?.error).toBe(
      'now: missing; write a number, 0 or more; visible: write a number, 0 or more; ' +
        'sent: write a number, 0 or more, or null',
    )
  })
})

describe('the days before', () => {
  const day = 86_400
  // A few tasks an hour, for a rehearsal takes as long as there are tasks.
  const days = (count: number) =>
    Array.from({ length: count * 1_440 }, (_, index) => (index % 20 === 0 ? 1 : 0))
  const start = 10 * day
  const at = (seconds: number) =>
    lineOf({ now: start + seconds, visible: 1, notVisible: 1, inService: 1, desired: 1 })

  it('are rehearsed with the second look, and again each day', () => {
    const shadow = shadowOf(days(2))
    const rehearsedAfter = (seconds: number) => {
      answer(shadow, at(seconds))
      return shadow.rehearsedAt === null ? null : shadow.rehearsedAt - start
    }
    expect(rehearsedAfter(0)).toBeNull()
    expect(shadow.outlook.constants).toEqual(firstConstants)
    // The fewer looks a day has, the sooner it is rehearsed.
    expect(rehearsedAfter(300)).toBe(300)
    expect(shadow.outlook.constants).not.toEqual(firstConstants)
    expect(rehearsedAfter(600)).toBe(300)
    expect(rehearsedAfter(day + 299)).toBe(300)
    expect(rehearsedAfter(day + 300)).toBe(day + 300)
  })

  it('that are fewer than two are not', () => {
    const shadow = shadowOf(days(1))
    answers(shadow, [at(0), at(60), at(120)])
    expect(shadow.outlook.constants).toEqual(firstConstants)
  })

  it('tell what comes at this hour, and the looks are added to them', () => {
    const shadow = shadowOf(days(1))
    answers(shadow, [at(0), at(60), at(120)])
    expect(Object.keys(shadow.outlook.profiles)).toContain('last 3 hours')
    expect(shadow.minutes).toHaveLength(1_440 + 1)
  })

  it('and the looks, told again, have the same answers to the last byte', () => {
    const lines = Array.from({ length: 180 }, (_, index) => {
      const sent = (index * 7) % 5
      return lineOf({
        now: start + 60 * index,
        notVisible: 3,
        sent,
        deleted: 2,
        desired: 4,
        inService: 4,
      })
    })
    const [once, again] = [0, 1].map(() => JSON.stringify(answers(shadowOf(days(2)), lines)))
    expect(again).toBe(once)
  })
})

describe('the command', () => {
  const folder = mkdtempSync(join(tmpdir(), 'celeriac-'))
  afterAll(() => rmSync(folder, { recursive: true }))
  const start = (...args: string[]) =>
    spawn(process.execPath, ['cli/celeriac.ts', 'shadow', ...args])
  /** What it says and how it ends, when that is all that comes. */
  const run = async (input: string, ...args: string[]) => {
    const child = start(...args)
    child.stdin.on('error', () => {})
    child.stdin.end(input)
    const said = Promise.all([text(child.stdout), text(child.stderr)])
    const [code] = await once(child, 'close')
    const [out, error] = await said
    return { out, error, code }
  }

  it('answers each line before the next is written', async () => {
    const child = start('--promise', '300s', '--service-time', '12h', '--max', '8')
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    const ask = async (line: string): Promise<unknown> => {
      child.stdin.write(`${line}\n`)
      const { value } = await lines.next()
      return JSON.parse(String(value))
    }
    expect(await ask(lineOf({ visible: 5 }))).toMatchObject({ now: 60, desired: 5 })
    expect(await ask('?')).toMatchObject({ line: 2 })
    expect(await ask(lineOf({ now: 120, visible: 9, desired: 5, pending: 5 }))).toMatchObject({
      ...{ now: 120, desired: 8 },
    })
    child.stdin.end()
    expect((await once(child, 'close'))[0]).toBe(1)
  })

  it('sizes a queue of a file, with options over it, and ends well', async () => {
    const input = `${lineOf({ visible: 500 })}\r\n${lineOf({ now: 120, visible: 500 })}\n`
    const ran = await run(input, '--config', 'fleet.config.ts', '--queue', 'video', '--max', '7')
    expect(ran).toMatchObject({ error: '', code: 0 })
    const told = ran.out
      .trimEnd()
      .split('\n')
      .map((line): unknown => JSON.parse(line))
    expect(told).toMatchObject([
      { now: 60, desired: 7, serviceTime: 240 },
      { now: 120, desired: 7 },
    ])
  })

  const history = (content: string) => {
    const file = join(folder, `${content.length}.txt`)
    writeFileSync(file, content)
    return file
  }
  it.each([
    [
      'a history with a line that is no number',
      () => ['--history', history('1\n2\nthree\n')],
      ':3: "three"; write a number of arrivals, 0 or more',
    ],
    ['a history with a gap', () => ['--history', history('1\n\n3\n4\n')], ':2: ""; write'],
    [
      'an empty history',
      () => ['--history', history('')],
      'empty; write the arrivals of each minute',
    ],
    [
      'a queue that the file has not',
      () => ['--queue', 'nope'],
      'no queue nope in fleet.config.ts;',
    ],
    ['a file without a queue', () => ['--config', 'fleet.config.ts'], 'which of its queues?'],
    ['no slots', () => ['--slots', '0'], '--slots 0: write 1 or more'],
  ])('refuses %s', async (_, args, says) => {
    const { out, error, code } = await run(lineOf(), ...args())
    expect({ out, code }).toEqual({ out: '', code: 1 })
    expect(error).toContain(says)
  })
})
