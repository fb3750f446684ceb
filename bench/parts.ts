import { type ChildProcess, fork, type Serializable } from 'node:child_process'
import { once } from 'node:events'

/** A measurement in several processes, so that nobody's work or memory counts for another. */

type Options = {
  readonly args: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  readonly execArgv?: readonly string[]
}

/** The file again, as one of its parts, with dummy keys and no way to AWS. */
export function start(file: string, part: string, options: Options): ChildProcess {
  const { args, env = {}, execArgv = [] } = options
  const keys = { AWS_ACCESS_KEY_ID: 'none', AWS_SECRET_ACCESS_KEY: 'none', AWS_REGION: 'us-east-1' }
  const child = fork(file, ['--part', part, ...args], {
    execArgv: [...execArgv],
    env: { ...process.env, ...keys, POWERTOOLS_LOG_LEVEL: 'SILENT', ...env },
  })
  child.once('exit', (code) => {
    if (code !== 0) throw new Error(`The ${part} ended with ${code}`)
  })
  return child
}

/** Sends a word and waits for the answer, which is what the file's other parts say it is. */
export async function ask<T>(child: ChildProcess, word: Serializable): Promise<T> {
  child.send(word)
  const [answer] = await once(child, 'message')
  return answer as T
}

export const median = (values: readonly number[]) =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0

/** What was measured, what it is compared with, and how that came out. */
export type Line = [what: string, measured: string, bar: string, verdict: string]
