import { attempt } from '../../twin/attempt.ts'
import { compare, type Row, settingOf } from '../../twin/compare.ts'
import { parsePolicies } from '../../twin/policies/find.ts'
import type { Params, Peer } from '../../twin/policies/peer.ts'
import type { Traffic } from '../../twin/traces/traffic.ts'
import { type Case, settingsOf, trafficOfCase, type When } from './cases.ts'
import { type Grid, grids } from './grids.ts'
import { nameOf, type Outcome, search, type Trial } from './search.ts'

/** What one process does for the benchmark: run a policy on a case, or tune a peer on it. */

export type RunJob = {
  readonly do: 'run'
  readonly case: Case
  /** Where the traces are. */
  readonly folder: string
  readonly policy: string
  readonly params: Params
  readonly seed: number
}

export type TuneJob = {
  readonly do: 'tune'
  readonly case: Case
  readonly folder: string
  readonly peer: string
  readonly when: When
  /** The mean of all must keep. */
  readonly seeds: readonly number[]
  /** Instance-hours of the cheapest peer known on this case; null where none is. */
  readonly cheapestHours: number | null
}

export type Job = RunJob | TuneJob

/** What a policy came to, mean of some seeds. */
export type Mean = Pick<
  Row,
  'within' | 'instanceHours' | 'busyHours' | 'utilisation' | 'launches' | 'tasksKilled'
>

export type Tuned = Mean & {
  readonly params: Params
  /** How many settings were tried for it. */
  readonly tried: number
}

export type Ran = { readonly row: Row; readonly breaches: readonly string[] }

/** The share of the tasks that a setting must start in time. */
export const keep = 0.995

// How much dearer than the mean of all seeds one of them may be: what is beyond is dear on all.
const seedHours = 1.01

// A peer's lesser settings save it up to about a fifth; one that is this much dearer than another
// peer cannot become the best by them.
const refineHours = 1.3

export async function run(job: RunJob): Promise<Ran> {
  const { policy, params, seed } = job
  const traffic = await trafficOf(job, 'judged', seed)
  const settings = settingsOf(job.case)
  const [choice] = parsePolicies(policy)
  if (!choice) throw new Error(`There is no policy '${policy}'`)
  if (choice.peer) {
    const { peer } = choice
    const tried = attempt({ peer, given: params, traffic, settings, seed })
    if (tried.end === 'whole') return { row: tried.row, breaches: [] }
  }
  return compare({ choice, traffic, settings, seed })
}

/** The cheapest setting of a peer that keeps; null where none does. */
export async function tune(job: TuneJob): Promise<Tuned | null> {
  const grid = gridOf(job.peer)
  const [choice] = parsePolicies(job.peer)
  if (!choice?.peer) throw new Error(`The policy ${job.peer} has nothing to tune`)
  const worlds: Tuning['worlds'][number][] = []
  for (const seed of job.seeds) worlds.push({ seed, traffic: await trafficOf(job, job.when, seed) })
  return tuneOn({ grid, peer: choice.peer, job, worlds })
}

type Tuning = {
  readonly grid: Grid
  readonly peer: Peer
  readonly job: TuneJob
  readonly worlds: readonly { readonly seed: number; readonly traffic: Traffic }[]
}

function tuneOn({ grid, peer, job, worlds }: Tuning): Tuned | null {
  const settings = settingsOf(job.case)
  const [first] = worlds
  if (!first) throw new Error('Tuning needs a seed')
  const setting = settingOf(first.traffic, settings)
  const means = new Map<string, Mean>()
  let tried = 0
  // Whichever seed failed last goes first: what is late on one is mostly late on it again.
  let order = worlds
  const run = (trial: Trial, hoursMax: number): Outcome => {
    tried++
    const given = grid.params(trial, setting)
    const rows: Row[] = []
    let lateShareMax = worlds.length * (1 - keep)
    for (const world of order) {
      const limits = { lateShareMax, hoursMax: hoursMax * seedHours }
      const one = attempt({ peer, given, settings, ...world, ...limits })
      if (one.end !== 'whole') {
        order = [world, ...order.filter((other) => other !== world)]
        return { end: one.end }
      }
      lateShareMax = Math.max(0, lateShareMax - (1 - one.row.within))
      rows.push(one.row)
    }
    const mean = meanOf(rows)
    means.set(nameOf(trial), mean)
    return { end: 'whole', within: mean.within, hours: mean.instanceHours }
  }
  const refineHoursMax = (job.cheapestHours ?? Number.POSITIVE_INFINITY) * refineHours
  const found = search(grid.space(setting), { keep, run, refineHoursMax })
  const best = found.find(({ within }) => within >= keep)
  const mean = best && means.get(nameOf(best))
  return best && mean ? { ...mean, params: grid.params(best, setting), tried } : null
}

export function meanOf(rows: readonly Row[]): Mean {
  const mean = (value: (row: Row) => number) =>
    rows.reduce((sum, row) => sum + value(row), 0) / rows.length
  return {
    within: mean(({ within }) => within),
    instanceHours: mean(({ instanceHours }) => instanceHours),
    busyHours: mean(({ busyHours }) => busyHours),
    utilisation: mean(({ utilisation }) => utilisation),
    launches: mean(({ launches }) => launches),
    tasksKilled: mean(({ tasksKilled }) => tasksKilled),
  }
}

function gridOf(peer: string): Grid {
  const grid = grids.find((known) => known.peer === peer)
  if (grid) return grid
  const names = grids.map((known) => known.peer).join(', ')
  throw new Error(`There is no grid for '${peer}'; there are grids for ${names}`)
}

// Drawing the tasks of a case takes a second; the jobs of a case follow each other.
const drawn = new Map<string, Promise<Traffic>>()
const drawnMax = 4

function trafficOf(job: Pick<Job, 'case' | 'folder'>, when: When, seed: number): Promise<Traffic> {
  const name = `${job.case.id} ${when} ${seed}`
  const known = drawn.get(name) ?? trafficOfCase(job.case, job.folder, when, seed)
  drawn.delete(name)
  drawn.set(name, known)
  for (const old of drawn.keys()) if (drawn.size > drawnMax) drawn.delete(old)
  return known
}
