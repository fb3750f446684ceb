import type { DrainDeps } from '../../shared/aws.ts'
import { instancesPerCommand, type Order, sendOrder } from '../../shared/commands.ts'
import type { Drain } from '../../shared/drains.ts'
import { chunks, each, type Outcome } from '../../shared/each.ts'
import { complete, extend, setAside, takeBack, terminate } from '../../shared/lifecycle.ts'
import type { QueueConfig } from '../../shared/queue-config.ts'
import { deadlineStepSeconds, type Step } from './decide.ts'

/** A drain whose steps this run has claimed by writing them down. */
export type Claim = {
  readonly drain: Drain
  readonly worker: QueueConfig['worker']
  readonly steps: readonly Step[]
}

/** What came of one step. `at` in epoch milliseconds. */
export type Done = {
  readonly instance: string
  readonly step: Step
  readonly at: number
} & (
  | { readonly ok: true; readonly command: string | null; readonly unregistered: boolean }
  | { readonly ok: false; readonly error: unknown }
)

type Errand = { readonly claim: Claim; readonly step: Step }
type Sending = { readonly claim: Claim; readonly step: Extract<Step, { do: 'send' }> }

/** Does all steps: the commands first, for their two minutes are running. */
export async function act(deps: DrainDeps, claims: readonly Claim[]): Promise<Done[]> {
  const errands = claims.flatMap((claim) => claim.steps.map((step) => ({ claim, step })))
  const sendings = errands.filter(isSending)
  const sent = await sendAll(deps, sendings)
  const asides = errands.filter(({ step }) => step.do === 'set-aside')
  const aside = await setAllAside(deps, asides)
  const others = errands.filter(({ step }) => step.do !== 'send' && step.do !== 'set-aside')
  const outcomes = await each(others, (errand) => doOne(deps, errand))
  return [...sent, ...aside, ...outcomes.map((outcome) => toDone(deps, outcome.item, outcome))]
}

const isSending = (errand: Errand): errand is Sending => errand.step.do === 'send'

/** Steps that concern one instance each, and fail each for itself. */
async function doOne(deps: DrainDeps, { claim: { drain }, step }: Errand): Promise<void> {
  if (step.do === 'take-back') await takeBack(deps, drain.group, drain.instance)
  if (step.do === 'extend') await extend(deps, actionOf(drain))
  if (step.do === 'complete') await complete(deps, actionOf(drain))
  if (step.do === 'terminate') await terminate(deps, drain.instance, step.lower)
}

const actionOf = ({ group, instance, hook }: Drain) => ({
  ...{ group, instance, hook: hook?.name ?? '', token: hook?.token ?? null },
})

/** Instances with the same order share a command: deadlines are rounded down to five seconds. */
async function sendAll(deps: DrainDeps, all: readonly Sending[]): Promise<Done[]> {
  const parcels = new Map<string, { order: Order; errands: Sending[] }>()
  for (const errand of all) {
    const order = orderOf(deps, errand)
    const key = JSON.stringify(order)
    const parcel = parcels.get(key) ?? { order, errands: [] }
    parcels.set(key, parcel)
    parcel.errands.push(errand)
  }
  const loads = [...parcels.values()].flatMap(({ order, errands: list }) =>
    chunks(list, instancesPerCommand).map((chunk) => ({ order, errands: chunk })),
  )
  const outcomes = await each(loads, ({ order, errands: list }) =>
    sendOrder(deps, order, list.map(instanceOf)),
  )
  return outcomes.flatMap((outcome) => {
    const refused = new Set('value' in outcome ? outcome.value.unregistered : [])
    const command = 'value' in outcome ? outcome.value.command : null
    return outcome.item.errands.map((errand) => {
      const unregistered = refused.has(instanceOf(errand))
      return toDone(deps, errand, outcome, { command: unregistered ? null : command, unregistered })
    })
  })
}

function orderOf(deps: DrainDeps, { claim, step }: Sending): Order {
  const grain = deadlineStepSeconds * 1_000
  const { action, reason } = step
  const deadline = Math.floor(step.deadline / grain) * grain
  return { action, reason, deadline, drainId: deps.runId, worker: claim.worker }
}

async function setAllAside(deps: DrainDeps, all: readonly Errand[]): Promise<Done[]> {
  const groups = Map.groupBy(all, ({ claim }) => claim.drain.group)
  const outcomes = await each([...groups], ([group, list]) =>
    setAside(deps, group, list.map(instanceOf)),
  )
  return outcomes.flatMap((outcome) =>
    outcome.item[1].map((errand) => toDone(deps, errand, outcome)),
  )
}

const instanceOf = ({ claim }: Errand) => claim.drain.instance

function toDone<T, R>(
  { clock }: DrainDeps,
  errand: Errand,
  outcome: Outcome<T, R>,
  sent: { command: string | null; unregistered: boolean } = { command: null, unregistered: false },
): Done {
  const about = { instance: instanceOf(errand), step: errand.step, at: clock.now() }
  return 'error' in outcome
    ? { ...about, ok: false, error: outcome.error }
    : { ...about, ok: true, ...sent }
}

/**
 * What is remembered once the steps are done: a command's id, and of a step that failed nothing,
 * so that the next look takes it again.
 */
export function settle(drain: Drain, done: readonly Done[]): Drain {
  return done.reduce((next, one) => (one.ok ? succeeded(next, one) : undone(next, one.step)), drain)
}

function succeeded(drain: Drain, done: Extract<Done, { ok: true }>): Drain {
  if (done.step.do !== 'send') return drain
  const { action } = done.step
  if (action === 'status' && drain.status) {
    return { ...drain, status: { ...drain.status, command: done.command } }
  }
  if (action !== 'drain' || !drain.sent) return drain
  const fault = { name: 'not-registered', at: done.at } as const
  return {
    ...drain,
    sent: { ...drain.sent, at: done.at, command: done.command },
    fault: done.unregistered ? fault : drain.fault,
  }
}

function undone(drain: Drain, step: Step): Drain {
  switch (step.do) {
    case 'set-aside':
      return { ...drain, asideAt: null }
    case 'complete':
      return { ...drain, ended: null, hook: drain.hook && { ...drain.hook, completed: null } }
    case 'terminate':
      return { ...drain, leaveAt: null, terminatedAt: null, ended: null }
    case 'take-back':
      return { ...drain, ended: null }
    case 'extend':
      return { ...drain, hook: drain.hook && { ...drain.hook, extendedAt: 0 } }
    case 'send':
      return step.action === 'resume' ? { ...drain, ended: null } : drain
  }
}
