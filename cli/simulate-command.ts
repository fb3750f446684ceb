import { type Command, InvalidArgumentError } from 'commander'
import { parseDuration } from '../shared/duration.ts'
import { policyNames } from '../twin/policies/find.ts'
import { badInput, type ReplayOptions, simulateReplay } from './replay.ts'
import { simulateTalk } from './simulate.ts'

const whole = (least: number) => (text: string) => {
  const value = Number(text)
  if (Number.isSafeInteger(value) && value >= least) return value
  throw new InvalidArgumentError(`Write a whole number, ${least} or more.`)
}

type Bounds = { readonly above?: number; readonly least?: number; readonly most?: number }

const number = (bounds: Bounds) => (text: string) => {
  const { above = Number.NEGATIVE_INFINITY, least = Number.NEGATIVE_INFINITY } = bounds
  const { most = Number.MAX_VALUE } = bounds
  const value = Number(text.trim() || Number.NaN)
  if (value > above && value >= least && value <= most) return value
  const limits = [
    ...(bounds.above === undefined ? [] : [`above ${bounds.above}`]),
    ...(bounds.least === undefined ? [] : [`of ${bounds.least} or more`]),
    ...(bounds.most === undefined ? [] : [`of ${bounds.most} or less`]),
  ]
  throw new InvalidArgumentError(`Write a number ${limits.join(', ')}.`)
}

/** `'300s'`, `'5m'`, `'2h'`, or seconds alone. */
const duration = (text: string) => {
  const value = parseDuration(text) ?? parseDuration(`${text}s`)
  if (value !== null) return value
  throw new InvalidArgumentError("Write a time above 0, such as '90s', '3m' or '2h'.")
}

const usual = {
  durations: 'exp:30',
  ...{ scale: 1, durationScale: 1, durationCap: 3_600, from: 0, days: 1 },
  ...{ promise: 300, slots: 1, boot: 120, min: 0, max: 500, spotPerHour: 0.01 },
  policy: 'celeriac',
} as const

const hoursUsual = 24
// Two weeks: what a day of the built-in scenario takes, some minutes.
const hoursMax = 24 * 14

type Given = Partial<ReplayOptions> & {
  readonly seed: number
  readonly hours?: number
  readonly json?: string
}

/** `simulate`: the built-in scenario, or recorded traffic under one policy or several. */
export function addSimulate(program: Command): void {
  const command = program.command('simulate')
  command
    .description(
      'let the fleet of fleet.config.ts run for a day on the twin, with the real functions, or ' +
        'replay recorded traffic with --arrivals; exits 1 when an invariant broke, 2 for bad input',
    )
    .option('--seed <number>', 'seed: the same one gives the same run, byte for byte', whole(0), 1)
    .option('--json <file>', 'write the summary to a file as well')
    .option(
      '--hours <number>',
      'how long, from midnight in New York (24)',
      number({ above: 0, most: hoursMax }),
    )
  addReplayOptions(command)
    .addHelpText('after', `\nPolicies: ${policyNames.join(', ')}; or all.`)
    .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : badInput))
    .action((given: Given) => start(command, given))
}

function addReplayOptions(command: Command): Command {
  return command
    .optionsGroup('Recorded traffic (usual values in brackets):')
    .option('--arrivals <file>', 'CSV with the header minute,arrivals or second,arrivals')
    .option('--durations <file>', 'CSV with the header seconds, or exp:SECONDS (exp:30)')
    .option('--scale <number>', 'tasks for each arrival (1)', number({ above: 0 }))
    .option('--duration-scale <number>', 'times each duration (1)', number({ above: 0 }))
    .option('--duration-cap <time>', 'cut longer ones, after the scale (3600s)', duration)
    .option('--from <day>', 'where the history begins (0)', number({ least: 0 }))
    .option(
      '--history-days <days>',
      'known beforehand and not simulated (up to 14)',
      number({ least: 0 }),
    )
    .option('--days <days>', 'to simulate, after the history (1)', number({ above: 0 }))
    .option('--promise <time>', 'a task starts within this (300s)', duration)
    .option('--slots <number>', 'tasks that an instance runs at a time (1)', whole(1))
    .option('--boot <time>', 'from launch to the first task, mean (120s)', duration)
    .option('--min <number>', 'instances kept (0)', whole(0))
    .option('--max <number>', 'instances at most (500)', whole(1))
    .option(
      '--spot-per-hour <number>',
      'how often Spot takes an instance (0.01)',
      number({ least: 0 }),
    )
    .option('--html <file>', 'write a page with pictures of every policy, side by side')
    .option('--policy <list>', 'NAME[:key=value][:key=value][,NAME...] or all (celeriac)')
}

function start(command: Command, { hours, ...given }: Given): Promise<void> {
  const { seed, json, arrivals } = given
  if (arrivals !== undefined) {
    if (hours !== undefined) command.error('error: --hours is of no use here; write --days')
    return simulateReplay({ ...usual, ...given, arrivals })
  }
  const alone = Object.keys(given).filter((name) => name !== 'seed' && name !== 'json')
  if (alone.length > 0) {
    const names = alone.map((name) => `--${name.replace(/[A-Z]/g, (one) => `-${one}`)}`)
    command.error(`error: ${names.join(', ').toLowerCase()} needs --arrivals as well`)
  }
  const options = { seed, hours: hours ?? hoursUsual }
  return simulateTalk(json === undefined ? options : { ...options, json })
}
