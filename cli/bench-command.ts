import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Command, InvalidArgumentError } from 'commander'
import { checkCases, readCases } from '../bench/scaling/cases.ts'
import { benchScaling } from './bench-scaling.ts'
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
  readonly quick?: true
  readonly json?: string
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
      'find the cheapest setting of every other autoscaler; goes on where it was stopped',
    )
    .option('--tuned <file>', 'where those settings are', tunedUsual)
    .option('--seeds <number>', 'how many draws of each workload', seedsOf, seedsUsual)
    .option('--quick', 'the first three cases alone, on one seed')
    .option('--json <file>', 'write everything that was measured to a file as well')
    .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : badInput))
    .action(start)
}

async function start({ cases: casesFile, tune, tuned, seeds, quick, json }: Given): Promise<void> {
  try {
    const cases = await readCases(casesFile)
    await checkCases(cases, casesFile)
    const options = {
      ...{ cases, casesFile, tunedFile: tuned },
      seeds: Array.from({ length: seeds }, (_, index) => index + 1),
    }
    if (tune) return await tuneAll(options)
    const more = json === undefined ? {} : { json }
    await benchScaling({ ...options, quick: quick === true, ...more })
  } catch (error) {
    process.exitCode = badInput
    throw error
  }
}
