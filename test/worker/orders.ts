import { readdirSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { readState, type State, until, type Worker } from './celery.ts'

/** Gives a worker its orders as drain.sh does: the file, and then the signal. */
export function order(worker: Worker, text: string | object): void {
  const file = join(worker.folder, 'run', `${worker.pid}.orders`)
  writeFileSync(`${file}.new`, typeof text === 'string' ? text : JSON.stringify(text))
  renameSync(`${file}.new`, file)
  process.kill(worker.pid, 'SIGUSR2')
}

export const quiet = (worker: Worker, drainId = 'd-1') =>
  order(worker, { order: 'quiet', drainId, deadline: null })

export const resume = (worker: Worker) => order(worker, { order: 'resume', drainId: null })

/** Waits until the state file says one of these phases. */
export const phase = (worker: Worker, ...phases: readonly string[]) =>
  until<State>(`the phase is ${phases.join(' or ')}`, () => {
    const state = readState(join(worker.folder, 'run'))
    return state && phases.includes(state.phase) ? state : null
  })

/** What is in the run directory. */
export const runFiles = (worker: Worker) => readdirSync(join(worker.folder, 'run'))
