import { inWords } from '../../shared/duration.ts'
import { timeOf } from '../../shared/notify/text.ts'
import { table } from '../format.ts'
import { type Fired, isStale, type Known, type View } from './view.ts'

/** A view for a reader. */
export function describe(view: View, fleet: string): string {
  return [
    headOf(view, fleet),
    ...(view.alerts.length === 0 ? [] : [alertsOf(view)]),
    ...part('About to fire', view.pending, pendingOf(view)),
    ...part('Not taken by every channel yet', view.undelivered, undeliveredOf(view)),
    ...part('Silences', view.silences, silencesOf(view)),
    ...part('Maintenance', view.windows, windowsOf(view)),
  ].join('\n\n')
}

const part = (title: string, rows: readonly unknown[], text: string) =>
  rows.length === 0 ? [] : [`${title}\n${text}`]

function headOf(view: View, fleet: string): string {
  const { alerts, watched, evaluatedAt, now } = view
  const count = alerts.length === 1 ? '1 alert fires' : `${alerts.length || 'no'} alerts fire`
  if (evaluatedAt === null) return `Fleet ${fleet}: the alerts have never been evaluated.`
  const ago = `evaluated ${inWords(now - evaluatedAt)} ago`
  const stale = isStale(view) ? 'NOBODY EVALUATES THE ALERTS. What was last seen: ' : ''
  return `${stale}Fleet ${fleet}: ${count} at ${watched} queues, ${ago}.`
}

const alertsOf = ({ alerts, now }: View) =>
  table(
    ['queue', 'rule', 'severity', 'for', 'value', 'threshold', 'worst', 'people'],
    alerts.map((alert) => [
      ...[alert.queue, alert.rule, alert.severity, inWords(now - alert.since)],
      ...[alert.value, alert.threshold, alert.peak].map((value) => amount(value, alert)),
      saidOf(alert.known, now),
    ]),
  )

function amount(value: number, { unit }: Pick<Fired, 'unit'>): string {
  if (unit === 'seconds') return inWords(value)
  const rounded = Math.round(value * 10) / 10
  return `${rounded} ${rounded === 1 ? unit.slice(0, -1) : unit}`
}

function saidOf(known: Known, now: number): string {
  switch (known.how) {
    case 'told':
      return `told ${inWords(now - known.at)} ago`
    case 'explained':
      return `explained by ${known.by}`
    case 'silence':
      return `silenced until ${timeOf(known.until)}: ${known.reason}`
    case 'maintenance':
      return `maintenance until ${timeOf(known.until)}: ${known.reason}`
    case 'next':
      return 'told by the next run'
  }
}

const pendingOf = ({ pending, now }: View) =>
  table(
    ['queue', 'rule', 'for', 'value'],
    pending.map(({ queue, rule, since, value }) => [
      ...[queue, rule, inWords(now - since), value === null ? '?' : String(Math.round(value))],
    ]),
  )

const undeliveredOf = ({ undelivered }: View) =>
  table(
    ['page', 'kind', 'channels', 'tries'],
    undelivered.map(({ title, kind, channels, tries }) => [
      ...[title, kind, channels.join(', '), String(tries)],
    ]),
  )

const silencesOf = ({ silences }: View) =>
  table(
    ['silence', 'queues', 'rules', 'until', 'by', 'reason'],
    silences.map(({ id, queues, rules, until, by, reason }) => [
      ...[id, queues.join(', '), rules.join(', ') || 'all', timeOf(until), by ?? '?', reason],
    ]),
  )

const windowsOf = ({ windows }: View) =>
  table(
    ['queues', 'rules', 'until', 'reason'],
    windows.map(({ queues, rules, until, reason }) => [
      ...[queues.join(', '), rules.join(', ') || 'all', timeOf(until), reason],
    ]),
  )
