import type { Random } from '../../shared/random.ts'
import { type Engine, isWithin, type Span } from '../engine.ts'
import {
  type Action,
  type ActionResult,
  byLoad,
  type Cause,
  type Group,
  type Hook,
  type Instance,
  liveInstances,
  type Transition,
  victimOf,
} from './groups.ts'
import type { Change } from './service.ts'

/** What the lives of instances need: time, chance, and a place for what time changes. */
export type Context = {
  readonly engine: Engine
  readonly random: Random
  readonly emit: (changes: readonly Change[]) => void
  /** When EC2 has no instance to give. */
  readonly shortages: readonly Span[]
}

type HookEnded = Extract<Change, { kind: 'autoscaling.hook-ended' }>
type End = Pick<HookEnded, 'by' | 'result'>

// AWS keeps an instance in a wait state for 48 hours at most, or for 100 times the heartbeat
// timeout if that is less.
const waitSecondsMax = 48 * 3_600
const heartbeatsMax = 100

/** The longest that a hook holds an instance, whatever its heartbeats; DescribeLifecycleHooks. */
export const globalTimeoutSeconds = ({ heartbeatSeconds }: Hook) =>
  Math.min(waitSecondsMax, heartbeatsMax * heartbeatSeconds)

/**
 * What Auto Scaling does of its own accord: replaces the unhealthy, launches what is missing, and
 * scales in what is too many. It does not know, and does not ask, who is busy.
 */
export function settle(context: Context, group: Group): Change[] {
  const changes: Change[] = []
  for (const instance of liveInstances(group)) {
    if (!instance.healthy) changes.push(...terminate(context, group, instance, 'unhealthy'))
  }
  while (liveInstances(group).length > group.desired) {
    const victim = victimOf(group, context.engine.now)
    // All are protected: the capacity asked for is lower, and the instances stay.
    if (!victim) break
    changes.push(...terminate(context, group, victim, 'scale-in'))
  }
  // The capacity asked for stays, and what is missing is launched by a later try.
  if (context.shortages.some((span) => isWithin(span, context.engine.now))) return changes
  while (liveInstances(group).length < group.desired) changes.push(...launch(context, group))
  return changes
}

/** Sets the desired capacity, and settles. */
export function resize(context: Context, group: Group, to: number, by: 'api' | 'policy'): Change[] {
  if (to === group.desired) return []
  const change: Change = {
    kind: 'autoscaling.desired',
    group: group.name,
    from: group.desired,
    to,
    by,
  }
  group.desired = to
  return [change, ...settle(context, group)]
}

function launch(context: Context, group: Group): Change[] {
  const { engine, random } = context
  const zone = byLoad(group)[0] ?? ''
  const id = `i-0${hex(random)}${hex(random)}${hex(random)}${hex(random)}`
  const instance: Instance = {
    id,
    zone,
    launchedAt: engine.now,
    actions: new Map(),
    state: 'Pending',
    healthy: true,
    protectedFromScaleIn: group.protectsNew,
    up: false,
    inServiceAt: null,
    cause: null,
  }
  group.instances.set(id, instance)
  const hooks = openHooks(context, group, instance, 'autoscaling:EC2_INSTANCE_LAUNCHING')
  if (hooks.length > 0) instance.state = 'Pending:Wait'
  return [{ kind: 'autoscaling.launched', group: group.name, instance: id }, ...hooks]
}

/** The box is up and passes its first health check; a launch hook may hold it still. */
export function passHealthCheck(context: Context, instance: Instance): void {
  instance.up = true
  if (instance.state !== 'Pending:Wait') enterService(context, instance)
}

function enterService({ engine }: Context, instance: Instance): void {
  instance.state = 'InService'
  instance.inServiceAt = engine.now
}

/** A live or a standby instance leaves: at once, or held by the group's terminate hooks first. */
export function terminate(
  context: Context,
  group: Group,
  instance: Instance,
  cause: Cause,
): Change[] {
  const before = closeAll(group, instance, { by: 'gone', result: null })
  instance.cause = cause
  const hooks = openHooks(context, group, instance, 'autoscaling:EC2_INSTANCE_TERMINATING')
  if (hooks.length > 0) {
    instance.state = 'Terminating:Wait'
    return [...before, ...hooks]
  }
  instance.state = 'Terminating'
  return [...before, terminating(group, instance)]
}

const terminating = (group: Group, { id, cause }: Instance): Change => ({
  kind: 'autoscaling.terminating',
  group: group.name,
  instance: id,
  cause: cause ?? 'scale-in',
})

function openHooks(
  context: Context,
  group: Group,
  instance: Instance,
  transition: Transition,
): Change[] {
  const hooks = [...group.hooks.values()].filter((hook) => hook.transition === transition)
  const launching = transition === 'autoscaling:EC2_INSTANCE_LAUNCHING'
  return hooks.map((hook) => {
    const { now } = context.engine
    const action: Action = {
      hook,
      token: uuid(context.random),
      until: now + hook.heartbeatSeconds * 1_000,
      untilMost: now + globalTimeoutSeconds(hook) * 1_000,
    }
    instance.actions.set(hook.name, action)
    watch(context, group, { instance, action })
    return {
      kind: 'autoscaling.hook',
      group: group.name,
      instance: instance.id,
      hook: hook.name,
      token: action.token,
      transition,
      heartbeatSeconds: hook.heartbeatSeconds,
      metadata: hook.metadata,
      origin: launching ? 'EC2' : 'AutoScalingGroup',
      destination: launching ? 'AutoScalingGroup' : 'EC2',
    }
  })
}

type Held = { readonly instance: Instance; readonly action: Action }

/** Ends the action when its time is over; a heartbeat moves that time and plans its own look. */
function watch(context: Context, group: Group, held: Held): void {
  const { engine, emit } = context
  const { instance, action } = held
  engine.at(Math.min(action.until, action.untilMost), () => {
    if (instance.actions.get(action.hook.name) !== action) return
    if (engine.now < Math.min(action.until, action.untilMost)) return
    const by = engine.now >= action.untilMost ? 'global-timeout' : 'timeout'
    emit(endAction(context, group, held, { by, result: action.hook.defaultResult }))
  })
}

/** A heartbeat: the timeout begins anew, within the longest wait. */
export function extend(context: Context, group: Group, held: Held): Change[] {
  const { instance, action } = held
  const until = Math.min(
    context.engine.now + action.hook.heartbeatSeconds * 1_000,
    action.untilMost,
  )
  if (until === action.until) return []
  action.until = until
  watch(context, group, held)
  const hook = action.hook.name
  return [{ kind: 'autoscaling.heartbeat', group: group.name, instance: instance.id, hook, until }]
}

/** One action is over. The last one lets the instance go on; an abandoned one ends the others. */
export function endAction(context: Context, group: Group, held: Held, end: End): Change[] {
  const { instance, action } = held
  const changes = [close(group, instance, action, end)]
  if (end.result === 'ABANDON') {
    changes.push(...closeAll(group, instance, { by: 'skipped', result: null }))
  }
  if (instance.actions.size > 0) return changes
  return [...changes, ...goOn(context, group, instance, end.result)]
}

function goOn(
  context: Context,
  group: Group,
  instance: Instance,
  result: ActionResult | null,
): Change[] {
  if (instance.state === 'Terminating:Wait') {
    instance.state = 'Terminating:Proceed'
    return [terminating(group, instance)]
  }
  if (result === 'ABANDON') {
    const changes = terminate(context, group, instance, 'launch-abandoned')
    return [...changes, ...settle(context, group)]
  }
  instance.state = 'Pending:Proceed'
  if (instance.up) enterService(context, instance)
  return []
}

/** EC2 has taken the box of an instance that hooks hold: nothing is left to wait for. */
export function loseBox(context: Context, group: Group, instance: Instance): Change[] {
  if (instance.state !== 'Terminating:Wait') return []
  const changes = closeAll(group, instance, { by: 'gone', result: null })
  return [...changes, ...goOn(context, group, instance, null)]
}

/** Ends every action of an instance, which goes nowhere by that. */
export function closeAll(group: Group, instance: Instance, end: End): Change[] {
  return [...instance.actions.values()].map((action) => close(group, instance, action, end))
}

function close(group: Group, instance: Instance, { hook }: Action, end: End): Change {
  instance.actions.delete(hook.name)
  return {
    kind: 'autoscaling.hook-ended',
    group: group.name,
    instance: instance.id,
    hook: hook.name,
    ...end,
  }
}

const hex = (random: Random) => random.int(0x1_0000).toString(16).padStart(4, '0')

/** An id in the form that AWS gives tokens and activities. */
export function uuid(random: Random): string {
  const [a, b, c, d, e, f, g, h] = Array.from({ length: 8 }, () => hex(random))
  return `${a}${b}-${c}-4${d?.slice(1)}-8${e?.slice(1)}-${f}${g}${h}`
}
