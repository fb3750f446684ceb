import { instancesFor, type Policy, peer } from './peer.ts'

/** Tasks present for each slot, and the most of it kept for a while: managed Celery's own rule. */

type State = { readonly wanted: readonly { readonly at: number; readonly instances: number }[] }

type Kind = Pick<Policy<State, 'ratio' | 'hold'>, 'name' | 'about' | 'cadenceSeconds'> & {
  readonly holdSeconds: number
}

const ratioRule = ({ holdSeconds, ...kind }: Kind) =>
  peer({
    ...kind,
    params: {
      ratio: { about: 'tasks present for each slot', usual: () => 1 },
      hold: { about: 'seconds for which the most is kept', usual: () => holdSeconds },
    },
    begin: (): State => ({ wanted: [] }),
    decide({ now, visible, notVisible, desired: has }, before, params, { slots }) {
      const instances = instancesFor(visible + notVisible, slots * params.ratio)
      const wanted = kept([...before.wanted, { at: now, instances }], now - params.hold * 1_000)
      const desired = wanted[0]?.instances ?? instances
      const reason = desired > has ? 'tasks' : desired < has ? 'fewer-tasks' : 'steady'
      return { state: { wanted }, desired, reason }
    },
  })

/** Of those since then, each that no later one exceeds: the first is the most. */
function kept(wanted: State['wanted'], since: number): State['wanted'] {
  const latest = wanted.at(-1)
  return wanted.filter((one) => {
    return one === latest || (one.at > since && one.instances > (latest?.instances ?? 0))
  })
}

export const celeryRatio = ratioRule({
  name: 'celery-ratio',
  about: '(queued + running) / concurrency, as managed Celery has it',
  // Astronomer's autoscaler calculates every ten seconds, and scales in as HPA does.
  cadenceSeconds: 10,
  holdSeconds: 300,
})

export const panic = ratioRule({
  name: 'panic',
  about: 'a slot for each task present, kept for an hour',
  cadenceSeconds: 60,
  holdSeconds: 3_600,
})
