import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { drain, inSeconds } from './worker/drain.ts'

/** What drain.sh does with what it is told, before there is a worker at all. */

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'celeriac-arguments-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const environment = () => ({
  PATH: process.env['PATH'],
  CELERIAC_DRAIN_DIR: join(folder, 'box'),
  CELERIAC_LEAVING: join(folder, 'leaving'),
  CELERIAC_PYTHON: '/bin/false',
})

const good = ['--deadline', '1900000000', '--reason', 'spot']

describe.concurrent('drain.sh', () => {
  it.each([
    ['no deadline', ['--reason', 'spot']],
    ['no reason', ['--deadline', '1900000000']],
    ['a deadline that is no unix second', ['--deadline', 'soon', '--reason', 'spot']],
    ['a deadline in milliseconds', ['--deadline', '1900000000000', '--reason', 'spot']],
    ['a deadline with a second line', ['--deadline', '1900000000\n1', '--reason', 'spot']],
    ['a reason that is none', ['--deadline', '1900000000', '--reason', 'boredom']],
    ['an unknown argument', [...good, '--force']],
    ['an argument without its value', [...good, '--pidfile']],
    ['two workers', [...good, '--unit', 'a', '--program', 'b']],
    ['an option as a name', [...good, '--unit', '--all']],
    ['an empty name', [...good, '--unit', '']],
    ['a unit with a path', [...good, '--unit', '../celery']],
    ['a drain id with a space', [...good, '--drain-id', 'a b']],
    ['an instance id that is none', [...good, '--instance-id', 'me']],
    ['two commands', ['--status', '--resume']],
  ])('refuses %s', async (_, args) => {
    const { code, lines, said } = await drain(args, environment())
    expect(said).toMatch(/^drain\.sh: .+; see --help\n$/)
    expect(lines).toEqual([])
    expect(code).toBe(2)
  })

  it.each(
    ['--pidfile', '--unit', '--program', '--container', '--drain-id'].flatMap((option) =>
      ['$(touch harm)', '`touch harm`', "a';touch harm;'", 'a&touch harm', 'a|touch harm', '*'].map(
        (name) => ({ option, name }),
      ),
    ),
  )('takes $option $name for a name that cannot be', async ({ option, name }) => {
    const { code } = await drain([...good, option, name], environment())
    expect(code).toBe(2)
    expect(existsSync('harm')).toBe(false)
  })

  it('prints its help', async () => {
    const { code, lines } = await drain(['--help'], environment())
    expect(code).toBe(0)
    expect(lines.join('\n')).toContain('--pidfile FILE')
  })

  it.each([
    ['is not there', null],
    ['is empty', ''],
    ['has the pid of nobody', '999999999'],
    ['has the pid of a process that is no worker', String(process.pid)],
    ['has a command', '$(touch harm)'],
  ])('has nothing to drain when the pid file %s', async (_, text) => {
    const file = join(folder, `pid-${_.replaceAll(' ', '-')}`)
    if (text !== null) writeFileSync(file, text)
    const { code, last } = await drain([...good, '--pidfile', file], environment())
    expect(last).toEqual({
      ...{ worker: '', quietSeconds: null, handedBack: 0, finished: 0 },
      ...{ forced: 0, stillRunning: 0, exit: 3 },
    })
    expect(code).toBe(3)
  })

  it.each([
    [
      'a worker, whose application is called worker',
      0,
      ['python3', '/bin/celery', '-A', 'worker', 'worker'],
    ],
    [
      'a worker, by its module',
      0,
      ['/venv/bin/python3.12', '-m', 'celery', '--app=a', 'worker', '-c1'],
    ],
    ['a worker, by its title', 0, ['[celeryd: a@b:MainProcess] -active- (worker -A app)']],
    ['a child of one, by its title', 3, ['[celeryd: a@b:ForkPoolWorker-1]']],
    [
      'beat, whose application is called worker',
      3,
      ['python3', '/bin/celery', '-A', 'worker', 'beat'],
    ],
    [
      'an init in front of a worker',
      3,
      ['tini', '--', 'python3', '/bin/celery', '-A', 'a', 'worker'],
    ],
    ['an editor of a file called celery', 3, ['python3', 'edit.py', 'worker', '/etc/celery']],
  ])('tells %s by its command line', async (_, code, [title = '', ...words]) => {
    // A shell that waits for ever, under that title; it has no package and ends at TERM.
    const child = spawn('/bin/sh', ['-c', 'read forever', ...words], { argv0: title })
    const file = join(folder, `pid-of-${_.replaceAll(/\W/g, '-')}`)
    writeFileSync(file, String(child.pid))
    const args = ['--deadline', inSeconds(90), '--reason', 'manual', '--pidfile', file]
    const ran = await drain(args, environment())
    expect(ran.code).toBe(code)
    expect(child.signalCode).toBe(code === 0 ? 'SIGTERM' : null)
    child.kill('SIGKILL')
  })

  it.each(['--unit', '--program', '--container'])(
    'has nothing to drain when %s names what is not there',
    async (option) => {
      const args = ['--deadline', inSeconds(60), '--reason', 'rollout', option, 'not-there']
      expect((await drain(args, environment())).code).toBe(3)
    },
  )

  it('says where nothing runs that all is gone, and that nothing can be resumed', async () => {
    const env = { ...environment(), CELERIAC_DRAIN_DIR: join(folder, 'other') }
    const status = await drain(['--status', '--unit', 'not-there'], env)
    expect(status.last).toEqual({
      ...{ workers: 0, phase: 'gone', running: 0, handedBack: 0, finished: 0 },
      ...{ drainId: null, deadline: null },
    })
    expect((await drain(['--resume', '--unit', 'not-there'], env)).code).toBe(3)
  })
})

describe('the worker side', () => {
  const installed = spawnSync('shellcheck', ['--version']).status === 0
  const required = process.env['CELERIAC_REQUIRE_CELERY'] === '1'

  it.skipIf(!installed && !required)('is clean for shellcheck', () => {
    const files = ['worker/drain.sh', 'worker/watch.sh']
    const { stdout, stderr } = spawnSync('shellcheck', ['-x', '-a', ...files])
    expect(`${stdout}${stderr}`).toBe('')
  })

  it('has no line longer than 100 columns and no file longer than 300 lines', () => {
    const files = execFileSync('git', ['ls-files', '-co', '--exclude-standard', 'worker', 'test'])
      .toString()
      .split('\n')
      .filter((name) => /\.(sh|py)$/.test(name))
    expect(files).not.toEqual([])
    const wrong = files.flatMap((name) => {
      const lines = execFileSync('cat', [name]).toString().split('\n')
      const long = lines.flatMap((line, index) => (line.length > 100 ? `${name}:${index + 1}` : []))
      return lines.length > 300 ? [...long, name] : long
    })
    expect(wrong).toEqual([])
  })

  it('needs no shell but POSIX: no file of it names bash', () => {
    const names = ['worker', 'worker/drain'].flatMap((part) =>
      readdirSync(part).flatMap((name) => (name.endsWith('.sh') ? `${part}/${name}` : [])),
    )
    const texts = names.map((name) => execFileSync('head', ['-n', '1', name]).toString().trim())
    expect([...new Set(texts)].sort()).toEqual(['# shellcheck shell=sh', '#!/bin/sh'])
  })
})
