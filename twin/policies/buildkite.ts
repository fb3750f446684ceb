import { instancesFor, peer } from './peer.ts'

/**
 * buildkite-agent-scaler 1.12: an agent for each job, with a buffer, and one more while too few
 * agents have come online. A visible message is a scheduled job, one in flight a running one.
 */

type State = { readonly outAt: number; readonly inAt: number }

export const buildkite = peer({
  name: 'buildkite',
  about: 'buildkite-agent-scaler, its Lambda polling every 10 s',
  cadenceSeconds: 10,
  params: {
    inCooldown: { about: 'seconds between two scale-ins', usual: () => 3_600 },
    // Its code has none; the stack that deploys it sets 300 s, which bursts do not forgive.
    outCooldown: { about: 'seconds between two scale-outs', usual: () => 0 },
    buffer: { about: 'instances beyond the jobs', usual: () => 0 },
    outFactor: { about: 'share of a scale-out that is done', usual: () => 1 },
    inFactor: { about: 'share of a scale-in that is done', usual: () => 1 },
    availability: { about: 'share of agents below which it adds one', usual: () => 0.5 },
  },
  begin: (): State => ({ outAt: 0, inAt: 0 }),
  decide(view, state, params, { slots }) {
    const { now, desired: has, min, max } = view
    const jobs = view.visible + view.notVisible
    const instances = view.inService || has
    let wants = instancesFor(jobs, slots)
    // Every instance has as many agents as slots, so that their shares are one.
    const online = instances === 0 ? 1 : view.online / instances
    const lacks = jobs > 0 && online < params.availability && view.inService === has
    if (lacks) wants = Math.max(wants, has + 1)
    if (jobs > 0) wants += Math.min(instancesFor(jobs, slots), params.buffer)
    wants = Math.min(Math.max(wants, min), max)
    if (wants > has && wants > instances) {
      if (now - state.outAt < params.outCooldown * 1_000) {
        return { state, desired: has, reason: 'out-cooldown' }
      }
      const by = Math.ceil((wants - has) * params.outFactor)
      return { state: { ...state, outAt: now }, desired: has + by, reason: 'jobs' }
    }
    if (wants >= has) return { state, desired: has, reason: 'steady' }
    if (now - state.inAt < params.inCooldown * 1_000) {
      return { state, desired: has, reason: 'in-cooldown' }
    }
    const by = Math.floor((wants - has) * params.inFactor)
    return { state: { ...state, inAt: now }, desired: Math.max(has + by, min), reason: 'idle' }
  },
})
