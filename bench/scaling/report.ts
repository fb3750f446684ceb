import { percent, short, table, whole } from '../../cli/format.ts'
import type { Params } from '../../twin/policies/peer.ts'
import { type Bar, type Compared, fixedSize, geometricMeans, type Score } from './verdict.ts'

/** The benchmark's results as text. */

export type Judged = Compared & {
  /** The best peer again, with the setting that was best on the day before. */
  readonly before: Score | null
}

const head = [
  ...['case', 'policy', 'in time', 'inst-hours', 'used', 'launched', 'killed'],
  ...['hours x', 'waste x', 'launches x'],
]

const ratio = (value: number) => value.toFixed(3)

/** `name=value` of each, as `simulate --policy` takes them. */
export const paramsText = (params: Params) =>
  Object.entries(params)
    .map(([name, value]) => `${name}=${Number(value.toPrecision(4))}`)
    .join(':')

const cellsOf = (id: string, what: string, score: Score, ratios: Compared['ratios'] = null) => [
  ...[id, what, percent(score.within), short(score.instanceHours), percent(score.utilisation)],
  ...[whole(score.launches), short(score.tasksKilled)],
  ...(ratios ? [ratio(ratios.hours), ratio(ratios.waste), ratio(ratios.launches)] : ['', '', '']),
]

/** Ours, the best peer tuned on the very days, and the same peer tuned on the day before. */
function rowsOf({ id, ours, best, ratios, before }: Judged): string[][] {
  if (!best) return []
  return [
    cellsOf(id, 'celeriac', ours, ratios),
    cellsOf('', `${best.policy}, tuned`, best),
    before
      ? cellsOf('', `${best.policy}, tuned the day before`, before)
      : ['', `${best.policy}: none that kept on the day before`, ...Array(8).fill('')],
  ]
}

/** Where no tuned peer keeps: ours, and what it takes a static size. */
function apartRowsOf({ id, ours, peers }: Judged): string[][] {
  const fixed = peers.find(({ policy }) => policy === fixedSize)
  return [cellsOf(id, 'celeriac', ours), ...(fixed ? [cellsOf('', 'static, tuned', fixed)] : [])]
}

export function reportOf(all: readonly Judged[], bars: readonly Bar[]): string {
  const servable = all.filter(({ best }) => best !== null)
  const apart = all.filter(({ best }) => best === null)
  const parts: string[] = []
  if (servable.length > 0) {
    const ratios = servable.flatMap((one) => (one.ratios ? [one.ratios] : []))
    const means = geometricMeans(ratios)
    const last = [ratio(means.hours), ratio(means.waste), ratio(means.launches)]
    const meanRow = ['geometric mean', ...Array(6).fill(''), ...last]
    parts.push(table(head, [...servable.flatMap(rowsOf), meanRow]))
    parts.push('Settings of the best tuned peers:')
    parts.push(table(['case', 'policy', 'setting'], servable.flatMap(settingRow)))
  }
  if (apart.length > 0) {
    parts.push('No tuned peer keeps these, static sizes aside; they count in no mean:')
    parts.push(
      table(
        head.slice(0, 7),
        apart.flatMap(apartRowsOf).map((row) => row.slice(0, 7)),
      ),
    )
  }
  const verdicts = bars.map(({ what, measured, bar, met }) => [
    ...[what, measured, bar],
    met ? 'met' : 'NOT MET',
  ])
  if (bars.length > 0) parts.push(table(['what', 'measured', 'bar', 'verdict'], verdicts))
  return parts.join('\n\n')
}

const settingRow = ({ id, best, before }: Judged): string[][] =>
  best
    ? [
        [id, best.policy, paramsText(best.params)],
        ...(before ? [['', 'the day before', paramsText(before.params)]] : []),
      ]
    : []

type TunedHours = Readonly<Record<string, { readonly instanceHours: number } | null>>

/** How every tuned peer came out on every case, as recorded: its hours over those of the best. */
export function tunedReport(cases: readonly (readonly [id: string, judged: TunedHours])[]): string {
  const policies = [...new Set(cases.flatMap(([, judged]) => Object.keys(judged)))]
  const rows = cases.map(([id, judged]) => {
    const hours = policies.map((policy) => judged[policy]?.instanceHours ?? null)
    const others = hours.filter((value, at) => value !== null && policies[at] !== fixedSize)
    const best = Math.min(...others.flatMap((value) => value ?? []))
    return [
      id,
      ...hours.map((value) => {
        if (value === null) return 'none'
        return Number.isFinite(best) ? (value / best).toFixed(2) : short(value)
      }),
    ]
  })
  const drawn = table(['case', ...policies], rows)
  return `Hours of every tuned peer over those of the best, as they were tuned:\n${drawn}`
}
