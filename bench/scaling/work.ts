import { attempt } from '../../twin/attempt.ts'
import { compare, type Row, settingOf } from '../../twin/compare.ts'
import { parsePolicies } from '../../twin/policies/find.ts'
import type { Params, Peer } from '../../twin/policies/peer.ts'
import type { Traffic } from '../../twin/traces/traffic.ts'
import { type Case, settingsOf, trafficOfCase, type When } from './cases.ts'
import { type Grid, grids } from './grids.ts'
import { type Found, nameOf, search, type Trial } from './search.ts'

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
  /** The first is searched on; the mean of all must keep. */
  readonly seeds: readonly number[]
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

// A setting that misses by a hair on the first seed may still keep on the mean of all.
const nearly = 0.0005
// How many of the cheapest are looked at with all seeds before a place safer is tried instead.
const lookedAt = 6
const saferPlaces = 6

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
  const worlds: Traffic[] = []
  for (const seed of job.seeds) worlds.push(await trafficOf(job, job.when, seed))
  return tuneOn({ grid, peer: choice.peer, job, worlds })
}

type Tuning = {
  readonly grid: Grid
  readonly peer: Peer
  readonly job: TuneJob
  /** One for each seed. */
  readonly worlds: readonly Traffic[]
}

function tuneOn({ grid, peer, job, worlds }: Tuning): Tuned | null {
  const settings = settingsOf(job.case)
  const first = worlds[0]
  if (!first) throw new Error('Tuning needs a seed')
  const setting = settingOf(first, settings)
  const tryOn = (trial: Trial, index: number, limits: { hoursMax?: number }) => {
    const traffic = worlds[index] ?? first
    const seed = job.seeds[index] ?? 1
    const given = grid.params(trial, setting)
    const lateShareMax = index === 0 ? 1 - keep + nearly : worlds.length * (1 - keep)
    return attempt({ peer, given, traffic, settings, seed, lateShareMax, ...limits })
  }
  const firsts = new Map<string, Row>()
  let tried = 0
  const found = search(grid.space(setting), {
    keep,
    run(trial, hoursMax) {
      tried++
      const one = tryOn(trial, 0, { hoursMax })
      if (one.end !== 'whole') return { end: one.end }
      firsts.set(nameOf(trial), one.row)
      return { end: one.end, within: one.row.within, hours: one.row.instanceHours }
    },
  })
  const meanOn = (trial: Trial): Mean | null => {
    const rows: Row[] = []
    for (const index of worlds.keys()) {
      const known = index === 0 ? firsts.get(nameOf(trial)) : undefined
      const one = known ? { end: 'whole' as const, row: known } : tryOn(trial, index, {})
      if (one.end !== 'whole') return null
      rows.push(one.row)
    }
    const mean = meanOf(rows)
    return mean.within >= keep ? mean : null
  }
  for (const trial of candidates(found)) {
    const mean = meanOn(trial)
    if (mean) return { ...mean, params: grid.params(trial, setting), tried }
  }
  return null
}

/** The cheapest ones, then places of the slide that are safer than the cheapest. */
export function candidates(found: readonly Found[]): readonly Trial[] {
  const near = found.filter(({ within }) => within >= keep - nearly).slice(0, lookedAt)
  const cheapest = near.find(({ within }) => within >= keep) ?? near[0]
  if (!cheapest) return []
  const safer = Array.from({ length: saferPlaces }, (_, step) => ({
    place: cheapest.place - step - 1,
    knobs: cheapest.knobs,
  }))
  return [...near, ...safer.filter(({ place }) => place >= 0)]
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
