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
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { delimiter, join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe } from 'vitest'
import * as z from 'zod/mini'

/** A box for the doctor: real processes of real workers, and stand-ins of what keeps them. */

// Debian's packages are in its own Python, whatever else comes first on PATH.
export const python = '/usr/bin/python3'

// Celery takes two seconds to start, and many times that on a machine with too much to do.
const readySeconds = 60

// A run of the doctor starts a Python for each worker of the machine, other tests' among them.
const timeout = 150_000

/**
 * A `describe` whose tests have a real Celery. Without one they are skipped, loudly; with
 * CELERIAC_REQUIRE_CELERY=1, which is for CI, they fail instead.
 */
export function describeWithCelery(name: string, tests: () => void): void {
  const installed = versionsHere() !== null
  const required = process.env['CELERIAC_REQUIRE_CELERY'] === '1'
  if (!installed && required) throw new Error(`No Celery for ${python}`)
  if (!installed) {
    console.warn(`\n*** SKIPPED, no Celery here (apt install python3-celery): ${name} ***\n`)
  }
  describe.skipIf(!installed)(name, { timeout }, tests)
}

/** Versions as Python's own packages have them, null where there is no Celery. */
export function versionsHere(): readonly string[] | null {
  const script =
    'from importlib.metadata import version\n' +
    'print(*(version(name) for name in ("celery", "kombu", "billiard")))'
  try {
    return execFileSync(python, ['-c', script], { stdio: 'pipe' }).toString().trim().split(' ')
  } catch (error) {
    if (error instanceof Error && 'status' in error) return null
    throw error
  }
}

// What the tests of a file have started and made; each file ends it all behind its last test.
const leftovers: (() => void)[] = []

export function tidyUp(): void {
  for (const clean of leftovers.splice(0).reverse()) clean()
}

export function testFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'celeriac-doctor-'))
  leftovers.push(() => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }))
  return folder
}

export const app = resolve('test/doctor')
export const workerArguments = ['-m', 'celery', '-A', 'app', 'worker', '-c', '1', '-l', 'INFO']

/** A virtual environment that finds Debian's packages; its Python. */
export function makeEnvironment(folder: string): string {
  const make = ['-m', 'venv', '--without-pip', '--system-site-packages', folder]
  execFileSync(python, make, { stdio: 'pipe' })
  return join(folder, 'bin', 'python')
}

type Started = {
  /** Of the process that was started, the worker itself or what is in front of it. */
  readonly pid: number
  /** Of the worker's main process. */
  readonly worker: number
}

/** Starts what runs a worker of app.py, and waits until that is ready. */
export async function start(
  command: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<Started> {
  const [file = '', ...args] = command
  const child = spawn(file, args, {
    cwd: app,
    env: { PATH: process.env['PATH'], PYTHONDONTWRITEBYTECODE: '1', WORKER_PYTHON: python, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const pid = pidOf(child)
  let log = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      log += chunk
    })
  }
  await until(() => log, / ready\./)
  return { pid, worker: workerAt(pid) }
}

/** Ended with everything below it when the file's tests are done. */
export function pidOf(child: ChildProcess): number {
  const { pid } = child
  if (pid === undefined) throw new Error('It cannot be started')
  leftovers.push(() => killTree(pid))
  return pid
}

/** Waits until a log says so. */
export async function until(log: () => string, wanted: RegExp): Promise<void> {
  const end = performance.now() + readySeconds * 1_000
  while (!wanted.test(log())) {
    if (performance.now() > end) throw new Error(`No ${wanted} in: ${log()}`)
    await sleep(50)
  }
}

/** The first process at or below `pid` that was started as a worker is here. */
export function workerAt(pid: number): number {
  const found = [pid, ...below(pid)].find((one) =>
    /^[^\0]*python[^\0]*\0-m\0celery\0/.test(readFileSync(`/proc/${one}/cmdline`, 'utf8')),
  )
  if (found === undefined) throw new Error(`There is no worker below ${pid}`)
  return found
}

function killTree(pid: number): void {
  for (const one of [pid, ...below(pid)]) {
    try {
      process.kill(one, 'SIGKILL')
    } catch (error) {
      // Gone by itself, as what is below a supervisor is.
      if (!(error instanceof Error) || !('code' in error) || error.code !== 'ESRCH') throw error
    }
  }
}

function below(pid: number): number[] {
  const tasks = `/proc/${pid}/task`
  if (!existsSync(tasks)) return []
  const children = readdirSync(tasks)
    .flatMap((task) => readFileSync(`${tasks}/${task}/children`, 'utf8').split(' '))
    .filter(Boolean)
    .map(Number)
  return children.flatMap((child) => [child, ...below(child)])
}

/** A metadata service: a token for a PUT with a lifetime, and nothing without one. */
export async function startMetadata(): Promise<string> {
  const server = createServer((request, response) => {
    const lifetime = request.headers['x-aws-ec2-metadata-token-ttl-seconds']
    const asked = request.method === 'PUT' && request.url === '/latest/api/token'
    response.statusCode = asked ? (lifetime ? 200 : 400) : 401
    response.end(response.statusCode === 200 ? 'token' : '')
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  leftovers.push(() => server.close())
  const address = server.address()
  if (typeof address !== 'object' || address === null) throw new Error('It listens nowhere')
  return `http://127.0.0.1:${address.port}`
}

/** A unit of the stand-in for systemctl; `properties` as `systemctl show` prints them. */
export function addUnit(folder: string, name: string, properties: Record<string, string>): void {
  mkdirSync(join(folder, 'units'), { recursive: true })
  const lines = Object.entries({ LoadState: 'loaded', ...properties })
  writeFileSync(join(folder, 'units', name), lines.map((pair) => `${pair.join('=')}\n`).join(''))
}

/** A container of the stand-in for docker, as `docker inspect` prints it. */
export function addContainer(folder: string, name: string, inspected: object, env = ''): void {
  const own = join(folder, 'containers', name)
  mkdirSync(own, { recursive: true })
  const base = { Name: `/${name}`, Path: 'celery', Args: [], State: { Pid: 0 } }
  const settings = { Config: {}, HostConfig: {} }
  writeFileSync(join(own, 'inspect.json'), JSON.stringify([{ ...base, ...settings, ...inspected }]))
  writeFileSync(join(own, 'environment'), env)
}

const output = z.object({
  box: z.nullable(z.string()),
  account: z.nullable(
    z.object({ account: z.nullable(z.string()), region: z.string(), stage: z.string() }),
  ),
  findings: z.array(
    z.object({
      check: z.string(),
      subject: z.string(),
      severity: z.string(),
      found: z.string(),
      reason: z.string(),
      fix: z.string(),
    }),
  ),
})
type Output = z.output<typeof output>

export type Ran = { readonly code: number; readonly stdout: string; readonly stderr: string }

/** Runs the doctor as a user does, with the stand-ins first on its PATH. */
export async function doctor(args: readonly string[], env: NodeJS.ProcessEnv): Promise<Ran> {
  const path = [resolve('test/doctor/stand-in'), process.env['PATH']].join(delimiter)
  const child = spawn(process.execPath, ['cli/celeriac.ts', 'doctor', ...args], {
    env: { PATH: path, HOME: process.env['HOME'], ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let [stdout, stderr] = ['', '']
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk
  })
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk
  })
  const code = await new Promise<number>((done) => child.once('close', (exit) => done(exit ?? -1)))
  return { code, stdout, stderr }
}

export function findingsIn({ stdout, stderr }: Ran): Output {
  if (stdout === '') throw new Error(`The doctor printed nothing: ${stderr}`)
  return output.parse(JSON.parse(stdout))
}

/** The findings about one thing: what each of its checks came to. */
export const about = ({ findings }: Output, subject: string): Record<string, string> =>
  Object.fromEntries(
    findings
      .filter((finding) => finding.subject === subject)
      .map(({ check, severity, found }) => [check, `${severity}: ${found}`]),
  )
