import { type Page, pageKinds } from '../../shared/alerts/page.ts'
import type { Alert } from './alert.ts'
import { type Cause, causeOf, causes, explains, isRelated, rootOf } from './causes.ts'

/**
 * Who is told what, and when: alerts of all queues, and what was told before -> pages. Alerts of
 * one cause are one page; what another one explains is silenced. Pure; seconds since the epoch.
 */

export type Member = {
  readonly alert: Alert
  /** When it ended; null while it fires. */
  readonly endedAt: number | null
  /** Whether another one explains it, so that nobody was told of it by itself. */
  readonly silenced: boolean
  /** Whether somebody has asked not to be told of it at present. */
  readonly muted: boolean
}

/** A page that was told and whose cause goes on. */
export type Open = {
  /** Stable for as long as it is open, and never used again. */
  readonly key: string
  readonly cause: Cause
  readonly openedAt: number
  /** When people were last told of it; 0: not yet. */
  readonly toldAt: number
  /** Whether something has joined since. */
  readonly news: boolean
  readonly members: readonly Member[]
}

type Kind = Page['kind']

export type Telling = { readonly kind: Kind; readonly page: Open }

export type Told = {
  readonly open: readonly Open[]
  readonly tellings: readonly Telling[]
  /** How many more there are than one run tells; the next one tells them. */
  readonly held: number
}

// Alerts that begin so soon after the first have its cause; later ones are news that somebody who
// already works on the first would not be told of.
const joinSeconds = 600
// What ends and begins again within that time has not ended: nobody is told of either.
const quietSeconds = 600
// What joins is told at once, and then no more often than that.
const updateSeconds = 120
// More than there are causes: beyond it something is wrong that no single page would tell.
const tellingsMost = 10
// So many queues that lack instances at once lack them for one reason.
const shortageQueues = 3

export type Manners = {
  /** How often people are told again. */
  readonly repeatSeconds: number
  /** What nobody is to be told of; when that is over and it still fires, they are. */
  readonly isMuted: (alert: Alert) => boolean
}

export function pagesOf(
  alerts: readonly Alert[],
  before: readonly Open[],
  { repeatSeconds, isMuted }: Manners,
  now: number,
): Told {
  const kept = before.map((page) => refreshed(page, alerts, isMuted, now))
  const known = new Set(kept.flatMap(({ members }) => members.filter(isOn).map(nameOf)))
  const spoken = alerts.filter((alert) => !isMuted(alert))
  const fresh = spoken.filter((alert) => !known.has(nameOf({ alert })))
  const open = join(kept, fresh, spoken, now)
  const due = open.flatMap((page) => tellingOf(page, repeatSeconds, now)).sort(byUrgency)
  const tellings = due.slice(0, tellingsMost)
  const told = new Set(tellings.map(({ page }) => page.key))
  return {
    tellings,
    held: due.length - tellings.length,
    open: open
      // Who was told that it began is told that it is over; of the rest nobody needs to know.
      .filter((page) =>
        page.toldAt > 0 || told.has(page.key)
          ? isGoing(page, now) || !told.has(page.key)
          : page.members.some(isOn),
      )
      .map((page) => (told.has(page.key) ? { ...page, toldAt: now, news: false } : page)),
  }
}

/** What wakes somebody, then what began, then what went on or ended. */
function byUrgency(a: Telling, b: Telling): number {
  const rank = ({ kind, page }: Telling) =>
    (severityOf(page) === 'critical' ? 0 : pageKinds.length) + pageKinds.indexOf(kind)
  return rank(a) - rank(b)
}

const nameOf = ({ alert }: Pick<Member, 'alert'>) => `${alert.queue}/${alert.rule}`
const isOn = ({ endedAt }: Member) => endedAt === null
const isSpoken = (member: Member) => isOn(member) && !member.muted
const isOver = ({ endedAt }: Member, now: number) =>
  endedAt !== null && now - endedAt >= quietSeconds
const isGoing = ({ members }: Open, now: number) => members.some((one) => !isOver(one, now))

/** Its alerts as they are now; those that fire no more, or for another reason, have ended. */
function refreshed(
  page: Open,
  alerts: readonly Alert[],
  isMuted: Manners['isMuted'],
  now: number,
): Open {
  const members = page.members.map((member): Member => {
    if (!isOn(member)) return member
    const alert = alerts.find((one) => nameOf({ alert: one }) === nameOf(member))
    const isEnded = !alert || (page.cause === 'rollout' && !alert.context.rollout)
    if (isEnded) return { ...member, endedAt: now, muted: false }
    return { ...member, alert, muted: isMuted(alert) }
  })
  const isSpokenAgain = members.some(
    (member, index) => isSpoken(member) && !member.silenced && page.members[index]?.muted,
  )
  return { ...page, members, news: page.news || isSpokenAgain }
}

function join(
  kept: readonly Open[],
  fresh: readonly Alert[],
  all: readonly Alert[],
  now: number,
): Open[] {
  const open = [...kept]
  const rootAt = ({ queue, rule, context }: Alert) =>
    rootOf(
      rule,
      all.flatMap((other) => (other.queue === queue ? other.rule : [])),
      context.rollout,
    )
  // Causes first, so that what they explain finds them.
  const rank = (alert: Alert) => {
    const root = rootAt(alert)
    return 2 * causes.indexOf(root) + (causeOf(alert.rule) === root ? 0 : 1)
  }
  for (const alert of [...fresh].sort((a, b) => rank(a) - rank(b))) {
    const cause = rootAt(alert)
    const { index, silenced } = placeOf(open, alert, cause, now)
    const page = open[index] ?? opened(cause, alert, now)
    const before = page.members.find((one) => nameOf(one) === nameOf({ alert }))
    const isBack = before !== undefined && !isOver(before, now)
    // Why it is so is news to whoever was told that it is so.
    const isReason = explains(causeOf(alert.rule), page.cause)
    const isSilenced = isBack ? before.silenced : silenced && !isReason
    const member: Member = { alert, endedAt: null, silenced: isSilenced, muted: false }
    const members = [...page.members.filter((one) => nameOf(one) !== nameOf(member)), member]
    const named = isReason ? causeOf(alert.rule) : page.cause
    open[index] = { ...page, cause: named, members, news: page.news || !(isSilenced || isBack) }
  }
  return open
}

/** The page that an alert belongs to, and whether that one says all there is to say. */
function placeOf(open: readonly Open[], alert: Alert, cause: Cause, now: number) {
  if (cause === 'rollout') {
    const index = open.findIndex((page) => isGoing(page, now) && page.cause === cause)
    return { index: index >= 0 ? index : open.length, silenced: true }
  }
  const own = open.findIndex(
    (page) =>
      page.cause !== 'rollout' &&
      page.members.some((one) => !isOver(one, now) && !one.muted && isOfOne(one, alert)),
  )
  if (own >= 0) return { index: own, silenced: !isWorse(open[own], alert) }
  const shortage = open.findIndex((page) => isGoing(page, now) && isShortage(page))
  if (shortage >= 0 && lacksInstances(alert) && byShortage.includes(cause)) {
    // Those that lack them when it begins are named.
    const isNew = open[shortage]?.toldAt === 0 && causeOf(alert.rule) === 'no-capacity'
    return { index: shortage, silenced: !isNew }
  }
  const joined = open.findIndex(
    (page) => isGoing(page, now) && page.cause === cause && now - page.openedAt <= joinSeconds,
  )
  return { index: joined >= 0 ? joined : open.length, silenced: false }
}

/** Whether two alerts are of one queue, and one of them explains the other. */
const isOfOne = ({ alert }: Member, other: Alert) =>
  alert.queue === other.queue && isRelated(causeOf(alert.rule), causeOf(other.rule))

/** What a queue suffers from whose group gets no instances, whichever queue is the first. */
const byShortage: readonly Cause[] = ['no-capacity', 'behind', 'at-max']

/** Nobody was told that it is critical. */
const isWorse = (page: Open | undefined, alert: Alert) =>
  alert.severity === 'critical' && page !== undefined && severityOf(page) !== 'critical'

/** A rollout wakes nobody: somebody began it, and it ends. */
export const severityOf = ({ cause, members }: Open) =>
  cause !== 'rollout' && members.some(({ alert, muted }) => alert.severity === 'critical' && !muted)
    ? 'critical'
    : 'warning'

/** Instances are lacking at several groups. */
export function isShortage({ cause, members }: Open): boolean {
  if (cause !== 'no-capacity') return false
  const lacking = members.filter((one) => isOn(one) && one.alert.rule === 'no-capacity')
  return new Set(lacking.map(({ alert }) => alert.queue)).size >= shortageQueues
}

const lacksInstances = ({ context: { desired, inService } }: Alert) =>
  desired !== null && inService !== null && desired > inService

const opened = (cause: Cause, { queue }: Alert, now: number): Open => ({
  ...{ key: `${cause}/${queue}/${now}`, cause, openedAt: now, toldAt: 0, news: true, members: [] },
})

function tellingOf(page: Open, repeatSeconds: number, now: number): Telling[] {
  // What was over before anybody was told needs no page.
  if (page.toldAt === 0) return page.members.some(isSpoken) ? [{ kind: 'trigger', page }] : []
  if (!isGoing(page, now)) return [{ kind: 'resolve', page }]
  if (!page.members.some(isSpoken)) return []
  // What was news may be muted by now: it is told when that is over.
  const isNews = page.news && page.members.some((one) => isSpoken(one) && !one.silenced)
  if (isNews && now - page.toldAt >= updateSeconds) return [{ kind: 'update', page }]
  if (now - page.toldAt >= repeatSeconds) return [{ kind: 'repeat', page }]
  return []
}
