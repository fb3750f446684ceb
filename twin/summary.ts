import { type InstanceLedger, paidFor } from './world/instances.ts'
import { isCounted, type Tally } from './world/tally.ts'
import type { Task } from './world/task.ts'
import type { World } from './world/world.ts'

/** A run in numbers: seconds, hours, and shares from 0 to 1. */
export type Summary = {
  readonly seed: number
  readonly simulatedHours: number
  readonly total: QueueSummary
  readonly queues: Readonly<Record<string, QueueSummary>>
  readonly alerts: AlertsSummary
}

/** What people were told: each incident once, however often it was repeated. */
export type AlertsSummary = {
  readonly incidents: number
  readonly critical: number
  /** Incidents by what was said of them, the most frequent first. */
  readonly titles: Readonly<Record<string, number>>
}

export type QueueSummary = {
  /** Tasks enqueued. */
  readonly tasks: number
  /**
   * Share started within the promise, of all that started or whose promise has passed. A task that
   * still waits and still may start in time counts neither way.
   */
  readonly within: number
  /** First start minus enqueue, of tasks that started. */
  readonly waitP50: number
  readonly waitP99: number
  readonly waitMax: number
  /** Messages visible at the worst moment. */
  readonly peakDepth: number
  /** From launch to terminated, boot and shutdown included. */
  readonly instanceHours: number
  /** Work of completed tasks, slot-hours. */
  readonly busyHours: number
  /** Work of completed tasks / paid slot-hours. */
  readonly utilisation: number
  readonly launches: number
  /** Instances that ended, whoever ended them. */
  readonly terminations: number
  /** Changes of the capacity that were asked for. */
  readonly decisions: number
  /** Spot notices: instances that Spot took, or would have, had they not left before. */
  readonly interruptions: number
  /** Runs cut short because their instance went, and their messages left in flight. */
  readonly tasksKilled: number
  /** Runs cut short at the deadline of a drain, and their messages handed back. */
  readonly tasksForced: number
  readonly tasksRunTwice: number
  /** Neither completed nor in the queue any more. */
  readonly tasksLost: number
}

type Part = {
  readonly tally: Tally
  readonly ledger: InstanceLedger | undefined
}

export function summarise(world: World, seed: number): Summary {
  const { twin, scenario, tallies, instances, machines } = world
  const now = twin.engine.now
  const parts = [...tallies].map(([name, tally]): [string, Part] => {
    const group = machines.get(name)?.group ?? ''
    return [name, { tally, ledger: instances.ledgers.get(group) }]
  })
  const all = parts.map(([, part]) => part)
  return {
    seed,
    simulatedHours: (now - (scenario.countedFrom ?? scenario.startAt)) / 3_600_000,
    total: { ...summariseParts(all, now), peakDepth: world.depths.peak },
    queues: Object.fromEntries(parts.map(([name, part]) => [name, summariseParts([part], now)])),
    alerts: summariseAlerts(world),
  }
}

function summariseAlerts({ twin }: World): AlertsSummary {
  const begun = twin.sns.published.filter(({ attributes }) => attributes['kind'] === 'trigger')
  const titles = new Map<string, number>()
  for (const { subject } of begun) {
    const title = subject?.replace(/^\[\S+\] \w+: /, '') ?? ''
    titles.set(title, (titles.get(title) ?? 0) + 1)
  }
  return {
    incidents: begun.length,
    critical: begun.filter(({ attributes }) => attributes['severity'] === 'critical').length,
    titles: Object.fromEntries([...titles].sort((a, b) => b[1] - a[1])),
  }
}

function summariseParts(parts: readonly Part[], now: number): QueueSummary {
  const sum = (value: (part: Part) => number) =>
    parts.reduce((total, part) => total + value(part), 0)
  const waits = new Float64Array(sum(({ tally }) => tally.waits.length))
  parts.reduce((at, { tally }) => {
    waits.set(tally.waits, at)
    return at + tally.waits.length
  }, 0)
  waits.sort()
  const due = waits.length + sum(({ tally }) => overdue(tally, now))
  const slotMs = sum(({ tally, ledger }) => tally.slots * paidMs(ledger, now))
  return {
    tasks: sum(({ tally }) => tally.tasks),
    within: due === 0 ? 1 : sum(({ tally }) => tally.startedInTime) / due,
    waitP50: quantile(waits, 0.5) / 1_000,
    waitP99: quantile(waits, 0.99) / 1_000,
    waitMax: quantile(waits, 1) / 1_000,
    peakDepth: Math.max(0, ...parts.map(({ tally }) => tally.peakDepth)),
    instanceHours: sum(({ ledger }) => paidMs(ledger, now)) / 3_600_000,
    busyHours: sum(({ tally }) => tally.completedMs) / 3_600_000,
    utilisation: slotMs === 0 ? 0 : sum(({ tally }) => tally.completedMs) / slotMs,
    launches: sum(({ ledger }) => ledger?.launches ?? 0),
    terminations: sum(({ ledger }) => ledger?.terminations ?? 0),
    decisions: sum(({ ledger }) => ledger?.resizes ?? 0),
    interruptions: sum(({ ledger }) => ledger?.interruptions ?? 0),
    tasksKilled: sum(({ tally }) => tally.killedRuns),
    tasksForced: sum(({ tally }) => tally.forcedRuns),
    tasksRunTwice: sum(({ tally }) => tally.runTwice),
    tasksLost: sum(({ tally }) => lost(tally)),
  }
}

/** What a run has come to so far: tasks that were late or are by now, paid and worked. */
export function soFar({ twin, tallies, instances }: World) {
  const { now } = twin.engine
  let [late, paid, busy] = [0, 0, 0]
  for (const tally of tallies.values()) {
    busy += tally.completedMs
    late += tally.waits.length - tally.startedInTime + overdue(tally, now)
  }
  for (const ledger of instances.ledgers.values()) paid += paidMs(ledger, now)
  return { late, instanceHours: paid / 3_600_000, busyHours: busy / 3_600_000 }
}

/** Tasks that have not started and whose promise has passed. */
function overdue(tally: Tally, now: number): number {
  const { messages, buried, promiseMs, countedFrom } = tally
  const isOverdue = (task: Task) =>
    task.firstStartAt === null && now - task.enqueuedAt > promiseMs && isCounted(task, countedFrom)
  return count(messages, isOverdue) + count(buried, isOverdue)
}

function count(messages: Tally['messages'], fits: (task: Task) => boolean): number {
  let sum = 0
  for (const { task } of messages.values()) if (fits(task)) sum++
  return sum
}

/** Tasks enqueued, less those completed, less those that SQS still has, wherever. */
export function lost({ messages, buried, tasks, completedTasks, countedFrom }: Tally): number {
  const isKept = (task: Task) => task.completedAt === null && isCounted(task, countedFrom)
  return tasks - completedTasks - count(messages, isKept) - count(buried, isKept)
}

function paidMs(ledger: InstanceLedger | undefined, now: number): number {
  if (!ledger) return 0
  let paid = ledger.paidMs
  for (const launchedAt of ledger.running.values()) paid += paidFor(ledger, launchedAt, now)
  return paid
}

/** The smallest value that at least that share of the sorted values does not exceed. */
function quantile(sorted: Float64Array, share: number): number {
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0
}
