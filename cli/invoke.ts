import { readFile } from 'node:fs/promises'
import { backlog } from '../functions/backlog/handler.ts'
import type { Report } from '../functions/backlog/record.ts'
import { parseBatch } from '../functions/drain/handler.ts'
import { parseTick } from '../shared/looks.ts'
import { warmUp } from '../twin/run.ts'
import { talk } from '../twin/scenarios/talk.ts'
import { short, table } from './format.ts'
import { invokeDrain } from './invoke-drain.ts'
import { invokeForecast } from './invoke-forecast.ts'

type Options = { readonly event: string; readonly seed: number; readonly json?: true }

// Mid-morning in New York, after half an hour in which the groups found their sizes.
const startHour = 10
const warmUpMinutes = 30

/** Runs a function once, with that event, on a twin of the example's fleet. */
export async function invoke(name: string, { event, seed, json }: Options): Promise<void> {
  if (name !== 'backlog' && name !== 'drain' && name !== 'forecast') {
    throw new Error(`There is no function ${name}; there are backlog, drain and forecast`)
  }
  const input = await readEvent(event)
  const parsed = name === 'drain' ? parseBatch(input) : parseTick(input)
  if (name === 'forecast' && !('Records' in parsed)) {
    console.log(await invokeForecast(parsed, seed, json === true))
    return
  }
  const world = await warmUp(talk(startHour), seed, warmUpMinutes)
  if ('Records' in parsed) {
    console.log(await invokeDrain(world, parsed, json === true))
    return
  }
  const report = await backlog(world.scenario.fleet)(parsed, world.twin.deps)
  console.log(json ? JSON.stringify(report, null, 2) : tableOf(report))
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
