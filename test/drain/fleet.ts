import { SetDesiredCapacityCommand } from '@aws-sdk/client-auto-scaling'
import { wishOf } from '../../shared/wish.ts'
import type { Change } from '../../twin/aws/service.ts'
import { runMinutes } from '../../twin/run.ts'
import { createWorld, groupName, type Scenario, type World } from '../../twin/world/world.ts'
import { fleetOf } from '../fixtures.ts'

/** A queue of one-minute tasks and four instances of one slot, as steady as a world can be. */

export const startAt = Date.parse('2026-01-06T15:00:00Z')
export const group = groupName('video')

type Options = {
  readonly seed?: number
  readonly faults?: Scenario['faults']
  readonly taskSeconds?: number
  /** The queue's settings beside those of the rig. */
  readonly settings?: object
  readonly maxSize?: number
}

export type Rig = {
  readonly world: World
  readonly changes: readonly (Change & { readonly at: number })[]
  /** The ids of the instances that are in service, oldest first. */
  inService(): string[]
  stateOf(instance: string): string | undefined
  /** Lets that many minutes pass, with everything that runs in them. */
  minutes(count: number): Promise<void>
  /** The group ends as many of its instances. */
  scaleInBy(count: number): void
  /** Backlog wishes that it had no more than that. */
  wish(wanted: number): void
  /** Seconds since the start at which a change of that kind came for that instance. */
  secondsOf(kind: Change['kind'], instance: string): number[]
}

/** A world that has run for ten minutes and two tasks, so that its instances are up and busy. */
export async function createRig(options: Options = {}): Promise<Rig> {
  const { seed = 1, faults = {}, taskSeconds = 60, maxSize = 8, settings = {} } = options
  const video = {
    ...{ startWithin: '10m', taskTime: `${taskSeconds}s`, bootTime: '1m' },
    ...{ scaling: { mode: 'observe', min: 4 }, ...settings },
  }
  const world = createWorld(
    {
      ...{ name: 'rig', startAt, faults, fleet: fleetOf({ queues: { video } }) },
      queue: () => ({
        // Three of the four slots are busy on average.
        ...{ rate: () => 3 / taskSeconds, taskSeconds, taskVariation: 0.2 },
        ...{ visibilitySeconds: taskSeconds * 4 + 150, slots: 1, prefetchMultiplier: 4 },
        ...{ bootSeconds: 60, minSize: 0, maxSize },
      }),
      // Nothing is taken but what a row takes.
      market: { reclaimsPerDay: 1e-9, storms: [] },
    },
    seed,
  )
  const changes: (Change & { at: number })[] = []
  world.twin.onChange((change) => changes.push({ ...change, at: world.twin.engine.now }))
  await runMinutes(world, 10 + Math.ceil(taskSeconds / 30))
  changes.length = 0
  return rigOf(world, changes)
}

function rigOf(world: World, changes: Rig['changes']): Rig {
  const { twin } = world
  const instances = () => twin.autoscaling.groups.get(group)?.instances ?? new Map()
  return {
    world,
    changes,
    inService: () =>
      [...instances().values()].filter(({ state }) => state === 'InService').map(({ id }) => id),
    stateOf: (instance) => instances().get(instance)?.state,
    minutes: (count) => runMinutes(world, count),
    scaleInBy(count) {
      const DesiredCapacity = (twin.autoscaling.groups.get(group)?.desired ?? 0) - count
      const command = new SetDesiredCapacityCommand({
        AutoScalingGroupName: group,
        DesiredCapacity,
      })
      twin.emit(twin.autoscaling.apply(twin.engine.now, command).changes)
    },
    wish(wanted) {
      const desired = twin.autoscaling.groups.get(group)?.desired ?? 0
      const fewer = wishOf({ name: group, desired }, wanted, twin.engine.now)
      world.stack.send(JSON.stringify({ fewer }))
    },
    secondsOf: (kind, instance) =>
      changes.flatMap((change) =>
        change.kind === kind && 'instance' in change && change.instance === instance
          ? (change.at - startAt) / 1_000
          : [],
      ),
  }
}
