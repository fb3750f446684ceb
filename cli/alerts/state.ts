import type { Alert } from '../../functions/alerts/alert.ts'
import { readFound } from '../../functions/alerts/notebook.ts'
import { readTold, type Told } from '../../functions/alerts/told.ts'
import { openWindows } from '../../shared/alerts/maintenance.ts'
import type { Mute } from '../../shared/alerts/mute.ts'
import { type RuleName, ruleNames } from '../../shared/alerts/rules.ts'
import { mutesOf, readSilences, type Silence } from '../../shared/alerts/silences.ts'
import type { Deps } from '../../shared/aws.ts'
import type { Fleet } from '../../shared/queue-config.ts'

export type StateDeps = Pick<Deps, 'dynamodb' | 'stateTable' | 'clock' | 'signal'>

export type Pending = {
  readonly queue: string
  readonly rule: RuleName
  readonly value: number | null
  readonly since: number
}

/** All that is known of alerts. Epoch seconds. */
export type State = {
  readonly now: number
  /** When each shard last ran; null: never. */
  readonly ranAt: readonly (number | null)[]
  readonly watched: number
  readonly firing: readonly Alert[]
  readonly pending: readonly Pending[]
  readonly told: Told
  readonly silences: readonly Silence[]
  /** The silences, and the maintenance windows that are open. */
  readonly mutes: readonly Mute[]
}

/** Reads what the runs of every shard have written, and changes nothing. */
export async function readState(deps: StateDeps, fleet: Fleet): Promise<State> {
  const now = Math.floor(deps.clock.now() / 1_000)
  const shards = Array.from({ length: fleet.shards }, (_, shard) => ({ shard, of: fleet.shards }))
  const [found, told, { silences }] = await Promise.all([
    Promise.all(shards.map((tick) => readFound(deps, tick))),
    readTold(deps),
    readSilences(deps, now),
  ])
  const queues = found.flatMap((one) => Object.entries(one?.queues ?? {}))
  return {
    now,
    ranAt: found.map((one) => one?.at ?? null),
    watched: queues.length,
    firing: found.flatMap((one) => one?.alerts ?? []),
    pending: queues.flatMap(([queue, { states }]) =>
      ruleNames.flatMap((rule): Pending[] => {
        const state = states[rule]
        if (state?.status !== 'pending') return []
        return [{ queue, rule, value: state.value, since: state.since }]
      }),
    ),
    told,
    silences,
    mutes: [...mutesOf(silences), ...openWindows(fleet.notify.maintenance, now)],
  }
}
