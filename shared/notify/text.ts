import type { Page, PagedAlert } from '../alerts/page.ts'
import { inWords } from '../duration.ts'

/** A page as plain text: for mail, for logs, and for whatever shows no more than that. */

// The most that SNS takes as a subject.
const subjectMost = 100

/** One line, whatever stands in the names. */
export function subjectOf({ kind, severity, fleet, title }: Page): string {
  const head = kind === 'resolve' ? 'over' : kind === 'trigger' ? severity : `${severity}, ${kind}`
  const line = `[${fleet}] ${head}: ${title}`.replace(/[^\x20-\x7e]+/g, ' ')
  return line.length <= subjectMost ? line : `${line.slice(0, subjectMost - 3)}...`
}

/** What, since when, how bad, why, what is done about it, and where to read on. */
export function textOf(page: Page): string {
  const { title, since, until, impact, cause, action, alerts, silenced, link } = page
  const lines = [
    title,
    '',
    until === null
      ? `Since: ${timeOf(since)}, for ${inWords(page.at - since)}`
      : `Over: ${timeOf(until)}, after ${inWords(until - since)}`,
    ...(impact === '' ? [] : [`Impact: ${impact}`]),
    `Likely cause: ${cause}`,
    ...(action === '' ? [] : [`Celeriac: ${action}`]),
    ...(alerts.length === 0 ? [] : ['', ...alerts.map((alert) => lineOf(alert, until !== null))]),
    ...(silenced.length === 0 ? [] : ['', `Explained by it: ${silenced.join(', ')}`]),
    ...(link === null ? [] : ['', link]),
  ]
  return lines.join('\n')
}

export const timeOf = (seconds: number) =>
  new Date(seconds * 1_000).toISOString().replace('.000Z', 'Z')

function lineOf({ queue, rule, unit, value, threshold, peak }: PagedAlert, isOver: boolean) {
  const show = (amount: number) =>
    unit === 'seconds' ? inWords(amount) : `${Math.round(amount * 10) / 10} ${unit}`
  const now = isOver ? '' : `${show(value)}, `
  return `- ${queue} ${rule}: ${now}worst ${show(peak)}, threshold ${show(threshold)}`
}
