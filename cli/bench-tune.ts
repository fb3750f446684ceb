import { dirname } from 'node:path'
import type { Case, When } from '../bench/scaling/cases.ts'
import { grids } from '../bench/scaling/grids.ts'
import { inProcesses } from '../bench/scaling/pool.ts'
import { paramsText } from '../bench/scaling/report.ts'
import { readTuned, tunedOf, withTuned, writeTuned } from '../bench/scaling/tuned.ts'
import { nearest } from '../bench/scaling/verdict.ts'
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
  const folder = dirname(casesFile)
  let tuned = await readTuned(tunedFile)
  const tuneThese = async (when: When, all: readonly TuneJob[]) => {
    const jobs = all.filter(({ case: one, peer }) => !(peer in tunedOf(tuned, one)[when]))
    let done = all.length - jobs.length
    if (done > 0) console.log(`${done} of ${all.length} settings (${when}) are there already.`)
    await inProcesses<TuneJob, Tuned | null>(jobs, async (job, setting) => {
      const { case: one, peer } = job
      tuned = withTuned(tuned, { one, when, peer }, setting)
      await writeTuned(tunedFile, tuned)
      const minutes = short((systemClock.now() - started) / 60_000)
      const place = `${++done}/${all.length} ${minutes} min  ${one.id} ${when} ${peer}`
      console.log(`${place}: ${setting ? describe(setting) : 'no setting keeps'}`)
    })
  }
  const job = (one: Case, peer: string) => ({
    ...{ do: 'tune' as const, case: one, folder, peer },
    cheapestHours: cheapestOf(tunedOf(tuned, one).judged),
  })
  // Each round knows what the ones before have found.
  for (const names of [first, strong, weak]) {
    await tuneThese(
      'judged',
      cases.flatMap((one) =>
        names.map((peer) => ({ ...job(one, peer), when: 'judged' as const, seeds })),
      ),
    )
  }
  // Who is far from the best is never shown beside it. Of the day before, a user has the one that
  // was: one seed.
  await tuneThese(
    'before',
    cases.flatMap((one) =>
      nearest(tunedOf(tuned, one).judged).map(({ policy }) => ({
        ...{ ...job(one, policy), when: 'before' as const, seeds: seeds.slice(0, 1) },
      })),
    ),
  )
}

// Those that came out best most often go first, then those that ever did: what is stopped early is
// of use already.
const first = ['keda', 'celery-ratio']
const strong = ['judoscale', 'aws-target-tracking', 'aws-step', 'static']
const weak = grids.map(({ peer }) => peer).filter((peer) => ![...first, ...strong].includes(peer))

/** Of those that keep; Infinity where none does. */
const cheapestOf = (tuned: Readonly<Record<string, Tuned | null>>) =>
  Math.min(...nearest(tuned).map(({ setting }) => setting.instanceHours))

const describe = ({ within, instanceHours, utilisation, tried, params }: Tuned) =>
  `${percent(within)} in time, ${short(instanceHours)} h, ${percent(utilisation)} used, ` +
  `${tried} tried: ${paramsText(params)}`
