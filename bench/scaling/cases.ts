import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import * as z from 'zod/mini'
import type { ReplaySettings } from '../../twin/scenarios/replay.ts'
import {
  type Durations,
  exponentialOf,
  readArrivals,
  readDurations,
} from '../../twin/traces/csv.ts'
import {
  checkLength,
  type Traffic,
  type TrafficOptions,
  trafficOf,
} from '../../twin/traces/traffic.ts'

/** The workloads of the benchmark: a JSON file, and the traces that it names beside it. */

const number = (least: number, remedy: string) =>
  z.number({ error: remedy }).check(z.gte(least, { error: remedy }))
const whole = (least: number, remedy = `write a whole number, ${least} or more`) =>
  z.int({ error: remedy }).check(z.gte(least, { error: remedy }))
const text = (pattern: RegExp, remedy: string) =>
  z.string({ error: remedy }).check(z.regex(pattern, { error: remedy }))

const above = z
  .number({ error: 'write a number above 0' })
  .check(z.positive({ error: 'write a number above 0' }))
const least = number(0, 'write a number, 0 or more')
const file = text(/./, 'write the name of a file beside this one')

const fields = {
  id: text(/^[\w-]+$/, 'write a name of letters, digits, _ and -'),
  /** A CSV file of arrivals. */
  arrivals: file,
  /** A CSV file of durations, or `exp:SECONDS`. */
  durations: file,
  durationScale: z._default(above, 1),
  durationCapSeconds: z._default(above, 3_600),
  scale: z._default(above, 1),
  fromDay: z._default(least, 0),
  /** Two at least: settings are tuned on the last of them, with the others as its history. */
  historyDays: number(2, 'write a number, 2 or more'),
  days: above,
  promiseSeconds: above,
  slots: z._default(whole(1), 1),
  bootSeconds: above,
  min: z._default(whole(0), 0),
  max: z._default(whole(1), 500),
  /** As `simulate` has it where nobody says. */
  spotPerHour: z._default(least, 0.01),
  // For readers of the file: what the draws come to.
  meanSeconds: z.optional(above),
  meanBusySlots: z.optional(above),
  meanTasksPerDay: z.optional(above),
}

const caseSchema = z.strictObject(fields, { error: 'write an object with the fields of a case' })
const fileSchema = z.array(caseSchema, { error: 'write an array of cases' })

export type Case = z.infer<typeof caseSchema>

/** The cases in a file's text; throws all that is wrong with it, and the remedy. */
export function parseCases(text: string, file: string): readonly Case[] {
  const parsed = fileSchema.safeParse(jsonOf(text, file))
  if (!parsed.success) {
    const lines = parsed.error.issues.map((issue) => `  ${problemOf(issue)}`)
    throw new Error(`${file} does not fit:\n${lines.join('\n')}`)
  }
  if (parsed.data.length === 0) throw new Error(`${file} has no cases; write at least one`)
  const ids = parsed.data.map(({ id }) => id)
  const twice = ids.find((id, at) => ids.indexOf(id) !== at)
  if (twice) throw new Error(`${file} has the case '${twice}' twice; give each its own id`)
  const upside = parsed.data.find(({ min, max }) => min > max)
  if (upside) throw new Error(`${file}, case '${upside.id}': min is above max; lower it`)
  return parsed.data
}

function problemOf(issue: z.core.$ZodIssue): string {
  const [index, ...field] = issue.path
  const place = index === undefined ? '' : `case ${Number(index) + 1}`
  const where = [place, ...field.map(String)].filter((part) => part !== '').join(', ')
  if (issue.code !== 'unrecognized_keys')
    return where ? `${where}: ${issue.message}` : issue.message
  const known = Object.keys(fields).join(', ')
  return `${where}: there is no field ${issue.keys.join(', ')}; there are ${known}`
}

function jsonOf(text: string, file: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new Error(`${file} is not JSON (${why}); write an array of cases`)
  }
}

export async function readCases(file: string): Promise<readonly Case[]> {
  return parseCases(await readText(file, 'name a file of cases with --cases'), file)
}

/** The days that are judged, or the last of those before, which is what a user could tune on. */
export type When = 'judged' | 'before'

/** Recorded traffic of a case, its files read from the folder. */
export async function trafficOfCase(
  one: Case,
  folder: string,
  when: When,
  seed: number,
): Promise<Traffic> {
  return trafficOf({ ...optionsOf(one, when), ...(await filesOf(one, folder)), seed })
}

const optionsOf = (one: Case, when: When): Omit<TrafficOptions, 'trace' | 'durations' | 'seed'> => {
  const { scale, durationScale, durationCapSeconds, fromDay, historyDays, days } = one
  const span = when === 'judged' ? { historyDays, days } : { historyDays: historyDays - 1, days: 1 }
  return { scale, durationScale, durationCapSeconds, fromDay, ...span }
}

async function filesOf(one: Case, folder: string) {
  const remedy = `case '${one.id}' names it: put it beside the cases`
  const arrivals = join(folder, one.arrivals)
  const trace = readArrivals(await readText(arrivals, remedy), arrivals)
  return { trace, durations: await durationsOf(one, folder, remedy) }
}

async function durationsOf(one: Case, folder: string, remedy: string): Promise<Durations> {
  const law = exponentialOf(one.durations)
  if (law) return law
  const file = join(folder, one.durations)
  return readDurations(await readText(file, remedy), file)
}

/** Reads every file once, so that nothing is simulated of what cannot be finished. */
export async function checkCases(cases: readonly Case[], file: string): Promise<void> {
  for (const one of cases) {
    const { trace } = await filesOf(one, dirname(file))
    checkLength({ ...optionsOf(one, 'judged'), trace })
  }
}

export const settingsOf = (one: Case): ReplaySettings => {
  const { promiseSeconds, slots, bootSeconds, min, max, spotPerHour } = one
  return { promiseSeconds, slots, bootSeconds, min, max, spotPerHour }
}

async function readText(file: string, remedy: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') {
      throw new Error(`${file} is not there; ${remedy}`)
    }
    throw error
  }
}
