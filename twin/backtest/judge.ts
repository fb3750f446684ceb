import type { Page } from '../../shared/alerts/page.ts'
import type { RuleName } from '../../shared/alerts/rules.ts'

/** What was told against what had happened. Seconds since the epoch. */

/** Something that people should be told of, once. */
export type Incident = {
  readonly name: string
  /** The queues it concerns; a page of any of them tells of it. */
  readonly queues: readonly string[]
  /** What may be said of it: the rules that follow from it. */
  readonly rules: readonly RuleName[]
  readonly from: number
  /** When nothing of it is left, its consequences included. */
  readonly until: number
}

export type Judgement = {
  readonly scenario: string
  readonly seed: number
  readonly incidents: number
  /** Incidents that somebody was told of. */
  readonly paged: number
  readonly missed: number
  /** Pages that tell of nothing that had happened. */
  readonly false: number
  /** Pages that tell of what somebody was told already. */
  readonly duplicates: number
  /** From the first moment at which a rule could have fired until the page; null: none was. */
  readonly detectionSecondsMedian: number | null
  readonly detectionSecondsP95: number | null
}

/** A rule that could have fired at a queue, and when it first could. */
export type Possible = { readonly queue: string; readonly rule: RuleName; readonly at: number }

export type Told = {
  readonly pages: readonly Page[]
  readonly possible: readonly Possible[]
}

export function judge(
  scenario: string,
  seed: number,
  incidents: readonly Incident[],
  told: Told,
): Judgement {
  const { detections, paged, duplicates, strays } = match(incidents, told)
  return {
    ...{ scenario, seed, incidents: incidents.length },
    ...{ paged, missed: incidents.length - paged, false: strays, duplicates },
    detectionSecondsMedian: quantile(detections, 0.5),
    detectionSecondsP95: quantile(detections, 0.95),
  }
}

/** Each page that begins something, or adds to it, with the incident that it tells of. */
export function match(incidents: readonly Incident[], { pages, possible }: Told) {
  const first = new Map<Incident, number>()
  let [duplicates, strays] = [0, 0]
  for (const page of pages) {
    if (page.kind !== 'trigger' && page.kind !== 'update') continue
    const concerned = incidents.filter((incident) => tellsOf(page, incident))
    const news = concerned.filter((incident) => !first.has(incident))
    for (const incident of news) first.set(incident, page.at)
    // What is added to a page that people have is no page of its own.
    if (page.kind === 'update') continue
    if (concerned.length === 0) strays++
    else if (news.length === 0) duplicates++
  }
  const detections = [...first].flatMap(([incident, at]) => {
    const could = possible.filter((one) => isOf(incident, one.queue, one.rule, one.at))
    const earliest = Math.min(...could.map((one) => one.at))
    return Number.isFinite(earliest) ? Math.max(0, at - earliest) : []
  })
  return { detections, paged: first.size, duplicates, strays }
}

const isOf = (incident: Incident, queue: string, rule: RuleName, at: number) =>
  incident.queues.includes(queue) &&
  incident.rules.includes(rule) &&
  at >= incident.from &&
  at <= incident.until

/** By its alerts, spoken or silenced. */
const tellsOf = (page: Page, incident: Incident) =>
  page.alerts.some(({ queue, rule }) => isOf(incident, queue, rule, page.at))

export function quantile(values: readonly number[], share: number): number | null {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? null
}
