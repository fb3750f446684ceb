import type { Measured } from './history.ts'

/** Mean service time by Little's law: what ran on average, over what ended in a second. */

export type ServiceInputs = {
  /** Messages in flight, on average over each step. */
  readonly notVisible: Measured
  /** Messages deleted in each step. */
  readonly deleted: Measured
  /**
   * Instances, those that leave and still work among them, on average over each step; no numbers
   * where nobody measured them.
   */
  readonly inService: Measured
  readonly slotsPerInstance: number
  /** Instances in service at present. */
  readonly inServiceNow: number
}

export type ServiceTime =
  | {
      readonly seconds: number
      readonly source: 'group-metrics' | 'group-now'
      readonly done: number
    }
  | {
      readonly seconds: null
      readonly source: 'too-few-deletes' | 'slots-unknown'
      readonly done: number
    }

// Of fewer tasks the mean is off by a fifth and more: the configuration's word is as good.
const doneLeast = 30
// Where the group's past is not known, its present tells of the last hour only.
const presentSeconds = 3_600

/**
 * In flight is what runs, what was prefetched, what waits for a countdown and what a dead worker
 * left: never more runs than there are slots. Where the group publishes how many instances it had,
 * that is the limit of each step: of all of them, for those that drain hold the long tasks. Where
 * it does not, only steps count in which no more was in flight than the slots of now can run; if
 * that leaves little, nothing is known.
 */
export function serviceTime(inputs: ServiceInputs): ServiceTime {
  const { notVisible, deleted, inService, slotsPerInstance, inServiceNow } = inputs
  const { stepSeconds, values } = notVisible
  const isMeasured = hasNumber(inService.values)
  const slotsNow = inServiceNow * slotsPerInstance
  const first = isMeasured ? 0 : Math.max(0, values.length - presentSeconds / stepSeconds)
  let [busySeconds, done, all] = [0, 0, 0]
  for (let step = first; step < values.length; step++) {
    const flying = values[step] ?? Number.NaN
    const ended = numberOr(deleted.values[step], 0)
    const slots = isMeasured ? (inService.values[step] ?? Number.NaN) * slotsPerInstance : slotsNow
    if (Number.isNaN(flying) || Number.isNaN(slots)) continue
    all += ended
    if (!isMeasured && flying > slots) continue
    busySeconds += Math.min(flying, slots) * stepSeconds
    done += ended
  }
  if (all < doneLeast) return { seconds: null, source: 'too-few-deletes', done: all }
  // Tasks ended and nothing was seen to run: what was sampled is not what ran.
  if (done < doneLeast || busySeconds === 0) return { seconds: null, source: 'slots-unknown', done }
  const source = isMeasured ? 'group-metrics' : 'group-now'
  return { seconds: busySeconds / done, source, done }
}

const numberOr = (value: number | undefined, other: number) =>
  value === undefined || Number.isNaN(value) ? other : value

function hasNumber(values: ArrayLike<number>): boolean {
  for (let index = 0; index < values.length; index++) {
    if (!Number.isNaN(values[index] ?? Number.NaN)) return true
  }
  return false
}
