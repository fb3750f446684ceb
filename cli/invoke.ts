import { readFile } from 'node:fs/promises'
import { parseStart } from '../functions/alerts/start.ts'
import { backlog } from '../functions/backlog/handler.ts'
import type { Report } from '../functions/backlog/record.ts'
import { parseBatch } from '../functions/drain/handler.ts'
import { parseTick } from '../shared/looks.ts'
import { warmUp } from '../twin/run.ts'
import { talk } from '../twin/scenarios/talk.ts'
import { short, table } from './format.ts'
import { invokeAlerts } from './invoke-alerts.ts'
import { invokeDrain } from './invoke-drain.ts'
import { invokeForecast } from './invoke-forecast.ts'

type Options = { readonly event: string; readonly seed: number; readonly json?: true }

// Mid-morning in New York, after half an hour in which the groups found their sizes.
const startHour = 10
const warmUpMinutes = 30

type Asked = Pick<Options, 'seed' | 'json'>

/** What each of them answers to its event. Throws for an event that is not its own. */
const functions: Readonly<Record<string, (event: unknown, asked: Asked) => Promise<string>>> = {
  alerts: async (event, { seed, json }) => {
    const start = parseStart(event)
    return invokeAlerts(await midMorning(seed), start, json === true)
  },
  backlog: async (event, { seed, json }) => {
    const tick = parseTick(event)
    const world = await midMorning(seed)
    const report = await backlog(world.scenario.fleet)(tick, world.twin.deps)
    return json ? JSON.stringify(report, null, 2) : tableOf(report)
  },
  drain: async (event, { seed, json }) => {
    const batch = parseBatch(event)
    return invokeDrain(await midMorning(seed), batch, json === true)
  },
  forecast: (event, { seed, json }) => invokeForecast(parseTick(event), seed, json === true),
}

export const functionNames = Object.keys(functions).join(', ')

const midMorning = (seed: number) => warmUp(talk(startHour), seed, warmUpMinutes)

/** Runs a function once, with that event, on a twin of the example's fleet. */
export async function invoke(name: string, { event, ...asked }: Options): Promise<void> {
  const run = Object.hasOwn(functions, name) ? functions[name] : undefined
  if (!run) throw new Error(`There is no function ${name}; there are ${functionNames}`)
  console.log(await run(await readEvent(event), asked))
}

async function readEvent(file: string): Promise<unknown> {
  const text = await readFile(file, 'utf8')
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new Error(`${file} is not JSON: ${cause instanceof Error ? cause.message : cause}`, {
      cause,
    })
  }
}

const columns = ['queue', 'visible', 'notVisible', 'inService', 'pending', 'desired', 'wanted']

function tableOf({ shard, of, queues }: Report): string {
  const cell = (value: unknown) => (typeof value === 'number' ? short(value) : String(value ?? ''))
  const rows = queues.map((line) => [
    ...columns.map((column) => cell(line[column])),
    line['decision'] === 'resize' ? `resize to ${line['to']}` : String(line['decision']),
    String(line['reason']),
  ])
  const head = ['queue', 'visible', 'in flight', 'in service', 'pending', 'desired', 'wanted']
  const resized = queues.filter((line) => line['decision'] === 'resize').length
  return [
    table([...head, 'decision', 'reason'], rows),
    '',
    `Shard ${shard} of ${of}: ${queues.length} queues measured, ${resized} resized.`,
  ].join('\n')
}
