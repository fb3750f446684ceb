import { writeFile } from 'node:fs/promises'
import { cpus } from 'node:os'
import { dirname } from 'node:path'
import type { Case } from '../bench/scaling/cases.ts'
import { inProcesses } from '../bench/scaling/pool.ts'
import { type Judged, reportOf, tunedReport } from '../bench/scaling/report.ts'
import { readTuned, type TunedFile, tunedOf } from '../bench/scaling/tuned.ts'
import {
  barsOf,
  type CaseScores,
  comparedOf,
  faultsOf,
  fixedSize,
  nearest,
  type Score,
} from '../bench/scaling/verdict.ts'
import { meanOf, type Ran, type RunJob } from '../bench/scaling/work.ts'
import { systemClock } from '../shared/aws.ts'
import { peers } from '../twin/policies/find.ts'
import type { Params } from '../twin/policies/peer.ts'
import { short } from './format.ts'

export type BenchOptions = {
  readonly cases: readonly Case[]
  readonly casesFile: string
  readonly tunedFile: string
  readonly seeds: readonly number[]
  readonly quick: boolean
  readonly json?: string
}

// A quick run: the first cases of the file on the first seed.
const quickCases = 3

const ourName = 'celeriac'

/** Our own rule untuned against every tuned peer, and whether each bar is met. */
export async function benchScaling(options: BenchOptions): Promise<void> {
  const started = systemClock.now()
  const { casesFile, tunedFile, quick } = options
  const cases = quick ? options.cases.slice(0, quickCases) : options.cases
  const seeds = quick ? options.seeds.slice(0, 1) : options.seeds
  const tuned = await readTuned(tunedFile)
  const lacks = checkTuned(cases, tuned, tunedFile)
  const bench = { seeds, folder: dirname(casesFile) }
  const runs = await runAll(
    bench,
    cases.flatMap((one) => plansOf(one, tuned)),
  )
  const compared = cases.map((one) => comparedOf(scoresOf(one, runs.scores)))
  const later = cases.flatMap((one, at) => beforeOf(one, tuned, compared[at]?.best?.policy))
  const again = await runAll(bench, later)
  const judged = compared.map(
    (one): Judged => ({ ...one, before: again.scores.find(({ id }) => id === one.id) ?? null }),
  )
  const bars = barsOf(judged)
  console.log(reportOf(judged, bars))
  console.log(`\n${tunedReport(cases.map((one) => [one.id, tunedOf(tuned, one).judged]))}`)
  const minutes = short((systemClock.now() - started) / 60_000)
  const machine = `${cpus().length} cores of ${cpus()[0]?.model}, Node ${process.version}`
  const date = new Date(systemClock.now()).toISOString().slice(0, 10)
  console.log(
    `\n${date}: ${cases.length} cases, ${seeds.length} seeds, ${minutes} min, ${machine}.`,
  )
  if (options.json) {
    await writeFile(options.json, `${JSON.stringify({ cases: judged, bars }, null, 2)}\n`)
  }
  const faults = [...compared.flatMap(faultsOf), ...runs.breaches, ...again.breaches]
  for (const fault of faults) console.error(`fault: ${fault}`)
  if (lacks.length > 0) console.error(`Not tuned yet, run --tune: ${lacks.join('; ')}`)
  if (lacks.length > 0 || faults.length > 0 || bars.some(({ met }) => !met)) process.exitCode = 1
}

/** Throws where there is nothing to compare with; answers the peers that were not tuned yet. */
function checkTuned(cases: readonly Case[], tuned: TunedFile, file: string): readonly string[] {
  const names = peers.map(({ name }) => name)
  return cases.flatMap((one) => {
    const { judged, before } = tunedOf(tuned, one)
    const known = Object.keys(judged)
    const unknown = [...known, ...Object.keys(before)].find((name) => !names.includes(name))
    if (unknown) throw new Error(`${file}, ${one.id}: there is no policy '${unknown}'; remove it`)
    if (known.length === 0) {
      throw new Error(`${file} has no settings for '${one.id}' as it is; run with --tune first`)
    }
    const lacks = names.filter((name) => !known.includes(name))
    return lacks.length === 0 ? [] : [`${one.id} without ${lacks.join(', ')}`]
  })
}

type Plan = { readonly case: Case; readonly policy: string; readonly params: Params }

function plansOf(one: Case, tuned: TunedFile): readonly Plan[] {
  const { judged } = tunedOf(tuned, one)
  const fixed = judged[fixedSize]
  return [
    { case: one, policy: ourName, params: {} },
    { case: one, policy: 'bound', params: {} },
    ...(fixed ? [{ case: one, policy: fixedSize, params: fixed.params }] : []),
    ...nearest(judged).map(({ policy, setting }) => ({
      case: one,
      policy,
      params: setting.params,
    })),
  ]
}

function beforeOf(one: Case, tuned: TunedFile, policy: string | undefined): readonly Plan[] {
  const setting = policy === undefined ? null : tunedOf(tuned, one).before[policy]
  return policy !== undefined && setting ? [{ case: one, policy, params: setting.params }] : []
}

type Scored = Score & { readonly id: string }

function scoresOf(one: Case, scores: readonly Scored[]): CaseScores {
  const own = scores.filter(({ id }) => id === one.id)
  const ours = own.find(({ policy }) => policy === ourName)
  const bound = own.find(({ policy }) => policy === 'bound')
  if (!ours || !bound) throw new Error(`${one.id} was not run`)
  const others = own.filter((score) => score !== ours && score !== bound)
  return { id: one.id, boundHours: bound.instanceHours, ours, peers: others }
}

type Bench = { readonly seeds: readonly number[]; readonly folder: string }

/** Every plan with every seed, and the mean of the seeds; ours first, for it takes longest. */
async function runAll({ seeds, folder }: Bench, plans: readonly Plan[]) {
  const rank = ({ policy }: Plan) => (policy === ourName ? 0 : 1)
  const jobs = plans
    .toSorted((a, b) => rank(a) - rank(b))
    .flatMap((plan) => seeds.map((seed): RunJob => ({ do: 'run', ...plan, folder, seed })))
  const ran = new Map<string, Ran[]>()
  const nameOf = ({ case: one, policy }: Plan) => `${one.id} ${policy}`
  const show = progress(jobs.length)
  await inProcesses<RunJob, Ran>(jobs, (job, answer) => {
    ran.set(nameOf(job), [...(ran.get(nameOf(job)) ?? []), answer])
    show(job)
  })
  const scores = plans.map((plan): Scored => {
    const rows = (ran.get(nameOf(plan)) ?? []).map(({ row }) => row)
    return { id: plan.case.id, policy: plan.policy, params: plan.params, ...meanOf(rows) }
  })
  const breaches = plans.flatMap((plan) =>
    (ran.get(nameOf(plan)) ?? []).flatMap(({ breaches: own }) =>
      own.map((breach) => `${plan.case.id}, ${plan.policy}: ${breach}`),
    ),
  )
  return { scores, breaches }
}

/** How far it is, on the other stream and in a terminal alone. */
function progress(of: number): (job: RunJob) => void {
  let done = 0
  if (!process.stderr.isTTY) return () => {}
  return ({ case: one, policy, seed }) => {
    process.stderr.write(`\r\x1b[K${++done}/${of} ${one.id} ${policy} seed ${seed}`)
    if (done === of) process.stderr.write('\r\x1b[K')
  }
}
