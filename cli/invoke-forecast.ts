import { forecast } from '../functions/forecast/handler.ts'
import type { Tick } from '../shared/looks.ts'
import { talk } from '../twin/scenarios/talk.ts'
import { createWorld } from '../twin/world/world.ts'
import { short, table } from './format.ts'

// Mid-morning in New York, with as long a past as the longest predictor looks back.
const startHour = 10
const pastDays = 14

const columns = [
  ...['queue', 'reason', 'due', 'profiles', 'serviceSeconds', 'kept'],
  ...['spend', 'margin', 'release', 'holdSeconds', 'grace'],
]

/** What one run of forecast found, a line a queue. */
export async function invokeForecast(tick: Tick, seed: number, json: boolean): Promise<string> {
  const world = createWorld(talk(startHour, pastDays), seed)
  const { twin, scenario } = world
  twin.engine.runUntil(scenario.startAt)
  console.error('Two weeks of 70 queues, and the rehearsals that are due: some seconds.')
  const report = await forecast(scenario.fleet)(tick, twin.deps)
  if (json) return JSON.stringify(report, null, 2)
  const cell = (value: unknown) =>
    typeof value === 'number' ? String(Math.round(value * 1_000) / 1_000) : String(value ?? '')
  const rows = report.queues.map((line) => columns.map((column) => cell(line[column])))
  const rehearsed = report.queues.filter(({ reason }) => reason === 'rehearsed').length
  const last = `Shard ${tick.shard} of ${tick.of}: ${report.queues.length} queues forecast, `
  return [table(columns, rows), '', `${last}${short(rehearsed)} of them rehearsed.`].join('\n')
}
