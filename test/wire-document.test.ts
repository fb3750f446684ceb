import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import * as z from 'zod/mini'

/**
 * The document's own lines, as the agent runs them: in a shell, with the parameters in its
 * environment. In place of drain.sh stands a script that writes down its arguments.
 */

const documentSchema = z.object({
  parameters: z.record(
    z.string(),
    z.object({
      interpolationType: z.string(),
      allowedPattern: z.optional(z.string()),
      allowedValues: z.optional(z.array(z.string())),
    }),
  ),
  mainSteps: z.tuple([z.object({ inputs: z.object({ runCommand: z.array(z.string()) }) })]),
})
const document = documentSchema.parse(
  JSON.parse(readFileSync('worker/drain-document.json', 'utf8')),
)
const [{ inputs }] = document.mainSteps
const lines = inputs.runCommand.join('\n')

// Debian's /bin/sh, by name; elsewhere whatever stands for it.
const shell = existsSync('/bin/dash') ? '/bin/dash' : '/bin/sh'

// Both are started within milliseconds; past this they hang.
const childMilliseconds = 10_000

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'celeriac-document-'))
  const drain = join(folder, 'drain.sh')
  // A name of its own at the end, so that whoever finds it finds it whole.
  const record = 'printf "%s\\0" "$@" >arguments.part && mv arguments.part arguments'
  writeFileSync(drain, `#!/bin/sh\n${record}\n`)
  chmodSync(drain, 0o755)
  const local = lines
    .replace('/opt/celeriac/drain.sh', drain)
    .replace('/var/log/celeriac-drain.log', join(folder, 'log'))
  writeFileSync(join(folder, 'script'), local)
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

type Values = Readonly<Record<string, string>>
const usual: Values = {
  ...{ Action: 'drain', Deadline: '1767711720', Reason: 'spot', DrainId: 'run-1' },
  ...{ WorkerKind: 'all', WorkerName: 'none' },
}

const run = (values: Values) =>
  spawnSync(shell, [join(folder, 'script')], {
    cwd: folder,
    env: {
      PATH: process.env['PATH'],
      ...Object.fromEntries(Object.entries(values).map(([key, value]) => [`SSM_${key}`, value])),
    },
    timeout: childMilliseconds,
    encoding: 'utf8',
  })

/** What drain.sh was started with, and whatever else is in the folder then. */
async function started(values: Values) {
  rmSync(join(folder, 'arguments'), { force: true })
  const { status, stderr } = run(values)
  await vi.waitUntil(() => existsSync(join(folder, 'arguments')), childMilliseconds)
  const given = readFileSync(join(folder, 'arguments'), 'utf8').split('\0').slice(0, -1)
  const others = readdirSync(folder).filter((name) => !['log', 'arguments'].includes(name))
  return { status, stderr, given, others }
}

const asDrain = (values: Values, ...which: string[]) => [
  ...['--deadline', values['Deadline'], '--reason', values['Reason']],
  ...['--drain-id', values['DrainId'], ...which],
]
const fine = { status: 0, stderr: '', others: ['drain.sh', 'script'] }

// Each would leave a file named pwned, or come apart, wherever a shell read it as its own.
const hostile = [
  '$(touch pwned)',
  '`touch pwned`',
  '; touch pwned',
  '" && touch pwned && "',
  "'; touch pwned; '",
  'a\ntouch pwned',
  '| touch pwned',
  '> pwned',
  '& touch pwned',
  `\${IFS}touch\${IFS}pwned`,
  '--deadline 1 --reason manual',
  '* ?',
  '~',
  '\\',
  '%s%n',
  '',
]

describe('what the document lets through', () => {
  const letters = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@.:/-'
  const rows: [string, Values, string[]][] = [
    ['every worker', {}, []],
    [
      'a unit',
      { WorkerKind: 'unit', WorkerName: 'celery@1.service' },
      ['--unit', 'celery@1.service'],
    ],
    ['a program', { WorkerKind: 'program', WorkerName: 'a:b' }, ['--program', 'a:b']],
    ['a container', { WorkerKind: 'container', WorkerName: 'web-1' }, ['--container', 'web-1']],
    ['a file', { WorkerKind: 'pidfile', WorkerName: '/run/a.pid' }, ['--pidfile', '/run/a.pid']],
    ['every character', { WorkerKind: 'unit', WorkerName: letters }, ['--unit', letters]],
    ['what looks like an option', { WorkerKind: 'unit', WorkerName: '-rf' }, ['--unit', '-rf']],
    ['another reason', { Reason: 'scale_in', DrainId: '0-9a-z', Deadline: '9999999999' }, []],
  ]
  it.each(rows)('reaches drain.sh as it is: %s', async (_, own, which) => {
    const values = { ...usual, ...own }
    for (const [name, value] of Object.entries(values)) {
      const { allowedPattern, allowedValues } = document.parameters[name] ?? {}
      const allowed =
        allowedValues?.includes(value) ?? new RegExp(allowedPattern ?? /$^/).test(value)
      expect([name, allowed]).toEqual([name, true])
    }
    expect(await started(values)).toEqual({ ...fine, given: asDrain(values, ...which) })
  })

  it.each([
    ['resume', ['--resume', '--reason', 'spot']],
    ['status', ['--status']],
  ])('has %s ask drain.sh for that alone', async (Action, given) => {
    const values = { ...usual, Action, WorkerKind: 'program', WorkerName: 'web' }
    expect(await started(values)).toEqual({ ...fine, given: [...given, '--program', 'web'] })
  })
})

describe('what the document does not let through', () => {
  it.each(hostile)('is refused by every parameter: %j', (text) => {
    const open = Object.entries(document.parameters).filter(
      ([, { allowedPattern, allowedValues }]) =>
        allowedValues?.includes(text) ?? new RegExp(allowedPattern ?? '').test(text),
    )
    // Letters, digits and @ . : / _ - are all that a worker's name may have; a space is none.
    expect(open.map(([name]) => name)).toEqual([])
  })

  it('comes as environment only, whatever the parameter', () => {
    const ways = Object.values(document.parameters).map(
      ({ interpolationType }) => interpolationType,
    )
    expect(new Set(ways)).toEqual(new Set(['ENV_VAR']))
    expect(lines).not.toContain('{{')
  })

  it.each(hostile)('would be nothing but an argument: %j', async (text) => {
    const given = { Deadline: text, Reason: text, DrainId: text, WorkerName: text }
    const values = { ...usual, ...given, WorkerKind: 'unit' }
    expect(await started(values)).toEqual({ ...fine, given: asDrain(values, '--unit', text) })
  })

  it.each(hostile)('would be nothing but the name of an argument: %j', async (text) => {
    const values = { ...usual, Action: text, WorkerKind: text, WorkerName: text }
    expect(await started(values)).toEqual({ ...fine, given: [`--${text}`, `--${text}`, text] })
  })
})

describe('the document fails, and says why', () => {
  it('where the agent passes no environment', () => {
    const { status, stderr } = run({})
    expect([status, stderr]).toEqual([1, 'the SSM agent is older than 3.3.2746.0\n'])
  })

  it('where drain.sh is missing', () => {
    const script = lines.replace('/opt/celeriac/drain.sh', '/nowhere/drain.sh')
    const env = { PATH: process.env['PATH'], SSM_Action: 'drain' }
    const { status, stderr } = spawnSync(shell, ['-c', script], { env, encoding: 'utf8' })
    expect([status, stderr]).toEqual([127, 'there is no executable /nowhere/drain.sh\n'])
  })
})
