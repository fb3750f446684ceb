import { type Batch, drain } from '../functions/drain/handler.ts'
import type { World } from '../twin/world/world.ts'
import { table } from './format.ts'

// The sample events speak of this instance, which stands for one of the twin's.
const sampleInstance = 'i-1234567890abcdef0'
const sampleGroup = 'video-workers'

/** What one run of drain came to: a line for each instance, and the messages that come back. */
export async function invokeDrain(world: World, batch: Batch, json: boolean): Promise<string> {
  const { twin, scenario } = world
  const victim = busiest(world)
  const told = { Records: batch.Records.map((record) => onTwin(record, victim, twin.engine.now)) }
  twin.logged.length = 0
  const response = await drain(scenario.fleet)(told, twin.deps)
  const lines = twin.logged.map(({ message, fields }) => ({ message, ...fields }))
  if (json) return JSON.stringify({ lines, ...response }, null, 2)
  const rows = lines.map((line) => [line.message, ...columns.map((name) => cellOf(line, name))])
  return [
    `${sampleInstance} of the sample stands for ${victim} of the twin, its time for the twin's.`,
    '',
    table(['what', ...columns], rows),
    '',
    `${batch.Records.length} messages, ${response.batchItemFailures.length} of them come back.`,
  ].join('\n')
}

const columns = ['instance', 'reason', 'why', 'steps', 'ignored', 'error'] as const

function cellOf(line: object, name: string): string {
  const value: unknown = Object.entries(line).find(([key]) => key === name)?.[1]
  if (value === undefined || value === null) return ''
  return Array.isArray(value)
    ? value.join(', ')
    : value instanceof Error
      ? value.message
      : `${value}`
}

/** An instance of the group whose tasks take longest, with a task on it where there is one. */
function busiest({ twin, machines }: World): string {
  const workers = machines.get('video')?.workers
  const members = [...(twin.autoscaling.groups.get(sampleGroup)?.instances.values() ?? [])]
  const serving = members.filter(({ state }) => state === 'InService').map(({ id }) => id)
  const busy = serving.find((id) => (workers?.look(id)?.running ?? 0) > 0)
  return busy ?? serving[0] ?? sampleInstance
}

/** The sample's instance and times, as the twin has them. */
function onTwin({ messageId, body }: Batch['Records'][number], victim: string, now: number) {
  const time = new Date(now).toISOString().slice(0, 19)
  return {
    messageId,
    body: body
      .replaceAll(sampleInstance, victim)
      .replace(/("time"\s*:\s*)"[^"]*"/, `$1"${time}Z"`)
      .replace(/("at"\s*:\s*)[\d.]+/, `$1${now / 1_000}`)
      .replace(/("deadline"\s*:\s*)\d+/, `$1${Math.floor(now / 1_000) + 120}`),
  }
}
