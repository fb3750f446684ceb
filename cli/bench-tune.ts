import { dirname } from 'node:path'
import { type Case, checkCases, type When } from '../bench/scaling/cases.ts'
import { grids } from '../bench/scaling/grids.ts'
import { inProcesses } from '../bench/scaling/pool.ts'
import { paramsText } from '../bench/scaling/report.ts'
import { readTuned, tunedOf, withTuned, writeTuned } from '../bench/scaling/tuned.ts'
import type { Tuned, TuneJob } from '../bench/scaling/work.ts'
import { systemClock } from '../shared/aws.ts'
import { percent, short } from './format.ts'

type Options = {
  readonly cases: readonly Case[]
  readonly casesFile: string
  readonly tunedFile: string
  readonly seeds: readonly number[]
}

/**
 * Finds the cheapest setting of each peer on each case and writes it down as soon as it is found;
 * what is there already is not looked for again, so that it goes on where it was stopped.
 */
export async function tuneAll({ cases, casesFile, tunedFile, seeds }: Options): Promise<void> {
  const started = systemClock.now()
  await checkCases(cases, casesFile)
  let tuned = await readTuned(tunedFile)
  const all = jobsOf(cases, dirname(casesFile), seeds)
  const jobs = all.filter(({ case: one, when, peer }) => !(peer in tunedOf(tuned, one)[when]))
  const known = all.length - jobs.length
  if (known > 0) console.log(`${known} of ${all.length} settings are in ${tunedFile} already.`)
  let done = known
  await inProcesses<TuneJob, Tuned | null>(jobs, async (job, setting) => {
    const { case: one, when, peer } = job
    tuned = withTuned(tuned, { one, when, peer }, setting)
    await writeTuned(tunedFile, tuned)
    const minutes = short((systemClock.now() - started) / 60_000)
    const place = `${++done}/${all.length} ${minutes} min  ${one.id} ${when} ${peer}`
    console.log(`${place}: ${setting ? describe(setting) : 'no setting keeps'}`)
  })
}

function jobsOf(cases: readonly Case[], folder: string, seeds: readonly number[]): TuneJob[] {
  // The judged days of all first: they are what the bars rest on.
  const whens: readonly When[] = ['judged', 'before']
  return whens.flatMap((when) =>
    cases.flatMap((one) =>
      grids.map(({ peer }) => ({
        ...{ do: 'tune' as const, case: one, folder, peer, when },
        // Of the day before, a user has the one that was.
        seeds: when === 'judged' ? seeds : seeds.slice(0, 1),
      })),
    ),
  )
}

const describe = ({ within, instanceHours, utilisation, tried, params }: Tuned) =>
  `${percent(within)} in time, ${short(instanceHours)} h, ${percent(utilisation)} used, ` +
  `${tried} tried: ${paramsText(params)}`
