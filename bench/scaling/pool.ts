import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import type { Job } from './work.ts'
import type { Answer } from './worker.ts'

const file = fileURLToPath(new URL('./worker.ts', import.meta.url))

/**
 * Does every job in as many processes as there are cores, in order; tells each answer as it comes.
 * The first job that fails ends all.
 */
export async function inProcesses<J extends Job, R>(
  jobs: readonly J[],
  onAnswer: (job: J, answer: R) => Promise<void> | void,
): Promise<void> {
  const left = [...jobs]
  const count = Math.min(availableParallelism(), jobs.length)
  // The handlers' log lines are none of the benchmark's.
  const env = { ...process.env, POWERTOOLS_LOG_LEVEL: 'SILENT' }
  const children = Array.from({ length: count }, () => fork(file, { env }))
  // One answer after the other, for they may be written to one file.
  let told: Promise<void> = Promise.resolve()
  try {
    await Promise.all(
      children.map(async (child) => {
        const ask = asker(child)
        for (let job = left.shift(); job; job = left.shift()) {
          const answer = (await ask(job)) as R
          const done = job
          told = told.then(() => onAnswer(done, answer))
          await told
        }
      }),
    )
  } finally {
    for (const child of children) child.kill()
  }
}

/** Its answer to each job in turn; what ends of itself has failed. */
function asker(child: ChildProcess): (job: Job) => Promise<unknown> {
  const ended = once(child, 'exit').then(([code, signal]) => {
    throw new Error(`A process of the benchmark ended with ${code ?? signal}`)
  })
  // At the end each is ended, which is nobody's error.
  ended.catch(() => {})
  return async (job) => {
    const answered = new Promise<Answer>((resolve) => child.once('message', resolve))
    child.send(job)
    const answer = await Promise.race([answered, ended])
    if ('value' in answer) return answer.value
    throw new Error(`${job.case.id}: ${answer.error}`)
  }
}
