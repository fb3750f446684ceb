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
  const isThere = (when: When, { one, peer }: Wanted) => peer in tunedOf(tuned, one)[when]
  const tuneThese = async (when: When, wanted: readonly Wanted[], ofSeeds: readonly number[]) => {
    let done = wanted.filter((each) => isThere(when, each)).length
    if (done > 0) console.log(`${done} of ${wanted.length} settings (${when}) are there already.`)
    // Each round knows what the ones before have found.
    for (const names of rounds) {
      const jobs = wanted.flatMap(({ one, peer }): TuneJob[] => {
        if (!names.includes(peer) || isThere(when, { one, peer })) return []
        const cheapestHours = cheapestOf(tunedOf(tuned, one)[when])
        return [{ do: 'tune', case: one, folder, peer, when, seeds: ofSeeds, cheapestHours }]
      })
      await inProcesses<TuneJob, Tuned | null>(jobs, async (job, setting) => {
        const { case: one, peer } = job
        tuned = withTuned(tuned, { one, when, peer }, setting)
        await writeTuned(tunedFile, tuned)
        const minutes = short((systemClock.now() - started) / 60_000)
        const place = `${++done}/${wanted.length} ${minutes} min  ${one.id} ${when} ${peer}`
        console.log(`${place}: ${setting ? describe(setting) : 'no setting keeps'}`)
      })
    }
  }
  const everyPeer = cases.flatMap((one) => rounds.flat().map((peer) => ({ one, peer })))
  await tuneThese('judged', everyPeer, seeds)
  // Who is far from the best is never shown beside it. Of the day before, a user has the one that
  // was: one seed.
  const near = cases.flatMap((one) =>
    nearest(tunedOf(tuned, one).judged).map(({ policy }) => ({ one, peer: policy })),
  )
  await tuneThese('before', near, seeds.slice(0, 1))
}

type Wanted = { readonly one: Case; readonly peer: string }

// Those that came out best most often go first, then those that ever did: what is stopped early is
// of use already.
const first = ['keda', 'celery-ratio']
const strong = ['judoscale', 'aws-target-tracking', 'aws-step', 'static']
const weak = grids.map(({ peer }) => peer).filter((peer) => ![...first, ...strong].includes(peer))
const rounds = [first, strong, weak]

/** Of those that keep; null where none does. */
function cheapestOf(tuned: Readonly<Record<string, Tuned | null>>): number | null {
  const hours = nearest(tuned).map(({ setting }) => setting.instanceHours)
  return hours.length === 0 ? null : Math.min(...hours)
}

const describe = ({ within, instanceHours, utilisation, tried, params }: Tuned) =>
  `${percent(within)} in time, ${short(instanceHours)} h, ${percent(utilisation)} used, ` +
  `${tried} tried: ${paramsText(params)}`
