import type { Change } from '../aws/service.ts'
import { type Random, random } from '../random.ts'
import type { Twin } from '../twin.ts'
import type { Task } from './task.ts'
import type { Workers } from './workers.ts'

/** The machines of one group: how they boot, and what the worker on each is told by its tags. */
export type Machines = {
  readonly group: string
  readonly workers: Workers
  readonly slots: number
  readonly prefetch: number
  /** From launch to the worker's first poll, mean. */
  readonly bootSeconds: number
}

export type SpotMarket = {
  /** How often an instance is reclaimed in a day, on average. */
  readonly reclaimsPerDay: number
  /** Moments at which a zone is short: that share of its instances gets notice within a minute. */
  readonly storms: readonly { readonly at: number; readonly zone: string; readonly share: number }[]
}

/** What instances cost and suffered, by group. */
export type InstanceLedger = {
  launches: number
  interruptions: number
  /** Milliseconds paid by instances that have ended. */
  paidMs: number
  /** Launch times of those that have not. */
  readonly running: Map<string, number>
}

// An instance passes its first health check, and so is InService, before its worker is up.
const pendingSeconds = { from: 15, to: 35 }
// How much boots differ: most lie within a fifth of their mean.
const bootVariation = 0.2
// A terminated instance shuts down, and is paid for, for about this long.
const shutdownSeconds = 30
// AWS's notice before a Spot instance is taken.
const spotNoticeSeconds = 120
// Auto Scaling's health check notices a reclaimed instance within about a minute.
const healthCheckSeconds = { from: 5, to: 60 }

const dayMs = 86_400_000

export type Instances = {
  readonly ledgers: ReadonlyMap<string, InstanceLedger>
}

/** Instances come and go as Auto Scaling and the Spot market say; their workers with them. */
export function startInstances(
  twin: Twin<Task>,
  machines: ReadonlyMap<string, Machines>,
  market: SpotMarket,
): Instances {
  const ledgers = new Map<string, InstanceLedger>()
  const draws = new Map<string, Random>()
  for (const { group } of machines.values()) {
    ledgers.set(group, { launches: 0, interruptions: 0, paidMs: 0, running: new Map() })
    draws.set(group, random(twin.seed, `instances/${group}`))
  }
  const context = { twin, ledgers, market }
  twin.onChange((change) => {
    if (change.kind !== 'autoscaling.launched' && change.kind !== 'autoscaling.terminating') return
    const machine = machines.get(change.group)
    const draw = draws.get(change.group)
    if (!machine || !draw) return
    if (change.kind === 'autoscaling.launched') boot(context, machine, draw, change.instance)
    else shutDown(context, machine, change)
  })
  for (const storm of market.storms) {
    twin.engine.at(storm.at, () => strike(context, machines, draws, storm))
  }
  return { ledgers }
}

type Context = {
  readonly twin: Twin<Task>
  readonly ledgers: Map<string, InstanceLedger>
  readonly market: SpotMarket
}

function boot(context: Context, machine: Machines, draw: Random, id: string) {
  const { twin, ledgers, market } = context
  const { engine, autoscaling } = twin
  const ledger = ledgers.get(machine.group)
  if (!ledger) return
  ledger.launches++
  ledger.running.set(id, engine.now)
  const pending = draw.between(pendingSeconds.from, pendingSeconds.to)
  const ready = Math.max(pending, draw.logNormal(machine.bootSeconds, bootVariation))
  engine.at(engine.now + pending * 1_000, () => {
    autoscaling.enterService(engine.now, machine.group, id)
  })
  engine.at(engine.now + ready * 1_000, () => {
    if (isUp(twin, machine.group, id) && ledger.running.has(id)) {
      machine.workers.start(id, machine.slots, machine.prefetch)
    }
  })
  const life = draw.exponential(dayMs / market.reclaimsPerDay)
  engine.at(engine.now + life, () => interrupt(context, machine, draw, id))
}

const isUp = ({ autoscaling }: Twin<Task>, group: string, id: string) => {
  const state = autoscaling.groups.get(group)?.instances.get(id)?.state
  return state !== undefined && state !== 'Terminating'
}

/** A scale-in or a replacement ends the box; nothing asks the worker first. */
function shutDown(
  { twin, ledgers }: Context,
  machine: Machines,
  { group, instance }: Extract<Change, { kind: 'autoscaling.terminating' }>,
): void {
  machine.workers.kill(instance)
  const { engine, autoscaling } = twin
  engine.at(engine.now + shutdownSeconds * 1_000, () => {
    endPayment(ledgers.get(group), instance, engine.now)
    autoscaling.forget(group, instance)
  })
}

/** Notice, and two minutes later the box is gone, unless the group has ended it before. */
function interrupt({ twin, ledgers }: Context, machine: Machines, draw: Random, id: string): void {
  const { engine, autoscaling } = twin
  if (!isUp(twin, machine.group, id)) return
  engine.at(engine.now + spotNoticeSeconds * 1_000, () => {
    const ledger = ledgers.get(machine.group)
    if (!ledger?.running.has(id) || !isUp(twin, machine.group, id)) return
    ledger.interruptions++
    machine.workers.kill(id)
    endPayment(ledger, id, engine.now)
    const noticed = draw.between(healthCheckSeconds.from, healthCheckSeconds.to)
    engine.at(engine.now + noticed * 1_000, () => {
      twin.emit(autoscaling.markUnhealthy(engine.now, machine.group, id))
    })
  })
}

function strike(
  context: Context,
  machines: ReadonlyMap<string, Machines>,
  draws: ReadonlyMap<string, Random>,
  { zone, share }: SpotMarket['storms'][number],
): void {
  const { engine, autoscaling } = context.twin
  for (const machine of machines.values()) {
    const draw = draws.get(machine.group)
    for (const instance of autoscaling.groups.get(machine.group)?.instances.values() ?? []) {
      if (!draw || instance.zone !== zone || !draw.chance(share)) continue
      const within = draw.between(0, 60_000)
      engine.at(engine.now + within, () => interrupt(context, machine, draw, instance.id))
    }
  }
}

function endPayment(ledger: InstanceLedger | undefined, id: string, now: number): void {
  const launchedAt = ledger?.running.get(id)
  if (!ledger || launchedAt === undefined) return
  ledger.paidMs += now - launchedAt
  ledger.running.delete(id)
}
