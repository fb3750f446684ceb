import type { Params, Setting } from '../../twin/policies/peer.ts'
import type { Knobs, Space, Trial } from './search.ts'

/** What of each peer is tuned, and between which bounds: what its users can set. */
export type Grid = {
  readonly peer: string
  readonly space: (setting: Setting) => Space
  readonly params: (trial: Trial, setting: Setting) => Params
}

/** Numbers from one to another, each so much larger than the one before. */
function geometric(from: number, to: number, ratio: number): readonly number[] {
  const count = Math.floor(Math.log(to / from) / Math.log(ratio)) + 1
  return Array.from({ length: count }, (_, index) => from * ratio ** index)
}

// Shares of the promise that are spent on waiting, near to each other where it is used up: there
// two neighbours differ by a few thousandths of the hours. Beyond 1.4 nobody is in time.
const shares = [...geometric(0.01, 0.29, 1.12), ...geometric(0.3, 1.4, 1.04)]
// Below one task a slot: spare slots.
const spare = [0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1]

/** Tasks for each slot, running and waiting: spare slots first, then a part of the promise each. */
const perSlot = ({ promiseSeconds, serviceSeconds }: Setting) => [
  ...spare,
  ...shares.map((share) => 1 + (share * promiseSeconds) / serviceSeconds),
]
// As long as the list above, so that a place of the slide means much the same in either.
const waitingShares = [...geometric(0.001, 0.099, 1.16), ...geometric(0.1, 1.4, 1.055)]

/** Messages for each slot that only wait: those in flight are not counted. */
const waitingPerSlot = ({ promiseSeconds, serviceSeconds }: Setting) =>
  waitingShares.map((share) => (share * promiseSeconds) / serviceSeconds)

const places = Math.min(spare.length + shares.length, waitingShares.length)
const at = (list: readonly number[], place: number) => list[Math.min(place, list.length - 1)] ?? 0
const knob = (knobs: Knobs, name: string, otherwise = 0) => knobs[name] ?? otherwise

/** A backlog per instance, with or without what is in flight. */
const backlogAt = ({ place, knobs }: Trial, setting: Setting) =>
  setting.slots * at((knobs['inFlight'] ? perSlot : waitingPerSlot)(setting), place)

/** The two that AWS's guides say, and those that users come to when it kills what is in flight. */
const trackingVariants = [
  { inFlight: 1, maxRemove: 0 },
  { inFlight: 1, maxRemove: 1 },
  { inFlight: 0, maxRemove: 0 },
  { inFlight: 0, maxRemove: 1 },
]
const trackingMinor = { lowFraction: [0.9], warmupIsBoot: [1] }

const warmupOf = (knobs: Knobs, { bootSeconds }: Setting) =>
  knob(knobs, 'warmupIsBoot') ? bootSeconds : 300
const trackingOf = (knobs: Knobs, setting: Setting) => ({
  inFlight: knob(knobs, 'inFlight'),
  maxRemove: knob(knobs, 'maxRemove'),
  lowFraction: knob(knobs, 'lowFraction', 0.7),
  warmup: warmupOf(knobs, setting),
})

const keda: Grid = {
  peer: 'keda',
  space: () => ({ places, variants: [{ stabilisation: 300 }, { stabilisation: 60 }], minor: {} }),
  params: ({ place, knobs }, setting) => ({
    target: setting.slots * at(perSlot(setting), place),
    stabilisation: knob(knobs, 'stabilisation'),
  }),
}

const cooldowns = [3_600, 1_800, 1_200, 900, 600, 450, 300, 240, 180, 120, 90, 60, 30, 0]

const buildkite: Grid = {
  peer: 'buildkite',
  space: () => ({
    places: cooldowns.length,
    variants: [{ buffer: 0 }],
    minor: {
      buffer: [1, 2, 5, 10, 20],
      outFactor: [0.75, 0.5, 0.25],
      inFactor: [0.5, 0.25, 0.1],
    },
  }),
  params: ({ place, knobs }) => ({ ...knobs, inCooldown: at(cooldowns, place) }),
}

const awsTargetTracking: Grid = {
  peer: 'aws-target-tracking',
  space: () => ({ places, variants: trackingVariants, minor: trackingMinor }),
  params: (trial, setting) => ({
    target: backlogAt(trial, setting),
    ...trackingOf(trial.knobs, setting),
  }),
}

const awsDynamicTarget: Grid = {
  peer: 'aws-dynamic-target',
  space: () => ({ places, variants: trackingVariants, minor: trackingMinor }),
  // The Lambda takes whole messages, rounded down: a little more than whole, or each turn of the
  // mean would halve or double a small target.
  params: ({ place, knobs }, setting) => {
    const messages = Math.max(1, Math.floor(at(perSlot(setting), place)))
    return { latency: (messages + 0.3) * setting.serviceSeconds, ...trackingOf(knobs, setting) }
  },
}

const awsStep: Grid = {
  peer: 'aws-step',
  space: () => ({
    places,
    variants: [{ inFlight: 1 }, { inFlight: 0 }],
    minor: {
      lowShare: [0.25, 0.7],
      outTimes: [2],
      inTimes: [2],
      outMinutes: [1],
      inMinutes: [5, 2],
      warmupIsBoot: [1],
    },
  }),
  params: (trial, setting) => {
    const { knobs } = trial
    const high = backlogAt(trial, setting)
    const [outTimes, inTimes] = [knob(knobs, 'outTimes', 1), knob(knobs, 'inTimes', 1)]
    return {
      ...{ high, low: high * knob(knobs, 'lowShare', 0.5) },
      ...{ out1: 10 * outTimes, out2: 30 * outTimes, out3: 100 * outTimes },
      ...{ in1: 10 * inTimes, in2: 30 * inTimes },
      outMinutes: knob(knobs, 'outMinutes', 3),
      inMinutes: knob(knobs, 'inMinutes', 15),
      inFlight: knob(knobs, 'inFlight'),
      warmup: warmupOf(knobs, setting),
    }
  },
}

const utilisations = geometric(0.15, 1.5, 1.05)

const awsPredictive: Grid = {
  peer: 'aws-predictive',
  space: () => ({
    places: utilisations.length,
    variants: [
      { inFlight: 1, share: 0.3 },
      { inFlight: 0, share: 0.1 },
    ],
    minor: { share: [0.05, 0.15, 0.5, 0.8], maxRemove: [1], lowFraction: [0.9], warmupIsBoot: [1] },
  }),
  params: ({ place, knobs }, setting) => {
    const { slots, promiseSeconds, serviceSeconds } = setting
    const waiting = (knob(knobs, 'share') * promiseSeconds) / serviceSeconds
    return {
      utilisation: at(utilisations, place),
      target: slots * (knob(knobs, 'inFlight') + waiting),
      ...trackingOf(knobs, setting),
    }
  },
}

const judoscale: Grid = {
  peer: 'judoscale',
  space: () => ({
    places: waitingShares.length,
    variants: [{ jump: 1 }, { jump: 5 }],
    minor: {
      jump: [2, 10],
      upFrequency: [60, 10],
      downDelay: [300, 120, 60],
      downJump: [2, 5],
      downShare: [0.05, 0.6],
    },
  }),
  params: ({ place, knobs }, { promiseSeconds }) => {
    const { downShare = 0.2, ...given } = knobs
    const up = at(waitingShares, place) * promiseSeconds
    return { ...given, up, down: up * downShare }
  },
}

const celeryRatio: Grid = {
  peer: 'celery-ratio',
  space: () => ({
    places,
    variants: [{ hold: 300 }, { hold: 60 }],
    minor: { hold: [0, 120, 600] },
  }),
  params: ({ place, knobs }, setting) => ({ ...knobs, ratio: at(perSlot(setting), place) }),
}

/** Nothing of these is tuned: one rests on its history alone, the other on nothing. */
const untuned = (peer: string): Grid => ({
  peer,
  space: () => ({ places: 1, variants: [{}], minor: {} }),
  params: () => ({}),
})

const fixed: Grid = {
  peer: 'static',
  space: (setting) => ({ places: sizesOf(setting).length, variants: [{}], minor: {} }),
  params: ({ place }, setting) => ({ size: at(sizesOf(setting), place) }),
}

/** Sizes from the most that there may be down to one, each about 2 % less. */
function sizesOf({ max }: Setting): readonly number[] {
  const sizes = geometric(1, max, 1.02).map((size) => Math.round(size))
  return [...new Set([...sizes, max])].sort((a, b) => b - a)
}

export const grids: readonly Grid[] = [
  ...[keda, buildkite, awsTargetTracking, awsDynamicTarget, awsStep, awsPredictive],
  ...[untuned('scheduled'), judoscale, celeryRatio, untuned('panic'), fixed],
]
