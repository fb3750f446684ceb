import { writeFile } from 'node:fs/promises'
import { type Command, InvalidArgumentError } from 'commander'
import { assignGroups } from '../shared/assign.ts'
import type { Deps } from '../shared/aws.ts'
import { describeGroups } from '../shared/fleet.ts'
import type { Fleet } from '../shared/queue-config.ts'
import { queueUrl, readQueue } from '../shared/queues.ts'
import { queueName, readSeries, type Wanted } from '../shared/series.ts'
import { workloadOf } from '../shared/sizing/workload.ts'
import { byColumn, type Column, columns, csvOf, type Recorded } from './backtest/recorded.ts'
import { openAccount } from './place.ts'

type Options = {
  readonly queue: string
  readonly days: number
  readonly out?: string
  readonly stage: string
}

const daySeconds = 86_400
// How long CloudWatch keeps values by the minute.
const daysMost = 15
// The last minutes are still on their way.
const lagSeconds = 300

/** Writes what CloudWatch has of a queue and its group, as `backtest --metrics` reads it. */
async function exportMetrics({ queue, days, out, stage }: Options): Promise<void> {
  const { default: fleet } = await import('../fleet.config.ts')
  const account = await openAccount(fleet, stage)
  const recorded = await readRecorded(account, fleet, queue, days)
  const csv = csvOf(recorded)
  if (out === undefined) process.stdout.write(csv)
  else await writeFile(out, csv)
  console.error(
    `${recorded.minutes} minutes. Try: npx celeriac backtest --queue ${queue} --metrics ` +
      `${out ?? 'FILE'}`,
  )
}

/** Throws where there is no such queue or group, or CloudWatch knows nothing of them. */
export async function readRecorded(
  account: Pick<Deps, 'sqs' | 'autoscaling' | 'cloudwatch' | 'clock' | 'signal'>,
  fleet: Fleet,
  name: string,
  days: number,
): Promise<Recorded> {
  const groups = await describeGroups(account, fleet)
  const [assigned] = assignGroups(fleet, groups, (queue) => queue === name)
  if (!assigned) throw new Error(`There is no queue ${name} in fleet.config.ts, and no such group`)
  if ('problem' in assigned) throw new Error(`${name}: ${assigned.problem}`)
  const { queue, group } = assigned
  const { deadLetterArn, visibilitySeconds } = await readQueue(
    account,
    queueUrl(queue.sqs, group.arn),
  )
  const deadLetters = deadLetterArn?.slice(deadLetterArn.lastIndexOf(':') + 1) ?? null
  const wanted = wantedOf(queueName(queue.sqs), group.name, deadLetters)
  const asked = columns.filter((column) => wanted[column] !== null)
  const to = Math.floor((account.clock.now() / 1_000 - lagSeconds) / 60) * 60
  const span = { from: to - days * daySeconds, to, stepSeconds: 60 }
  const outcomes = await readSeries(account, asked, (column) => wanted[column] ?? never(), span)
  const minutes = (span.to - span.from) / 60
  const none = new Float64Array(minutes).fill(Number.NaN)
  const values = byColumn((column) => {
    const outcome = outcomes.find(({ item }) => item === column)
    if (outcome && 'error' in outcome) throw outcome.error
    return outcome?.value.values ?? none
  })
  // Before it, nobody knows.
  const first = values.visible.findIndex((value) => !Number.isNaN(value))
  if (first < 0) {
    throw new Error(`CloudWatch has nothing of ${queue.sqs} in that time: nobody has touched it`)
  }
  const known = minutes - first
  const always = (value: number | null) => new Float64Array(known).fill(value ?? Number.NaN)
  return {
    ...{ from: span.from + first * 60, minutes: known },
    values: {
      ...byColumn((column) => values[column].subarray(first)),
      slots: always(workloadOf(queue, group).slots),
      visibility: always(visibilitySeconds),
    },
  }
}

const never = (): never => {
  throw new Error('Only what is wanted is asked for')
}

function wantedOf(
  sqs: string,
  group: string,
  deadLetters: string | null,
): Readonly<Record<Column, Wanted | null>> {
  const ofQueue = (metric: string, statistic: Wanted['statistic'], value = sqs): Wanted => ({
    ...{ namespace: 'AWS/SQS', metric, statistic, dimension: { name: 'QueueName', value } },
  })
  const ofGroup = (metric: string): Wanted => ({
    ...{ namespace: 'AWS/AutoScaling', metric, statistic: 'Average' },
    dimension: { name: 'AutoScalingGroupName', value: group },
  })
  return {
    visible: ofQueue('ApproximateNumberOfMessagesVisible', 'Average'),
    notVisible: ofQueue('ApproximateNumberOfMessagesNotVisible', 'Average'),
    delayed: ofQueue('ApproximateNumberOfMessagesDelayed', 'Average'),
    age: ofQueue('ApproximateAgeOfOldestMessage', 'Maximum'),
    sent: ofQueue('NumberOfMessagesSent', 'Sum'),
    received: ofQueue('NumberOfMessagesReceived', 'Sum'),
    deleted: ofQueue('NumberOfMessagesDeleted', 'Sum'),
    deadLetters: deadLetters
      ? ofQueue('ApproximateNumberOfMessagesVisible', 'Maximum', deadLetters)
      : null,
    desired: ofGroup('GroupDesiredCapacity'),
    inService: ofGroup('GroupInServiceInstances'),
    max: ofGroup('GroupMaxSize'),
    ...{ slots: null, visibility: null },
  }
}

const daysOf = (text: string) => {
  const value = Number(text)
  if (Number.isInteger(value) && value >= 1 && value <= daysMost) return value
  throw new InvalidArgumentError(`Write whole days, 1 to ${daysMost}: no more are kept.`)
}

const help = `
The group's columns are empty where its metrics are not enabled (they cost nothing): the rules that
look at instances are then not judged. Reads the account of the SDK's credentials and region.`

/** The command and its options. */
export function addExportMetrics(program: Command): void {
  program
    .command('export-metrics')
    .description(
      'write what CloudWatch has of a queue and its group as CSV, for backtest --metrics',
    )
    .requiredOption('--queue <name>', 'a queue of fleet.config.ts')
    .option('--days <number>', `by the minute, ${daysMost} at most`, daysOf, 14)
    .option('--out <file>', 'write to this file instead of standard output')
    .option('--stage <name>', 'the deployment of the fleet', 'prod')
    .addHelpText('after', help)
    .action(exportMetrics)
}
