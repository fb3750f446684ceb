import type { Params } from '../../twin/policies/peer.ts'
import { keep, type Mean } from './work.ts'

/** What the runs say: the best peer of each case, how we compare with it, and each bar. */

export type Score = Mean & { readonly policy: string; readonly params: Params }

export type CaseScores = {
  readonly id: string
  /** The work of the days over the slots of an instance, which nobody beats. */
  readonly boundHours: number
  readonly ours: Score
  /** Each with its tuned setting; those that keep with none are left out. */
  readonly peers: readonly Score[]
}

/** How much of the peer's we need: below 1 is less. */
export type Ratios = { readonly hours: number; readonly waste: number; readonly launches: number }

export type Compared = CaseScores & {
  /** The cheapest that keeps, static sizes aside; null where none does. */
  readonly best: Score | null
  readonly ratios: Ratios | null
}

export const fixedSize = 'static'

// Runs are a function of their seed, so that only who came near the cheapest when it was tuned need
// run again: others can become the best where the twin has changed since, and not by so much.
const nearHours = 1.1

type Settings<T> = Readonly<Record<string, T | null>>

/** The tuned peers that came near the cheapest, static sizes aside. */
export function nearest<T extends { readonly instanceHours: number }>(tuned: Settings<T>) {
  const keeps = Object.entries(tuned).flatMap(([policy, setting]) =>
    setting && policy !== fixedSize ? [{ policy, setting }] : [],
  )
  const cheapest = Math.min(...keeps.map(({ setting }) => setting.instanceHours))
  return keeps.filter(({ setting }) => setting.instanceHours <= cheapest * nearHours)
}

export function comparedOf(scores: CaseScores): Compared {
  const best = bestOf(scores.peers)
  return { ...scores, best, ratios: best && ratiosOf(scores.ours, best) }
}

/** Who keeps at the fewest instance-hours. */
export function bestOf(peers: readonly Score[]): Score | null {
  const keeps = peers.filter(({ policy, within }) => policy !== fixedSize && within >= keep)
  return keeps.toSorted((a, b) => a.instanceHours - b.instanceHours)[0] ?? null
}

export const wasteOf = ({ utilisation }: Pick<Mean, 'utilisation'>) => 1 / utilisation - 1

export function ratiosOf(ours: Mean, best: Mean): Ratios {
  return {
    hours: ours.instanceHours / best.instanceHours,
    waste: wasteOf(ours) / wasteOf(best),
    // One that launches nothing at all is compared as if it launched once.
    launches: Math.max(1, ours.launches) / Math.max(1, best.launches),
  }
}

export const geometricMean = (values: readonly number[]) =>
  Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length)

export function geometricMeans(all: readonly Ratios[]): Ratios {
  return {
    hours: geometricMean(all.map(({ hours }) => hours)),
    waste: geometricMean(all.map(({ waste }) => waste)),
    launches: geometricMean(all.map(({ launches }) => launches)),
  }
}

export type Bar = {
  readonly what: string
  readonly measured: string
  readonly bar: string
  readonly met: boolean
}

// All cases but one, and that one not by much.
const missedKeep = 0.99
const wasteMax = 0.75
const hoursMax = 0.92
const hoursWorstMax = 1.03
const launchesMax = 1
const usedLeast = 0.93
/** Where the load is smooth and the promise allows for a boot, by their names in the cases. */
const smooth: readonly string[] = ['taxi', 'web', 'wiki']

/** Every bar against what was measured, over the cases that some tuned peer keeps. */
export function barsOf(all: readonly Compared[]): readonly Bar[] {
  const servable = all.flatMap((one) => (one.ratios ? [{ ...one, ratios: one.ratios }] : []))
  if (servable.length === 0) return []
  const means = geometricMeans(servable.map(({ ratios }) => ratios))
  const worst = servable.toSorted((a, b) => b.ratios.hours - a.ratios.hours)[0]
  const worstHours = worst?.ratios.hours ?? 0
  const killed = all.reduce((sum, { ours }) => sum + ours.tasksKilled, 0)
  return [
    keptBar(servable),
    {
      what: 'waste against the best tuned peer, geometric mean',
      measured: means.waste.toFixed(3),
      ...{ bar: `<= ${wasteMax}`, met: means.waste <= wasteMax },
    },
    {
      what: 'instance-hours against it, geometric mean',
      measured: means.hours.toFixed(3),
      ...{ bar: `<= ${hoursMax}`, met: means.hours <= hoursMax },
    },
    {
      what: 'instance-hours against it, the worst case',
      measured: `${worstHours.toFixed(3)} (${worst?.id})`,
      ...{ bar: `<= ${hoursWorstMax}`, met: worstHours <= hoursWorstMax },
    },
    ...usedBars(all),
    {
      what: 'launches against it, geometric mean',
      measured: means.launches.toFixed(3),
      ...{ bar: `<= ${launchesMax}`, met: means.launches <= launchesMax },
    },
    {
      what: 'tasks killed, mean of the seeds, summed',
      measured: String(Math.round(killed * 10) / 10),
      ...{ bar: '0', met: killed === 0 },
    },
  ]
}

/** In percent, down: what is short of the bar must not look as if it met it. */
const percentOf = (share: number) => `${(Math.floor(share * 10_000) / 100).toFixed(2)} %`

function keptBar(servable: readonly Compared[]): Bar {
  const short = servable.filter(({ ours }) => ours.within < keep)
  const named = short.map(({ id, ours }) => `${id} ${percentOf(ours.within)}`).join(', ')
  const isNear = short.every(({ ours }) => ours.within >= missedKeep)
  return {
    what: `kept untuned on ${servable.length} cases that a tuned peer keeps`,
    measured: named === '' ? 'all' : `all but ${named}`,
    bar: `>= ${percentOf(keep)}, one >= ${percentOf(missedKeep)}`,
    met: short.length === 0 || (short.length === 1 && isNear),
  }
}

function usedBars(all: readonly Compared[]): readonly Bar[] {
  const cases = all.filter(({ id }) => smooth.includes(id))
  if (cases.length === 0) return []
  return [
    {
      what: 'utilisation where the load is smooth',
      measured: cases.map(({ id, ours }) => `${id} ${percentOf(ours.utilisation)}`).join(', '),
      bar: `>= ${percentOf(usedLeast)}`,
      met: cases.every(({ ours }) => ours.utilisation >= usedLeast),
    },
  ]
}

// Work that begins within the days may end after them, unpaid: a few tasks of thousands.
const boundTolerance = 0.005

/** What cannot be, and would be a fault of the benchmark itself. */
export function faultsOf({ id, boundHours, ours, peers }: CaseScores): readonly string[] {
  const all = [ours, ...peers]
  const beyond = all.filter(({ within, instanceHours }) => {
    return within >= keep && instanceHours < boundHours * (1 - boundTolerance)
  })
  // What any size keeps, the largest of its sizes keeps; a crowd beyond the max nobody does.
  const hasFixed = peers.length === 0 || peers.some(({ policy }) => policy === fixedSize)
  return [
    ...beyond.map(({ policy }) => `${id}: ${policy} needs fewer hours than the work itself`),
    ...(hasFixed ? [] : [`${id}: no static size keeps`]),
  ]
}
