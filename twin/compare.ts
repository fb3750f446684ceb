import { simulatePeer } from './peers.ts'
import { type Choice, paramsOf } from './policies/find.ts'
import type { Params, Setting } from './policies/peer.ts'
import { simulate } from './run.ts'
import { type ReplaySettings, replay } from './scenarios/replay.ts'
import { type QueueSummary, summarise } from './summary.ts'
import { createRecorder, type Timeline } from './timeline.ts'
import { type Traffic, workOf } from './traces/traffic.ts'
import type { World } from './world/world.ts'

/** One policy on recorded traffic: seconds, hours, and shares from 0 to 1, as in a summary. */
export type Row = { readonly policy: string; readonly params: Params } & Pick<
  QueueSummary,
  | 'tasks'
  | 'within'
  | 'waitP50'
  | 'waitP99'
  | 'waitMax'
  | 'instanceHours'
  | 'busyHours'
  | 'utilisation'
  | 'launches'
  | 'terminations'
  | 'tasksKilled'
  | 'tasksRunTwice'
  | 'tasksLost'
  | 'decisions'
>

export type Compared = {
  readonly row: Row
  /** Null for the bound, which is no run. */
  readonly timeline: Timeline | null
  readonly breaches: readonly string[]
}

type Options = {
  readonly choice: Choice
  readonly traffic: Traffic
  readonly settings: ReplaySettings
  readonly seed: number
  /** Called after every simulated minute with the share that is done. */
  readonly onProgress?: (share: number) => void
}

/** Throws where the policy cannot begin with what it is given. */
export async function compare(options: Options): Promise<Compared> {
  const { choice, traffic, settings, seed, onProgress } = options
  if (choice.policy === 'bound') return bound(traffic, settings)
  const scenario = replay(traffic, settings)
  const recorder = createRecorder()
  const { startAt, endAt } = traffic
  const onMinute = (world: World) => {
    recorder.minute(world)
    onProgress?.((world.twin.engine.now - startAt) / (endAt - startAt))
  }
  if (choice.peer === null) {
    const hours = (endAt - startAt) / 3_600_000
    const run = await simulate({
      ...{ scenario, seed, hours, repeats: 'once', alerts: false },
      onMinute: ({ world }) => onMinute(world),
    })
    const row = rowOf(choice.policy, {}, run.summary.total)
    return { row, timeline: recorder, breaches: run.breaches }
  }
  const setting = settingOf(traffic, settings)
  const params = paramsOf(choice.peer, choice.given, setting)
  const running = choice.peer.start(setting, params)
  const peer = { peer: choice.peer, running, onAsked: recorder.ask }
  const watch = (world: World) => {
    onMinute(world)
    return true
  }
  const world = simulatePeer({ scenario, seed, endAt, ...peer, onMinute: watch })
  const { total } = summarise(world, seed)
  return { row: rowOf(choice.policy, params, total), timeline: recorder, breaches: [] }
}

/** What users of a peer know beforehand, and work their parameters out from. */
export const settingOf = (traffic: Traffic, settings: ReplaySettings): Setting => ({
  ...settings,
  serviceSeconds: traffic.service.meanSeconds,
  historyPerMinute: traffic.historyPerMinute,
  daysFrom: traffic.daysFrom,
})

export const rowOf = (policy: string, params: Params, total: QueueSummary): Row => ({
  ...{ policy, params, tasks: total.tasks, within: total.within },
  ...{ waitP50: total.waitP50, waitP99: total.waitP99, waitMax: total.waitMax },
  instanceHours: total.instanceHours,
  busyHours: total.busyHours,
  utilisation: total.utilisation,
  ...{ launches: total.launches, terminations: total.terminations },
  tasksKilled: total.tasksKilled,
  tasksRunTwice: total.tasksRunTwice,
  tasksLost: total.tasksLost,
  decisions: total.decisions,
})

/** The work of the days over the slots of an instance: nobody gets it done in fewer hours. */
function bound(traffic: Traffic, { slots }: ReplaySettings): Compared {
  const { count: tasks, workHours: busyHours } = workOf(traffic)
  const row: Row = {
    ...{ policy: 'bound', params: {}, tasks, within: 1 },
    ...{ waitP50: 0, waitP99: 0, waitMax: 0 },
    ...{ instanceHours: busyHours / slots, busyHours, utilisation: 1 },
    ...{ launches: 0, terminations: 0, tasksKilled: 0, tasksRunTwice: 0, tasksLost: 0 },
    decisions: 0,
  }
  return { row, timeline: null, breaches: [] }
}
