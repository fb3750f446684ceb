import { type Random, random } from '../../shared/random.ts'
import { spotNoticeSeconds } from '../../shared/timing.ts'
import type { Change } from '../aws/service.ts'
import type { Span } from '../engine.ts'
import type { Twin } from '../twin.ts'
import type { Boxes } from './boxes.ts'
import type { Bus } from './bus.ts'
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
  /** When there is no capacity, in no zone: launches do not come. */
  readonly shortages?: readonly Span[]
}

/** What instances cost and suffered, by group. */
export type InstanceLedger = {
  launches: number
  /** Instances that have ended, whoever ended them. */
  terminations: number
  /** Capacities asked for: each time that a function or a policy of its own changed one. */
  resizes: number
  /** Spot notices given. */
  interruptions: number
  /** Runs that ended because the group ended their instance. */
  killedByGroup: number
  /** Milliseconds paid by instances that have ended. */
  paidMs: number
  /** Launch times of those that have not. */
  readonly running: Map<string, number>
  /** What was before is a warm-up, and is neither counted nor paid. */
  readonly countedFrom: number
}

// An instance passes its first health check, and so is InService, before its worker is up.
const pendingSeconds = { from: 15, to: 35 }
// How much boots differ: most lie within a fifth of their mean.
const bootVariation = 0.2
// A terminated instance shuts down, and is paid for, for about this long.
const shutdownSeconds = 30
// What the watcher on the box gives a drain that its group's hook began: an hour, its default.
const watcherBudgetSeconds = 3_600
// Auto Scaling's health check notices a reclaimed instance within about a minute.
const healthCheckSeconds = { from: 5, to: 60 }

const dayMs = 86_400_000

export type Instances = {
  readonly ledgers: ReadonlyMap<string, InstanceLedger>
  /** Spot takes the instance: its notice is given now. */
  interrupt(group: string, instance: string): void
}

type Parts = {
  readonly countedFrom: number
  readonly machines: ReadonlyMap<string, Machines>
  readonly market: SpotMarket
  readonly bus: Bus
  readonly boxes: Boxes
}

/** Instances come and go as Auto Scaling and the Spot market say; their workers with them. */
export function startInstances(
  twin: Twin<Task>,
  { countedFrom, machines, market, bus, boxes }: Parts,
): Instances {
  const ledgers = new Map<string, InstanceLedger>()
  const draws = new Map<string, Random>()
  for (const { group } of machines.values()) {
    ledgers.set(group, createLedger(countedFrom))
    draws.set(group, random(twin.seed, `instances/${group}`))
  }
  const context = { twin, ledgers, market, bus, boxes }
  twin.onChange((change) => {
    if (!('group' in change)) return
    const machine = machines.get(change.group)
    const draw = draws.get(change.group)
    if (!machine || !draw) return
    if (change.kind === 'autoscaling.desired') count(ledgers.get(change.group), 'resizes', twin)
    if (change.kind === 'autoscaling.launched') boot(context, machine, draw, change.instance)
    if (change.kind === 'autoscaling.hook') hold(context, change)
    if (change.kind === 'autoscaling.terminating') shutDown(context, machine, change)
  })
  twin.onChange((change) => {
    if (change.kind === 'ssm.invocation') tellInvocation(bus, change)
  })
  for (const storm of market.storms) {
    twin.engine.at(storm.at, () => strike(context, machines, draws, storm))
  }
  return {
    ledgers,
    interrupt(group, instance) {
      const machine = machines.get(group)
      const draw = draws.get(group)
      if (machine && draw) interrupt(context, machine, draw, instance)
    },
  }
}

type Context = {
  readonly twin: Twin<Task>
  readonly ledgers: Map<string, InstanceLedger>
  readonly market: SpotMarket
  readonly bus: Bus
  readonly boxes: Boxes
}

function boot(context: Context, machine: Machines, draw: Random, id: string) {
  const { twin, ledgers, market, boxes } = context
  const { engine, autoscaling } = twin
  const ledger = ledgers.get(machine.group)
  if (!ledger) return
  count(ledger, 'launches', twin)
  ledger.running.set(id, engine.now)
  const pending = draw.between(pendingSeconds.from, pendingSeconds.to)
  const ready = Math.max(pending, draw.logNormal(machine.bootSeconds, bootVariation))
  engine.at(engine.now + pending * 1_000, () => {
    autoscaling.enterService(engine.now, machine.group, id)
    if (ledger.running.has(id)) boxes.boot(id, machine.workers)
  })
  engine.at(engine.now + ready * 1_000, () => {
    if (!runs(context, machine.group, id)) return
    boxes.startWorker(id, () => machine.workers.start(id, machine.slots, machine.prefetch))
  })
  const life = draw.exponential(dayMs / market.reclaimsPerDay)
  engine.at(engine.now + life, () => interrupt(context, machine, draw, id))
}

/** Whether EC2 still runs the box; a group that waits for a hook has not ended it. */
function runs({ twin, ledgers }: Context, group: string, id: string): boolean {
  const state = twin.autoscaling.groups.get(group)?.instances.get(id)?.state
  const ending = state === undefined || state === 'Terminating' || state === 'Terminating:Proceed'
  return !ending && (ledgers.get(group)?.running.has(id) ?? false)
}

/** A terminate hook holds the box: EventBridge says so, and its own metadata. */
function hold({ twin, bus, boxes }: Context, change: HookChange): void {
  if (change.transition !== 'autoscaling:EC2_INSTANCE_TERMINATING') return
  const { group, instance, hook, token, transition, origin, destination } = change
  bus.put({
    source: 'aws.autoscaling',
    type: 'EC2 Instance-terminate Lifecycle Action',
    detail: {
      ...{ LifecycleActionToken: token, AutoScalingGroupName: group, LifecycleHookName: hook },
      ...{ EC2InstanceId: instance, LifecycleTransition: transition },
      ...{ Origin: origin, Destination: destination },
    },
  })
  boxes.warn(instance, 'scale_in', twin.engine.now + watcherBudgetSeconds * 1_000)
}

type HookChange = Extract<Change, { kind: 'autoscaling.hook' }>

function tellInvocation(bus: Bus, change: Extract<Change, { kind: 'ssm.invocation' }>): void {
  const { command, instance, document, status, requestedAt } = change
  bus.put({
    source: 'aws.ssm',
    type: 'EC2 Command Invocation Status-change Notification',
    detail: {
      ...{ 'command-id': command, 'document-name': document, 'instance-id': instance, status },
      'requested-date-time': new Date(requestedAt).toISOString(),
    },
  })
}

const tellState = ({ bus }: Context, instance: string, state: string) =>
  bus.put({
    source: 'aws.ec2',
    type: 'EC2 Instance State-change Notification',
    detail: { 'instance-id': instance, state },
  })

/** The group ends the box, whatever runs on it: whoever wanted it to wait had a hook for that. */
function shutDown(
  context: Context,
  machine: Machines,
  { group, instance, cause }: Extract<Change, { kind: 'autoscaling.terminating' }>,
): void {
  const { engine, autoscaling } = context.twin
  const ledger = context.ledgers.get(group)
  if (ledger?.running.has(instance)) {
    if (cause !== 'unhealthy') {
      ledger.killedByGroup += machine.workers.look(instance)?.running ?? 0
    }
    end(context, machine, instance)
  }
  engine.at(engine.now + shutdownSeconds * 1_000, () => {
    endPayment(ledger, instance, context.twin)
    context.twin.emit(autoscaling.forget(group, instance))
    tellState(context, instance, 'terminated')
  })
}

/** EC2 ends the box: its worker dies with it. */
function end(context: Context, machine: Machines, instance: string): void {
  machine.workers.kill(instance)
  context.boxes.end(instance)
  tellState(context, instance, 'shutting-down')
}

/** Notice, and two minutes later the box is gone, unless the group has ended it before. */
function interrupt(context: Context, machine: Machines, draw: Random, id: string): void {
  const { twin, ledgers, bus, boxes } = context
  const { engine, autoscaling } = twin
  const ledger = ledgers.get(machine.group)
  if (!ledger || !runs(context, machine.group, id)) return
  count(ledger, 'interruptions', twin)
  bus.put({
    source: 'aws.ec2',
    type: 'EC2 Spot Instance Interruption Warning',
    detail: { 'instance-id': id, 'instance-action': 'terminate' },
  })
  const takenAt = engine.now + spotNoticeSeconds * 1_000
  boxes.warn(id, 'spot', takenAt)
  engine.at(takenAt, () => {
    if (!runs(context, machine.group, id)) return
    end(context, machine, id)
    endPayment(ledger, id, twin)
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

const createLedger = (countedFrom: number): InstanceLedger => ({
  ...{ launches: 0, terminations: 0, resizes: 0, interruptions: 0, killedByGroup: 0, paidMs: 0 },
  running: new Map(),
  countedFrom,
})

type Counted = 'launches' | 'terminations' | 'resizes' | 'interruptions'

function count(ledger: InstanceLedger | undefined, what: Counted, { engine }: Twin<Task>): void {
  if (ledger && engine.now >= ledger.countedFrom) ledger[what]++
}

function endPayment(ledger: InstanceLedger | undefined, id: string, twin: Twin<Task>): void {
  const launchedAt = ledger?.running.get(id)
  if (!ledger || launchedAt === undefined) return
  count(ledger, 'terminations', twin)
  ledger.paidMs += paidFor(ledger, launchedAt, twin.engine.now)
  ledger.running.delete(id)
}

/** What an instance has cost, the warm-up aside, milliseconds. */
export const paidFor = ({ countedFrom }: InstanceLedger, launchedAt: number, now: number) =>
  Math.max(0, now - Math.max(launchedAt, countedFrom))
