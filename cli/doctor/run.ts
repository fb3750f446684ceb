import { execFile } from 'node:child_process'
import { type FileHandle, open, readFile, readlink, stat } from 'node:fs/promises'
import type { Reading } from './facts.ts'
import { withoutSecrets } from './finding.ts'

/** How the doctor reads a machine: files and commands that may be missing, forbidden or silent. */

export type RunOptions = {
  readonly env?: NodeJS.ProcessEnv | undefined
  readonly cwd?: string | undefined
  readonly uid?: number | undefined
  readonly gid?: number | undefined
  /** Exit codes beside 0 whose output counts. */
  readonly codes?: readonly number[]
  readonly secondsMax?: number
}

// A command of a supervisor answers in milliseconds; past this it waits for something.
const commandSecondsMax = 5
// Enough for the description of a hundred containers.
const outputBytesMax = 10_000_000

/** What a command prints, run without a shell. Never rejects: what went wrong is the answer. */
export const run = (
  command: string,
  args: readonly string[],
  { codes = [], secondsMax = commandSecondsMax, ...options }: RunOptions = {},
): Promise<Reading<string>> =>
  new Promise((done) => {
    const limits = { timeout: secondsMax * 1_000, maxBuffer: outputBytesMax }
    execFile(command, args, { ...limits, ...options, killSignal: 'SIGKILL' }, (error, out, err) => {
      if (!error || (typeof error.code === 'number' && codes.includes(error.code))) done(out)
      else done({ unread: whyOf(command, error, err) })
    })
  })

type Failure = { readonly code?: unknown; readonly killed?: unknown; readonly message: string }

function whyOf(command: string, error: Failure, said: string): string {
  const name = command.slice(command.lastIndexOf('/') + 1)
  if (error.code === 'ENOENT') return `there is no ${command} here`
  if (error.killed) return `${name} did not answer in time`
  // The last line is what a Python traceback and most tools end in.
  const last = said.trim().split('\n').at(-1)
  return `${name} failed: ${withoutSecrets(last || `exit ${error.code}`)}`
}

/** A file's text, or why it has none: it is not there, or not ours to read. */
export const readText = (path: string): Promise<Reading<string>> =>
  orUnread(() => readFile(path, 'utf8'))

export const readLink = (path: string): Promise<Reading<string>> => orUnread(() => readlink(path))

export const readStat = (path: string) => orUnread(() => stat(path))

/** The last bytes of a file that may be long. */
export const readTail = (path: string, bytes: number): Promise<Reading<string>> =>
  orUnread(async () => {
    const file = await open(path)
    try {
      return await tailOf(file, bytes)
    } finally {
      await file.close()
    }
  })

async function tailOf(file: FileHandle, bytes: number): Promise<string> {
  const { size } = await file.stat()
  const position = Math.max(0, size - bytes)
  const { buffer, bytesRead } = await file.read({
    buffer: Buffer.alloc(size - position),
    position,
  })
  return buffer.subarray(0, bytesRead).toString('utf8')
}

const named: Readonly<Record<string, string>> = {
  ENOENT: 'is not there',
  ENOTDIR: 'is not there',
  ESRCH: 'is not there',
  EACCES: 'may not be read by this user',
  EPERM: 'may not be read by this user',
}

async function orUnread<T>(read: () => Promise<T>): Promise<Reading<T>> {
  try {
    return await read()
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error)) throw error
    const why = named[String(error.code)]
    if (why === undefined) throw error
    return { unread: `${'path' in error ? error.path : 'it'} ${why}` }
  }
}
