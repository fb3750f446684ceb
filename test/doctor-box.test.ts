import { describe, expect, it } from 'vitest'
import { checkBox } from '../cli/doctor/checks-box.ts'
import type { BoxFacts, First, Needs, Probe, Settings, WorkerFacts } from '../cli/doctor/facts.ts'
import { compareVersions, exitCodeOf, type Finding, type Severity } from '../cli/doctor/finding.ts'
import {
  fourMinutes,
  goodBox,
  goodContainer,
  goodProbe,
  goodProgram,
  goodSettings,
  goodUnit,
  goodWorker,
} from './doctor/facts.ts'

/** What the facts of a box come to: a row is a change of a good one, and the finding it makes. */

type Row = [
  sentence: string,
  box: Partial<BoxFacts>,
  check: string,
  severity: Severity,
  found: RegExp,
]

const find = (findings: readonly Finding[], check: string, subject?: RegExp) =>
  findings.find((one) => one.check === check && (subject?.test(one.subject) ?? true))

const withWorker = (worker: Partial<WorkerFacts>): Partial<BoxFacts> => ({
  workers: [{ ...goodWorker, ...worker }],
})
const withProbe = (probe: Partial<Probe>, worker: Partial<WorkerFacts> = {}) =>
  withWorker({ probe: { ...goodProbe, ...probe }, ...worker })
const withSettings = (settings: Partial<Settings>) =>
  withProbe({ settings: { ...goodSettings, ...settings } })
const withUnit = (unit: Partial<typeof goodUnit>) => ({ units: [{ ...goodUnit, ...unit }] })
const withProgram = (program: Partial<typeof goodProgram>) => ({
  ...{ units: [], programs: [{ ...goodProgram, ...program }] },
})
const withContainer = (container: Partial<typeof goodContainer>) => ({
  ...{ units: [], programs: [], containers: [{ ...goodContainer, ...container }] },
})
const withDrain = (drain: Partial<BoxFacts['drain']>) => ({ drain: { ...goodBox.drain, ...drain } })

const losing = { celery: '5.6.3', billiard: '4.3.0' }
const front = (from: First['from'], ...argv: string[]): { first: First } => ({
  first: { argv, from, isWorker: false },
})
const unread = { unread: 'it may not be read' }

const workerRows: Row[] = [
  ['Celery 5.6.3 with billiard 4.3.0', withProbe(losing), 'cold-shutdown', 'warning', /4\.3\.0/],
  [
    'the same, with a SIGTERM that is cold',
    withProbe(losing, { remapSigterm: 'SIGQUIT' }),
    ...(['cold-shutdown', 'error', /REMAP_SIGTERM=SIGQUIT/] as const),
  ],
  [
    'the same, with a value of REMAP_SIGTERM that Celery does not know',
    withProbe(losing, { remapSigterm: 'SIGINT' }),
    ...(['cold-shutdown', 'warning', /4\.3\.0/] as const),
  ],
  [
    "Debian's Celery 5.2.6 with billiard 4.1.0",
    withProbe({ celery: '5.2.6', billiard: '4.1.0' }),
    ...(['cold-shutdown', 'ok', /4\.1\.0/] as const),
  ],
  [
    'a Celery that is newer than what was tried',
    withProbe({ celery: '5.7.0', billiard: '4.3.0' }),
    ...(['cold-shutdown', 'unknown', /not been tried/] as const),
  ],
  [
    'a Python that does not answer',
    withWorker({ probe: unread }),
    'python',
    'unknown',
    /not be read/,
  ],
  ['a Python without Celery', withProbe({ celery: null }), 'celery', 'unknown', /cannot import/],
  ['Celery 5.1', withProbe({ celery: '5.1.2' }), 'celery', 'warning', /5\.1\.2/],
  ['an old kombu', withProbe({ kombu: '5.5.4' }), 'kombu', 'ok', /5\.5\.4/],
  [
    'a SIGTERM that is cold, with late acknowledgement',
    withWorker({ remapSigterm: 'SIGQUIT' }),
    ...(['remap-sigterm', 'warning', /SIGQUIT/] as const),
  ],
  [
    'a SIGTERM that is cold, with early acknowledgement',
    withProbe({ settings: { ...goodSettings, acksLate: false } }, { remapSigterm: 'SIGQUIT' }),
    ...(['remap-sigterm', 'error', /SIGQUIT/] as const),
  ],
  [
    'an environment that is not ours to read',
    withWorker({ remapSigterm: unread }),
    ...(['remap-sigterm', 'unknown', /not be read/] as const),
  ],
  [
    'no celeriac_worker',
    withProbe({ celeriacWorker: null }, { phase: null, takesOrders: false }),
    ...(['celeriac-worker', 'warning', /cannot be imported/] as const),
  ],
  [
    'celeriac_worker that the application does not install',
    withWorker({ phase: null, takesOrders: false }),
    ...(['celeriac-worker', 'warning', /no state file/] as const),
  ],
  [
    'celeriac_worker whose signal somebody else took',
    withWorker({ takesOrders: false }),
    ...(['celeriac-worker', 'warning', /no handler/] as const),
  ],
  [
    'celeriac_worker that nobody can see',
    withWorker({ probe: unread, phase: null, takesOrders: false }),
    ...(['celeriac-worker', 'unknown', /not be read/] as const),
  ],
  ['no application named', withProbe({ settings: null }), 'acks-late', 'unknown', /no application/],
  ['an application that breaks', withProbe({ settings: unread }), 'acks-late', 'unknown', /not be/],
  ['early acknowledgement', withSettings({ acksLate: false }), 'acks-late', 'error', /is off/],
  [
    'a task of its own opinion',
    withSettings({ earlyTasks: ['mail.send'] }),
    ...(['acks-late', 'error', /mail\.send/] as const),
  ],
  ['another broker', withSettings({ transport: 'redis' }), 'broker', 'error', /redis/],
  [
    'a killed process that counts as done',
    withSettings({ rejectOnWorkerLost: false }),
    ...(['reject-on-worker-lost', 'warning', /is off/] as const),
  ],
  [
    'a long prefetch of long tasks',
    withSettings({ prefetchMultiplier: 4 }),
    'prefetch',
    'warning',
    /4/,
  ],
  [
    'a prefetch without limit',
    withSettings({ prefetchMultiplier: 0 }),
    'prefetch',
    'warning',
    /limit/,
  ],
  [
    'a soft shutdown',
    withSettings({ softShutdownSeconds: 10 }),
    ...(['soft-shutdown', 'warning', /10/] as const),
  ],
  [
    'a visibility timeout below three tasks',
    withSettings({ visibilitySeconds: 600 }),
    ...(['visibility-timeout', 'warning', /10 min/] as const),
  ],
  [
    'no visibility timeout of its own',
    withSettings({ visibilitySeconds: null }),
    ...(['visibility-timeout', 'ok', /queue's own/] as const),
  ],
  [
    'a container that the metadata service does not reach',
    withProbe({ metadata: { unread: 'timed out' } }, { container: 'worker' }),
    ...(['metadata', 'warning', /timed out/] as const),
  ],
  [
    'a container that it reaches',
    withProbe({ metadata: 'token' }, { container: 'worker' }),
    ...(['metadata', 'ok', /inside/] as const),
  ],
  [
    'a container that could not be asked',
    withWorker({ probe: unread, container: 'worker' }),
    ...(['metadata', 'unknown', /not asked/] as const),
  ],
  ['no worker at all', { workers: [] }, 'worker', 'unknown', /no Celery worker/],
]

const keeperRows: Row[] = [
  [
    "systemd's default",
    withUnit({ killMode: 'control-group' }),
    'kill-mode',
    'error',
    /control-group/,
  ],
  ['KillMode=process', withUnit({ killMode: 'process' }), 'kill-mode', 'warning', /process/],
  ['a unit that stops by SIGQUIT', withUnit({ killSignal: 3 }), 'stop-signal', 'error', /QUIT/],
  ['a unit that stops by SIGINT', withUnit({ killSignal: 2 }), 'stop-signal', 'ok', /INT/],
  [
    '90 s for tasks of four minutes',
    withUnit({ stopSeconds: 90 }),
    'stop-timeout',
    'error',
    /90 s/,
  ],
  [
    'less than a drain may take',
    withUnit({ stopSeconds: 600 }),
    'stop-timeout',
    'warning',
    /10 min/,
  ],
  ['no limit', withUnit({ stopSeconds: null }), 'stop-timeout', 'ok', /no limit/],
  [
    'a unit that starts again, without drain.sh',
    { ...withUnit({}), ...withDrain({ script: 'missing' }) },
    ...(['restart', 'warning', /Restart=always/] as const),
  ],
  ['the same, with drain.sh', withUnit({}), 'restart', 'ok', /Restart=always/],
  [
    'a unit whose shell has the worker below it',
    withUnit(front('process', '/bin/sh', '-c', 'celery worker; true')),
    ...(['main-process', 'error', /below it/] as const),
  ],
  [
    'a unit whose shell would have',
    withUnit(front('configuration', '/bin/sh', '-c', 'cd /app && celery -A app worker')),
    ...(['main-process', 'error', /cd \/app/] as const),
  ],
  [
    'a shell that ends in exec',
    withUnit(front('configuration', '/bin/sh', '-c', 'cd /app && exec celery -A app worker')),
    ...(['main-process', 'ok', /exec/] as const),
  ],
  [
    'a script that does not run yet',
    withUnit(front('configuration', '/bin/bash', '/app/start.sh')),
    ...(['main-process', 'unknown', /start\.sh/] as const),
  ],
  [
    'a command with a password',
    withUnit(front('configuration', '/bin/celery', '-b', 'redis://u:geheim@host', 'worker')),
    ...(['main-process', 'ok', /^(?!.*geheim)/] as const),
  ],
  ['a unit that nobody can show', { units: [unread] }, 'unit', 'unknown', /not be read/],
  ['stopasgroup', withProgram({ stopAsGroup: true }), 'stop-as-group', 'error', /true/],
  [
    'a program that stops by SIGQUIT',
    withProgram({ stopSignal: 'QUIT' }),
    'stop-signal',
    'error',
    /QUIT/,
  ],
  ['a program that is killed', withProgram({ stopSignal: 'KILL' }), 'stop-signal', 'error', /KILL/],
  ["supervisord's 10 s", withProgram({ stopSeconds: 10 }), 'stop-timeout', 'error', /10 s/],
  [
    'a program that starts again, without drain.sh',
    { ...withProgram({}), ...withDrain({ script: 'missing' }) },
    ...(['restart', 'warning', /autorestart/] as const),
  ],
  ['a program that nobody can show', { programs: [unread] }, 'program', 'unknown', /not be read/],
  [
    'a container whose CMD has the form of a shell',
    withContainer(front('process', '/bin/sh', '-c', 'celery -A app worker')),
    ...(['main-process', 'error', /below it/] as const),
  ],
  [
    'dumb-init as it is',
    withContainer(front('process', '/usr/bin/dumb-init', '--', 'celery', 'worker')),
    ...(['init', 'error', /DUMB_INIT_SETSID/] as const),
  ],
  [
    'dumb-init that signals its child alone',
    withContainer({
      ...front('process', '/usr/bin/dumb-init', '--', 'celery', 'worker'),
      environment: { DUMB_INIT_SETSID: '0' },
    }),
    ...(['init', 'ok', /alone/] as const),
  ],
  [
    "tini, and an application's own -g",
    withContainer(front('process', '/sbin/tini', '--', 'celery', 'worker', '-g')),
    ...(['init', 'ok', /alone/] as const),
  ],
  [
    'tini that signals the group',
    withContainer(front('process', '/sbin/tini', '-g', '--', 'celery', 'worker')),
    ...(['init', 'error', /group/] as const),
  ],
  ["Docker's 10 s", withContainer({ stopSeconds: null }), 'stop-timeout', 'error', /default: 10 s/],
  ['STOPSIGNAL SIGQUIT', withContainer({ stopSignal: 'SIGQUIT' }), 'stop-signal', 'error', /QUIT/],
  [
    'a container that starts again, without drain.sh',
    { ...withContainer({}), ...withDrain({ script: 'not executable' }) },
    ...(['restart', 'warning', /always/] as const),
  ],
  ['a container that nobody can show', { containers: [unread] }, 'container', 'unknown', /not be/],
]

const boxRows: Row[] = [
  ['no drain.sh', withDrain({ script: 'missing' }), 'drain-script', 'error', /missing/],
  [
    'a drain.sh that nobody can start',
    withDrain({ script: 'not executable' }),
    'drain-script',
    'error',
    /not exec/,
  ],
  [
    'a watcher that does not run',
    withDrain({ watcher: 'inactive' }),
    'watcher',
    'warning',
    /inactive/,
  ],
  ['a watcher that nobody can see', withDrain({ watcher: unread }), 'watcher', 'unknown', /not be/],
  [
    'reports that failed',
    withDrain({ report: 'AccessDenied' }),
    'reports',
    'warning',
    /AccessDenied/,
  ],
  ['no drain yet', withDrain({ report: unread }), 'reports', 'unknown', /shows with a drain/],
  [
    'an old agent',
    { agent: { running: true, version: '3.3.2299.0' } },
    'ssm-agent-version',
    'error',
    /2299/,
  ],
  ['no agent', { agent: { running: false, version: unread } }, 'ssm-agent', 'error', /no process/],
  [
    'an agent of unknown age',
    { agent: { running: true, version: unread } },
    'ssm-agent-version',
    'unknown',
    /not/,
  ],
  ['no metadata', { metadata: { failed: 'no answer' } }, 'metadata', 'warning', /no answer/],
]

describe('a box', () => {
  it('in which everything is in order has nothing but that to say', () => {
    const findings = checkBox(goodBox, fourMinutes)
    expect(findings.filter(({ severity }) => severity !== 'ok')).toEqual([])
    expect(findings.length).toBeGreaterThan(25)
    expect(exitCodeOf(findings)).toBe(0)
  })

  it.each([...workerRows, ...keeperRows, ...boxRows])('%s', (_, box, check, severity, found) => {
    const finding = find(checkBox({ ...goodBox, ...box }, fourMinutes), check)
    expect(finding?.severity).toBe(severity)
    expect(finding?.found).toMatch(found)
    const bad = severity === 'error' || severity === 'warning'
    expect([finding?.reason !== '', finding?.fix !== ''].includes(false) && bad).toBe(false)
  })

  it('says once that a cold SIGTERM loses tasks', () => {
    const box = { ...goodBox, ...withProbe(losing, { remapSigterm: 'SIGQUIT' }) }
    const findings = checkBox(box, fourMinutes).filter(({ severity }) => severity !== 'ok')
    expect(findings.map(({ check }) => check)).toEqual(['cold-shutdown'])
  })

  it.each([
    ['long', 30.5, 'warning'],
    ['short', 30, 'ok'],
  ])('prefetch of %s tasks', (_, taskSeconds, severity) => {
    const box = { ...goodBox, ...withSettings({ prefetchMultiplier: 4 }) }
    const needs: Needs = { taskSeconds, drainSeconds: 600 }
    expect(find(checkBox(box, needs), 'prefetch')?.severity).toBe(severity)
  })

  it.each(['prefetch', 'visibility-timeout', 'stop-timeout'])(
    '%s cannot be judged where nobody says how long tasks take',
    (check) => {
      const box = { ...goodBox, ...withSettings({ prefetchMultiplier: 4 }) }
      const finding = find(checkBox(box, null), check)
      expect(finding?.severity).toBe('unknown')
      expect(finding?.fix).toContain('--task-time')
    },
  )
})

describe('versions', () => {
  it.each([
    ['3.3.2746.0', '3.3.2746.0', 0],
    ['3.3.10.0', '3.3.9.0', 1],
    ['5.6', '5.6.0', 0],
    ['5.6.0rc1', '5.6.0', 0],
    ['4.1.0', '4.3.0', -1],
    ['nonsense', '1', -1],
  ])('%s and %s', (a, b, order) => {
    expect(Math.sign(compareVersions(a, b))).toBe(order)
  })
})

describe('the exit code', () => {
  const one = (severity: Severity): Finding => ({
    ...{ check: 'c', subject: 's', severity, found: '', reason: '', fix: '' },
  })
  it.each([
    ['nothing', [], 0],
    ['what is in order or unknown', ['ok', 'unknown'], 0],
    ['a warning among others', ['unknown', 'warning', 'ok'], 1],
    ['an error, whatever else', ['warning', 'error', 'ok'], 2],
  ] as const)('of %s', (_, severities, code) => {
    expect(exitCodeOf(severities.map(one))).toBe(code)
  })
})
