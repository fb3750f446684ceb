import { execFile } from 'node:child_process'
import { mkdtemp, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { beforeAll, describe, expect, it } from 'vitest'

const run = promisify(execFile)

/** What the command prints on both streams, and how it ends. */
async function bench(...args: string[]): Promise<{ code: number; text: string }> {
  const command = ['cli/celeriac.ts', 'bench', 'scaling', ...args]
  try {
    const { stdout, stderr } = await run(process.execPath, command)
    return { code: 0, text: stdout + stderr }
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string }
    return { code, text: stdout + stderr }
  }
}

/** A wave of a few hours, again and again. */
const arrivals = Array.from({ length: 3 * 1_440 }, (_, minute) => {
  return `${minute},${Math.round(10 + 8 * Math.sin(minute / 40))}`
})
const small = {
  ...{ id: 'small', arrivals: 'wave.csv', durations: 'exp:30', promiseSeconds: 300 },
  ...{ historyDays: 2, days: 0.1, bootSeconds: 120, max: 50 },
}

describe('celeriac bench scaling', () => {
  let folder = ''
  let cases = ''
  let tuned = ''
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'bench-'))
    cases = join(folder, 'cases.json')
    tuned = join(folder, 'tuned.json')
    await writeFile(join(folder, 'wave.csv'), `minute,arrivals\n${arrivals.join('\n')}\n`)
    await writeFile(cases, JSON.stringify([small]))
  })
  const written = async (name: string, text: string) => {
    const file = join(folder, name)
    await writeFile(file, text)
    return file
  }

  it('tunes every peer, goes on where it was stopped, and compares with the best', async () => {
    const first = await bench('--cases', cases, '--tuned', tuned, '--tune', '--seeds', '1')
    expect(first).toMatchObject({ code: 0, text: expect.stringMatching(/small judged keda: /) })
    const known = JSON.parse(await readFile(tuned, 'utf8'))
    expect(Object.keys(known.small.judged)).toHaveLength(11)

    delete known.small.judged.keda
    await writeFile(tuned, JSON.stringify(known))
    const again = await bench('--cases', cases, '--tuned', tuned, '--tune', '--seeds', '1')
    expect(again.text).toMatch(/10 of 11 settings \(judged\) are there already\.\n11\/11 .* keda: /)

    const json = join(folder, 'out.json')
    const { text } = await bench('--cases', cases, '--tuned', tuned, '--quick', '--json', json)
    expect(text).toMatch(/small +celeriac .*\n.*, tuned .*\n.*tuned the day before/)
    expect(text).not.toMatch(/fault|Not tuned yet/)
    const { cases: judged, bars } = JSON.parse(await readFile(json, 'utf8'))
    expect(judged).toMatchObject([{ id: 'small', best: { policy: expect.any(String) } }])
    expect(bars).toContainEqual(expect.objectContaining({ what: expect.stringMatching(/killed/) }))
  }, 240_000)

  it.each<[string, () => Promise<string[]>, RegExp]>([
    ['without cases', async () => [], /required option '--cases <file>'/],
    [
      'of a file that is not there',
      async () => ['--cases', join(folder, 'none.json')],
      /none\.json is not there; name a file of cases/,
    ],
    [
      'of no cases',
      async () => ['--cases', await written('empty.json', '[]')],
      /empty\.json has no cases; write at least one/,
    ],
    [
      'before anything was tuned',
      async () => ['--cases', cases, '--tuned', join(folder, 'new.json')],
      /new\.json has no settings for 'small' as it is; run with --tune first/,
    ],
    [
      'with a broken file of settings',
      async () => ['--cases', cases, '--tuned', await written('broken.json', '{"small":')],
      /broken\.json is not JSON; restore it, or remove it and run with --tune/,
    ],
    [
      'without its trace',
      async () => {
        const lacking = JSON.stringify([{ ...small, arrivals: 'lost.csv' }])
        return ['--cases', await written('lacking.json', lacking), '--tuned', tuned, '--tune']
      },
      /lost\.csv is not there; case 'small' names it: put it beside the cases/,
    ],
    [
      'with seeds that are none',
      async () => ['--cases', cases, '--seeds', '0'],
      /Write how many seeds, 1 or more/,
    ],
  ])(
    '%s says so and ends',
    async (_, args, message) => {
      const { code, text } = await bench(...(await args()))
      expect(text).toMatch(message)
      expect(code).toBe(2)
    },
    60_000,
  )

  it('names a policy that is not there', async () => {
    const known = JSON.parse(await readFile(tuned, 'utf8'))
    known.small.judged.magic = null
    const file = await written('magic.json', JSON.stringify(known))
    const { code, text } = await bench('--cases', cases, '--tuned', file)
    expect(text).toMatch(/magic\.json, small: there is no policy 'magic'; remove it/)
    expect(code).toBe(2)
  }, 60_000)
})
