import { type Memory, type Step, step } from '../../shared/sizing/step.ts'
import { noOutlook, type Outlook, type Sensed, type Workload } from '../../shared/sizing/types.ts'

/** Looks at a queue that nobody runs: each is written down, and what the rule says is told. */

export const minute = 60

/** A promise of five minutes, a boot of two, and tasks of one. */
export const workloadOf = (own: Partial<Workload> = {}): Workload => ({
  startWithinSeconds: 300,
  bootSeconds: 120,
  tickSeconds: minute,
  slots: 1,
  min: 0,
  max: 500,
  taskSeconds: 60,
  ...own,
})

// So long that none ends before the promise is over: each waiting task needs a slot of its own.
export const longTaskSeconds = 43_200

/** What is seen where nothing is; rates unread, as by the backlog loop. */
export const sensedOf = (own: Partial<Sensed> = {}): Sensed => ({
  ...{ now: 0, visible: 0, notVisible: 0, delayed: 0, sent: null, deleted: null },
  ...{ inService: 0, pending: 0, draining: 0, doomed: 0, desired: 0 },
  ...own,
})

/** A group with all of its instances in service. */
export const groupOf = (instances: number) => ({ inService: instances, desired: instances })

/** The same look so many times. */
export const times = (count: number, look: Partial<Sensed>) =>
  Array.from({ length: count }, () => look)

/** Looks a tick apart, where they do not say when: what the rule says of each, in turn. */
export function stepsOf(
  workload: Workload,
  looks: readonly Partial<Sensed>[],
  {
    outlook = noOutlook,
    remembered = null,
  }: { outlook?: Outlook; remembered?: Memory | null } = {},
): Step[] {
  const steps: Step[] = []
  let now = remembered ? remembered.at : -workload.tickSeconds
  for (const look of looks) {
    const sensed = sensedOf({ now: now + workload.tickSeconds, ...look })
    const told = step(workload, outlook, sensed, steps.at(-1)?.memory ?? remembered)
    now = sensed.now
    steps.push(told)
  }
  return steps
}

/** What the rule says of the last of the looks. */
export function lastOf(...args: Parameters<typeof stepsOf>): Step {
  const last = stepsOf(...args).at(-1)
  if (!last) throw new Error('There was no look')
  return last
}

export const verdictOf = ({ desired, reason }: Step) => ({ desired, reason })
