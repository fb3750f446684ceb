import { liveInstances } from './aws/groups.ts'
import type { Change } from './aws/service.ts'
import { lost } from './summary.ts'
import { groupName, type World } from './world/world.ts'

/** What must hold at every moment of every run, faults or not; each breach is one line. */
export type Watch = {
  readonly breaches: string[]
  /**
   * Runs a handler's work, twice unless told otherwise: it may leave no call in flight, nor
   * anything to change.
   */
  handler<R>(name: string, run: () => Promise<R>): Promise<R>
  /** Looks at the world as it is. */
  world(): void
}

// A broken rule breaks every minute; the first few say all there is to say.
const breachesKept = 20

/** Whether every handler runs a second time, which must change nothing; that takes its time. */
export type Repeats = 'twice' | 'once'

export function createWatch(world: World, repeats: Repeats = 'twice'): Watch {
  const { twin } = world
  const breaches: string[] = []
  let changes: Change[] = []
  twin.onChange((change) => changes.push(change))
  const breach = (text: string) => {
    const at = new Date(twin.engine.now).toISOString()
    if (breaches.length < breachesKept) breaches.push(`${at} ${text}`)
  }
  const once = async <R>(name: string, run: () => Promise<R>) => {
    changes = []
    const result = await run()
    // A drain's replacement is no raise of ours: it takes the place of one that leaves.
    if (name !== 'drain' && changes.some(isRaise)) for (const one of beyond(world)) breach(one)
    if (twin.inFlight() > 0) breach(`${name} ended with ${twin.inFlight()} calls in flight`)
    // What backlog and drain remember is written each time; what forecast writes is its work.
    const kinds = name === 'forecast' ? /./ : /^(autoscaling|sns|ssm)\./
    return { result, changed: changes.filter(({ kind }) => kinds.test(kind)) }
  }
  return {
    breaches,
    async handler(name, run) {
      const { result, changed } = await once(name, run)
      // What was refused is tried again, as it should be.
      if (twin.isFailing() || repeats === 'once') return result
      // Whom drain takes back from standby is a member that its run has not seen: where the group
      // should have fewer, the next run may ask one more or none any more, but change no capacity;
      // the one after it changes nothing.
      if (name === 'drain' && changed.some(isRaise)) {
        for (const change of (await once(name, run)).changed.filter(isCapacity)) {
          breach(`${name}, run again, changed a capacity: ${JSON.stringify(change)}`)
        }
      }
      for (const change of (await once(name, run)).changed) {
        breach(`${name}, run again, changed something: ${JSON.stringify(change)}`)
      }
      return result
    },
    world() {
      for (const group of twin.autoscaling.groups.values()) {
        const live = liveInstances(group).length
        const { name, minSize, maxSize, desired } = group
        if (desired < minSize || desired > maxSize || live > maxSize) {
          const state = `desired ${desired}, ${live} instances`
          breach(`${name} is outside of its bounds ${minSize} to ${maxSize}: ${state}`)
        }
      }
      for (const [group, { killedByGroup }] of world.instances.ledgers) {
        if (killedByGroup > 0) breach(`${group} ended ${killedByGroup} runs with their instances`)
      }
      for (const [queue, tally] of world.tallies) {
        if (lost(tally) !== 0) breach(`${queue} lost ${lost(tally)} tasks`)
      }
    },
  }
}

const isCapacity = ({ kind }: Change) => kind === 'autoscaling.desired'

const isRaise = (change: Change) => change.kind === 'autoscaling.desired' && change.to > change.from

/** Which of the fleet's limits the groups are beyond, after a raise. */
function beyond({ twin, scenario: { fleet } }: World): string[] {
  return fleet.limits.flatMap(({ name, most }) => {
    const used = fleet.queues.reduce((sum, queue) => {
      const desired = twin.autoscaling.groups.get(groupName(queue.name))?.desired ?? 0
      return sum + desired * (queue.instance[name] ?? 0)
    }, 0)
    // Sums of dollars are not exact.
    return used > most + 1e-6 ? `raised to ${used} ${name}, beyond the limit of ${most}` : []
  })
}
