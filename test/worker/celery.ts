import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Moto } from '../moto.ts'

/**
 * Real Celery workers: each Python that has Celery, and worker processes of its own for each test.
 */
export type Python = {
  readonly command: string
  /** Such as `Celery 5.2.6, kombu 5.2.4, billiard 4.1.0`. */
  readonly versions: string
}

/** What /proc, the state file and the log say of one worker process. */
export type Worker = {
  /** The pid of the main process. */
  readonly pid: number
  /** The folder that is all its own: pid file, run directory, locks, log. */
  readonly folder: string
  readonly env: NodeJS.ProcessEnv
  /** Its exit code, or the signal that ended it. */
  readonly ended: Promise<number | string>
  /** The state file, null when there is none. */
  state(): State | null
  /** What its tasks wrote: `begin <id>`, `end <id>`. */
  done(): readonly string[]
  /** Lets the tasks behind that gate end. */
  open(gate: string): void
  /** All that it logged. */
  log(): string
}

export type State = {
  readonly phase: string
  readonly drainId: string | null
  readonly handedBack: number
  readonly finished: number
  readonly failed: number
  readonly error: string | null
  readonly running: readonly { readonly id: string; readonly handle: string | null }[]
  readonly held: readonly { readonly id: string }[]
}

export type WorkerOptions = {
  readonly python: Python
  readonly moto: Moto
  readonly queue: string
  /** More of its environment, such as `{ ACKS_LATE: 'no' }`. */
  readonly env?: NodeJS.ProcessEnv
  /** More arguments of `celery worker`. */
  readonly args?: readonly string[]
}

// Debian's packages are in its own Python, whatever else comes first on PATH.
export const systemPython = '/usr/bin/python3'

// Celery takes two seconds to start, and many times that on a machine with too much to do.
const readySeconds = 120

export const packageFolder = resolve('worker')
export const appFolder = resolve('test/worker')

/** Every Python with a Celery to test: Debian's, and those that CELERIAC_CELERY_PYTHONS names. */
export function pythons(): Python[] {
  const named = (process.env['CELERIAC_CELERY_PYTHONS'] ?? '').split(':').filter(Boolean)
  return [systemPython, ...named].flatMap((command) => {
    const script =
      'import boto3, pycurl, celery.app, kombu, billiard;' +
      'print("Celery %s, kombu %s, billiard %s" % tuple(' +
      'm.__version__ for m in (celery, kombu, billiard)))'
    try {
      const versions = execFileSync(command, ['-c', script], { stdio: 'pipe' }).toString().trim()
      return [{ command, versions }]
    } catch (error) {
      // A named one must work; the system's need not be there.
      if (command !== systemPython) throw error
      return []
    }
  })
}

// What the tests of a file have started and made. They run side by side, so none of them can clean
// up behind "the" test.
const leftovers: (() => void)[] = []

export function atTheEnd(clean: () => void): void {
  leftovers.push(clean)
}

/** Ends the processes and removes the folders of all tests of the file, the last ones first. */
export function tidyUp(): void {
  for (const clean of leftovers.splice(0).reverse()) clean()
}

/** A folder for one test. */
export function testFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'celeriac-worker-'))
  atTheEnd(() => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }))
  return folder
}

/** What a worker and the drain.sh beside it need: all in `folder`, all AWS is moto's. */
export function workerEnvironment(
  folder: string,
  { moto, queue, env }: WorkerOptions,
): NodeJS.ProcessEnv {
  mkdirSync(join(folder, 'run'), { recursive: true, mode: 0o700 })
  return {
    ...moto.env,
    AWS_EC2_METADATA_DISABLED: 'true',
    SQS_HOST: new URL(moto.endpoint).host,
    QUEUE: queue,
    TASK_LOG: join(folder, 'tasks'),
    TASK_GATES: folder,
    PYTHONPATH: `${packageFolder}:${appFolder}`,
    PYTHONDONTWRITEBYTECODE: '1',
    CELERIAC_RUN_DIR: join(folder, 'run'),
    CELERIAC_DRAIN_DIR: join(folder, 'box'),
    CELERIAC_LEAVING: join(folder, 'leaving'),
    // Each report starts a Python; only a test about reports needs them.
    CELERIAC_PYTHON: '/bin/false',
    ...env,
  }
}

/** The arguments after Python's own command that run a worker of `app.py`. */
export const celeryArguments = (args: readonly string[] = []) => [
  '-m',
  'celery',
  '-A',
  'app',
  'worker',
  ...['-c', '1', '-l', 'INFO', '--without-gossip', '--without-mingle', '--without-heartbeat'],
  ...args,
]

/** Starts a worker with its pid file and waits until it is ready. */
export async function startWorker(options: WorkerOptions): Promise<Worker> {
  const folder = testFolder()
  const env = workerEnvironment(folder, options)
  const args = celeryArguments(['--pidfile', join(folder, 'pid'), ...(options.args ?? [])])
  const child = spawn(options.python.command, args, {
    cwd: folder,
    env,
    // A group of its own, as a supervisor gives it.
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const { pid } = child
  if (pid === undefined) throw new Error(`${options.python.command} cannot be started`)
  let log = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      log += chunk
    })
  }
  endAtTheEnd(child)
  const worker: Worker = {
    pid,
    folder,
    env,
    ended: endOf(child),
    state: () => readState(join(folder, 'run')),
    done: () => readLines(join(folder, 'tasks')),
    open: (gate) => writeFileSync(join(folder, gate), ''),
    log: () => log,
  }
  await until('the worker is ready', () => {
    if (child.exitCode !== null) throw new Error(`The worker ended: ${log}`)
    return log.includes('ready.') || null
  })
  return worker
}

const endOf = (child: ChildProcess) =>
  new Promise<number | string>((done) => {
    child.once('exit', (code, signal) => done(code ?? signal ?? 'unknown'))
  })

/**
 * At the end of the tests: ends a child that still runs and everything below it, the first one
 * first. One that has ended is left alone, since its pid may be another process by then.
 */
export function endAtTheEnd(child: ChildProcess): void {
  atTheEnd(() => {
    if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
    const below = descendants(child.pid)
    for (const one of [child.pid, ...below]) kill(one)
  })
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    if (!isGone(error)) throw error
  }
}

/** Every process below this one, the nearest first. */
export function descendants(pid: number): number[] {
  const children = new Map<number, number[]>()
  for (const name of readdirSync('/proc').filter((file) => /^\d+$/.test(file))) {
    const parent = parentOf(Number(name))
    children.set(parent, [...(children.get(parent) ?? []), Number(name)])
  }
  const found = [pid]
  // It grows while it is read.
  for (const one of found) found.push(...(children.get(one) ?? []))
  return found.slice(1)
}

/** The parent of a process, 0 when it is gone. */
function parentOf(pid: number): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)
    return Number(fields?.split(' ')[1])
  } catch (error) {
    if (isGone(error)) return 0
    throw error
  }
}

const isGone = (error: unknown) =>
  error instanceof Error && 'code' in error && ['ESRCH', 'ENOENT'].includes(String(error.code))

/** The one state file of a run directory. */
export function readState(folder: string): State | null {
  const name = existsSync(folder)
    ? readdirSync(folder).find((file) => /^\d+\.json$/.test(file))
    : undefined
  if (name === undefined) return null
  try {
    return JSON.parse(readFileSync(join(folder, name), 'utf8'))
  } catch (error) {
    // Removed by its worker since it was listed.
    if (isGone(error)) return null
    throw error
  }
}

export const readLines = (file: string) =>
  existsSync(file) ? readFileSync(file, 'utf8').split('\n').filter(Boolean) : []

/** Looks until `found` is not null, and gives it. Fails when it takes too long. */
export async function until<T>(
  what: string,
  look: () => T | null | Promise<T | null>,
  secondsMax = readySeconds,
): Promise<T> {
  const end = performance.now() + secondsMax * 1_000
  for (;;) {
    const found = await look()
    if (found !== null) return found
    if (performance.now() > end) throw new Error(`Not within ${secondsMax} s: ${what}`)
    await sleep(50)
  }
}
