import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { readProcesses } from '../cli/doctor/processes.ts'
import { readPython, readWorker } from '../cli/doctor/read-worker.ts'
import {
  about,
  addContainer,
  addUnit,
  app,
  describeWithCelery,
  doctor,
  findingsIn,
  makeEnvironment,
  pidOf,
  python,
  start,
  startMetadata,
  testFolder,
  tidyUp,
  until,
  versionsHere,
  workerArguments,
  workerAt,
} from './doctor/box.ts'

/**
 * The doctor on this machine, as a user runs it: workers and supervisord are real, systemctl,
 * docker and the SSM agent are stand-ins that answer as they are asked.
 */

const shell = ['sh', '-c', `${[python, ...workerArguments].join(' ')} & wait`]

describeWithCelery('the doctor, on real workers,', () => {
  const [celery, kombu, billiard] = versionsHere() ?? []
  const stand = testFolder()
  const run = join(stand, 'run')
  const environment = join(stand, 'venv')
  let findings: ReturnType<typeof findingsIn>
  let code: number
  const pids = { active: 0, plain: 0, shell: 0, inside: 0, supervised: 0 }
  const conf = join(stand, 'supervisord.conf')

  beforeAll(async () => {
    mkdirSync(run)
    const own = makeEnvironment(environment)
    // Both are in the group of processes that the shell leads, as in a container.
    const [active, plain, front] = await Promise.all([
      start([python, ...workerArguments, '-Q', 'video'], {
        CELERIAC_RUN_DIR: run,
        ACKS_LATE: 'yes',
      }),
      start([own, ...workerArguments], { REMAP_SIGTERM: 'SIGQUIT' }),
      start(shell),
    ])
    Object.assign(pids, { active: active.worker, plain: plain.worker })
    Object.assign(pids, { shell: front.pid, inside: front.worker })
    pids.supervised = await supervise(conf)
    const agent = pidOf(spawn('sleep', ['600'], { argv0: 'amazon-ssm-agent' }))
    const unit = { KillMode: 'control-group', KillSignal: '15', Restart: 'always' }
    addUnit(stand, 'celery.service', {
      ...unit,
      ...{ MainPID: String(pids.active), TimeoutStopUSec: '1min 30s' },
      ExecStart: '{ path=/usr/bin/python3 ; argv[]=/usr/bin/python3 -m celery worker ; pid=1 }',
    })
    addUnit(stand, 'planned.service', {
      ...{ ...unit, KillMode: 'mixed', MainPID: '0', TimeoutStopUSec: 'infinity' },
      ExecStart: '{ path=/bin/sh ; argv[]=/bin/sh -c cd /app && celery worker ; pid=0 }',
    })
    addUnit(stand, 'celeriac-watch.service', { ActiveState: 'active' })
    const State = { Pid: pids.shell }
    const Config = { Env: ['A=b'], StopSignal: 'SIGQUIT', StopTimeout: 30 }
    const HostConfig = { NetworkMode: 'bridge', RestartPolicy: { Name: 'always' } }
    const dead = 'export AWS_EC2_METADATA_SERVICE_ENDPOINT=http://127.0.0.1:9'
    addContainer(stand, 'worker', { State, Config, HostConfig }, dead)
    addContainer(stand, 'database', { Path: 'postgres', State: { Pid: agent } })
    const ran = await doctor(
      [
        ...['--json', '--app', 'app', '--task-time', '4m', '--supervisor-conf', conf],
        ...['--unit', 'celery.service', '--unit', 'planned.service', '--unit', 'gone.service'],
      ],
      {
        STAND_IN: stand,
        AGENT_VERSION: '3.3.987.0',
        AWS_EC2_METADATA_SERVICE_ENDPOINT: await startMetadata(),
      },
    )
    findings = findingsIn(ran)
    code = ran.code
  }, 150_000)
  afterAll(tidyUp)

  it('finds errors on a box without drain.sh, and says so', () => {
    expect(code).toBe(2)
    expect(findings.box).not.toBe(null)
    expect(findings.account).toBe(null)
  })

  it('asks the own Python of a worker, and loads its application as that does', () => {
    expect(about(findings, `worker ${pids.active}`)).toEqual({
      celery: `ok: Celery ${celery}`,
      kombu: `ok: kombu ${kombu}`,
      'cold-shutdown': `ok: Celery ${celery} with billiard ${billiard}`,
      'remap-sigterm': 'ok: SIGTERM is a warm shutdown',
      'celeriac-worker': 'ok: active, working',
      broker: 'error: memory',
      'acks-late': 'error: on, but not for mail.send',
      'reject-on-worker-lost': 'warning: task_reject_on_worker_lost is off',
      prefetch: 'warning: worker_prefetch_multiplier is 4, tasks take 4 min',
      'soft-shutdown': 'ok: worker_soft_shutdown_timeout is 0',
      'visibility-timeout': "ok: not set: the queue's own counts, which doctor --config reads",
    })
  })

  it('reads the environment that a worker was started with', () => {
    expect(about(findings, `worker ${pids.plain}`)).toMatchObject({
      'remap-sigterm': 'error: REMAP_SIGTERM=SIGQUIT',
      'acks-late': 'error: task_acks_late is off',
    })
  })

  it('finds the virtual environment of a worker, whose program is the system Python', async () => {
    const process = (await readProcesses()).get(pids.plain)
    const worker =
      process && (await readWorker(process, null, { app: undefined, python: undefined }))
    expect(worker).toMatchObject({
      probe: { python: join(environment, 'bin', 'python'), celery, settings: null },
      phase: null,
      queues: [],
    })
  })

  it('asks a Python in which no worker runs yet', async () => {
    const worker = await readPython(python, { app: undefined, python })
    expect(worker).toMatchObject({ pid: null, probe: { celery, kombu, billiard } })
    const none = await readPython('/nowhere/python', { app: undefined, python: '/nowhere/python' })
    expect(none.probe).toEqual({ unread: 'there is no /nowhere/python here' })
  })

  it('takes the main process of a worker, and none of its children', () => {
    const subjects = new Set(findings.findings.map(({ subject }) => subject))
    const own = [pids.active, pids.plain, pids.supervised]
      .filter((pid) => pid > 0)
      .map((pid) => `worker ${pid}`)
    expect(
      [...own, `worker ${pids.inside} in container worker`].filter((one) => !subjects.has(one)),
    ).toEqual([])
    const versions = findings.findings.filter(({ check }) => check === 'celery')
    expect(new Set(versions.map(({ subject }) => subject)).size).toBe(versions.length)
  })

  it('reads units, those that run and those that do not', () => {
    expect(about(findings, 'unit celery.service')).toMatchObject({
      'kill-mode': 'error: KillMode=control-group',
      'stop-timeout': 'error: TimeoutStopSec: 90 s, a usual task takes 4 min',
      'stop-signal': 'ok: the stop signal is TERM',
      'main-process': 'ok: the worker itself',
      restart: 'warning: Restart=always',
    })
    expect(about(findings, 'unit planned.service')).toMatchObject({
      'kill-mode': 'ok: KillMode=mixed',
      'stop-timeout': 'ok: TimeoutStopSec: no limit',
      'main-process': 'error: /bin/sh -c cd /app && celery worker',
    })
  })

  it('reads the container that has a worker, and no other', () => {
    const container = about(findings, 'container worker')
    expect(container).toMatchObject({
      'stop-signal': 'error: the stop signal is QUIT',
      'stop-timeout': 'error: StopTimeout: 30 s, a usual task takes 4 min',
      restart: 'warning: restart policy always',
    })
    expect(container['main-process']).toMatch(/^error: sh -c .*, with the worker below it$/)
    expect(about(findings, 'container database')).toEqual({})
  })

  it('asks inside the container whether the metadata service is in reach', () => {
    const inside = about(findings, `worker ${pids.inside} in container worker`)
    expect(inside['metadata']).toMatch(/^warning: no answer inside the container: URLError/)
    expect(inside['celery']).toBe(`ok: Celery ${celery}`)
  })

  it('reads the agent, the watcher, the metadata service, and what is missing', () => {
    const box = about(findings, 'this box')
    expect(box).toMatchObject({
      'ssm-agent': 'ok: it runs',
      'ssm-agent-version': 'error: 3.3.987.0',
      watcher: 'ok: celeriac-watch.service is active',
      metadata: 'ok: IMDSv2 answers',
      'drain-script': 'error: /opt/celeriac/drain.sh is missing',
      unit: 'unknown: gone.service: systemd says not-found',
    })
  })

  it.skipIf(!existsSync('/usr/bin/supervisord'))('reads a real supervisord', () => {
    const program = about(findings, 'program talk')
    expect(program).toMatchObject({
      'stop-as-group': 'error: stopasgroup=true',
      'stop-timeout': 'error: stopwaitsecs: 10 s, a usual task takes 4 min',
      restart: 'warning: autorestart=true',
    })
    expect(program['main-process']).toMatch(/^error: sh -c .*, with the worker below it$/)
    expect(about(findings, 'program web')).toEqual({})
  })
})

/** A real supervisord with a worker behind a shell; that one's pid, 0 without supervisord. */
async function supervise(conf: string): Promise<number> {
  if (!existsSync('/usr/bin/supervisord')) return 0
  const folder = join(conf, '..')
  mkdirSync(join(folder, 'conf.d'))
  const socket = join(folder, 'supervisor.sock')
  const log = join(folder, 'talk.log')
  const command = `sh -c "cd ${app}; ${[python, ...workerArguments].join(' ')}; exit 0"`
  writeFileSync(
    conf,
    `[unix_http_server]\nfile=${socket}\n[supervisord]\nnodaemon=true\n` +
      `pidfile=${join(folder, 'pid')}\nlogfile=${join(folder, 'log')}\n` +
      '[rpcinterface:supervisor]\n' +
      'supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface\n' +
      `[supervisorctl]\nserverurl=unix://${socket}\n[include]\nfiles=conf.d/*.conf\n`,
  )
  writeFileSync(
    join(folder, 'conf.d', 'talk.conf'),
    `[program:talk]\ncommand=${command}\nstopasgroup=true ; as in the example\n` +
      `autorestart=true\nredirect_stderr=true\nstdout_logfile=${log}\n` +
      '[program:web]\ncommand=sleep 600\n',
  )
  const child = spawn('/usr/bin/supervisord', ['-c', conf], {
    stdio: 'ignore',
    env: { PATH: process.env['PATH'], PYTHONDONTWRITEBYTECODE: '1' },
  })
  const pid = pidOf(child)
  await until(() => (existsSync(log) ? readFileSync(log, 'utf8') : ''), / ready\./)
  // For its first second it is STARTING, whose pid supervisorctl does not say.
  const status = () => spawnSync('supervisorctl', ['-c', conf, 'status', 'talk']).stdout.toString()
  await until(status, /RUNNING/)
  return workerAt(pid)
}
