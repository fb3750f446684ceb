#!/usr/bin/env node
import { Command, InvalidArgumentError } from 'commander'
import { parseDuration } from '../shared/duration.ts'
import { addAlerts } from './alerts-command.ts'
import { addBacktest } from './backtest.ts'
import { addBench } from './bench-command.ts'
import { check } from './check.ts'
import { couldNotRun, doctor, doctorHelp } from './doctor.ts'
import { addExplain } from './explain.ts'
import { addExportHistory } from './export-history.ts'
import { addExportMetrics } from './export-metrics.ts'
import { functionNames, invoke } from './invoke.ts'
import { addShadow } from './shadow.ts'
import { addSimulate } from './simulate-command.ts'

const wholeNumber = (text: string) => {
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < 0)
    throw new InvalidArgumentError('Not a whole number.')
  return value
}

const secondsOf = (text: string) => {
  const value = parseDuration(text)
  if (value === null) throw new InvalidArgumentError("Not a time such as '90s', '5m' or '2h'.")
  return value
}
const positive = (text: string) => {
  const value = Number(text)
  if (!(value >= 0 && Number.isFinite(value)) || text.trim() === '')
    throw new InvalidArgumentError('Not a number, 0 or more.')
  return value
}

const several = (name: string, before: readonly string[]) => [...before, name]

const program = new Command('celeriac').description(
  'A control plane for fleets of Celery workers on Amazon SQS and EC2 Spot.',
)

program
  .command('check')
  .description('check fleet.config.ts and show what each queue comes to')
  .option('--json', 'print JSON instead of a table')
  .action(check)

program
  .command('invoke')
  .description('run a function once on the twin: an embedded AWS in mid-morning, no account needed')
  .argument('<function>', `the name of the function: ${functionNames}`)
  .requiredOption(
    '--event <file>',
    'the event, such as events/schedule.json or events/drain-spot.json',
  )
  .option('--seed <number>', 'seed of the twin', wholeNumber, 1)
  .option('--json', 'print JSON instead of a table')
  .action(invoke)

addSimulate(program)
addBench(program)
addBacktest(program)
addAlerts(program, { seconds: secondsOf, whole: wholeNumber })
addExplain(program, wholeNumber)
addExportHistory(program)
addExportMetrics(program)

program
  .command('doctor')
  .description(
    'look for whatever would lose tasks: on this box, or in the AWS account of the fleet',
  )
  .option('--box', 'read this machine; so it does where --config is not given')
  .option('--config', 'read the AWS account that fleet.config.ts speaks of')
  .option('--queue <name>', 'the queue of this box; with --config, look at no other')
  .option('--stage <name>', 'the deployment of the fleet', 'prod')
  .option('--task-time <time>', "how long tasks of this box usually run, such as '4m'")
  .option(
    '--app <module>',
    "load the worker's application, as celery -A does, and read its settings",
  )
  .option('--python <path>', "ask this Python instead of the worker's own")
  .option('--unit <name>', 'look at this systemd unit too; repeatable', several, [])
  .option('--program <name>', 'look at this supervisord program too; repeatable', several, [])
  .option('--container <name>', 'look at this Docker container too; repeatable', several, [])
  .option('--supervisor-conf <file>', "supervisord's configuration, where it is not the usual one")
  .option('--verbose', 'list what is in order as well')
  .option('--json', 'print JSON instead of a table')
  .addHelpText('after', doctorHelp)
  // A wrong option is no finding.
  .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : couldNotRun))
  .action(doctor)

addShadow(program, { seconds: secondsOf, whole: wholeNumber, number: positive })

try {
  await program.parseAsync()
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode ??= 1
}
