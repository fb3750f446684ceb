import type { Deps } from '../../shared/aws.ts'
import { type Lane, laneOf, lanesOf } from '../../shared/lanes.ts'
import type { Look } from '../../shared/looks.ts'
import type { Fleet, QueueConfig } from '../../shared/queue-config.ts'
import { type QueueMemory, readMemory, type ShardMemory, writeMemory } from '../../shared/state.ts'
import type { Decided } from './decide.ts'

/** What the shard remembers of the queues that a run looks at, by lane. */
export type Recalled = ReadonlyMap<Lane, ShardMemory>

/** The run of the minute looks at both lanes, a fast look at its own alone. */
export async function recall(deps: Deps, fleet: Fleet, look: Look): Promise<Recalled> {
  const lanes = look.fast ? (['fast'] as const) : lanesOf(fleet)
  const read = lanes.map(async (lane) => [lane, await readMemory(deps, look, lane)] as const)
  return new Map(await Promise.all(read))
}

export const rememberedOf = (memory: Recalled, queue: QueueConfig): QueueMemory | null =>
  memory.get(laneOf(queue))?.queues[queue.name] ?? null

/** When the fast lane was last looked at, in epoch milliseconds; null: never. */
export function lastFastLook(memory: Recalled): number | null {
  const looks = Object.values(memory.get('fast')?.queues ?? {}).map(({ at }) => at)
  return looks.length === 0 ? null : Math.max(...looks) * 1_000
}

/**
 * Writes what is to be remembered, each lane on its own condition. Those that another run wrote
 * meanwhile are left out of the answer: this one acts on the queues of the others alone. Where
 * limits are shared it then acts on none, for the other may have raised to them.
 */
export async function keep(
  deps: Deps,
  fleet: Fleet,
  { look, memory }: { readonly look: Look; readonly memory: Recalled },
  decided: readonly Decided[],
): Promise<ReadonlySet<Lane>> {
  const written = new Set<Lane>()
  for (const [lane, read] of memory) {
    const own = decided.filter(({ queue }) => laneOf(queue) === lane)
    // Most shards have no fast queue of their own.
    if (lane === 'fast' && own.length === 0) continue
    const remembered = own.flatMap(({ queue, decision }) =>
      decision.kind === 'unreadable' ? [] : [[queue.name, decision.memory]],
    )
    // A fast look may be at some of the lane's queues; the minute's is at all that there are.
    const others = look.fast ? read.queues : {}
    const queues = { ...others, ...Object.fromEntries(remembered) }
    const outcome = await writeMemory(deps, look, read, queues, lane)
    if (outcome === 'written') written.add(lane)
    else if (fleet.limits.length > 0) return new Set()
  }
  return written
}
