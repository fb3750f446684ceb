import { readFileSync } from 'node:fs'
import { isAbsolute, join } from 'node:path'
import * as z from 'zod/mini'
import { parseJson } from '../../shared/json.ts'
import { isUnread, type Probe, type Reading, type WorkerFacts } from './facts.ts'
import { withoutSecrets } from './finding.ts'
import {
  environmentOf,
  isElsewhere,
  type Process,
  queuesIn,
  type Status,
  statusOf,
} from './processes.ts'
import { type RunOptions, readLink, readStat, readText, run } from './run.ts'

/** A worker process, and what its own Python says of it. */

export type ProbeOptions = {
  /** The application to load, as `celery -A` takes it. */
  readonly app: string | undefined
  /** Asked instead of the worker's own. */
  readonly python: string | undefined
}

const script = readFileSync(new URL('./probe.py', import.meta.url), 'utf8')

// Celery takes seconds to import on a busy box, and the application perhaps as long.
const probeSecondsMax = 30

export async function readWorker(
  process: Process,
  container: string | null,
  options: ProbeOptions,
): Promise<WorkerFacts> {
  const { pid, argv } = process
  const [environment, status] = await Promise.all([environmentOf(pid), statusOf(pid)])
  const state = isUnread(status) ? null : await readState(process, environment, status)
  const remap = isUnread(environment) ? environment : (environment['REMAP_SIGTERM'] ?? null)
  const named = queuesIn(argv)
  const context = { process, environment, status, statePython: state?.python ?? null }
  const probe = await probeWorker(context, container, options)
  const fallback =
    isUnread(probe) || !probe.settings || isUnread(probe.settings)
      ? []
      : [probe.settings.defaultQueue]
  return {
    pid,
    container,
    queues: named.length > 0 ? named : (state?.queues ?? fallback),
    remapSigterm: remap,
    probe,
    phase: state?.phase ?? null,
    takesOrders: !isUnread(status) && status.takesOrders,
  }
}

/** A Python that no worker runs in yet, as on an image that is being built. */
export async function readPython(python: string, { app }: ProbeOptions): Promise<WorkerFacts> {
  const said = await run(python, ['-c', script, app ?? '-', '-'], { secondsMax: probeSecondsMax })
  const probe = parseProbe(said)
  return {
    ...{ pid: null, container: null, queues: [], remapSigterm: null },
    ...{ probe, phase: null, takesOrders: false },
  }
}

type Context = {
  readonly process: Process
  readonly environment: Reading<NodeJS.ProcessEnv>
  readonly status: Reading<Status>
  readonly statePython: string | null
}

async function probeWorker(
  context: Context,
  container: string | null,
  { app, python }: ProbeOptions,
): Promise<Reading<Probe>> {
  const { process, environment, status, statePython } = context
  const own = python ?? statePython ?? (await pythonOf(process, environment))
  if (container !== null) {
    const inside = ['exec', container, own ?? 'python', '-c', script, app ?? '-', 'metadata']
    return parseProbe(await run('docker', inside, { secondsMax: probeSecondsMax }))
  }
  if (await isElsewhere(process.pid)) {
    return { unread: 'it is in a container that Docker does not know' }
  }
  if (own === null) return { unread: 'its Python is not known' }
  if (isUnread(environment)) return environment
  const user = isUnread(status) ? { unread: status.unread } : asUser(status)
  if ('unread' in user) return user
  const options = {
    secondsMax: probeSecondsMax,
    env: { ...environment, PYTHONDONTWRITEBYTECODE: '1' },
    cwd: `/proc/${process.pid}/cwd`,
    ...user,
  }
  return parseProbe(await run(own, ['-c', script, app ?? '-', '-'], options))
}

/** Its code is its user's: root must not run it as root. */
function asUser({ uid, gid }: Status): RunOptions {
  return process.getuid?.() === uid ? {} : { uid, gid }
}

/** The path by which the worker's Python was started, so that it finds its own packages. */
async function pythonOf(
  { pid, argv }: Process,
  environment: Reading<NodeJS.ProcessEnv>,
): Promise<string | null> {
  const [first = ''] = argv
  if (isAbsolute(first)) return first
  const env = isUnread(environment) ? {} : environment
  if (/^[\w.]+$/.test(first)) {
    // As the worker's own shell found it: a virtual environment may be first on its PATH.
    for (const folder of (env['PATH'] ?? '').split(':').filter(Boolean)) {
      const path = join(folder, first)
      if (!isUnread(await readStat(path))) return path
    }
  }
  // A relative path, or a process that has changed its title.
  if (env['VIRTUAL_ENV']) return join(env['VIRTUAL_ENV'], 'bin', 'python')
  const link = await readLink(`/proc/${pid}/exe`)
  return isUnread(link) ? null : link
}

const reading = <T extends z.core.$ZodType>(schema: T) =>
  z.union([z.object({ unread: z.string() }), schema])
const text = z.nullable(z.string())
const probeSchema = z.object({
  python: z.string(),
  celery: text,
  kombu: text,
  billiard: text,
  celeriacWorker: text,
  settings: z.nullable(
    reading(
      z.object({
        transport: z.string(),
        acksLate: z.boolean(),
        earlyTasks: z.array(z.string()),
        rejectOnWorkerLost: z.boolean(),
        acksOnFailureOrTimeout: z.boolean(),
        prefetchMultiplier: z.number(),
        softShutdownSeconds: z.number(),
        visibilitySeconds: z.nullable(z.number()),
        waitSeconds: z.nullable(z.number()),
        defaultQueue: z.string(),
      }),
    ),
  ),
  metadata: z.nullable(reading(z.literal('token'))),
})

function parseProbe(said: Reading<string>): Reading<Probe> {
  if (isUnread(said)) return said
  const parsed = probeSchema.safeParse(parseJson(said.trim().split('\n').at(-1) ?? ''))
  if (!parsed.success) return { unread: 'its Python answered something else' }
  const { settings, metadata, ...rest } = parsed.data
  return { ...rest, settings: secret(settings), metadata: secret(metadata) }
}

const secret = <T>(value: Reading<T> | null): Reading<T> | null =>
  value !== null && isUnread(value) ? { unread: withoutSecrets(value.unread) } : value

const stateSchema = z.object({
  pid: z.number(),
  startTime: z.union([z.number(), z.string()]),
  phase: z.string(),
  python: z.string(),
  queues: z.array(z.string()),
})
type State = z.output<typeof stateSchema>

/** Its state file, where celeriac_worker puts it: of this process, and of nobody else's user. */
async function readState(
  { pid, startTime }: Process,
  environment: Reading<NodeJS.ProcessEnv>,
  { uid, pidInside }: Status,
): Promise<State | null> {
  const env = isUnread(environment) ? {} : environment
  const temporary = [env['TMPDIR'], env['TEMP'], env['TMP'], '/tmp'].flatMap((folder) =>
    folder ? [join(folder, `celeriac-${uid}`)] : [],
  )
  const given = env['CELERIAC_RUN_DIR']
  for (const folder of given ? [given] : ['/run/celeriac', ...temporary]) {
    // Its own view of the file system comes second: a container's, or a unit's with PrivateTmp.
    for (const root of ['', `/proc/${pid}/root`]) {
      const path = `${root}${folder}/${pidInside}.json`
      const found = await readStat(path)
      if (isUnread(found) || found.uid !== uid) continue
      const content = await readText(path)
      const parsed = stateSchema.safeParse(isUnread(content) ? null : parseJson(content))
      const state = parsed.success ? parsed.data : null
      if (state?.pid === pidInside && String(state.startTime) === startTime) return state
    }
  }
  return null
}
