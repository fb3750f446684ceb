import type { Alert } from '../../functions/alerts/alert.ts'
import type { Member, Open } from '../../functions/alerts/pages.ts'
import { muteOf } from '../../shared/alerts/mute.ts'
import type { PagedAlert } from '../../shared/alerts/page.ts'
import type { Silence } from '../../shared/alerts/silences.ts'
import type { Pending, State } from './state.ts'

/** What fires, and what people know of it. Pure; epoch seconds. */

export type Known =
  | { readonly how: 'told'; readonly at: number; readonly page: string }
  /** Another alert, or a rollout, is the reason for it. */
  | { readonly how: 'explained'; readonly by: string; readonly page: string }
  | {
      readonly how: 'silence' | 'maintenance'
      readonly until: number
      readonly reason: string
    }
  /** The next run tells it. */
  | { readonly how: 'next' }

export type Fired = PagedAlert & { readonly known: Known; readonly runbook: string | null }

export type View = {
  readonly now: number
  /** When the shard that is furthest behind last ran; null where one has never run. */
  readonly evaluatedAt: number | null
  readonly watched: number
  readonly alerts: readonly Fired[]
  readonly pending: readonly Pending[]
  /** Pages that some channel has not taken yet. */
  readonly undelivered: readonly {
    readonly title: string
    readonly kind: string
    readonly channels: readonly string[]
    readonly tries: number
  }[]
  readonly silences: readonly Silence[]
  readonly windows: State['mutes']
}

export function viewOf(state: State): View {
  const { now, ranAt, watched, pending, told, silences, mutes } = state
  return {
    ...{ now, watched, pending, silences },
    evaluatedAt: ranAt.reduce((a, b) => (a === null || b === null ? null : Math.min(a, b)), now),
    alerts: state.firing
      .map(({ context: _, ...alert }) => ({ ...alert, known: knownOf(alert, state) }))
      .sort((a, b) => rankOf(a) - rankOf(b) || a.since - b.since),
    undelivered: told.due.map(({ page: { title, kind }, channels, tries }) => ({
      ...{ title, kind, channels, tries },
    })),
    windows: mutes.filter(({ kind }) => kind === 'maintenance'),
  }
}

/** What somebody must look at, then what can wait, then what people need not be told of. */
function rankOf({ severity, known }: Fired): number {
  if (known.how === 'silence' || known.how === 'maintenance') return 3
  if (known.how === 'explained') return 2
  return severity === 'critical' ? 0 : 1
}

function knownOf(alert: Pick<Alert, 'queue' | 'rule'>, { told, mutes }: State): Known {
  const mute = muteOf(mutes, alert.queue, alert.rule)
  if (mute) return { how: mute.kind, until: mute.until, reason: mute.reason }
  for (const page of told.open) {
    const member = page.members.find((one) => isOf(one, alert))
    if (member) return asTold(page, member)
  }
  return { how: 'next' }
}

const isOf = ({ alert, endedAt }: Member, { queue, rule }: Pick<Alert, 'queue' | 'rule'>) =>
  endedAt === null && alert.queue === queue && alert.rule === rule

function asTold(page: Open, { silenced }: Member): Known {
  if (silenced) return { how: 'explained', by: page.cause, page: page.key }
  return page.toldAt > 0 ? { how: 'told', at: page.toldAt, page: page.key } : { how: 'next' }
}

// The schedule is a minute: after three of them nobody evaluates.
const staleSeconds = 180

export const isStale = ({ evaluatedAt, now }: View) =>
  evaluatedAt === null || now - evaluatedAt > staleSeconds

/** 0: nothing that people are to know of; 1: warnings; 2: critical ones; 3: nobody evaluates. */
export function exitCodeOf(view: View): number {
  if (isStale(view)) return 3
  const worst = Math.min(...view.alerts.map(rankOf))
  if (worst === 0) return 2
  return worst === 1 ? 1 : 0
}
