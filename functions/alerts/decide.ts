import { type AlertState, advance } from '../../shared/alerts/machine.ts'
import { type RuleName, ruleNames } from '../../shared/alerts/rules.ts'
import { ruleTable } from '../../shared/alerts/settings.ts'
import type { Alert, Context } from './alert.ts'
import { conditionOf, type Picture, pictureOf } from './conditions.ts'
import type { Facts, Watched } from './facts.ts'
import { measures, returnedOf, seemsSilent } from './measures.ts'
import { observe, returnedSeconds } from './observe.ts'

/** One queue: what was seen of it -> the state of each of its rules. Seconds since the epoch. */

export type Change = {
  readonly rule: RuleName
  readonly from: AlertState['status']
  readonly to: AlertState['status']
  readonly value: number | null
  readonly threshold: number
}

export type Decision = {
  readonly queue: string
  readonly watched: Watched
  readonly alerts: readonly Alert[]
  readonly changes: readonly Change[]
  /** Samples that were not taken, by why. */
  readonly refused: Readonly<Record<string, number>>
}

export function decide(facts: Facts, before: Watched, now: number): Decision {
  const watched = observe(facts, before, now)
  const picture = pictureOf(facts, watched, now)
  const context = contextOf(facts, watched, picture, now)
  const states: Partial<Record<RuleName, AlertState>> = {}
  const alerts: Alert[] = []
  const changes: Change[] = []
  const refused: Record<string, number> = {}
  for (const rule of ruleNames) {
    const settings = facts.queue.alerts[rule]
    if (!settings) continue
    const condition = conditionOf(rule, settings, picture)
    const samples = measures[rule]({ facts, watched, picture, now })
    const last = watched.states[rule] ?? null
    const { state, refused: not } = advance(condition, samples, last, now)
    states[rule] = state
    for (const [why, count] of Object.entries(not)) refused[why] = (refused[why] ?? 0) + count
    const about = { rule, threshold: condition.threshold }
    const from = last?.status ?? 'ok'
    if (from !== state.status) {
      changes.push({ ...about, from, to: state.status, value: state.value })
    }
    const { firingSince, value, peak } = state
    if (firingSince === null) continue
    alerts.push({
      ...{
        queue: facts.queue.name,
        ...about,
        severity: settings.severity,
        unit: ruleTable[rule].unit,
      },
      ...{ value: value ?? 0, peak: peak ?? 0, since: firingSince },
      ...{ runbook: settings.runbook, context },
    })
  }
  const { name: queue } = facts.queue
  return { queue, watched: { ...watched, states }, alerts, changes, refused }
}

// The last instance of a rollout has left when its replacement still boots, and a look is a minute.
const lookSeconds = 60

function contextOf(
  { queue, counts, group, problem }: Facts,
  { rolloutAt }: Watched,
  picture: Picture,
  now: number,
): Context {
  const { promiseSeconds, bootSeconds, serviceSeconds, workload, throughput, waitSeconds } = picture
  const slots = workload?.slots ?? 1
  const load =
    throughput * serviceSeconds + ((counts?.visible ?? 0) * serviceSeconds) / promiseSeconds
  return {
    ...{ promiseSeconds, mode: queue.mode, problem },
    rollout: rolloutAt !== null && now - rolloutAt <= bootSeconds + lookSeconds,
    visible: counts?.visible ?? null,
    notVisible: counts?.notVisible ?? null,
    desired: group?.desired ?? null,
    inService: group?.instances.inService ?? null,
    max: workload?.max ?? null,
    waitSeconds: Number.isFinite(waitSeconds) ? waitSeconds : null,
    holding: counts && workload ? Math.ceil(load / slots) : null,
    again: picture.again,
  }
}

/** What of a queue is to be asked of CloudWatch, which is paid for by the metric. */
export type Asks = { readonly ages: boolean; readonly rates: boolean; readonly sent: boolean }

// So often are rates read where nothing is the matter; some seconds less, for schedules differ.
const ratesEverySeconds = 290

export function asksOf(facts: Facts, before: Watched, now: number): Asks {
  const watched = observe(facts, before, now)
  const picture = pictureOf(facts, watched, now)
  return {
    ages: asksAges(facts, watched, picture, now),
    rates: asksRates(facts, watched, picture, now),
    sent: !isQuiet(watched, 'producer-silent') || seemsSilent({ facts, watched, picture, now }),
  }
}

/** Where it may be near its threshold: never older than the time since the queue was empty. */
function asksAges(
  { queue, counts }: Facts,
  watched: Watched,
  picture: Picture,
  now: number,
): boolean {
  const settings = queue.alerts['oldest-age']
  if (!settings) return false
  if (!isQuiet(watched, 'oldest-age') || watched.emptyAt === null || !counts) return true
  const { threshold } = conditionOf('oldest-age', settings, picture)
  return now - watched.emptyAt > threshold / 2
}

// SQS has published a minute when so much time has passed since its end.
const publishedSeconds = 120

/** Every few minutes where there is anything, and when a stall could be told at the earliest. */
function asksRates(
  { queue, counts }: Facts,
  watched: Watched,
  picture: Picture,
  now: number,
): boolean {
  const { stalled, redelivery } = queue.alerts
  if (!stalled && !redelivery && !queue.alerts['time-to-breach']) return false
  const isOpen = !isQuiet(watched, 'stalled') || !isQuiet(watched, 'redelivery')
  if (counts && counts.visible + counts.notVisible === 0 && !isOpen) return false
  if (watched.ratesAt === null || now - watched.ratesAt >= ratesEverySeconds) return true
  if (!stalled || watched.progressAt === now) return false
  const { threshold } = conditionOf('stalled', stalled, picture)
  return now - watched.progressAt >= threshold + publishedSeconds
}

const isQuiet = ({ states }: Watched, rule: RuleName) => (states[rule]?.status ?? 'ok') === 'ok'

/** Since when what drains gave back must be known, in seconds; null: nothing seems to come back. */
export function asksHandedBack(facts: Facts, before: Watched, now: number): number | null {
  const settings = facts.queue.alerts.redelivery
  const watched = observe(facts, before, now)
  if (!settings) return null
  if (facts.again > 0) return now - returnedSeconds
  if (!facts.rates || !watched.flow) return null
  const returned = returnedOf(watched.flow, watched.looks)
  const { recovery } = conditionOf('redelivery', settings, pictureOf(facts, watched, now))
  return returned === null || returned.messages <= recovery ? null : returned.since
}

/** The span of minutes that a run reads, the same for all. */
export const spanOf = (now: number) => {
  const to = Math.floor(now / 60) * 60
  return { from: to - minutesRead * 60, to, stepSeconds: 60 }
}

// More than the five minutes between two readings, and the three of publication; what is missed by
// a run that failed comes with the next.
const minutesRead = 15
