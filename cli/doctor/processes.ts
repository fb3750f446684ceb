import { readdir } from 'node:fs/promises'
import { isUnread, type Reading } from './facts.ts'
import { readStat, readText } from './run.ts'

/** What /proc says of the processes of this machine. */

export type Process = {
  readonly pid: number
  readonly parent: number
  /** In clock ticks since boot: it tells a pid from its reuse. */
  readonly startTime: string
  readonly argv: readonly string[]
}

export type Processes = ReadonlyMap<number, Process>

/** Every process that is still there when its turn comes. */
export async function readProcesses(): Promise<Processes> {
  const names = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const found = await Promise.all(names.map((name) => readProcess(Number(name))))
  return new Map(found.flatMap((one) => (one ? [[one.pid, one]] : [])))
}

async function readProcess(pid: number): Promise<Process | null> {
  const [stat, line] = await Promise.all([
    readText(`/proc/${pid}/stat`),
    readText(`/proc/${pid}/cmdline`),
  ])
  if (isUnread(stat) || isUnread(line)) return null
  // The name in parentheses may hold anything, so the fields are counted from its end.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const argv = line.replace(/\0$/, '').split('\0')
  return { pid, parent: Number(fields[1]), startTime: fields[19] ?? '', argv }
}

// Options of `celery` that take a word of their own before the name of its command.
const valued = /^(-A|--app|-b|--broker|--result-backend|--loader|--config|--workdir)$/

/** Whether a command line is that of a Celery worker: `python -m celery -A app worker`. */
export function isWorkerCommand(argv: readonly string[]): boolean {
  const [first = ''] = argv
  // With setproctitle its processes say what they are.
  if (/^\[celeryd: .*:MainProcess\]/.test(first)) return true
  if (!/(^|\/)(python|pypy)[\d.]*$/.test(first)) return false
  const rest = argv.slice(argv.findIndex((word) => /(^|\/)celery$/.test(word)) + 1)
  if (rest.length === argv.length) return false
  // The first word that is no option, nor an option's: the application may be called worker too.
  const command = rest.find(
    (word, index) => !word.startsWith('-') && !valued.test(rest[index - 1] ?? ''),
  )
  return command === 'worker'
}

/** The main processes of workers: those whose parent is none of the same worker. */
export const workersAmong = (processes: Processes): Process[] =>
  [...processes.values()].filter(({ argv, parent }) => {
    if (!isWorkerCommand(argv)) return false
    return processes.get(parent)?.argv.join('\0') !== argv.join('\0')
  })

/** Whether `pid` is `root` or below it. */
export function isBelow(processes: Processes, pid: number, root: number): boolean {
  for (let at = processes.get(pid); at; at = processes.get(at.parent)) {
    if (at.pid === root) return true
  }
  return false
}

/** The queues that a command line takes from: `-Q a,b`, `-Qa,b`, `--queues=a,b`. */
export function queuesIn(argv: readonly string[]): string[] {
  return argv.flatMap((word, index) => {
    const own = /^(?:-Q|--queues=)(.+)$/.exec(word)?.[1]
    const next = /^(-Q|--queues)$/.test(word) ? argv[index + 1] : undefined
    return (own ?? next ?? '').split(',').filter(Boolean)
  })
}

/** The environment that a process was started with. */
export async function environmentOf(pid: number): Promise<Reading<NodeJS.ProcessEnv>> {
  const text = await readText(`/proc/${pid}/environ`)
  if (isUnread(text)) return text
  const pairs = text.split('\0').flatMap((pair) => {
    const at = pair.indexOf('=')
    return at > 0 ? [[pair.slice(0, at), pair.slice(at + 1)] as const] : []
  })
  return Object.fromEntries(pairs)
}

export type Status = {
  readonly uid: number
  readonly gid: number
  /** What it is called in its own pid namespace, as in a container. */
  readonly pidInside: number
  /** Whether it has a handler for SIGUSR2. */
  readonly takesOrders: boolean
}

// Signal 12 of the mask of signals that are caught.
const sigusr2Bit = 11n

export async function statusOf(pid: number): Promise<Reading<Status>> {
  const text = await readText(`/proc/${pid}/status`)
  if (isUnread(text)) return text
  const field = (name: string) => new RegExp(`^${name}:\\s+(.*)$`, 'm').exec(text)?.[1] ?? ''
  // The second of the ids is the one in effect.
  const effective = (name: string) => Number(field(name).split(/\s+/)[1])
  return {
    uid: effective('Uid'),
    gid: effective('Gid'),
    pidInside: Number(field('NSpid').split(/\s+/).at(-1) || pid),
    takesOrders: ((BigInt(`0x${field('SigCgt') || '0'}`) >> sigusr2Bit) & 1n) === 1n,
  }
}

/** The systemd service that a process belongs to, by its control group; null for none. */
export function serviceIn(cgroup: string): string | null {
  const path = /^(?:0::|\d+:name=systemd:)(.*)$/m.exec(cgroup)?.[1] ?? ''
  // The user's own manager is no unit of a worker.
  const names = path
    .split('/')
    .filter((name) => name.endsWith('.service') && !name.startsWith('user@'))
  return names.at(-1) ?? null
}

/** Whether its file system is another than ours: a container's. */
export async function isElsewhere(pid: number): Promise<boolean> {
  const [there, here] = await Promise.all([readStat(`/proc/${pid}/root/.`), readStat('/')])
  if (isUnread(there) || isUnread(here)) return false
  return there.dev !== here.dev || there.ino !== here.ino
}
