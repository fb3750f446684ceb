import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { pathToFileURL } from 'node:url'
import type { Command } from 'commander'
import { parseDuration } from '../shared/duration.ts'
import { defaults } from '../shared/queue-schema.ts'
import { lookSecondsOf } from '../shared/timing.ts'
import { answer, createShadow, type Shadow } from './shadow/shadow.ts'

export type ShadowOptions = {
  readonly config?: string
  readonly queue?: string
  readonly promise?: number
  readonly slots?: number
  readonly boot?: number
  readonly min?: number
  readonly max?: number
  readonly serviceTime?: number
  readonly serviceCv2?: number
  readonly history?: string
}

// The most that a group may have where neither the file nor an option says.
const maxDefault = 500

/** Reads looks from standard input and answers each with a line. */
export async function shadow(options: ShadowOptions): Promise<void> {
  const workload = await workloadOf(options)
  const history = options.history ? await readHistory(options.history) : []
  const lookSeconds = lookSecondsOf({ ...workload, mode: 'direct' })
  const state = createShadow(workload, options.serviceCv2 ?? null, history, lookSeconds)
  let refused = 0
  for await (const line of createInterface({ input: process.stdin, crlfDelay: Infinity })) {
    const told = answer(state, line)
    if ('error' in told) refused++
    await print(JSON.stringify(told))
  }
  if (refused === 0) return
  console.error(`${refused} of ${state.line} lines were refused.`)
  process.exitCode = 1
}

const print = (line: string) =>
  new Promise<void>((done, fail) => {
    process.stdout.write(`${line}\n`, (error) => (error ? fail(error) : done()))
  })

/** From the options, and where they are silent from the queue of a file, or the defaults. */
async function workloadOf(options: ShadowOptions): Promise<Shadow['workload']> {
  const queue = await queueOf(options)
  const seconds = (text: string) => parseDuration(text) ?? 0
  const workload = {
    startWithinSeconds:
      options.promise ?? queue?.startWithinSeconds ?? seconds(defaults.startWithin),
    slots: options.slots ?? queue?.slotsPerInstance ?? defaults.concurrency,
    bootSeconds: options.boot ?? queue?.bootSeconds ?? seconds(defaults.bootTime),
    min: options.min ?? queue?.min ?? defaults.min,
    max: options.max ?? queue?.max ?? maxDefault,
    taskSeconds: options.serviceTime ?? queue?.taskSeconds ?? seconds(defaults.taskTime),
  }
  if (workload.slots < 1) throw new Error(`--slots ${workload.slots}: write 1 or more`)
  if (workload.min > workload.max) {
    throw new Error(`--min ${workload.min} is above --max ${workload.max}`)
  }
  return workload
}

async function queueOf({ config, queue }: ShadowOptions) {
  if (config === undefined && queue === undefined) return null
  if (queue === undefined) throw new Error('--config needs --queue NAME: which of its queues?')
  const file = config ?? 'fleet.config.ts'
  const { default: fleet } = await import(pathToFileURL(resolve(file)).href)
  const found = fleet.queues.find(({ name }: { name: string }) => name === queue)
  if (found) return found
  const names = fleet.queues.map(({ name }: { name: string }) => name).join(', ')
  throw new Error(`There is no queue ${queue} in ${file}; there are ${names}`)
}

/** Arrivals a minute of the days before, one number a line, the oldest first. */
async function readHistory(file: string): Promise<number[]> {
  const lines = (await readFile(file, 'utf8')).split(/\r?\n/)
  while (lines.at(-1)?.trim() === '') lines.pop()
  if (lines.length === 0) {
    throw new Error(`${file}: empty; write the arrivals of each minute, one number a line`)
  }
  return lines.map((line, index) => {
    const value = Number(line)
    if (line.trim() !== '' && value >= 0 && Number.isFinite(value)) return value
    const where = `${file}:${index + 1}`
    throw new Error(`${where}: ${JSON.stringify(line)}; write a number of arrivals, 0 or more`)
  })
}

const help = `
One look a line in, seconds and counts; sent, deleted and oldestAge may be null:
  {"now":60,"visible":3,"notVisible":1,"delayed":0,"oldestAge":4,"sent":3,"deleted":1,
   "inService":1,"pending":0,"draining":0,"doomed":0,"desired":1}
(on one line; sent and deleted since the last look). One line out for each, at once:
  {"now":60,"desired":2,"reason":"backlog","shortfall":0,"rate":0.05,"serviceTime":60,
   "forecast":0.05}
rate is that of the last five minutes and forecast that until a launch could help, in tasks a
second. A line that cannot be read, lacks a field or is not later than the last is answered
{"line":7,"error":"..."} and changes nothing; the exit code is 1 if there was one.
With a history of two days or more the rule's constants are rehearsed on the last three of them
with the second look, and again each day.`

/** The command and its options. */
export function addShadow(
  program: Command,
  parse: {
    readonly seconds: (text: string) => number
    readonly whole: (text: string) => number
    readonly number: (text: string) => number
  },
): void {
  program
    .command('shadow')
    .description('size a queue from looks at it that come through a pipe, and touch nothing')
    .option('--config <file>', 'take the queue from this fleet.config.ts')
    .option('--queue <name>', 'the queue in it')
    .option('--promise <time>', "a task starts within it, such as '300s'", parse.seconds)
    .option('--slots <number>', 'tasks that one instance runs at a time', parse.whole)
    .option('--boot <time>', 'from launch to the first task taken', parse.seconds)
    .option('--min <number>', 'instances kept whatever the backlog', parse.whole)
    .option('--max <number>', 'instances never exceeded', parse.whole)
    .option('--service-time <time>', 'how long a task usually runs', parse.seconds)
    .option(
      '--service-cv2 <number>',
      'variance of that over its squared mean, where it is known; 1 is exponential',
      parse.number,
    )
    .option('--history <file>', 'arrivals a minute of the days before, one number a line')
    .addHelpText('after', help)
    .action(shadow)
}
