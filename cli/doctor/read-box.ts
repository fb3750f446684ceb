import { constants } from 'node:fs'
import { type AgentFacts, type BoxFacts, type DrainFacts, isUnread, type Reading } from './facts.ts'
import { isBelow, type Processes, readProcesses, workersAmong } from './processes.ts'
import { readContainers, readPrograms, readUnits } from './read-keepers.ts'
import { readPython, readWorker } from './read-worker.ts'
import { readStat, readTail, run } from './run.ts'

/** Reads the machine that it runs on, and changes nothing there. */

export type BoxOptions = {
  readonly app?: string | undefined
  readonly python?: string | undefined
  readonly units: readonly string[]
  readonly programs: readonly string[]
  readonly containers: readonly string[]
  readonly supervisorConf?: string | undefined
}

// Where worker/drain-document.json starts it, and puts what it says.
export const drainScript = '/opt/celeriac/drain.sh'
export const drainLog = '/var/log/celeriac-drain.log'

export async function readBox(options: BoxOptions): Promise<BoxFacts> {
  const { app, python } = options
  const processes = await readProcesses()
  const workers = workersAmong(processes)
  const box = { processes, workers }
  const containers = await readContainers(box, options.containers)
  const containerOf = (pid: number) =>
    containers.find((one) => !isUnread(one) && isBelow(processes, pid, one.pid))
  const [units, programs, agent, metadata, drain] = await Promise.all([
    readUnits(box, options.units),
    readPrograms(box, options.programs, options.supervisorConf),
    readAgent(processes),
    readMetadata(),
    readDrain(),
  ])
  const read = []
  // One after the other: each starts a Python, and the box has work to do.
  for (const worker of workers) {
    const container = containerOf(worker.pid)
    const name = container && !isUnread(container) ? container.name : null
    read.push(await readWorker(worker, name, { app, python }))
  }
  if (workers.length === 0 && python !== undefined) {
    read.push(await readPython(python, { app, python }))
  }
  return { workers: read, units, programs, containers, agent, metadata, drain }
}

// Where packages and the snap put it.
const agentPaths = ['amazon-ssm-agent', '/snap/amazon-ssm-agent/current/amazon-ssm-agent']

async function readAgent(processes: Processes): Promise<AgentFacts> {
  const running = [...processes.values()].some(({ argv }) =>
    /(^|\/)amazon-ssm-agent$/.test(argv[0] ?? ''),
  )
  const versions = await Promise.all(agentPaths.map((path) => run(path, ['-version'])))
  const said = versions.find((one) => !isUnread(one)) ?? { unread: 'no amazon-ssm-agent here' }
  if (isUnread(said)) return { running, version: said }
  const version = /\d+(\.\d+){2,}/.exec(said)?.[0] ?? { unread: `it says ${said.trim()}` }
  return { running, version }
}

// It answers in milliseconds, or nobody is there.
const metadataMilliseconds = 2_000

async function readMetadata(): Promise<BoxFacts['metadata']> {
  const given = process.env['AWS_EC2_METADATA_SERVICE_ENDPOINT']
  const base = (given || 'http://169.254.169.254').replace(/\/$/, '')
  const answer = await fetch(`${base}/latest/api/token`, {
    method: 'PUT',
    headers: { 'X-aws-ec2-metadata-token-ttl-seconds': '60' },
    signal: AbortSignal.timeout(metadataMilliseconds),
  }).then(({ status }) => status, networkFailure)
  if (answer === 200) return 'token'
  return { failed: typeof answer === 'number' ? `HTTP ${answer}` : answer }
}

/** Fetch tells of a broken network by a TypeError, and of its signal by that one's name. */
function networkFailure(error: unknown): string {
  if (error instanceof TypeError) return 'it cannot be reached'
  if (error instanceof Error && error.name === 'TimeoutError') return 'no answer'
  throw error
}

async function readDrain(): Promise<DrainFacts> {
  const [script, said, report] = await Promise.all([
    readScript(drainScript),
    // 3 and 4: it is not active, or not there.
    run('systemctl', ['is-active', 'celeriac-watch.service'], { codes: [3, 4] }),
    readReport(drainLog),
  ])
  const watcher = isUnread(said) ? said : said.trim() || { unread: 'systemd says nothing of it' }
  return { script, path: drainScript, watcher, report }
}

async function readScript(path: string): Promise<DrainFacts['script']> {
  const found = await readStat(path)
  if (isUnread(found)) return 'missing'
  return (found.mode & constants.S_IXUSR) === 0 ? 'not executable' : 'executable'
}

// The last drains of a box; each says a few hundred bytes.
const logBytes = 65_536

/** What the last drain said of its reports: drain.sh says when they fail, and ends in one line. */
async function readReport(log: string): Promise<Reading<string | null>> {
  const text = await readTail(log, logBytes)
  if (isUnread(text)) return { unread: `no drain has run here yet: ${text.unread}` }
  return reportIn(text)
}

/**
 * The failure of the last drain in its log, null where it had none. A drain ends in a line for each
 * worker and one for all; that its reports fail it says once, before them or right behind.
 */
export function reportIn(log: string): Reading<string | null> {
  let outcome: Reading<string | null> = { unread: 'no drain has ended here yet' }
  let pending: string | null = null
  let isBehindEnd = false
  for (const line of log.split('\n')) {
    const failure = /progress cannot be reported: (.*)$/.exec(line)?.[1]
    if (line.startsWith('{"worker": ')) {
      if (!isBehindEnd) outcome = pending
      pending = null
      isBehindEnd = true
      continue
    }
    if (failure !== undefined && isBehindEnd) outcome = failure
    else if (failure !== undefined) pending = failure
    isBehindEnd = false
  }
  return outcome
}
