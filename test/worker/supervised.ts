import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { delimiter, join, resolve } from 'node:path'
import {
  celeryArguments,
  endAtTheEnd,
  readLines,
  testFolder,
  until,
  type WorkerOptions,
  workerEnvironment,
} from './celery.ts'

/** A worker that is kept running by a supervisor, as drain.sh meets it. */
export type Supervised = {
  /** How drain.sh is told which one. */
  readonly selector: readonly string[]
  readonly folder: string
  readonly env: NodeJS.ProcessEnv
  /** Whether the supervisor says that it runs, or will again. */
  status(): 'running' | 'stopped'
  /** What its tasks wrote. */
  done(): readonly string[]
  /** How often a worker became ready since the start. */
  starts(): number
  /** What it logged, over all its starts. */
  log(): readonly string[]
  /** Lets the tasks behind that gate end. */
  open(gate: string): void
}

export type SupervisedOptions = WorkerOptions & {
  /** A shell in front of Celery that does not pass signals on, as many a box has. */
  readonly inFront?: 'shell'
}

const standIn = (name: string) => resolve('test/worker/stand-in', name)

// Debian's own: supervisord is written in Python, and so are the stand-ins.
const python = '/usr/bin/python3'

/** The real supervisord, with what is wrong in Celery's own example: it TERMs the whole group. */
export async function startSupervisord(options: SupervisedOptions): Promise<Supervised> {
  const made = prepare(options)
  const file = join(made.folder, 'supervisord.conf')
  const socket = join(made.folder, 'supervisor.sock')
  writeFileSync(
    file,
    [
      `[supervisord]\nnodaemon=true\nlogfile=${join(made.folder, 'supervisord.log')}`,
      `pidfile=${join(made.folder, 'supervisord.pid')}`,
      `[unix_http_server]\nfile=${socket}`,
      '[rpcinterface:supervisor]',
      'supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface',
      `[supervisorctl]\nserverurl=unix://${socket}`,
      `[program:celery]\ncommand=${made.command.map(quoted).join(' ')}`,
      'autorestart=true\nstopasgroup=true\nkillasgroup=true\nstartsecs=1',
      `redirect_stderr=true\nstdout_logfile=${made.log}`,
    ].join('\n'),
  )
  keep(['/usr/bin/supervisord', '-n', '-c', file], made.env)
  const env = { ...made.env, CELERIAC_SUPERVISOR_CONF: file }
  return finish(made, {
    env,
    selector: ['--program', 'celery'],
    status: () =>
      /RUNNING|STARTING|BACKOFF/.test(say('supervisorctl', ['-c', file, 'status'], env))
        ? 'running'
        : 'stopped',
  })
}

/** The stand-in for systemd, with the traps of a plain unit: KillMode and Restart as they come. */
export async function startSystemd(options: SupervisedOptions): Promise<Supervised> {
  const made = prepare(options)
  const unit = join(made.folder, 'celery.service')
  const dropIns = join(made.folder, 'units')
  writeFileSync(
    unit,
    `[Service]\nExecStart=${made.command.map(quoted).join(' ')}\nRestart=always\n`,
  )
  const env = { ...made.env, CELERIAC_UNIT_DIR: dropIns }
  await standInFor('systemctl', ['systemd.py', unit, dropIns], made)
  return finish(made, {
    env,
    selector: ['--unit', 'celery'],
    status: () =>
      say('systemctl', ['is-active', 'celery'], env).startsWith('active') ? 'running' : 'stopped',
  })
}

/** The stand-in for Docker: real namespaces, so that pids and paths differ inside. */
export async function startDocker(options: SupervisedOptions): Promise<Supervised> {
  const made = prepare(options)
  const run = join(made.folder, 'run')
  await standInFor('docker', ['docker.py', 'worker-1', 'always', run, ...made.command], made)
  return finish(made, {
    env: made.env,
    selector: ['--container', 'worker-1'],
    status: () =>
      say('docker', ['inspect', '-f', '{{.State.Pid}}', 'worker-1'], made.env).trim() === '0'
        ? 'stopped'
        : 'running',
  })
}

type Prepared = {
  readonly folder: string
  readonly env: NodeJS.ProcessEnv
  readonly command: readonly string[]
  readonly log: string
}

function prepare(options: SupervisedOptions): Prepared {
  const folder = testFolder()
  const log = join(folder, 'log')
  const bin = join(folder, 'bin')
  mkdirSync(bin)
  const base = workerEnvironment(folder, options)
  const env = {
    ...base,
    PATH: [bin, base['PATH']].join(delimiter),
    SERVICE_LOG: log,
  }
  const celery = [options.python.command, ...celeryArguments()]
  const shell = ['/bin/sh', '-c', '"$@"; exit $?', 'sh', ...celery]
  return { folder, env, log, command: options.inFront === 'shell' ? shell : celery }
}

/** Waits until the worker is ready and gives it the rest of what a test asks. */
async function finish(
  made: Prepared,
  own: Pick<Supervised, 'selector' | 'env' | 'status'>,
): Promise<Supervised> {
  const log = () => readLines(made.log)
  const starts = () => log().filter((line) => line.includes('ready.')).length
  await until('the supervised worker is ready', () => starts() || null)
  return {
    ...own,
    folder: made.folder,
    done: () => readLines(join(made.folder, 'tasks')),
    starts,
    log,
    open: (gate) => writeFileSync(join(made.folder, gate), ''),
  }
}

/** Starts a stand-in and puts its client on the PATH under the real one's name. */
async function standInFor(name: string, args: readonly string[], made: Prepared): Promise<void> {
  const socket = join(made.folder, `${name}.sock`)
  const [script = '', ...rest] = args
  const client = join(made.folder, 'bin', name)
  writeFileSync(client, `#!/bin/sh\nexec ${python} ${standIn('service.py')} ${socket} "$@"\n`)
  chmodSync(client, 0o755)
  const child = keep([python, standIn(script), socket, ...rest], made.env)
  await once(child.stdout, 'data')
}

function keep([command = '', ...args]: readonly string[], env: NodeJS.ProcessEnv) {
  const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'inherit'] })
  endAtTheEnd(child)
  return child
}

/** What the command prints, whatever its exit code: `status` has many. */
function say(command: string, args: readonly string[], env: NodeJS.ProcessEnv): string {
  try {
    return execFileSync(command, args, { env, stdio: 'pipe' }).toString()
  } catch (error) {
    if (error instanceof Error && 'stdout' in error) return String(error.stdout)
    throw error
  }
}

const quoted = (word: string) => (/^[\w./:=-]+$/.test(word) ? word : `'${word}'`)
