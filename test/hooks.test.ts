import {
  CompleteLifecycleActionCommand,
  CreateAutoScalingGroupCommand,
  type CreateAutoScalingGroupCommandInput,
  DeleteAutoScalingGroupCommand,
  DeleteLifecycleHookCommand,
  PutLifecycleHookCommand,
  RecordLifecycleActionHeartbeatCommand,
  SetDesiredCapacityCommand,
  SetInstanceProtectionCommand,
  TerminateInstanceInAutoScalingGroupCommand,
} from '@aws-sdk/client-auto-scaling'
import { beforeEach, describe, expect, it } from 'vitest'
import type { Instance } from '../twin/aws/groups.ts'
import type { Change } from '../twin/aws/service.ts'
import { createTwin, type Twin } from '../twin/twin.ts'

/** What moto does not know of lifecycle hooks: the lives of instances that they hold. */

const startAt = Date.parse('2026-01-06T15:00:00Z')
const AutoScalingGroupName = 'g'
const terminating = 'autoscaling:EC2_INSTANCE_TERMINATING'
const launching = 'autoscaling:EC2_INSTANCE_LAUNCHING'

/** A group of one instance in service, and all that it did. */
type Rig = {
  readonly twin: Twin<null>
  readonly changes: Change[]
  readonly id: string
  /** A call, and what became of it: `done`, or the error in one line. */
  call(command: object): string
  /** Lets that many seconds pass. */
  wait(seconds: number): void
  state(): Instance['state'] | 'gone'
  /** What ended the hooks that held the instance, in turn. */
  ends(): string[]
}

const hook = (name: string, HeartbeatTimeout = 60, more: object = {}) => ({
  LifecycleHookName: name,
  LifecycleTransition: terminating,
  HeartbeatTimeout,
  ...more,
})

function createRig(
  hooks: CreateAutoScalingGroupCommandInput['LifecycleHookSpecificationList'],
  more: Partial<CreateAutoScalingGroupCommandInput> = {},
): Rig {
  const twin = createTwin({ seed: 1, startAt, makeTask: () => null })
  const changes: Change[] = []
  twin.onChange((change) => changes.push(change))
  const apply = (command: object) =>
    twin.emit(twin.autoscaling.apply(twin.engine.now, command).changes)
  apply(
    new CreateAutoScalingGroupCommand({
      AutoScalingGroupName,
      MinSize: 0,
      MaxSize: 3,
      DesiredCapacity: 1,
      LifecycleHookSpecificationList: hooks,
      ...more,
    }),
  )
  const [id = ''] = twin.autoscaling.groups.get('g')?.instances.keys() ?? []
  twin.autoscaling.enterService(startAt, 'g', id)
  return {
    ...{ twin, changes, id },
    call(command) {
      try {
        apply(command)
        return 'done'
      } catch (error) {
        if (error instanceof Error) return `${error.name}: ${error.message}`
        throw error
      }
    },
    wait: (seconds) => twin.engine.runUntil(twin.engine.now + seconds * 1_000),
    state: () => twin.autoscaling.groups.get('g')?.instances.get(id)?.state ?? 'gone',
    ends: () =>
      changes.flatMap((change) =>
        change.kind === 'autoscaling.hook-ended'
          ? [`${change.hook} ${change.by} ${change.result}`]
          : [],
      ),
  }
}

const desire = (DesiredCapacity: number) =>
  new SetDesiredCapacityCommand({ AutoScalingGroupName, DesiredCapacity })
const end = (InstanceId: string, ShouldDecrementDesiredCapacity: boolean) =>
  new TerminateInstanceInAutoScalingGroupCommand({ InstanceId, ShouldDecrementDesiredCapacity })

/** By the instance where nothing else is said. */
const named = (rig: Rig, LifecycleHookName: string, by: object = { InstanceId: rig.id }) => ({
  AutoScalingGroupName,
  LifecycleHookName,
  ...by,
})
const complete = (rig: Rig, name: string, result = 'CONTINUE', by?: object) =>
  new CompleteLifecycleActionCommand({
    ...named(rig, name, by),
    LifecycleActionResult: result,
  })
const heartbeat = (rig: Rig, name: string, by?: object) =>
  new RecordLifecycleActionHeartbeatCommand(named(rig, name, by))

const lastOf = (rig: Rig, kind: Change['kind']) =>
  rig.changes.findLast((change) => change.kind === kind)
const countOf = (rig: Rig, kind: Change['kind']) =>
  rig.changes.filter((change) => change.kind === kind).length
const tokenOf = (rig: Rig) => {
  const change = lastOf(rig, 'autoscaling.hook')
  return change?.kind === 'autoscaling.hook' ? change.token : ''
}

describe('a terminate hook of a minute', () => {
  let rig: Rig
  beforeEach(() => {
    rig = createRig([hook('drain', 60, { NotificationMetadata: 'queue=video' })])
  })

  it('holds an instance that scale-in takes, and tells everything about it', () => {
    rig.call(desire(0))
    expect(rig.state()).toBe('Terminating:Wait')
    expect(lastOf(rig, 'autoscaling.hook')).toEqual({
      kind: 'autoscaling.hook',
      group: 'g',
      instance: rig.id,
      hook: 'drain',
      token: expect.stringMatching(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/),
      transition: terminating,
      heartbeatSeconds: 60,
      metadata: 'queue=video',
      origin: 'AutoScalingGroup',
      destination: 'EC2',
    })
    expect(countOf(rig, 'autoscaling.terminating')).toBe(0)
  })

  const ends: [string, (rig: Rig) => unknown, string][] = [
    ['its completion', (r) => r.call(complete(r, 'drain')), 'drain complete CONTINUE'],
    ['its abandonment', (r) => r.call(complete(r, 'drain', 'ABANDON')), 'drain complete ABANDON'],
    [
      'a completion by token',
      (r) => r.call(complete(r, 'drain', 'CONTINUE', { LifecycleActionToken: tokenOf(r) })),
      'drain complete CONTINUE',
    ],
    ['its timeout', (r) => r.wait(60), 'drain timeout ABANDON'],
    [
      'its deletion',
      (r) => r.call(new DeleteLifecycleHookCommand(named(r, 'drain', {}))),
      'drain deleted CONTINUE',
    ],
    [
      'the end of the box',
      (r) => r.twin.emit(r.twin.autoscaling.markUnhealthy(0, 'g', r.id)),
      'drain gone null',
    ],
  ]
  it.each(ends)('lets the instance go by %s', (_, act, told) => {
    rig.call(desire(0))
    act(rig)
    expect(rig.state()).toBe('Terminating:Proceed')
    expect(rig.ends()).toEqual([told])
    expect(lastOf(rig, 'autoscaling.terminating')).toEqual({
      kind: 'autoscaling.terminating',
      group: 'g',
      instance: rig.id,
      cause: 'scale-in',
    })
    // No time that passes ends it twice.
    rig.wait(10_000)
    expect(countOf(rig, 'autoscaling.terminating')).toBe(1)
  })

  it('is over once the group has forgotten the instance', () => {
    rig.call(desire(0))
    rig.twin.emit(rig.twin.autoscaling.forget('g', rig.id))
    expect(rig.ends()).toEqual(['drain gone null'])
    expect(rig.call(complete(rig, 'drain'))).toMatch('No active Lifecycle Action found')
  })

  it('does not run where a group is deleted by force', () => {
    const force = { AutoScalingGroupName, ForceDelete: true }
    rig.call(new DeleteAutoScalingGroupCommand(force))
    rig.wait(100)
    expect(countOf(rig, 'autoscaling.hook')).toBe(0)
  })

  it('begins anew with each heartbeat, up to a hundred times its length', () => {
    rig.call(desire(0))
    rig.wait(50)
    expect(rig.call(heartbeat(rig, 'drain'))).toBe('done')
    rig.wait(59)
    expect(rig.state()).toBe('Terminating:Wait')
    rig.wait(1)
    expect(rig.ends()).toEqual(['drain timeout ABANDON'])
  })

  it('is over after a hundred times its length, whatever the heartbeats', () => {
    rig.call(desire(0))
    for (let waited = 0; waited < 5_970; waited += 30) {
      rig.wait(30)
      expect(rig.call(heartbeat(rig, 'drain'))).toBe('done')
    }
    rig.wait(29)
    expect(rig.state()).toBe('Terminating:Wait')
    rig.wait(1)
    expect(rig.ends()).toEqual(['drain global-timeout ABANDON'])
  })

  it('two heartbeats at one moment move it once', () => {
    rig.call(desire(0))
    rig.wait(10)
    rig.call(heartbeat(rig, 'drain'))
    rig.call(heartbeat(rig, 'drain'))
    expect(countOf(rig, 'autoscaling.heartbeat')).toBe(1)
  })

  const refused: [string, (rig: Rig) => object, string][] = [
    ['before it holds anything', (r) => complete(r, 'drain'), 'No active Lifecycle Action found'],
    ['by a result that is none', (r) => complete(r, 'drain', 'STOP'), 'is not CONTINUE or ABANDON'],
    [
      'by neither token nor instance',
      (r) => complete(r, 'drain', 'CONTINUE', {}),
      'Either a token',
    ],
    ['by an unknown name', (r) => heartbeat(r, 'other'), 'with instance ID i-'],
    [
      'by an unknown token',
      (r) => heartbeat(r, 'drain', { LifecycleActionToken: 'none' }),
      'No active Lifecycle Action found with token none',
    ],
  ]
  it.each(refused)('refuses a call %s', (when, command, message) => {
    if (!when.startsWith('before')) rig.call(desire(0))
    const answer = rig.call(command(rig))
    expect(answer).toMatch(/^ValidationError: /)
    expect(answer).toContain(message)
  })

  it('is completed once', () => {
    rig.call(desire(0))
    expect(rig.call(complete(rig, 'drain'))).toBe('done')
    expect(rig.call(complete(rig, 'drain'))).toBe(
      `ValidationError: No active Lifecycle Action found with instance ID ${rig.id}`,
    )
  })

  it('holds what it holds as it began, though the hook is changed', () => {
    rig.call(desire(0))
    const longer = { AutoScalingGroupName, LifecycleHookName: 'drain', HeartbeatTimeout: 600 }
    expect(rig.call(new PutLifecycleHookCommand(longer))).toBe('done')
    rig.wait(60)
    expect(rig.ends()).toEqual(['drain timeout ABANDON'])
  })

  it('holds an instance out of the count: another is launched for it', () => {
    rig.call(end(rig.id, false))
    expect(rig.state()).toBe('Terminating:Wait')
    expect(countOf(rig, 'autoscaling.launched')).toBe(2)
    expect(rig.call(end(rig.id, false))).toMatch(/^ScalingActivityInProgressFault/)
  })

  it('holds the unhealthy too', () => {
    rig.twin.emit(rig.twin.autoscaling.markUnhealthy(0, 'g', rig.id))
    expect(rig.state()).toBe('Terminating:Wait')
    expect(countOf(rig, 'autoscaling.launched')).toBe(2)
  })
})

describe('several terminate hooks', () => {
  it('all of them hold an instance', () => {
    const rig = createRig([hook('drain', 60), hook('copy', 120)])
    rig.call(desire(0))
    rig.call(complete(rig, 'drain'))
    expect(rig.state()).toBe('Terminating:Wait')
    rig.call(complete(rig, 'copy'))
    expect(rig.state()).toBe('Terminating:Proceed')
    expect(rig.ends()).toEqual(['drain complete CONTINUE', 'copy complete CONTINUE'])
  })

  it('one that is abandoned ends them all', () => {
    const rig = createRig([hook('drain', 60), hook('copy', 120)])
    rig.call(desire(0))
    rig.call(complete(rig, 'copy', 'ABANDON'))
    expect(rig.state()).toBe('Terminating:Proceed')
    expect(rig.ends()).toEqual(['copy complete ABANDON', 'drain skipped null'])
  })

  it('one that times out and continues leaves the others', () => {
    const rig = createRig([hook('drain', 60, { DefaultResult: 'CONTINUE' }), hook('copy', 90)])
    rig.call(desire(0))
    rig.wait(60)
    expect(rig.state()).toBe('Terminating:Wait')
    rig.wait(30)
    expect(rig.ends()).toEqual(['drain timeout CONTINUE', 'copy timeout ABANDON'])
  })
})

describe('a launch hook', () => {
  const launch = hook('warm', 60, { LifecycleTransition: launching })

  it('holds an instance until it is completed, whenever the box is up', () => {
    const rig = createRig([launch])
    expect(rig.state()).toBe('Pending:Wait')
    rig.call(complete(rig, 'warm'))
    expect(rig.state()).toBe('InService')
    rig.call(desire(2))
    const [, second] = rig.twin.autoscaling.groups.get('g')?.instances.values() ?? []
    rig.call(complete(rig, 'warm', 'CONTINUE', { InstanceId: second?.id }))
    expect(second?.state).toBe('Pending:Proceed')
    rig.twin.autoscaling.enterService(0, 'g', second?.id ?? '')
    expect(second?.state).toBe('InService')
  })

  it('replaces an instance that it abandons', () => {
    const rig = createRig([launch])
    rig.wait(60)
    expect(rig.ends()).toEqual(['warm timeout ABANDON'])
    expect(rig.state()).toBe('Terminating')
    expect(lastOf(rig, 'autoscaling.terminating')).toMatchObject({ cause: 'launch-abandoned' })
    expect(countOf(rig, 'autoscaling.launched')).toBe(2)
  })

  it('holds no longer what is scaled in', () => {
    const rig = createRig([launch])
    rig.call(desire(0))
    expect(rig.state()).toBe('Terminating')
    rig.wait(60)
    expect(rig.ends()).toEqual(['warm gone null'])
  })
})

describe('scale-in', () => {
  it('passes over the protected, and takes them once they are not', () => {
    const rig = createRig([], { DesiredCapacity: 3 })
    const ids = [...(rig.twin.autoscaling.groups.get('g')?.instances.keys() ?? [])]
    for (const id of ids) rig.twin.autoscaling.enterService(0, 'g', id)
    const protect = (InstanceIds: string[], ProtectedFromScaleIn: boolean) =>
      rig.call(
        new SetInstanceProtectionCommand({
          AutoScalingGroupName,
          InstanceIds,
          ProtectedFromScaleIn,
        }),
      )
    protect(ids.slice(0, 2), true)
    rig.call(desire(1))
    const states = () =>
      [...(rig.twin.autoscaling.groups.get('g')?.instances.values() ?? [])].map((i) => i.state)
    expect(states()).toEqual(['InService', 'InService', 'Terminating'])
    protect(ids.slice(0, 1), false)
    expect(states()).toEqual(['Terminating', 'InService', 'Terminating'])
    expect(protect(ids.slice(0, 1), true)).toMatch('is not in InService')
    expect(protect(['i-0'], true)).toMatch('is not part of Auto Scaling group g')
  })
})
