import { type History, profilesOf } from '../../shared/forecast/history.ts'
import { rehearse } from '../../shared/forecast/rehearse.ts'
import { arrivalsOf } from '../../shared/sizing/predict.ts'
import { type Memory, type Step, step } from '../../shared/sizing/step.ts'
import { noOutlook, type Outlook, type Sensed, type Workload } from '../../shared/sizing/types.ts'
import { parseLook } from './look.ts'

/**
 * The rule as a companion of any other system: look after look, with the forecast's hourly and the
 * rehearsal's daily work done in between. What it answers is a function of what it was told.
 */
export type Shadow = {
  readonly workload: Omit<Workload, 'tickSeconds'>
  /** Squared coefficient of variation of the service time; null where nobody knows it. */
  readonly serviceCv2: number | null
  /** Arrivals a minute, the days before and what came since. */
  readonly minutes: number[]
  /** Where the first of those minutes began; null until the first look. */
  from: number | null
  tickSeconds: number
  memory: Memory | null
  outlook: Outlook
  forecastHour: number | null
  rehearsedAt: number | null
  line: number
}

export type Answer =
  | {
      readonly now: number
      readonly desired: number
      readonly reason: string
      readonly shortfall: number
      /** Tasks a second: of the last minutes, and foreseen until a launch could help. */
      readonly rate: number
      readonly serviceTime: number
      readonly forecast: number
    }
  | { readonly line: number; readonly error: string }

const hourSeconds = 3_600
const daySeconds = 86_400
const rateSeconds = 300
// Looks further apart than that are a pause, not a rhythm.
const tickSecondsMax = 300

export function createShadow(
  workload: Shadow['workload'],
  serviceCv2: number | null,
  history: readonly number[],
  tickSeconds: number,
): Shadow {
  return {
    ...{ workload, serviceCv2, minutes: [...history], tickSeconds },
    ...{ from: null, memory: null, outlook: noOutlook, forecastHour: null, rehearsedAt: null },
    line: 0,
  }
}

/** Exactly one answer for a line: a refused one changes nothing. */
export function answer(shadow: Shadow, text: string): Answer {
  const line = ++shadow.line
  const parsed = parseLook(text)
  if ('error' in parsed) return { line, error: parsed.error }
  const { sensed } = parsed
  const before = shadow.memory?.at
  if (before !== undefined && sensed.now <= before) {
    const error = `now: ${sensed.now} is not after ${before}, the last look`
    return { line, error }
  }
  if (before !== undefined) {
    shadow.tickSeconds = Math.min(tickSecondsMax, Math.max(1, sensed.now - before))
  }
  look(shadow, sensed)
  const told = step(
    { ...shadow.workload, tickSeconds: shadow.tickSeconds },
    shadow.outlook,
    sensed,
    shadow.memory,
  )
  shadow.memory = told.memory
  return answerOf(sensed.now, told)
}

function answerOf(now: number, told: Step): Answer {
  const { recent } = told.memory.seen
  const span = Math.min(rateSeconds, Math.max(60, (recent.counts.length - 1) * 60))
  return {
    now,
    desired: told.desired,
    reason: told.reason,
    shortfall: told.shortfall,
    rate: round(arrivalsOf(recent, now, now - span, now) / span),
    serviceTime: round(told.serviceSeconds),
    forecast: round(told.rate),
  }
}

const round = (value: number) => Math.round(value * 10_000) / 10_000

/** What is due before a look: whole minutes become history, the hour and the day are renewed. */
function look(shadow: Shadow, { now }: Sensed): void {
  shadow.from ??= Math.floor(now / 60) * 60 - shadow.minutes.length * 60
  keepMinutes(shadow, shadow.from)
  const history: History = { from: shadow.from, counts: shadow.minutes }
  const hour = Math.floor(now / hourSeconds)
  if (hour !== shadow.forecastHour) {
    shadow.forecastHour = hour
    shadow.outlook = { ...shadow.outlook, profiles: profilesOf(history, now) }
  }
  // The second look tells how often the rule is asked, which the rehearsal must know.
  if (shadow.memory === null) return
  if (shadow.rehearsedAt !== null && now - shadow.rehearsedAt < daySeconds) return
  shadow.rehearsedAt = now
  const taskSeconds = Math.max(minTaskSeconds, shadow.memory.serviceSeconds)
  const tickSeconds = Math.max(rehearsedTickSecondsLeast, shadow.tickSeconds)
  const workload = { ...shadow.workload, tickSeconds, taskSeconds }
  const { constants: last } = shadow.outlook
  const seed = Math.floor(now / daySeconds)
  const rehearsed = rehearse(workload, history, { last, cv2: shadow.serviceCv2, seed })
  if (rehearsed) shadow.outlook = { ...shadow.outlook, constants: rehearsed.constants }
}

// A rehearsal takes as long as it has looks: with one each second, longer than anyone would wait.
const rehearsedTickSecondsLeast = 15

// A service time of nothing would be none at all.
const minTaskSeconds = 0.001

/** Appends the whole minutes that the memory has and the history has not. */
function keepMinutes(shadow: Shadow, from: number): void {
  const recent = shadow.memory?.seen.recent
  if (!recent) return
  const { minute, counts } = recent
  while (from + shadow.minutes.length * 60 < minute) {
    const at = from + shadow.minutes.length * 60
    const index = counts.length - 1 - (minute - at) / 60
    shadow.minutes.push(counts[index] ?? 0)
  }
}
