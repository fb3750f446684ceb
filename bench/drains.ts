import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { table } from '../cli/format.ts'
import type { Moto } from '../test/moto.ts'
import {
  type Python,
  pythons,
  readLines,
  startWorker,
  testFolder,
  tidyUp,
  until,
  type Worker,
} from '../test/worker/celery.ts'
import { drain, inSeconds } from '../test/worker/drain.ts'
import { startMoto } from '../test/worker/local-moto.ts'
import { counts, makeQueue, type Queue, send } from '../test/worker/queue.ts'

/**
 * Loses a drain a task? Real Celery workers on moto's SQS, each full of tasks when drain.sh drains
 * it while the next one already works; the tasks write their ids to a file. Every task must have
 * been completed at least once in the end; what ran twice is counted.
 *
 *     npx node bench/drains.ts [--drains 50]
 *
 * A lost task, or one that is left in flight, ends it with 1.
 */

// Per drain: with two processes about eight seconds of work, so that a worker is full when drained.
const tasksPerDrain = 24

// Most end while the worker goes quiet. One in six outlives the drain and is cut short.
const shortSeconds = 0.4
const longSeconds = 8
const oneInLong = 6

// drain.sh forces what runs eight seconds before the deadline: here seven after the begin.
const deadlineSeconds = 15

// Two processes, and for each of them four messages fetched ahead: Celery's default.
const concurrency = 2
const prefetch = 4

// The waits of a poll, which bound how long a worker needs to go quiet. Celery's default is ten.
const waitSeconds = 2

export type Outcome = {
  readonly versions: string
  readonly drains: number
  readonly enqueued: number
  readonly completed: number
  /** The ids of those that were never completed. */
  readonly lost: readonly string[]
  /** How many were begun more often than once, and how many also ended more often. */
  readonly begunTwice: number
  readonly endedTwice: number
  readonly handedBack: number
  readonly finished: number
  readonly forced: number
  /** What is in the queue when all is done: nothing. */
  readonly left: { readonly visible: number; readonly inFlight: number }
  readonly quietSeconds: readonly number[]
}

/** So many drains, one after the other, on one queue. */
export async function drainOften(moto: Moto, python: Python, drains: number): Promise<Outcome> {
  const queue = await makeQueue(moto)
  const log = join(testFolder(), 'tasks')
  const start = () => startLoaded(moto, python, queue, log)
  const ids: string[] = []
  const results: Record<string, unknown>[] = []
  let worker = await start()
  for (let count = 0; count < drains; count += 1) {
    for (let sent = 0; sent < tasksPerDrain; sent += 1) ids.push(await sendOne(queue, sent))
    await until('it works', () => (worker.log().includes('received') ? true : null))
    const next = await start()
    results.push(await drainOne(worker))
    worker = next
  }
  const left = await until(
    'everything is done',
    async () => {
      const now = await counts(queue)
      return now.visible + now.inFlight === 0 ? now : null
    },
    secondsToWork(ids.length),
  )
  process.kill(worker.pid, 'SIGTERM')
  await worker.ended
  return { versions: python.versions, drains, left, ...summary(ids, readLines(log), results) }
}

/** What all the tasks take if nothing is drained, and a minute for what was. */
const secondsToWork = (tasks: number) =>
  60 + (tasks * (shortSeconds + longSeconds / oneInLong)) / concurrency

const sendOne = (queue: Queue, index: number) =>
  send(queue, 'nap', [index % oneInLong === 0 ? longSeconds : shortSeconds])

const startLoaded = (moto: Moto, python: Python, queue: Queue, log: string) =>
  startWorker({
    ...{ python, moto, queue: queue.name },
    args: ['-c', String(concurrency)],
    env: { TASK_LOG: log, PREFETCH: String(prefetch), WAIT_SECONDS: String(waitSeconds) },
  })

async function drainOne(worker: Worker): Promise<Record<string, unknown>> {
  const args = ['--reason', 'spot', '--pidfile', join(worker.folder, 'pid')]
  const { code, last, said } = await drain(
    ['--deadline', inSeconds(deadlineSeconds), ...args],
    worker.env,
  )
  if (code !== 0 && code !== 1) throw new Error(`drain.sh ended with ${code}: ${said}`)
  return last
}

function summary(
  ids: readonly string[],
  lines: readonly string[],
  results: readonly Record<string, unknown>[],
) {
  const times = (word: string) => {
    const found = new Map<string, number>()
    for (const id of lines.flatMap((line) =>
      line.startsWith(word) ? line.slice(word.length) : [],
    ))
      found.set(id, (found.get(id) ?? 0) + 1)
    return found
  }
  const begun = times('begin ')
  const ended = times('end ')
  const twice = (counted: Map<string, number>) =>
    [...counted.values()].filter((count) => count > 1).length
  const total = (name: string) => results.reduce((sum, result) => sum + Number(result[name]), 0)
  return {
    enqueued: ids.length,
    completed: ids.filter((id) => ended.has(id)).length,
    lost: ids.filter((id) => !ended.has(id)),
    begunTwice: twice(begun),
    endedTwice: twice(ended),
    handedBack: total('handedBack'),
    finished: total('finished'),
    forced: total('forced'),
    quietSeconds: results
      .flatMap(({ quietSeconds }) => (typeof quietSeconds === 'number' ? quietSeconds : []))
      .sort((a, b) => a - b),
  }
}

/** The smallest value that so large a part of them does not exceed. */
const percentile = (sorted: readonly number[], part: number) =>
  sorted[Math.max(0, Math.ceil(part * sorted.length) - 1)] ?? Number.NaN

function print(outcome: Outcome): void {
  const seconds = (part: number) => `${percentile(outcome.quietSeconds, part).toFixed(1)} s`
  console.log(
    `\n${table(
      [outcome.versions, ''],
      [
        ['drains', String(outcome.drains)],
        ['tasks enqueued', String(outcome.enqueued)],
        ['completed at least once', String(outcome.completed)],
        ['lost', String(outcome.lost.length)],
        ['begun more than once', String(outcome.begunTwice)],
        ['completed more than once', String(outcome.endedTwice)],
        [
          'left in the queue',
          `${outcome.left.visible} visible, ${outcome.left.inFlight} in flight`,
        ],
        ['handed back', String(outcome.handedBack)],
        ['finished during a drain', String(outcome.finished)],
        ['forced at the deadline', String(outcome.forced)],
        ['quiet after, p50', seconds(0.5)],
        ['quiet after, p95', seconds(0.95)],
        ['quiet after, max', seconds(1)],
        ['of them quiet at all', `${outcome.quietSeconds.length} of ${outcome.drains}`],
      ],
    )}`,
  )
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { drains: { type: 'string', default: '50' } } })
  const drains = Number(values.drains)
  if (!Number.isInteger(drains) || drains < 1) throw new Error('--drains must be a number from 1')
  const found = pythons()
  if (found.length === 0) throw new Error('There is no Python with Celery here')
  const moto = await startMoto()
  try {
    for (const python of found) {
      const outcome = await drainOften(moto, python, drains)
      print(outcome)
      if (outcome.lost.length > 0) process.exitCode = 1
    }
  } finally {
    tidyUp()
    moto.stop()
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await main()
