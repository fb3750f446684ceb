import { writeFile } from 'node:fs/promises'
import { createLogUpdate } from 'log-update'
import { systemClock } from '../shared/aws.ts'
import { type Progress, simulate } from '../twin/run.ts'
import { talk } from '../twin/scenarios/talk.ts'
import type { QueueSummary, Summary } from '../twin/summary.ts'
import { percent, seconds, short, table, whole } from './format.ts'

type Options = { readonly seed: number; readonly hours: number; readonly json?: string }

// What the longest of the predictors looks back.
const pastDays = 14
// A live table that changes faster than this cannot be read; lines need an hour to say anything.
const liveMinutes = 10
const lineMinutes = 60

/** The built-in scenario, live in a terminal and line by line elsewhere, and its summary. */
export async function simulateTalk({ seed, hours, json }: Options): Promise<void> {
  const started = systemClock.now()
  const { show, done } = process.stdout.isTTY ? live() : lines()
  console.log(`Seed ${seed}: ${short(hours)} hours of the fleet in fleet.config.ts, on the twin.\n`)
  const { summary, breaches } = await simulate({
    scenario: talk(0, pastDays),
    seed,
    hours,
    onMinute: show,
  })
  done()
  console.log(`\n${describeSummary(summary)}`)
  if (json) await writeFile(json, `${JSON.stringify(summary, null, 2)}\n`)
  for (const breach of breaches) console.error(`broken invariant: ${breach}`)
  if (breaches.length > 0) process.exitCode = 1
  // On the other stream, for it differs from run to run and the summary must not.
  console.error(`Simulated in ${short((systemClock.now() - started) / 1_000)} s.`)
}

function lines() {
  let minute = 0
  const show = (progress: Progress) => {
    if (minute++ % lineMinutes === 0) console.log(lineOf(progress))
  }
  return { show, done: () => {} }
}

function live() {
  const draw = createLogUpdate(process.stdout, { showCursor: true })
  let minute = 0
  const show = (progress: Progress) => {
    if (minute++ % liveMinutes === 0) draw(`${lineOf(progress)}\n\n${liveTable(progress)}`)
  }
  return { show, done: () => draw.done() }
}

function lineOf({ world, hours }: Progress): string {
  let [tasks, started, inTime, running, instances] = [0, 0, 0, 0, 0]
  for (const tally of world.tallies.values()) {
    tasks += tally.tasks
    started += tally.waits.length
    inTime += tally.startedInTime
  }
  for (const { workers } of world.machines.values()) running += workers.running
  for (const group of world.twin.autoscaling.groups.values()) instances += group.instances.size
  const two = (value: number) => String(value).padStart(2, '0')
  const clock = `${two(Math.floor(hours))}:${two(Math.round((hours % 1) * 60))}`
  return [
    clock,
    `${whole(tasks).padStart(9)} tasks`,
    `${whole(world.depths.now()).padStart(6)} waiting`,
    `${whole(running).padStart(5)} running`,
    `${whole(instances).padStart(4)} instances`,
    `${started === 0 ? '' : `${percent(inTime / started)} in time`}`,
  ].join('  ')
}

/** The queues with the most to do, and what their groups do about it. */
function liveTable({ world }: Progress): string {
  const { twin, scenario, machines } = world
  const rows = scenario.fleet.queues.map(({ name, sqs, mode }) => {
    const { visible, inFlight } = twin.sqs.queue(sqs)
    const group = twin.autoscaling.groups.get(machines.get(name)?.group ?? '')
    return {
      name,
      mode,
      visible,
      inFlight,
      desired: group?.desired ?? 0,
      has: group?.instances.size,
    }
  })
  // As many rows as leave room for the lines above in the smallest of terminals.
  const shown = Math.max(5, (process.stdout.rows ?? 24) - 10)
  const busiest = rows
    .sort((a, b) => b.visible + b.inFlight - a.visible - a.inFlight)
    .slice(0, shown)
  return table(
    ['queue', 'mode', 'visible', 'in flight', 'desired', 'instances'],
    busiest.map(({ name, mode, visible, inFlight, desired, has }) => [
      name,
      mode,
      ...[visible, inFlight, desired, has ?? 0].map(whole),
    ]),
  )
}

// The rest of a bad day says no more than these.
const titlesShown = 10

/** What people were told, and of what most often. */
function describeAlerts({ incidents, critical, titles }: Summary['alerts']): string {
  const all = Object.entries(titles)
  const lines = all.slice(0, titlesShown).map(([title, count]) => `  ${whole(count)} x ${title}`)
  if (all.length > titlesShown) lines.push(`  and ${all.length - titlesShown} others`)
  const what = incidents === 1 ? 'incident' : 'incidents'
  return [
    `Alerts told of ${whole(incidents)} ${what}, ${whole(critical)} critical.`,
    ...lines,
  ].join('\n')
}

export function describeSummary({ total, queues, alerts }: Summary): string {
  const head = [
    ...['queue', 'tasks', 'in time', 'wait P50', 'P99', 'max', 'peak', 'inst-hours', 'used'],
    ...['launched', 'Spot', 'killed', 'forced', 'twice', 'lost'],
  ]
  const row = (name: string, part: QueueSummary) => [
    name,
    whole(part.tasks),
    percent(part.within),
    seconds(part.waitP50),
    seconds(part.waitP99),
    seconds(part.waitMax),
    whole(part.peakDepth),
    short(part.instanceHours),
    percent(part.utilisation),
    ...[part.launches, part.interruptions, part.tasksKilled].map(whole),
    ...[part.tasksForced, part.tasksRunTwice, part.tasksLost].map(whole),
  ]
  const rows = Object.entries(queues).map(([name, part]) => row(name, part))
  return `${describeAlerts(alerts)}\n\n${table(head, [...rows, row('total', total)])}`
}
