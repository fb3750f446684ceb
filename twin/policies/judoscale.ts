import { peer } from './peer.ts'

/** Judoscale: how long jobs wait, against two thresholds, a step at a time. */

type State = {
  /** Queue times, seconds, newest last, each of 10 s; as many as a scale-in looks at. */
  readonly times: readonly number[]
  readonly upAt: number
  readonly downAt: number
}

const cadenceSeconds = 10
// What the last 20 s reported can still start a scale-out: one report may be on its way.
const recentReports = 2
// Thresholds as parts of the promise: up in time for an instance to help, down when none waits.
const upShare = 0.25
const downShare = 0.05

export const judoscale = peer({
  name: 'judoscale',
  about: 'Judoscale on job queue time',
  cadenceSeconds,
  params: {
    up: { about: 'queue time that adds, seconds', usual: (at) => at.promiseSeconds * upShare },
    down: { about: 'queue time that removes', usual: (at) => at.promiseSeconds * downShare },
    jump: { about: 'instances added at a time', usual: () => 1 },
    downJump: { about: 'instances removed at a time', usual: () => 1 },
    upFrequency: { about: 'seconds between two additions', usual: () => 180 },
    downDelay: { about: 'seconds below before a removal', usual: () => 600 },
  },
  begin: (): State => ({ times: [], upAt: 0, downAt: 0 }),
  decide({ now, desired, oldestSeconds }, before, params) {
    const kept = Math.max(recentReports, Math.ceil(params.downDelay / cadenceSeconds))
    const state = { ...before, times: [...before.times, oldestSeconds].slice(-kept) }
    const { times, upAt, downAt } = state
    if (times.slice(-recentReports).some((seconds) => seconds > params.up)) {
      if (now - upAt < params.upFrequency * 1_000) {
        return { state, desired, reason: 'up-frequency' }
      }
      return { state: { ...state, upAt: now }, desired: desired + params.jump, reason: 'slow' }
    }
    const quiet = times.length >= kept && times.every((seconds) => seconds < params.down)
    const changedAt = Math.max(upAt, downAt)
    if (!quiet || now - changedAt < params.downDelay * 1_000) {
      return { state, desired, reason: 'steady' }
    }
    const fewer = Math.max(0, desired - params.downJump)
    return { state: { ...state, downAt: now }, desired: fewer, reason: 'fast' }
  },
})
