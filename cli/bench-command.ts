import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Command, InvalidArgumentError } from 'commander'
import { readCases } from '../bench/scaling/cases.ts'
import { tuneAll } from './bench-tune.ts'
import { badInput } from './replay.ts'

const tunedUsual = join(dirname(fileURLToPath(import.meta.url)), '../bench/tuned.json')
const seedsUsual = 3

const seedsOf = (text: string) => {
  const value = Number(text)
  if (Number.isSafeInteger(value) && value >= 1) return value
  throw new InvalidArgumentError('Write how many seeds, 1 or more.')
}

type Given = {
  readonly cases: string
  readonly tune?: true
  readonly tuned: string
  readonly seeds: number
}

/** `bench scaling`: our sizing against every other, on recorded workloads. */
export function addBench(program: Command): void {
  program
    .command('bench')
    .description('measure the project against others')
    .command('scaling')
    .description('size recorded workloads by our own rule and by other autoscalers, tuned for them')
    .requiredOption('--cases <file>', 'JSON of the workloads, their traces beside it')
    .option(
      '--tune',
      'find the cheapest setting of every other autoscaler and write it down; goes on where it was stopped',
    )
    .option('--tuned <file>', 'where those settings are', tunedUsual)
    .option('--seeds <number>', 'how many draws of each workload', seedsOf, seedsUsual)
    .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : badInput))
    .action(start)
}

async function start({ cases: casesFile, tune, tuned, seeds }: Given): Promise<void> {
  const cases = await readCases(casesFile).catch((error: unknown) => {
    process.exitCode = badInput
    throw error
  })
  const options = {
    ...{ cases, casesFile, tunedFile: tuned },
    seeds: Array.from({ length: seeds }, (_, index) => index + 1),
  }
  if (tune) await tuneAll(options)
}
