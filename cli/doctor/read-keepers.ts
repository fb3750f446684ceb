import * as z from 'zod/mini'
import { parseJson } from '../../shared/json.ts'
import {
  type ContainerFacts,
  type First,
  isUnread,
  type ProgramFacts,
  type Reading,
  type UnitFacts,
} from './facts.ts'
import {
  environmentOf,
  isBelow,
  isWorkerCommand,
  type Process,
  type Processes,
  serviceIn,
} from './processes.ts'
import { readText, run } from './run.ts'
import { readConf } from './supervisord-conf.ts'

/** What keeps workers on this box: systemd units, supervisord programs, Docker containers. */

export type Box = {
  readonly processes: Processes
  /** The main processes of workers. */
  readonly workers: readonly Process[]
}

/** The process that a keeper started, where it runs, else the command that it would run. */
function firstOf({ processes, workers }: Box, pid: number, argv: readonly string[]): First {
  const process = processes.get(pid)
  if (!process) return { argv, from: 'configuration', isWorker: isWorkerCommand(argv) }
  const isWorker = workers.some((worker) => worker.pid === pid)
  const above = workers.some((worker) => isBelow(processes, worker.pid, pid))
  // A shell without a worker below it may be on its way to one: its command says more.
  if (!above) return { argv, from: 'configuration', isWorker: false }
  return { argv: process.argv, from: 'process', isWorker }
}

/** The units that the workers belong to, and those that were named. */
export async function readUnits(box: Box, named: readonly string[]): Promise<Reading<UnitFacts>[]> {
  const groups = await Promise.all(box.workers.map(({ pid }) => readText(`/proc/${pid}/cgroup`)))
  const found = groups.flatMap((text) => (isUnread(text) ? [] : (serviceIn(text) ?? [])))
  // That of a supervisord counts as well: to stop it is to stop the workers below it.
  return Promise.all([...new Set([...named, ...found])].map((name) => readUnit(box, name)))
}

const unitFields = [
  ...['LoadState', 'MainPID', 'ExecStart', 'KillMode', 'KillSignal'],
  ...['Restart', 'TimeoutStopUSec'],
]

async function readUnit(box: Box, name: string): Promise<Reading<UnitFacts>> {
  const said = await run('systemctl', ['show', `--property=${unitFields.join(',')}`, '--', name])
  if (isUnread(said)) return { unread: `${name}: ${said.unread}` }
  const fields = new Map(
    said.split('\n').map((line) => {
      const at = line.indexOf('=')
      return [line.slice(0, at), line.slice(at + 1)] as const
    }),
  )
  const field = (key: string) => fields.get(key) ?? ''
  if (field('LoadState') !== 'loaded') {
    return { unread: `${name}: systemd says ${field('LoadState') || 'nothing of it'}` }
  }
  const command = /argv\[\]=(.*?) ; /.exec(field('ExecStart'))?.[1] ?? ''
  return {
    name,
    killMode: field('KillMode'),
    killSignal: Number(field('KillSignal') || 15),
    restart: field('Restart'),
    stopSeconds: spanSeconds(field('TimeoutStopUSec')),
    first: firstOf(box, Number(field('MainPID')), command.split(' ').filter(Boolean)),
  }
}

const unitSeconds: Readonly<Record<string, number>> = {
  ...{ us: 1e-6, ms: 1e-3, s: 1, min: 60, h: 3_600 },
  ...{ d: 86_400, w: 604_800, month: 2_629_800, y: 31_557_600 },
}

/** Seconds in a time as systemd prints it, `1min 30s`; null for `infinity`. */
export function spanSeconds(text: string): number | null {
  if (text === 'infinity') return null
  const parts = [...text.matchAll(/([\d.]+)([a-z]+)/g)]
  return parts.reduce(
    (sum, [, count, unit = '']) => sum + Number(count) * (unitSeconds[unit] ?? 0),
    0,
  )
}

const confPaths = ['/etc/supervisord.conf', '/etc/supervisor/supervisord.conf']

/** Programs of the supervisord that runs (or of that file) which are workers, and those named. */
export async function readPrograms(
  box: Box,
  named: readonly string[],
  conf: string | undefined,
): Promise<Reading<ProgramFacts>[]> {
  const daemon = [...box.processes.values()].find(({ argv }) =>
    argv.slice(0, 2).some((word) => /(^|\/)supervisord$/.test(word)),
  )
  const candidates = conf === undefined ? [...confIn(daemon?.argv ?? []), ...confPaths] : [conf]
  const env = daemon ? await environmentOf(daemon.pid) : process.env
  for (const file of candidates) {
    const sections = await readConf(file, isUnread(env) ? {} : env)
    if (isUnread(sections)) continue
    const said = await run('supervisorctl', ['-c', file, 'status'], { codes: [3] })
    const pids = isUnread(said) ? new Map<string, number>() : pidsIn(said)
    const programs = [...sections].flatMap(([section, keys]) => {
      const name = /^program:(.+)$/.exec(section)?.[1]?.trim()
      return name === undefined ? [] : programOf(box, { name, keys, pids })
    })
    const missing = named.filter((name) => !programs.some((program) => program.name === name))
    const kept = programs.filter(
      ({ name, first, mayBe }) => named.includes(name) || first.from === 'process' || mayBe,
    )
    return [
      ...kept.map(({ mayBe: _, ...program }) => program),
      ...missing.map((name) => ({ unread: `${file} has no program ${name}` })),
    ]
  }
  if (named.length === 0 && conf === undefined) return []
  return [{ unread: `no supervisord configuration at ${candidates.join(', ')}` }]
}

/** The configuration that a supervisord was given; one by a relative path may be anywhere. */
function confIn(argv: readonly string[]): string[] {
  const at = argv.findIndex((word) => word === '-c' || word === '--configuration')
  const path = at === -1 ? undefined : argv[at + 1]
  return path?.startsWith('/') ? [path] : []
}

/** `name RUNNING pid 12, uptime 0:00:05`, by name: a group's is `group:name`. */
function pidsIn(status: string): Map<string, number> {
  const lines = [...status.matchAll(/^(\S+)\s.*\bpid (\d+),/gm)]
  return new Map(
    lines.map(([, name = '', pid]) => [name.slice(name.indexOf(':') + 1), Number(pid)]),
  )
}

type Program = {
  readonly name: string
  readonly keys: Readonly<Record<string, string>>
  readonly pids: ReadonlyMap<string, number>
}

function programOf(box: Box, { name, keys, pids }: Program) {
  const isSet = (key: string) => /^(true|yes|on|1)$/i.test(keys[key] ?? 'false')
  const command = keys['command'] ?? ''
  // With numprocs there are several of one name, each with a number behind it.
  const pid = [...pids].find(([key]) => key === name || key.startsWith(`${name}_`))?.[1] ?? 0
  return {
    name,
    stopAsGroup: isSet('stopasgroup'),
    stopSignal: keys['stopsignal'] ?? 'TERM',
    stopSeconds: Number(keys['stopwaitsecs'] ?? 10),
    autorestart: keys['autorestart'] ?? 'unexpected',
    first: firstOf(box, pid, wordsOf(command)),
    mayBe: /\bcelery\b.*\bworker\b/.test(command),
  }
}

/** Words of a command line, quoted ones whole. */
const wordsOf = (command: string) =>
  [...command.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map(([, a, b, c]) => a ?? b ?? c ?? '')

const strings = z.nullable(z.array(z.string()))
const inspectSchema = z.array(
  z.object({
    Name: z.string(),
    Path: z.string(),
    Args: strings,
    State: z.object({ Pid: z.number() }),
    Config: z.object({
      Env: z.optional(strings),
      StopSignal: z.optional(z.string()),
      StopTimeout: z.optional(z.nullable(z.number())),
    }),
    HostConfig: z.object({
      NetworkMode: z.optional(z.string()),
      RestartPolicy: z.optional(z.object({ Name: z.string() })),
    }),
  }),
)
type Inspected = z.output<typeof inspectSchema>[number]

/** A container with the pid of its first process, 0 where it does not run. */
export type Container = ContainerFacts & { readonly pid: number }

/** Running containers with a worker in them, and those that were named. */
export async function readContainers(
  box: Box,
  named: readonly string[],
): Promise<Reading<Container>[]> {
  const said = await run('docker', ['ps', '--quiet', '--no-trunc'])
  const running = isUnread(said) ? [] : said.split('\n').filter(Boolean)
  const all = await Promise.all([...running, ...named].map((name) => inspect(box, name)))
  const seen = new Set<string>()
  return all.filter((one, index) => {
    if (isUnread(one)) return index >= running.length
    const wanted = one.first.from === 'process' || named.includes(one.name)
    if (!wanted || seen.has(one.name)) return false
    seen.add(one.name)
    return true
  })
}

async function inspect(box: Box, name: string): Promise<Reading<Container>> {
  const said = await run('docker', ['inspect', '--type', 'container', '--', name])
  if (isUnread(said)) return { unread: `${name}: ${said.unread}` }
  const parsed = inspectSchema.safeParse(parseJson(said))
  const [one] = parsed.success ? parsed.data : []
  return one ? containerOf(box, one) : { unread: `${name}: docker answered something else` }
}

function containerOf(box: Box, { Name, Path, Args, State, Config, HostConfig }: Inspected) {
  const pairs = (Config.Env ?? []).map((pair) => {
    const at = pair.indexOf('=')
    return [pair.slice(0, at), pair.slice(at + 1)] as const
  })
  return {
    name: Name.replace(/^\//, ''),
    pid: State.Pid,
    first: firstOf(box, State.Pid, [Path, ...(Args ?? [])]),
    environment: Object.fromEntries(pairs),
    stopSignal: Config.StopSignal || null,
    stopSeconds: Config.StopTimeout ?? null,
    restart: HostConfig.RestartPolicy?.Name || 'no',
    network: HostConfig.NetworkMode ?? 'default',
  }
}
