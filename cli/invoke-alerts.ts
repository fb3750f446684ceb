import { alerts } from '../functions/alerts/handler.ts'
import type { Report } from '../functions/alerts/record.ts'
import type { Start } from '../functions/alerts/start.ts'
import { countAgain, putAgain } from '../shared/again.ts'
import type { World } from '../twin/world/world.ts'
import { short, table } from './format.ts'

/** What one run of alerts found, or what it noted of a worker's report. */
export async function invokeAlerts(world: World, start: Start, json: boolean): Promise<string> {
  const { twin, scenario } = world
  if ('again' in start) {
    await putAgain(twin.deps, start.again)
    const { queue, at } = start.again
    const count = (await countAgain(twin.deps, at - 1, at)).get(queue) ?? 0
    return json
      ? JSON.stringify(start.again, null, 2)
      : `Noted: at ${queue} ${count} messages were received for the third time or more.`
  }
  const report = await alerts(scenario.fleet)(start, twin.deps)
  return json ? JSON.stringify(report, null, 2) : describe(report)
}

function describe({ shard, of, watched, firing, pages, metricsRead }: Report): string {
  const columns = ['queue', 'rule', 'severity', 'value', 'threshold', 'peak'] as const
  const cell = (value: unknown) => (typeof value === 'number' ? short(value) : String(value ?? ''))
  const rows = firing.map((line) => columns.map((column) => cell(line[column])))
  const asked = Object.entries(metricsRead)
    .map(([what, count]) => `${count} ${what}`)
    .join(', ')
  return [
    ...(rows.length > 0 ? [table(columns, rows), ''] : []),
    ...pages.map((page) => `told: ${page}`),
    `Shard ${shard} of ${of}: ${watched} queues watched, ${firing.length} alerts fire, ` +
      `${pages.length} pages; asked CloudWatch for ${asked}.`,
  ].join('\n')
}
