import { evaluate, minutesNeeded } from '../aws/target-tracking.ts'
import { type Param, type Params, peer, type Setting, type View } from './peer.ts'

/**
 * AWS's own policies on the backlog per instance, the metric of its guides for SQS: CloudWatch's
 * alarms look each minute, at values that are a minute old.
 */

/** The backlog of a minute, and the instances that it was divided by. */
type Reading = { readonly load: number; readonly instances: number }
export type Readings = readonly Reading[]

/** CloudWatch's alarms on metrics of a minute. */
export const cadenceSeconds = 60

// What the guides say: the latency that is accepted over the time of a message, for each slot.
export const acceptableBacklog = ({ slots, promiseSeconds, serviceSeconds }: Setting) =>
  Math.max(slots, (slots * promiseSeconds) / serviceSeconds)

const common = {
  inFlight: { about: '1: count messages in flight as well as visible ones', usual: () => 0 },
  warmup: { about: 'seconds until a new instance counts', usual: () => 300 },
} satisfies Record<string, Param>

export const tracking = {
  ...common,
  lowFraction: { about: 'of the target, where the low alarm is', usual: () => 0.7 },
  maxRemove: { about: 'instances removed at a time; 0: any', usual: () => 0 },
} satisfies Record<string, Param>

/** The readings as the alarms see them at the next look: the newest is not published yet. */
export function read(before: Readings, view: View, inFlight: number | undefined): Readings {
  const load = view.visible + (inFlight ? view.notVisible : 0)
  // A group without instances is taken as one: as a quotient, it could never leave zero.
  return [...before, { load, instances: Math.max(1, view.warm) }].slice(-minutesNeeded)
}

type Tracking = Params<keyof typeof tracking> & { readonly target: number }

/** What target tracking makes of what has been published. */
export function track(readings: Readings, view: View, params: Tracking) {
  const { desired, min: minSize, max: maxSize, warming } = view
  const { target, lowFraction, maxRemove } = params
  const wanted = evaluate(
    { target, lowFraction, scaleIn: true },
    {
      values: readings.map(({ load, instances }) => load / instances),
      warm: readings.at(-1)?.instances ?? 1,
      ...{ desired, minSize, maxSize, warming },
    },
  )
  if (wanted > desired) return { desired: wanted, reason: 'high-alarm' }
  if (wanted === desired) return { desired, reason: 'steady' }
  const least = maxRemove > 0 ? desired - maxRemove : 0
  return { desired: Math.max(wanted, least), reason: 'low-alarm' }
}

const target = { about: 'backlog per instance', usual: acceptableBacklog }

export const awsTargetTracking = peer({
  name: 'aws-target-tracking',
  about: 'target tracking on backlog per instance',
  cadenceSeconds,
  params: { target, ...tracking },
  warmup: 'warmup',
  begin: (): Readings => [],
  decide: (view, readings, params) => ({
    state: read(readings, view, params.inFlight),
    ...track(readings, view, params),
  }),
})

type Timed = { readonly completed: number; readonly seconds: number }
type Dynamic = {
  readonly readings: Readings
  /** What workers published of their tasks, a minute each, newest last. */
  readonly times: readonly Timed[]
  readonly target: number
  readonly updatedAt: number
}

export const awsDynamicTarget = peer({
  name: 'aws-dynamic-target',
  about: 'the same, its target worked out anew from the time that messages take',
  cadenceSeconds,
  params: {
    latency: { about: 'accepted latency, seconds', usual: (at) => at.promiseSeconds },
    window: { about: 'seconds of messages that are averaged', usual: () => 86_400 },
    update: { about: 'seconds between two new targets', usual: () => 300 },
    ...tracking,
  },
  warmup: 'warmup',
  begin: (setting, { latency }): Dynamic => ({
    readings: [],
    times: [],
    target: dynamicTarget(latency, setting.serviceSeconds, setting.slots),
    updatedAt: 0,
  }),
  decide(view, before, params, { slots, serviceSeconds }) {
    const { now, completed, completedSeconds: seconds } = view
    const kept = Math.max(1, Math.ceil(params.window / cadenceSeconds))
    const times = [...before.times, { completed, seconds }].slice(-kept)
    const due = now - before.updatedAt >= params.update * 1_000
    const mean = due ? meanOf(times, serviceSeconds) : 0
    const state = {
      readings: read(before.readings, view, params.inFlight),
      times,
      target: due ? dynamicTarget(params.latency, mean, slots) : before.target,
      updatedAt: due ? now : before.updatedAt,
    }
    return { state, ...track(before.readings, view, { ...params, target: state.target }) }
  },
})

/** Whole messages for each slot, as the published Lambda has it, and never none. */
const dynamicTarget = (latency: number, mean: number, slots: number) =>
  slots * Math.max(1, Math.floor(latency / mean))

function meanOf(times: readonly Timed[], otherwise: number): number {
  const sum = times.reduce((total, { seconds }) => total + seconds, 0)
  const count = times.reduce((total, { completed }) => total + completed, 0)
  return count === 0 ? otherwise : sum / count
}

// Bands as they are usually drawn: relative to the alarm's threshold, in per cent of the capacity.
const outBands = { second: 1.5, third: 3 }
const inBand = 0.5

export const awsStep = peer({
  name: 'aws-step',
  about: 'step scaling on backlog per instance',
  cadenceSeconds,
  params: {
    high: { about: 'backlog per instance that adds', usual: acceptableBacklog },
    low: { about: 'backlog per instance that removes', usual: (at) => acceptableBacklog(at) / 2 },
    outMinutes: { about: 'minutes above before it adds', usual: () => 3 },
    inMinutes: { about: 'minutes below before it removes', usual: () => 15 },
    out1: { about: 'per cent added above high', usual: () => 10 },
    out2: { about: `per cent above ${outBands.second} x high`, usual: () => 30 },
    out3: { about: `per cent above ${outBands.third} x high`, usual: () => 100 },
    in1: { about: 'per cent removed below low', usual: () => 10 },
    in2: { about: `per cent below ${inBand} x low`, usual: () => 30 },
    ...common,
  },
  warmup: 'warmup',
  begin: (): Readings => [],
  decide(view, readings, params) {
    const state = read(readings, view, params.inFlight)
    const { desired, warming } = view
    const values = readings.map(({ load, instances }) => load / instances)
    const value = values.at(-1)
    if (value === undefined) return { state, desired, reason: 'insufficient-data' }
    const last = (minutes: number) => (values.length < minutes ? [] : values.slice(-minutes))
    const above = last(params.outMinutes)
    if (above.length > 0 && above.every((one) => one > params.high)) {
      const ratio = value / params.high
      const { out1, out2, out3 } = params
      const percent = ratio > outBands.third ? out3 : ratio > outBands.second ? out2 : out1
      // What is warming up is part of the step that is under way: only a larger one adds to it.
      const base = Math.max(0, desired - warming)
      const more = base + Math.max(1, Math.floor((base * percent) / 100))
      return { state, desired: Math.max(desired, more), reason: 'high-alarm' }
    }
    const below = last(params.inMinutes)
    if (warming > 0 || below.length === 0 || !below.every((one) => one < params.low)) {
      return { state, desired, reason: 'steady' }
    }
    const percent = value < params.low * inBand ? params.in2 : params.in1
    const fewer = desired - Math.max(1, Math.floor((desired * percent) / 100))
    return { state, desired: Math.max(0, fewer), reason: 'low-alarm' }
  },
})
