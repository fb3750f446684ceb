import { spawn } from 'node:child_process'
import { resolve } from 'node:path'
import { endAtTheEnd } from './celery.ts'

/** What a run of drain.sh printed and how it ended. */
export type Ran = {
  readonly code: number | null
  /** The last line of its output, parsed. */
  readonly last: Record<string, unknown>
  /** The lines of its output. */
  readonly lines: readonly string[]
  /** What it said on the way. */
  readonly said: string
}

export const script = resolve('worker/drain.sh')

/** Runs worker/drain.sh with these arguments, as the box would. */
export function drain(args: readonly string[], env: NodeJS.ProcessEnv): Promise<Ran> {
  return run('sh', [script, ...args], env)
}

export function run(command: string, args: readonly string[], env: NodeJS.ProcessEnv) {
  return new Promise<Ran>((done, fail) => {
    const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'pipe'] })
    // One that still runs belongs to a test that has failed.
    endAtTheEnd(child)
    let output = ''
    let said = ''
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk
    })
    child.stderr.on('data', (chunk: Buffer) => {
      said += chunk
    })
    child.once('error', fail)
    child.once('close', (code) => {
      const lines = output.split('\n').filter(Boolean)
      done({ code, lines, said, last: parse(lines.at(-1)) })
    })
  })
}

function parse(line: string | undefined): Record<string, unknown> {
  return line?.startsWith('{') ? JSON.parse(line) : {}
}

/** Unix seconds, so many from now. */
export const inSeconds = (seconds: number) => String(Math.floor(Date.now() / 1_000) + seconds)
