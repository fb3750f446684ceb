import { writeFile } from 'node:fs/promises'
import { GetQueueUrlCommand } from '@aws-sdk/client-sqs'
import { type Command, InvalidArgumentError } from 'commander'
import { isAwsError } from '../shared/aws.ts'
import type { Fleet } from '../shared/queue-config.ts'
import { queueName, readSeries, type Series, type Wanted } from '../shared/series.ts'
import { openAccount } from './place.ts'

type Options = {
  readonly queue: string
  readonly days: number
  readonly out?: string
  readonly stage: string
}
type Account = Awaited<ReturnType<typeof openAccount>>

const daySeconds = 86_400
// How long CloudWatch keeps values by the minute, and by five minutes.
const minuteDays = 15
const fiveMinuteDays = 63
// The last minutes are still on their way.
const lagSeconds = 300

/** Writes what came to a queue as `simulate --arrivals` reads it. */
async function exportHistory(options: Options): Promise<void> {
  const { default: fleet } = await import('../fleet.config.ts')
  const account = await openAccount(fleet, options.stage)
  const name = sqsNameOf(fleet, options.queue)
  await checkExists(account, name)
  const series = await readSent(account, name, options.days)
  const { csv, from, minutes, arrivals } = csvOf(series, name)
  if (options.out === undefined) process.stdout.write(csv)
  else await writeFile(options.out, csv)
  const step = series.stepSeconds === 60 ? 'by the minute' : 'five minutes shared out evenly'
  const where = options.out === undefined ? '' : `${options.out}: `
  console.error(
    `${where}${minutes} minutes from ${new Date(from * 1_000).toISOString()} on, ` +
      `${arrivals} arrivals, ${step}. Try: npx celeriac simulate --arrivals ` +
      `${options.out ?? 'FILE'} --history-days ${Math.max(0, Math.floor(minutes / 1_440) - 1)}`,
  )
}

/** A queue of the file by its name there, any other by its own. */
function sqsNameOf(fleet: Fleet, name: string): string {
  const queue = fleet.queues.find((one) => one.name === name)
  return queueName(queue?.sqs ?? name)
}

async function checkExists({ sqs, signal }: Account, name: string): Promise<void> {
  try {
    const command = new GetQueueUrlCommand({ QueueName: name })
    await sqs.send(command, { abortSignal: signal })
  } catch (error) {
    if (!isAwsError(error, 'QueueDoesNotExist')) throw error
    throw new Error(
      `There is no SQS queue ${name} there: check --queue, the region (AWS_REGION) and the ` +
        'credentials; npx celeriac check lists the queues of fleet.config.ts',
      { cause: error },
    )
  }
}

async function readSent(account: Account, name: string, days: number): Promise<Series> {
  const stepSeconds = days <= minuteDays ? 60 : 300
  const end = Math.floor(account.clock.now() / 1_000) - lagSeconds
  const to = Math.floor(end / 300) * 300
  const wanted: Wanted = {
    namespace: 'AWS/SQS',
    metric: 'NumberOfMessagesSent',
    statistic: 'Sum',
    dimension: { name: 'QueueName', value: name },
  }
  const span = { from: to - days * daySeconds, to, stepSeconds }
  const [read] = await readSeries(account, [name], () => wanted, span)
  if (!read || 'error' in read) throw read?.error ?? new Error('CloudWatch was not asked')
  return read.value
}

/** From the first value on: before it, nobody knows. A minute without one had no arrivals. */
export function csvOf({ from, stepSeconds, values }: Series, name: string) {
  const first = values.findIndex((value) => !Number.isNaN(value))
  if (first === -1) {
    throw new Error(
      `CloudWatch has no NumberOfMessagesSent of ${name} in that time: nothing was sent, or it ` +
        'is another queue; try more --days (63 at most)',
    )
  }
  const known = values.subarray(first)
  const perStep = stepSeconds / 60
  const counts = [...known].flatMap((value) => sharedOut(Number.isNaN(value) ? 0 : value, perStep))
  const lines = counts.map((count, minute) => `${minute},${count}`)
  return {
    csv: `minute,arrivals\n${lines.join('\n')}\n`,
    from: from + first * stepSeconds,
    minutes: counts.length,
    arrivals: counts.reduce((sum, count) => sum + count, 0),
  }
}

/** A whole number in whole parts, as even as they can be. */
const sharedOut = (value: number, parts: number): number[] =>
  Array.from(
    { length: parts },
    (_, part) => Math.round((value * (part + 1)) / parts) - Math.round((value * part) / parts),
  )

const daysOf = (text: string) => {
  const value = Number(text)
  if (Number.isInteger(value) && value >= 1 && value <= fiveMinuteDays) return value
  throw new InvalidArgumentError(`Write whole days, 1 to ${fiveMinuteDays}: no more are kept.`)
}

/** The command and its options. */
export function addExportHistory(program: Command): void {
  program
    .command('export-history')
    .description('write what came to a queue as CSV, as simulate --arrivals reads it')
    .requiredOption('--queue <name>', 'a queue of fleet.config.ts, or of SQS by its name')
    .option('--days <number>', `by the minute up to ${minuteDays}, by five beyond`, daysOf, 14)
    .option('--out <file>', 'write to this file instead of standard output')
    .option('--stage <name>', 'the deployment of the fleet', 'prod')
    .action(exportHistory)
}
