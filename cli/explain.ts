import type { Command } from 'commander'
import { runMinutes } from '../twin/run.ts'
import { talk } from '../twin/scenarios/talk.ts'
import { createWorld } from '../twin/world/world.ts'
import { explain as explanationOf } from './explain/explanation.ts'
import { type LookDeps, lookAt } from './explain/look.ts'
import { describe } from './explain/words.ts'
import { findQueue, openAccount } from './place.ts'

type Options = {
  readonly queue: string
  readonly stage: string
  readonly twin?: true
  readonly seed: number
  readonly json?: true
}

// Mid-morning in New York, with two weeks behind it and half an hour of looks.
const startHour = 10
const pastDays = 14
const warmUpMinutes = 30

/** Why a queue's capacity is what it is. Reads, and changes nothing. */
async function explain(options: Options): Promise<void> {
  const { default: fleet } = await import('../fleet.config.ts')
  const deps = options.twin
    ? await openTwin(options.queue, options.seed)
    : await openAccount(fleet, options.stage)
  const told = explanationOf(await lookAt(deps, fleet, options.queue))
  console.log(options.json ? JSON.stringify(told, null, 2) : describe(told))
}

/** The queue alone, for the others would take their time too. */
async function openTwin(name: string, seed: number): Promise<LookDeps> {
  const scenario = talk(startHour, pastDays)
  const { fleet } = scenario
  const world = createWorld(
    { ...scenario, fleet: { ...fleet, queues: [findQueue(fleet, name)] } },
    seed,
  )
  console.error(`The queue ${name} of the example on the twin, half an hour after ${startHour}:00.`)
  await runMinutes(world, warmUpMinutes)
  return world.twin.deps
}

const help = `
It says what a sweep would decide now and why, which predictor is trusted and the rolling error of
each, which constants the rule has, what their rehearsal came to, and how long a task takes.
Reads the AWS account of the SDK's credentials and region, or with --twin the embedded one.`

/** The command and its options. */
export function addExplain(program: Command, whole: (text: string) => number): void {
  program
    .command('explain')
    .description('say why the capacity of a queue is what it is; reads, and changes nothing')
    .requiredOption('--queue <name>', 'the queue')
    .option('--stage <name>', 'the deployment of the fleet', 'prod')
    .option('--twin', 'on the twin, in mid-morning: no account needed')
    .option('--seed <number>', 'seed of the twin', whole, 1)
    .option('--json', 'print JSON instead of text')
    .addHelpText('after', help)
    .action(explain)
}
