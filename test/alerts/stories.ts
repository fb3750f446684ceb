import type { Alert, Context } from '../../functions/alerts/alert.ts'
import { type Open, pagesOf, type Told } from '../../functions/alerts/pages.ts'
import type { RuleName, Severity } from '../../shared/alerts/rules.ts'

/** Who is told what: a story is a list of minutes, each with what fires in it. */

export const startAt = 1_000_000
export const repeatSeconds = 14_400

const contextOf = (context: Partial<Context> = {}): Context => ({
  ...{ promiseSeconds: 300, mode: 'direct', visible: 40, notVisible: 3, desired: 4, inService: 4 },
  ...{ max: 20, waitSeconds: 90, holding: 6, problem: null, rollout: false },
  again: 0,
  ...context,
})

type Some = { severity?: Severity; context?: Partial<Context>; value?: number; since?: number }

export const alertOf = (queue: string, rule: RuleName, some: Some = {}): Alert => ({
  ...{ queue, rule, severity: some.severity ?? 'critical', unit: 'seconds', threshold: 100 },
  ...{ value: some.value ?? 120, peak: some.value ?? 120, since: some.since ?? startAt - 60 },
  ...{ runbook: null, context: contextOf(some.context) },
})

export const lacking = { desired: 9, inService: 4 }
export const age = (queue: string, some: Some = {}) => alertOf(queue, 'oldest-age', some)
export const stalled = (queue: string) => alertOf(queue, 'stalled')
export const noCapacity = (queue: string) => alertOf(queue, 'no-capacity', { context: lacking })

/** What fires in a minute, and of which queues, or `queue/rule`, nobody is to be told. */
export type Minute = { readonly alerts: readonly Alert[]; readonly muted: readonly string[] }

/** One minute of a story. */
export const told = ({ alerts, muted }: Minute, before: readonly Open[], minute: number): Told =>
  pagesOf(
    alerts,
    before,
    {
      repeatSeconds,
      isMuted: ({ queue, rule }) => [queue, `${queue}/${rule}`].some((one) => muted.includes(one)),
    },
    startAt + minute * 60,
  )

/** What is told in each minute, as `kind: queue/rule...`, silenced ones in brackets. */
export function tellAll(minutes: readonly Minute[]): string[][] {
  let open: readonly Open[] = []
  return minutes.map((one, minute) => {
    const now = told(one, open, minute)
    open = now.open
    return now.tellings.map(({ kind, page }) => {
      const names = page.members.map(({ alert, silenced, endedAt }) => {
        const name = `${alert.queue}/${alert.rule}`
        const spoken = silenced ? `(${name})` : name
        return kind !== 'resolve' && endedAt !== null ? `${spoken} over` : spoken
      })
      return `${kind}: ${names.join(' ')}`
    })
  })
}

/** What was heard of each page of a story, and what is open when it ends. */
export function heardOf(minutes: readonly Minute[]) {
  let open: readonly Open[] = []
  const heard = new Map<string, string[]>()
  minutes.forEach((one, minute) => {
    const now = told(one, open, minute)
    open = now.open
    for (const { kind, page } of now.tellings) {
      heard.set(page.key, [...(heard.get(page.key) ?? []), kind])
    }
  })
  return { open, kinds: [...heard.values()].map((kinds) => kinds.join(' ')) }
}

/** The alerts of open pages that fire, as `queue/rule`. */
export const firingIn = (open: readonly Open[]) =>
  open.flatMap(({ members }) =>
    members.flatMap(({ alert: { queue, rule }, endedAt }) =>
      endedAt === null ? `${queue}/${rule}` : [],
    ),
  )

export const spoken = (minutes: readonly (readonly Alert[])[]): Minute[] =>
  minutes.map((alerts) => ({ alerts, muted: [] }))

export const times = <T>(count: number, one: T): T[] => Array.from({ length: count }, () => one)

export const nothing = (count: number): string[][] => Array.from({ length: count }, () => [])
