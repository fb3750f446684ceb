import { userInfo } from 'node:os'
import { type Command, InvalidArgumentError, Option } from 'commander'
import { isLike } from '../shared/alerts/mute.ts'
import { type RuleName, ruleNames } from '../shared/alerts/rules.ts'
import { newRunId } from '../shared/aws.ts'
import { timeOf } from '../shared/notify/text.ts'
import type { Fleet } from '../shared/queue-config.ts'
import { scenarioNames, scenarioOf } from '../twin/backtest/scenarios.ts'
import { runMinutes } from '../twin/run.ts'
import { createWorld } from '../twin/world/world.ts'
import { describe } from './alerts/describe.ts'
import { describeRules, type RulesDeps, readRules } from './alerts/rules.ts'
import { addSilence, endSilence } from './alerts/silence.ts'
import { readState, type StateDeps } from './alerts/state.ts'
import { exitCodeOf, viewOf } from './alerts/view.ts'
import { openAccount } from './place.ts'

type Shown = {
  readonly stage: string
  readonly queue?: string
  readonly scenario?: string
  readonly seed: number
  readonly json?: true
}

// Of the exit codes, the one of a run that can say nothing of the alerts.
const couldNotRun = 3

/** What fires, what people know of it, and what is silenced. Reads, and changes nothing. */
async function show({ stage, queue, scenario, seed, json }: Shown): Promise<void> {
  process.exitCode = couldNotRun
  const { deps, fleet } = scenario ? await openScenario(scenario, seed) : await openFleet(stage)
  if (queue !== undefined) {
    const rules = await readRules(deps, fleet, queue)
    console.log(json ? JSON.stringify(rules, null, 2) : describeRules(rules))
    process.exitCode = 0
    return
  }
  const view = viewOf(await readState(deps, fleet))
  console.log(json ? JSON.stringify(view, null, 2) : describe(view, fleet.name))
  process.exitCode = exitCodeOf(view)
}

type Place = { readonly deps: StateDeps & RulesDeps; readonly fleet: Fleet }

async function openFleet(stage: string) {
  const { default: fleet } = await import('../fleet.config.ts')
  const deps = { ...(await openAccount(fleet, stage)), runId: newRunId() }
  return { deps, fleet }
}

// Every rule has fired by then that can.
const intoSeconds = 1_200
const calmSeconds = 7_200

/** A scenario of the backtest, some minutes after it has gone wrong. */
async function openScenario(name: string, seed: number): Promise<Place> {
  const { scenario, incidents } = scenarioOf(name, seed)
  const startSeconds = scenario.startAt / 1_000
  const [incident] = incidents
  const seconds = incident ? incident.from - startSeconds + intoSeconds : calmSeconds
  const world = createWorld(scenario, seed)
  await runMinutes(world, Math.ceil(seconds / 60))
  console.error(`The scenario ${name} on the twin: ${incident?.name ?? 'nothing happens'}.`)
  return { deps: world.twin.deps, fleet: scenario.fleet }
}

type Silenced = {
  readonly queue: readonly string[]
  readonly rule: readonly RuleName[]
  readonly for?: number
  readonly reason?: string
  readonly end?: string
  readonly stage: string
}

async function silence({ queue, rule, for: forSeconds, reason, end, stage }: Silenced) {
  if (end !== undefined) {
    const { deps } = await openFleet(stage)
    const { id, reason: why } = await endSilence(deps, end)
    console.log(`The silence ${id} (${why}) is over.`)
    return
  }
  if (queue.length === 0) throw new Error("Name what is to be silent: --queue NAME, or '*'")
  if (forSeconds === undefined) throw new Error('Say for how long: --for 2h')
  if (reason === undefined || reason.trim() === '') throw new Error('Say why: --reason TEXT')
  const { deps, fleet } = await openFleet(stage)
  const by = userInfo().username
  const wish = { queues: queue, rules: rule, forSeconds, reason, by }
  const { id, until } = await addSilence(deps, fleet, wish)
  for (const pattern of queue) {
    if (fleet.queues.some(({ name }) => isLike(pattern, name))) continue
    console.error(
      `warning: fleet.config.ts has no queue ${pattern}; it is of use if one is adopted`,
    )
  }
  console.log(`Silenced until ${timeOf(until)}; end it before with: celeriac silence --end ${id}`)
}

const alertsHelp = `
Exit codes: 0 nothing that people are to know of, 1 warnings, 2 critical alerts, 3 nobody evaluates
the alerts, or it could not run. What is silenced or explained by another alert does not count.
Reads the AWS account of the SDK's credentials and region, or with --scenario the embedded one.`

const silenceHelp = `
Nobody is told of what a silence covers for as long as it lasts; what still fires after it is told
then. Whoever was told before is told when it is over. Writes one item of the state table, in the
AWS account of the SDK's credentials and region. 'celeriac alerts' lists the silences.`

const aRule = (text: string, before: readonly RuleName[]): RuleName[] => {
  const rule = ruleNames.find((name) => name === text)
  if (rule) return [...before, rule]
  throw new InvalidArgumentError(`There are ${ruleNames.join(', ')}.`)
}
const aQueue = (name: string, before: readonly string[]) => [...before, name]

type Parsers = { seconds: (text: string) => number; whole: (text: string) => number }

/** The commands and their options. */
export function addAlerts(program: Command, { seconds, whole }: Parsers): void {
  program
    .command('alerts')
    .description('show what fires, what people know of it, and what is silenced')
    .option('--queue <name>', 'each rule of this queue: its number, its threshold, its state')
    .option('--stage <name>', 'the deployment of the fleet', 'prod')
    .addOption(
      new Option('--scenario <name>', 'a scenario of backtest on the twin: no account').choices(
        scenarioNames,
      ),
    )
    .option('--seed <number>', 'seed of the twin', whole, 1)
    .option('--json', 'print JSON instead of a table')
    .addHelpText('after', alertsHelp)
    .action(show)
  program
    .command('silence')
    .description('tell nobody of some alerts for a while')
    .option(
      '--queue <name>',
      "the queue, with * for anything, such as 'mail-*'; repeatable",
      aQueue,
      [],
    )
    .option('--rule <name>', 'this rule alone; repeatable', aRule, [])
    .option('--for <time>', "for how long, such as '2h'; a week at most", seconds)
    .option('--reason <text>', 'why')
    .option('--end <id>', 'end a silence before its time')
    .option('--stage <name>', 'the deployment of the fleet', 'prod')
    .addHelpText('after', silenceHelp)
    .action(silence)
}
