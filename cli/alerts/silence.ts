import { isLike } from '../../shared/alerts/mute.ts'
import type { RuleName } from '../../shared/alerts/rules.ts'
import { changeSilences, readSilences, type Silence } from '../../shared/alerts/silences.ts'
import type { Deps } from '../../shared/aws.ts'
import type { Fleet } from '../../shared/queue-config.ts'

type SilenceDeps = Pick<Deps, 'dynamodb' | 'stateTable' | 'clock' | 'signal' | 'runId'>

export type Wish = {
  readonly queues: readonly string[]
  readonly rules: readonly RuleName[]
  readonly forSeconds: number
  readonly reason: string
  readonly by: string | null
}

// Whoever wants more quiet than a week changes the file.
const longestSeconds = 604_800

/** Throws where it would silence nothing, or for too long. */
export async function addSilence(deps: SilenceDeps, fleet: Fleet, wish: Wish): Promise<Silence> {
  const { forSeconds, queues, rules, reason, by } = wish
  if (forSeconds > longestSeconds) throw new Error('A silence lasts a week at most')
  const names = fleet.queues.map(({ name }) => name)
  for (const pattern of queues) {
    if (names.some((name) => isLike(pattern, name)) || (fleet.adopt && !pattern.includes('*'))) {
      continue
    }
    throw new Error(`No queue of fleet.config.ts is like ${pattern}; there are ${names.join(', ')}`)
  }
  const now = Math.floor(deps.clock.now() / 1_000)
  const silence: Silence = {
    // Unique among those of a fleet, and short enough to be typed.
    id: `s${now.toString(36)}${deps.runId.slice(0, 2)}`,
    ...{ queues: [...queues], rules: [...rules], at: now, until: now + forSeconds, reason, by },
  }
  await changeSilences(deps, now, (silences) => [...silences, silence])
  return silence
}

/** Ends one before its time; throws where there is none, listing those that there are. */
export async function endSilence(deps: SilenceDeps, id: string): Promise<Silence> {
  const now = Math.floor(deps.clock.now() / 1_000)
  const { silences } = await readSilences(deps, now)
  const found = silences.find((one) => one.id === id)
  if (!found) {
    const ids = silences.map((one) => one.id).join(', ') || 'none'
    throw new Error(`There is no silence ${id}; there are ${ids}`)
  }
  await changeSilences(deps, now, (all) => all.filter((one) => one.id !== id))
  return found
}
