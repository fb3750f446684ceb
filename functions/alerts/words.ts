import type { Page } from '../../shared/alerts/page.ts'
import { inWords } from '../../shared/duration.ts'
import type { Alert } from './alert.ts'
import type { Cause } from './causes.ts'
import { isShortage, type Member, type Open, severityOf, type Telling } from './pages.ts'

/** What a page says, from its alerts alone. Each text is one line. */

export function pageOf({ kind, page }: Telling, fleet: string, now: number): Page {
  const on = page.members.filter(({ endedAt }) => endedAt === null)
  const shown = on.length > 0 ? on : page.members
  // Of what somebody has silenced nothing is said, and a page without anything else is not told.
  const heard = shown.filter(({ muted }) => !muted)
  const spoken = heard.filter(({ silenced }) => !silenced)
  const told = (spoken.length > 0 ? spoken : heard).map(({ alert }) => alert)
  const ended = page.members.flatMap(({ endedAt }) => endedAt ?? [])
  const worst = worstOf(told)
  return {
    key: `${fleet}/${page.key}`,
    kind,
    fleet,
    severity: severityOf(page),
    title: titleOf(page, told),
    at: now,
    since: Math.min(...page.members.map(({ alert }) => alert.since)),
    until: on.length === 0 ? Math.max(...ended) : null,
    impact: worst ? impactOf(worst) : '',
    cause: reasons[page.cause](worst),
    action: worst ? actionOf(page.cause, worst) : '',
    alerts: told.slice(0, listedMost).map(({ context: _, runbook: __, ...alert }) => alert),
    silenced:
      spoken.length === 0 ? [] : listed(heard.filter(({ silenced }) => silenced).map(silencedOf)),
    link: told.find(({ runbook }) => runbook !== null)?.runbook ?? null,
  }
}

// More than anybody reads, and few enough for every channel and for the table.
const listedMost = 100

const listed = (texts: readonly string[]) =>
  texts.length <= listedMost
    ? texts
    : [...texts.slice(0, listedMost), `and ${texts.length - listedMost} more`]

const silencedOf = ({ alert }: Member) => `${alert.queue}: ${alert.rule}`

/** The one whose queue is furthest from its promise. */
const worstOf = (alerts: readonly Alert[]): Alert | undefined =>
  [...alerts].sort((a, b) => lateness(b) - lateness(a))[0]

const lateness = ({ context: { waitSeconds, promiseSeconds } }: Alert) =>
  (waitSeconds ?? 0) / promiseSeconds

const what: Readonly<Record<Cause, string>> = {
  rollout: 'fewer instances while a rollout replaces them',
  'no-capacity': 'instances do not arrive',
  stalled: 'messages wait and nothing is done',
  'at-max': 'more instances are needed than max allows',
  redelivery: 'messages come back unfinished',
  blind: 'cannot be measured',
  'producer-silent': 'nothing is sent',
  behind: 'falls behind its promise',
  orphaned: 'messages are in flight that no worker has',
  'dead-letter': 'messages were given up',
}

// Whoever reads the first line on a phone sees this many names of it.
const namesShown = 3

function titleOf(page: Open, told: readonly Alert[]): string {
  const queues = [...new Set(told.map(({ queue }) => queue))]
  const names = queues.slice(0, namesShown).join(', ')
  const more = queues.length > namesShown ? ` and ${queues.length - namesShown} more` : ''
  if (isShortage(page)) return `No Spot capacity for ${queues.length} groups: ${names}${more}`
  return `${names}${more}: ${what[page.cause]}`
}

function impactOf({ queue, context }: Alert): string {
  const { promiseSeconds, visible, waitSeconds, problem } = context
  const promise = `promise ${inWords(promiseSeconds)}`
  if (problem !== null || visible === null) return `${queue}: not known at present (${promise})`
  if (visible === 0) return `${queue}: nothing waits at present (${promise})`
  const wait =
    waitSeconds === null ? 'for ever at the present rate' : `about ${inWords(waitSeconds)}`
  return `${queue}: ${visible} wait, the newest ${wait} (${promise})`
}

const reasons: Readonly<Record<Cause, (worst: Alert | undefined) => string>> = {
  rollout: () => 'a rollout; what still fires after it is told by itself',
  'no-capacity': () =>
    'Auto Scaling launches nothing: no Spot capacity, a quota, or a launch template that fails',
  stalled: () => 'workers that hang, do not poll, or may not read the queue',
  'at-max': () => 'more comes than max was set for, or tasks take longer than they did',
  redelivery: (worst) => {
    const why = 'tasks that end their worker, or that run for longer than the visibility timeout'
    const source = worst && worst.context.again > 0 ? 'counted by the workers' : 'an estimate'
    return `${why} (${source})`
  },
  blind: (worst) => worst?.context.problem ?? 'a measurement has not been there for minutes',
  'producer-silent': () => 'what sends the tasks has stopped, or sends them elsewhere',
  behind: () => 'more comes than is done',
  orphaned: () => 'workers that died with what they had; SQS gives it back in time',
  'dead-letter': () => 'tasks that failed too often',
}

/** What the control plane does by itself; what is left is for the reader. */
function actionOf(cause: Cause, { context }: Alert): string {
  const { mode, desired, inService, max, holding } = context
  const there = `${inService ?? '?'} of ${desired ?? '?'} instances are in service`
  const group = `${there}, max ${max ?? '?'}`
  const hold = holding === null ? '' : `; ${holding} would hold the promise`
  const own = mode === 'direct' ? 'sizes the group' : `leaves the group alone (mode ${mode})`
  switch (cause) {
    case 'rollout':
    case 'behind':
      return `${own}: ${group}${hold}`
    case 'no-capacity':
      return `asks for no more than it has asked for, and goes on when instances come: ${group}`
    case 'stalled':
      return `launches no more, for more would not help: ${group}`
    case 'at-max':
      return `keeps the group at its max: ${group}${hold}`
    case 'blind':
      return 'does not touch the group until it can be measured'
    case 'redelivery':
    case 'orphaned':
    case 'dead-letter':
    case 'producer-silent':
      return `nothing by itself; ${own}: ${group}`
  }
}

/** That a channel has not taken what it was told. */
export function channelPage(lines: readonly string[], fleet: string, now: number): Page {
  return {
    ...{ key: `${fleet}/channels/${now}`, kind: 'trigger', fleet, severity: 'warning' },
    title: `pages do not reach ${lines.length === 1 ? 'a channel' : `${lines.length} channels`}`,
    ...{ at: now, since: now, until: null, impact: 'whoever listens there is told of nothing' },
    cause: lines.join('; '),
    action: 'tries again each minute for an hour',
    ...{ alerts: [], silenced: [], link: null },
  }
}

/** That there is more to tell than a run tells. */
export function cappedPage(held: number, fleet: string, now: number): Page {
  const pages = held === 1 ? '1 more page' : `${held} more pages`
  return {
    ...{ key: `${fleet}/capped/${now}`, kind: 'trigger', fleet, severity: 'critical' },
    title: `${pages} held back for a minute`,
    ...{ at: now, since: now, until: null, impact: 'more fires at once than one run tells' },
    cause: 'something that concerns the whole fleet',
    action: 'tells the most urgent first, and the rest with the next runs',
    ...{ alerts: [], silenced: [], link: null },
  }
}
