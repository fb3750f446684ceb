import { Cron } from 'croner'
import type { Problem } from '../queue-checks.ts'
import { isLike, type Mute, type Scope } from './mute.ts'
import { fiveFields } from './schema.ts'

/** Maintenance windows: a cron expression in a time zone, and for how long. Pure; epoch seconds. */

export type Maintenance = Scope & {
  /** Five fields. */
  readonly cron: string
  /** Of the IANA's database. */
  readonly timezone: string
  readonly forSeconds: number
  readonly reason: string
}

// Paused: nothing of it ever runs, it only tells times.
const cronOf = ({ cron, timezone }: Pick<Maintenance, 'cron' | 'timezone'>) =>
  new Cron(cron, { timezone, mode: '5-part', paused: true })

/** The windows that are open, as what they mute. */
export function openWindows(windows: readonly Maintenance[], now: number): Mute[] {
  return windows.flatMap((window): Mute[] => {
    const { forSeconds, reason, queues, rules } = window
    const begun = beginningsFrom(window, now - forSeconds, now)
    const last = begun.at(-1)
    if (last === undefined) return []
    return [{ kind: 'maintenance', until: last + forSeconds, reason, queues, rules }]
  })
}

// Each minute for as long as a window may be.
const beginningsMost = 24 * 60

/** When it began in that span, its own beginning left out. */
function beginningsFrom(window: Maintenance, from: number, to: number): number[] {
  const cron = cronOf(window)
  const found: number[] = []
  let at: Date | null = new Date(from * 1_000)
  while (found.length <= beginningsMost) {
    at = cron.nextRun(at)
    if (!at || at.getTime() > to * 1_000) break
    found.push(at.getTime() / 1_000)
  }
  return found
}

/** What is wrong with a window; the file's queues, for a name that fits none of them. */
export function checkMaintenance(
  windows: readonly Maintenance[],
  names: readonly string[],
): { readonly problems: Problem[]; readonly warnings: Problem[] } {
  const pathOf = (index: number) => `notify.maintenance.${index}`
  return {
    problems: windows.flatMap((window, index) => checkTimes(window, pathOf(index))),
    warnings: windows.flatMap(({ queues }, index) =>
      queues.flatMap((pattern, at): Problem[] => {
        if (names.some((name) => isLike(pattern, name))) return []
        const path = `${pathOf(index)}.queues.${at}`
        const remedy = 'no queue of this file is named so; it is of use for adopted ones alone'
        return [{ path, value: pattern, remedy }]
      }),
    ),
  }
}

function checkTimes(window: Maintenance, path: string): Problem[] {
  const { cron, timezone, forSeconds } = window
  if (!isTimezone(timezone)) {
    const remedy = "name a time zone of the IANA's, such as 'Europe/Berlin'"
    return [{ path: `${path}.timezone`, value: timezone, remedy }]
  }
  const problem = (remedy: string) => [{ path: `${path}.cron`, value: cron, remedy }]
  if (!isCron(cron)) return problem(fiveFields)
  const begins = someBeginnings(window)
  if (begins.length === 0) return problem('that day never comes')
  const gaps = begins.slice(1).map((at, index) => at - (begins[index] ?? 0))
  if (gaps.some((gap) => gap > forSeconds)) return []
  const remedy = 'it would begin again before it ends, and nobody would be told of anything'
  return [{ path: `${path}.for`, value: `${forSeconds}s`, remedy }]
}

function isTimezone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }) !== null
  } catch (error) {
    if (error instanceof RangeError) return false
    throw error
  }
}

function isCron(cron: string): boolean {
  try {
    return cronOf({ cron, timezone: 'UTC' }) !== null
  } catch (error) {
    // What it throws of a pattern, of whichever class, begins so.
    if (error instanceof Error && error.message.startsWith('CronPattern')) return false
    throw error
  }
}

// Any day does, as long as it is always the same: a leap year begins two years later.
const someDay = Date.UTC(2026, 0, 1)
// Of a window each hour, more than a day; of one a year, enough to see that it ends.
const someMany = 30

function someBeginnings(window: Maintenance): number[] {
  return cronOf(window)
    .nextRuns(someMany, new Date(someDay))
    .map((at) => at.getTime() / 1_000)
}
