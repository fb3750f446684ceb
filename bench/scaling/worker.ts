import { type Job, run, tune } from './work.ts'

/** One of the benchmark's processes: a job in, its answer out, until it is ended. */

export type Answer = { readonly value: unknown } | { readonly error: string }

process.on('message', (job: Job) => {
  const work: Promise<unknown> = job.do === 'run' ? run(job) : tune(job)
  work.then(
    (value) => process.send?.({ value }),
    (error: unknown) => process.send?.({ error: error instanceof Error ? error.stack : error }),
  )
})
