import { readFile, writeFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { createLogUpdate } from 'log-update'
import { systemClock } from '../shared/aws.ts'
import { type Compared, compare, type Row, settingOf } from '../twin/compare.ts'
import { type Choice, paramsOf, parsePolicies } from '../twin/policies/find.ts'
import type { ReplaySettings } from '../twin/scenarios/replay.ts'
import { type Durations, exponentialOf, readArrivals, readDurations } from '../twin/traces/csv.ts'
import { type Traffic, trafficOf } from '../twin/traces/traffic.ts'
import { percent, seconds, short, table, whole } from './format.ts'
import { replayPage } from './replay-page.ts'

/** What `simulate --arrivals` is given; times in seconds. */
export type ReplayOptions = {
  readonly arrivals: string
  readonly durations: string
  readonly scale: number
  readonly durationScale: number
  readonly durationCap: number
  readonly from: number
  readonly historyDays?: number
  readonly days: number
  readonly promise: number
  readonly slots: number
  readonly boot: number
  readonly min: number
  readonly max: number
  readonly spotPerHour: number
  readonly policy: string
  readonly seed: number
  readonly json?: string
  readonly html?: string
}

// Whatever the trace has, up to what the forecast looks back on.
const historyDaysMax = 14
const daySeconds = 86_400

/** What is wrong with what the user gave, and not with what became of it. */
export const badInput = 2

/** Recorded traffic through one queue, under each policy in turn, and a row for each. */
export async function simulateReplay(options: ReplayOptions): Promise<void> {
  const started = systemClock.now()
  const prepared = await prepare(options).catch((error: unknown) => {
    process.exitCode = badInput
    throw error
  })
  const { traffic, choices, settings } = prepared
  const about = describeTraffic(options, traffic)
  console.log(`${about}\n`)
  const { show, done } = progress()
  const compared: Compared[] = []
  for (const choice of choices) {
    const onProgress = (share: number) => show(choice.policy, (compared.length + share) / of)
    const of = choices.length
    compared.push(await compare({ choice, traffic, settings, seed: options.seed, onProgress }))
  }
  done()
  const rows = compared.map(({ row }) => row)
  const cells = rows.map(cellsOf)
  console.log(table(head, cells))
  if (options.json) await writeFile(options.json, `${JSON.stringify(rows, null, 2)}\n`)
  if (options.html) {
    const { promiseSeconds, slots } = settings
    const title = `Replay of ${basename(options.arrivals)}`
    const parts = { title, about, head, cells, compared, traffic, promiseSeconds, slots }
    await writeFile(options.html, await replayPage(parts))
  }
  for (const { row, breaches } of compared) {
    for (const breach of breaches) console.error(`broken invariant: ${row.policy}: ${breach}`)
    if (breaches.length > 0) process.exitCode = 1
  }
  console.error(`Simulated in ${short((systemClock.now() - started) / 1_000)} s.`)
}

type Prepared = {
  readonly traffic: Traffic
  readonly settings: ReplaySettings
  readonly choices: readonly Choice[]
}

/** Reads and checks everything first: no minute is simulated of what cannot be finished. */
async function prepare(options: ReplayOptions): Promise<Prepared> {
  const { arrivals, scale, durationScale, days, from, seed } = options
  const choices = parsePolicies(options.policy)
  if (options.min > options.max) {
    throw new Error(`--min ${options.min} is above --max ${options.max}; lower it`)
  }
  const trace = readArrivals(await readText(arrivals), arrivals)
  const durations = await durationsOf(options.durations)
  const has = Math.floor((trace.counts.length * trace.stepSeconds) / daySeconds - from - days)
  const historyDays = options.historyDays ?? Math.max(0, Math.min(historyDaysMax, has))
  const durationCapSeconds = options.durationCap
  const traffic = trafficOf({
    ...{ trace, durations, scale, durationScale, durationCapSeconds },
    ...{ fromDay: from, historyDays, days, seed },
  })
  const { slots, min, max, spotPerHour } = options
  const promiseSeconds = options.promise
  const settings = { promiseSeconds, bootSeconds: options.boot, slots, min, max, spotPerHour }
  // A policy that lacks something says so now.
  for (const { peer, given } of choices) {
    const setting = settingOf(traffic, settings)
    peer?.start(setting, paramsOf(peer, given, setting))
  }
  return { traffic, settings, choices }
}

async function durationsOf(text: string): Promise<Durations> {
  return exponentialOf(text) ?? readDurations(await readText(text), text)
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') {
      throw new Error(`${file} is not there; name a file that is`)
    }
    throw error
  }
}

/** How far it is, on the other stream and in a terminal alone. */
function progress() {
  if (!process.stderr.isTTY) return { show: () => {}, done: () => {} }
  const draw = createLogUpdate(process.stderr, { showCursor: true })
  let shown = ''
  return {
    show(policy: string, share: number) {
      const line = `${policy.padEnd(20)} ${Math.floor(share * 100)} %`
      if (line !== shown) draw(line)
      shown = line
    },
    done: () => draw.clear(),
  }
}

function describeTraffic({ arrivals, slots, promise, boot, seed }: ReplayOptions, of: Traffic) {
  const { historyPerMinute, tasks, service, daysFrom, endAt } = of
  const days = (endAt - daysFrom) / 86_400_000
  const count = tasks.at.reduce((sum, at) => sum + (at >= daysFrom ? 1 : 0), 0)
  const busy = (count * service.meanSeconds) / (days * daySeconds)
  const history = historyPerMinute.length / 1_440
  return (
    `${arrivals}, seed ${seed}: ${short(days)} days after ${short(history)} of history, ` +
    `${whole(count)} tasks of ${short(service.meanSeconds)} s, ${short(busy)} at a time.\n` +
    `Promise ${seconds(promise)}, boot ${seconds(boot)}, slots ${slots}.`
  )
}

const head = [
  ...['policy', 'in time', 'wait P50', 'P99', 'max', 'inst-hours', 'busy', 'used'],
  ...['launched', 'ended', 'asked', 'killed', 'twice', 'lost'],
]

const cellsOf = (row: Row): string[] => [
  row.policy,
  percent(row.within),
  ...[row.waitP50, row.waitP99, row.waitMax].map(seconds),
  ...[row.instanceHours, row.busyHours].map(short),
  percent(row.utilisation),
  ...[row.launches, row.terminations, row.decisions].map(whole),
  ...[row.tasksKilled, row.tasksRunTwice, row.tasksLost].map(whole),
]
