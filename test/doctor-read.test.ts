import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { isUnread } from '../cli/doctor/facts.ts'
import { type Finding, withoutSecrets } from '../cli/doctor/finding.ts'
import { needsOf } from '../cli/doctor/needs.ts'
import { describeFindings } from '../cli/doctor/print.ts'
import {
  isWorkerCommand,
  type Process,
  queuesIn,
  serviceIn,
  statusOf,
  workersAmong,
} from '../cli/doctor/processes.ts'
import { drainLog, drainScript, reportIn } from '../cli/doctor/read-box.ts'
import { spanSeconds } from '../cli/doctor/read-keepers.ts'
import { readTail, readText, run } from '../cli/doctor/run.ts'
import { parseConf, readConf } from '../cli/doctor/supervisord-conf.ts'
import { testFolder, tidyUp } from './doctor/box.ts'
import { fleetOf } from './fixtures.ts'

/** What the doctor's readers make of what files and commands say. */

afterAll(tidyUp)

const words = (text: string) => text.split(' ')

describe('a command line', () => {
  it.each([
    ['/usr/bin/python3 -m celery -A app worker -c 1', true],
    ['/opt/app/bin/python /opt/app/bin/celery --app=app worker', true],
    ['/usr/bin/python3 -m celery -A worker beat', false],
    ['/usr/bin/python3 -m celery -A worker worker', true],
    ['/usr/bin/python3.13 /usr/bin/celery -A app flower', false],
    ['/usr/bin/python3 manage.py worker', false],
    ['sh -c celery worker', false],
    ['/sbin/tini -- celery -A app worker', false],
    ['[celeryd: celery@box:MainProcess] -active- (worker)', true],
    ['[celeryd: celery@box:ForkPoolWorker-1]', false],
  ])('%s', (line, isWorker) => {
    expect(isWorkerCommand(line.startsWith('[') ? [line] : words(line))).toBe(isWorker)
  })

  it.each([
    ['celery worker -Q video,audio', ['video', 'audio']],
    ['celery worker -Qvideo', ['video']],
    ['celery worker --queues=video -c 4', ['video']],
    ['celery worker --queues video', ['video']],
    ['celery worker', []],
  ])('its queues: %s', (line, queues) => {
    expect(queuesIn(words(line))).toEqual(queues)
  })
})

describe('processes', () => {
  const celery = words('/usr/bin/python3 -m celery -A app worker')
  const process = (pid: number, parent: number, argv = celery): [number, Process] => [
    pid,
    { pid, parent, argv, startTime: '1' },
  ]
  it('have one main process for each worker: the one whose parent is none of it', () => {
    const other = [...celery, '-n', 'b@%h']
    const all = new Map([
      process(1, 0, ['init']),
      ...[process(10, 1), process(11, 10), process(12, 10)],
      ...[process(20, 10, other), process(21, 20, other)],
    ])
    expect(workersAmong(all).map(({ pid }) => pid)).toEqual([10, 20])
  })

  it.each([
    ['0::/system.slice/celery.service\n', 'celery.service'],
    ['1:name=systemd:/system.slice/celery@1.service\n0::/\n', 'celery@1.service'],
    ['0::/user.slice/user-0.slice/user@0.service/app.slice/w.service\n', 'w.service'],
    ['0::/user.slice/user-0.slice/user@0.service/init.scope\n', null],
    ['0::/system.slice/docker-0123abcd.scope\n', null],
    ['', null],
  ])('%j belong to a service', (cgroup, service) => {
    expect(serviceIn(cgroup)).toBe(service)
  })

  it('say whose they are, and which signals they handle', async () => {
    const status = await statusOf(globalThis.process.pid)
    expect(status).toMatchObject({
      uid: globalThis.process.geteuid?.(),
      gid: globalThis.process.getegid?.(),
      takesOrders: false,
    })
    const listener = () => {}
    globalThis.process.on('SIGUSR2', listener)
    expect(await statusOf(globalThis.process.pid)).toMatchObject({ takesOrders: true })
    globalThis.process.off('SIGUSR2', listener)
  })
})

describe('a time of systemd', () => {
  it.each([
    ['1min 30s', 90],
    ['5min', 300],
    ['1h 1min 1s', 3_661],
    ['500ms', 0.5],
    ['2d', 172_800],
    ['infinity', null],
  ])('%s', (text, seconds) => {
    expect(spanSeconds(text)).toBe(seconds)
  })
})

const example = `
; Celery's example, cut
[program:celery]
command=celery worker -A proj
  --loglevel=INFO ; a continued line
stopwaitsecs = 600
environment=PYTHONPATH="%(here)s/lib",HOME="%(ENV_HOME)s",X="%(ENV_NONE)s"
stopasgroup:true
# gone
numprocs=1	; after a tab
[program:celery]
autorestart=true
`

describe('a configuration of supervisord', () => {
  it('is read as Python reads it', () => {
    const sections = parseConf(example, { here: '/etc/app', env: { HOME: '/home/app' } })
    expect(Object.fromEntries(sections)).toEqual({
      'program:celery': {
        command: 'celery worker -A proj --loglevel=INFO',
        stopwaitsecs: '600',
        environment: 'PYTHONPATH="/etc/app/lib",HOME="/home/app",X="%(ENV_NONE)s"',
        stopasgroup: 'true',
        numprocs: '1',
        autorestart: 'true',
      },
    })
  })

  it('has the files that it includes, by pattern, below its own folder', async () => {
    const folder = testFolder()
    mkdirSync(join(folder, 'conf.d'))
    const file = join(folder, 'supervisord.conf')
    writeFileSync(file, '[include]\nfiles = conf.d/*.conf none/*.ini\n')
    for (const name of ['b.conf', 'a.conf', 'c.off']) {
      writeFileSync(join(folder, 'conf.d', name), `[program:${name}]\ncommand=${name}\n`)
    }
    const sections = await readConf(file, {})
    expect(isUnread(sections) ? sections : [...sections.keys()]).toEqual([
      'include',
      'program:a.conf',
      'program:b.conf',
    ])
  })

  it('that is not there is no configuration', async () => {
    expect(await readConf('/nowhere/supervisord.conf', {})).toEqual({
      unread: '/nowhere/supervisord.conf is not there',
    })
  })
})

describe('the log of drains', () => {
  it('and drain.sh are where the document of the control plane has them', () => {
    const document = readFileSync('worker/drain-document.json', 'utf8')
    expect(document).toContain(`"drain=${drainScript}"`)
    expect(document).toContain(`>>${drainLog} `)
  })

  const end = '{"worker": "w", "quietSeconds": 1, "exit": 0}'
  const failed = '2026-01-06T15:00:00Z drain.sh: progress cannot be reported: AccessDenied'
  it.each([
    ['a drain that could report', [end], null],
    ['a drain that could not', [failed, end], 'AccessDenied'],
    ['one of two workers that could not', [failed, end, end], 'AccessDenied'],
    ['one that could, after one that could not', [failed, end, 'begun', end], null],
    ['one that could, after one that said so last', [end, failed, 'begun', end], null],
    ['one that could not, after one that could', [end, 'begun', failed, end], 'AccessDenied'],
    ['one that could not, said at its very end', [end, failed], 'AccessDenied'],
    ['a drain that goes on', ['started'], { unread: 'no drain has ended here yet' }],
  ])('%s', (_, lines, report) => {
    expect(reportIn(`${lines.join('\n')}\n`)).toEqual(report)
  })

  it('is read from its end', async () => {
    const file = join(testFolder(), 'log')
    writeFileSync(file, '0123456789')
    expect(await readTail(file, 4)).toBe('6789')
    expect(await readTail(file, 40)).toBe('0123456789')
  })
})

describe('a command', () => {
  it.each([
    ['what it prints', ['sh', '-c', 'echo $0', 'a;b'], {}, 'a;b\n'],
    ['one that is not there', ['no-such-tool'], {}, { unread: 'there is no no-such-tool here' }],
    [
      'one that fails, by the last line that it said',
      ['sh', '-c', 'echo one >&2; echo amqp://u:geheim@h >&2; exit 3'],
      {},
      { unread: 'sh failed: amqp://...@h' },
    ],
    ['an exit code that means something', ['sh', '-c', 'echo x; exit 3'], { codes: [3] }, 'x\n'],
    [
      'one that hangs',
      ['sleep', '60'],
      { secondsMax: 0.2 },
      { unread: 'sleep did not answer in time' },
    ],
  ] as const)('%s', async (_, [command, ...args], options, said) => {
    expect(await run(command, args, options)).toEqual(said)
  })

  it('and a file that is not there are no errors', async () => {
    expect(await readText('/nowhere')).toEqual({ unread: '/nowhere is not there' })
  })

  it.each([
    ['sqs://key:secret@sqs.eu-west-1 down', 'sqs://...@sqs.eu-west-1 down'],
    ['https://host/path', 'https://host/path'],
  ])('%s is shown without its secrets', (text, shown) => {
    expect(withoutSecrets(text)).toBe(shown)
  })
})

describe('how long tasks of a box take', () => {
  const fleet = fleetOf({
    queueNamePrefix: 'p-',
    queues: { video: { taskTime: '4m' }, mail: { taskTime: '2s', drain: { within: '1h' } } },
  })
  it.each([
    ['as asked', { taskTime: '2m' }, ['video'], { taskSeconds: 120, drainSeconds: 1_200 }],
    ['as asked, if short', { taskTime: '1s' }, [], { taskSeconds: 1, drainSeconds: 600 }],
    ['by the queue that is named', { queue: 'mail' }, [], { taskSeconds: 2, drainSeconds: 3_600 }],
    ['by its queues', {}, ['video'], { taskSeconds: 240, drainSeconds: 2_400 }],
    ["by its queues' names in SQS", {}, ['p-video'], { taskSeconds: 240, drainSeconds: 2_400 }],
    ['by the longest', {}, ['mail', 'video'], { taskSeconds: 240, drainSeconds: 3_600 }],
    ['is not known', {}, ['celery'], null],
  ])('%s', (_, asked, queues, needs) => {
    expect(needsOf(fleet, asked, queues)).toEqual(needs)
  })
  it.each([
    [{ queue: 'nope' }, 'no queue nope'],
    [{ taskTime: '4 minutes' }, "write '90s'"],
  ])('%j is refused', (asked, message) => {
    expect(() => needsOf(fleet, asked, [])).toThrow(message)
  })
})

describe('the table', () => {
  const findings: Finding[] = [
    { check: 'restart', subject: 'unit w', severity: 'ok', found: 'no', reason: '', fix: '' },
    {
      ...{ check: 'kill-mode', subject: 'unit w', severity: 'error', found: 'KillMode=none' },
      ...{ reason: 'It is so. '.repeat(12).trim(), fix: 'Set KillMode=mixed.' },
    },
    { check: 'sqs', subject: 'queue q', severity: 'unknown', found: 'denied', reason: '', fix: '' },
  ]
  it('groups by subject, says what follows and what to do, and hides what is in order', () => {
    const shown = describeFindings(findings, 'not ok')
    expect(shown).toBe(
      [
        'unit w',
        '  error    kill-mode  KillMode=none',
        `           ${'It is so. '.repeat(9).trim()}`,
        '           It is so. It is so. It is so.',
        '           Fix: Set KillMode=mixed.',
        '',
        'queue q',
        '  unknown  sqs        denied',
        '',
        '1 error, 0 warnings, 1 unknown, 1 ok (--verbose shows them).',
      ].join('\n'),
    )
  })
  it('shows everything where that is asked for, the worst of a subject first', () => {
    const shown = describeFindings(findings, 'all')
    expect(shown).toContain('  ok       restart    no')
    expect(shown.indexOf('kill-mode')).toBeLessThan(shown.indexOf('restart'))
    expect(shown).toMatch(/1 ok\.$/)
  })
})
