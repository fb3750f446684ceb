import { type Row, rowOf, settingOf } from './compare.ts'
import { simulatePeer } from './peers.ts'
import { paramsOf } from './policies/find.ts'
import type { Params, Peer } from './policies/peer.ts'
import { type ReplaySettings, replay } from './scenarios/replay.ts'
import { soFar, summarise } from './summary.ts'
import { type Traffic, workOf } from './traces/traffic.ts'

/** A setting that is tried: whole, or given up as soon as it is too late or too dear. */
export type Attempt =
  | { readonly end: 'late' | 'dear' }
  | { readonly end: 'whole'; readonly row: Row }

type Options = {
  readonly peer: Peer
  readonly given: Params
  readonly traffic: Traffic
  readonly settings: ReplaySettings
  readonly seed: number
  /** The share of the tasks that may be late, and the instance-hours that may be paid. */
  readonly lateShareMax?: number
  readonly hoursMax?: number
}

/** One peer on recorded traffic, without pictures. */
export function attempt({ peer, given, traffic, settings, seed, ...limits }: Options): Attempt {
  const { lateShareMax = 1, hoursMax = Number.POSITIVE_INFINITY } = limits
  const setting = settingOf(traffic, settings)
  const params = paramsOf(peer, given, setting)
  const { count, workHours } = workOf(traffic)
  const lateMax = lateShareMax * count
  let end: Attempt['end'] = 'whole'
  const onMinute: Parameters<typeof simulatePeer>[0]['onMinute'] = (world) => {
    const { late, instanceHours, busyHours } = soFar(world)
    const left = workHours * (1 - unfinished) - busyHours
    if (late > lateMax) end = 'late'
    else if (instanceHours + Math.max(0, left) / settings.slots >= hoursMax) end = 'dear'
    return end === 'whole'
  }
  const world = simulatePeer({
    ...{ scenario: replay(traffic, settings), seed, endAt: traffic.endAt },
    ...{ peer, running: peer.start(setting, params), onMinute },
  })
  if (end !== 'whole') return { end }
  return { end, row: rowOf(peer.name, params, summarise(world, seed).total) }
}

// Of the work of the days, what may be left when they end and is paid for by nobody.
const unfinished = 0.005
