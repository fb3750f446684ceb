import { instancesFor, peer, tasksPerInstance } from './peer.ts'

/**
 * KEDA's aws-sqs-queue scaler with the Horizontal Pod Autoscaler, a pod being an instance: KEDA
 * wakes and sleeps by whether the queue is active, HPA does the rest. As of KEDA 2.20.
 */

type State = {
  readonly polledAt: number
  readonly active: boolean
  readonly lastActiveAt: number
  /** HPA's own wishes of its stabilisation window. */
  readonly wished: readonly { readonly at: number; readonly replicas: number }[]
}

// HPA's defaults: within a tenth of the target nothing moves, and in 15 s it may double or add 4.
const tolerance = 0.1
const upFactor = 2
const upPods = 4

export const keda = peer({
  name: 'keda',
  about: 'KEDA on SQS with HPA',
  cadenceSeconds: 15,
  params: {
    target: { about: 'messages per instance (queueLength)', usual: tasksPerInstance },
    inFlight: { about: '1: count messages in flight (scaleOnInFlight)', usual: () => 1 },
    activation: { about: 'messages beyond which it wakes', usual: () => 0 },
    polling: { about: "KEDA's own polling interval, seconds", usual: () => 30 },
    cooldown: { about: 'seconds from inactive to zero', usual: () => 300 },
    stabilisation: { about: "HPA's scale-down window, seconds", usual: () => 300 },
  },
  begin: (): State => ({ polledAt: 0, active: false, lastActiveAt: 0, wished: [] }),
  decide(view, before, params) {
    const { now, desired: replicas, min } = view
    const messages = view.visible + (params.inFlight ? view.notVisible : 0)
    const polls = now - before.polledAt >= params.polling * 1_000
    const active = polls ? messages > params.activation : before.active
    const lastActiveAt = polls && active ? now : before.lastActiveAt
    const state = { ...before, active, lastActiveAt, polledAt: polls ? now : before.polledAt }
    if (replicas === 0) {
      const wakes = polls && active
      return { state, desired: wakes ? 1 : 0, reason: wakes ? 'activated' : 'inactive' }
    }
    if (min === 0 && polls && !active && now - lastActiveAt >= params.cooldown * 1_000) {
      return { state: { ...state, wished: [] }, desired: 0, reason: 'cooled-down' }
    }
    const ratio = messages / (params.target * replicas)
    const near = Math.abs(1 - ratio) <= tolerance
    const wish = near ? replicas : Math.max(1, instancesFor(messages, params.target))
    const wished = [...before.wished, { at: now, replicas: wish }].filter(
      ({ at }) => at > now - params.stabilisation * 1_000,
    )
    const most = wished.reduce((sum, one) => Math.max(sum, one.replicas), wish)
    if (wish > replicas) {
      const desired = Math.min(wish, Math.max(replicas * upFactor, replicas + upPods))
      return { state: { ...state, wished }, desired, reason: 'above-target' }
    }
    const desired = Math.min(replicas, most)
    const reason = desired < replicas ? 'below-target' : wish < replicas ? 'stabilising' : 'steady'
    return { state: { ...state, wished }, desired, reason }
  },
})
