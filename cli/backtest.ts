import { readFile, writeFile } from 'node:fs/promises'
import { type Command, InvalidArgumentError } from 'commander'
import type { Page } from '../shared/alerts/page.ts'
import { inWords } from '../shared/duration.ts'
import { quantile } from '../twin/backtest/judge.ts'
import { backtest, type Replayed } from '../twin/backtest/run.ts'
import { scenarioNames } from '../twin/backtest/scenarios.ts'
import { describe as describeReplay } from './backtest/describe.ts'
import { judge } from './backtest/judge.ts'
import { readRecorded } from './backtest/recorded.ts'
import { replay } from './backtest/replay.ts'
import { table } from './format.ts'
import { findQueue } from './place.ts'

const whole = (text: string) => {
  const value = Number(text)
  if (Number.isSafeInteger(value) && value >= 1) return value
  throw new InvalidArgumentError('Write a whole number, 1 or more.')
}

type Given = {
  readonly scenario?: string
  readonly metrics?: string
  readonly queue?: string
  readonly seed: number
  readonly seeds: number
  readonly json?: string
  readonly pages?: true
}

const help = `
With --scenario the real handlers run on the twin; it exits with 1 when an incident was missed or
told twice, or a page told of nothing. With --metrics the rules of a queue of fleet.config.ts are
judged over what CloudWatch has (export-metrics writes it): how often each would have fired, and how
long before the promise broke. Minutes are looked at as the function would have, late metrics
included; sizes of the group are as recorded, and what no metric has is not judged.`

/** `backtest`: the rules of alerts on days of which it is known what went wrong. */
export function addBacktest(program: Command): void {
  program
    .command('backtest')
    .description(
      'judge what people would have been told: on a day of the twin on which something goes ' +
        'wrong, or on days of your own that CloudWatch has recorded',
    )
    .option('--scenario <name>', `${scenarioNames.join(', ')}; or all`)
    .option('--metrics <file>', 'CSV with the columns of export-metrics')
    .option('--queue <name>', 'with --metrics: the queue of fleet.config.ts')
    .option('--seed <number>', 'the first seed', whole, 1)
    .option('--seeds <number>', 'how many seeds from there on', whole, 1)
    .option('--json <file>', 'write the judgements to a file: one, or a list of them')
    .option('--pages', 'print every page')
    .addHelpText('after', help)
    .action(run)
}

async function run(given: Given): Promise<void> {
  const { scenario, metrics } = given
  if ((scenario === undefined) === (metrics === undefined)) {
    throw new Error('Write one of --scenario NAME and --metrics FILE')
  }
  if (scenario !== undefined) await runScenario(scenario, given)
  if (metrics !== undefined) await runRecorded(metrics, given)
}

/** The rules of a queue over what CloudWatch has recorded of it. */
async function runRecorded(file: string, { queue: name, json, pages }: Given) {
  if (name === undefined) throw new Error('--metrics needs --queue NAME: whose rules?')
  const { default: fleet } = await import('../fleet.config.ts')
  const queue = findQueue(fleet, name)
  const recorded = readRecorded(await readFile(file, 'utf8'), file)
  const replayed = replay(fleet, queue, recorded)
  const verdict = judge(recorded, replayed, queue.startWithinSeconds)
  if (pages) for (const page of replayed.pages) console.log(describe(page))
  console.log(describeReplay(replayed, verdict))
  const { fired: _, pages: told, ...about } = replayed
  const result = { queue: name, ...about, pages: told, ...verdict }
  if (json) await writeFile(json, `${JSON.stringify(result, null, 2)}\n`)
}

async function runScenario(scenario: string, { seed, seeds, json, pages }: Given): Promise<void> {
  const names = scenario === 'all' ? scenarioNames : [scenario]
  const replays: Replayed[] = []
  for (const name of names) {
    for (let next = seed; next < seed + seeds; next++) {
      const replayed = await backtest(name, next)
      replays.push(replayed)
      if (names.length * seeds > 1) console.error(lineOf(replayed))
      if (pages) for (const page of replayed.pages) console.log(describe(page))
      for (const breach of replayed.breaches) console.error(`broken invariant: ${breach}`)
    }
  }
  console.log(tableOf(names, replays))
  const judgements = replays.map(({ judgement }) => judgement)
  const [first] = judgements
  const written = judgements.length === 1 ? first : judgements
  if (json) await writeFile(json, `${JSON.stringify(written, null, 2)}\n`)
  if (replays.some(isWrong)) process.exitCode = 1
}

const isWrong = ({ judgement, breaches }: Replayed) =>
  judgement.missed + judgement.false + judgement.duplicates + breaches.length > 0

function lineOf({ judgement, incidents }: Replayed): string {
  const { scenario, seed, paged, missed, duplicates, detectionSecondsMedian: median } = judgement
  const what = incidents.map(({ name }) => name).join(', ') || 'nothing happens'
  const after = median === null ? '' : `, after ${inWords(median)}`
  return (
    `${scenario} ${seed}: ${what}; told ${paged}, missed ${missed}, twice ${duplicates}, ` +
    `of nothing ${judgement.false}${after}`
  )
}

const describe = ({ at, kind, severity, title, alerts }: Page) =>
  [
    new Date(at * 1_000).toISOString().slice(11, 16),
    kind,
    severity,
    `${title} (${alerts.map(({ queue, rule }) => `${queue} ${rule}`).join(', ')})`,
  ].join('  ')

/** One row a scenario, over its seeds. */
function tableOf(names: readonly string[], replays: readonly Replayed[]): string {
  const head = [
    ...['scenario', 'seeds', 'incidents', 'paged', 'missed', 'false', 'duplicates'],
    ...['detected after, median', 'P95'],
  ]
  const rows = names.map((name) => {
    const own = replays.map((one) => one.judgement).filter(({ scenario }) => scenario === name)
    const sum = (of: (one: (typeof own)[number]) => number) =>
      String(own.reduce((total, one) => total + of(one), 0))
    // Each run has one incident at most, so that its median is the time of that one.
    const times = own.flatMap(({ detectionSecondsMedian }) => detectionSecondsMedian ?? [])
    const time = (share: number) => {
      const seconds = quantile(times, share)
      return seconds === null ? '' : `${seconds} s`
    }
    return [
      ...[name, String(own.length)],
      ...[sum((one) => one.incidents), sum((one) => one.paged), sum((one) => one.missed)],
      ...[sum((one) => one.false), sum((one) => one.duplicates)],
      ...[time(0.5), time(0.95)],
    ]
  })
  return table(head, rows)
}
