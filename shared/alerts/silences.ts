import * as z from 'zod/mini'
import type { Deps } from '../aws.ts'
import { parseJson } from '../json.ts'
import { packed, unpacked } from '../packed.ts'
import { readVersioned, writeVersioned } from '../versioned.ts'
import type { Mute } from './mute.ts'
import { ruleNames } from './rules.ts'

/**
 * What somebody has asked not to be told of for a while, in one item of the fleet,
 * `alerts#silences`. Epoch seconds.
 */

const silenceSchema = z.object({
  /** What it is ended by. */
  id: z.string(),
  queues: z.array(z.string()),
  rules: z.array(z.enum(ruleNames)),
  /** When it was asked for. */
  at: z.number(),
  until: z.number(),
  reason: z.string(),
  /** Who asked, by their name on the machine where they did. */
  by: z.nullable(z.string()),
})
export type Silence = z.output<typeof silenceSchema>

type Reader = Pick<Deps, 'dynamodb' | 'stateTable' | 'signal'>

const key = 'alerts#silences'

/** Those that last beyond now; an item that cannot be understood silences nobody. */
export async function readSilences(
  deps: Reader,
  now: number,
): Promise<{ readonly version: number; readonly silences: readonly Silence[] }> {
  const { version, item } = await readVersioned(deps, key)
  const body = z.array(silenceSchema).safeParse(parseJson(unpacked(item['silences']?.B)))
  return { version, silences: (body.data ?? []).filter(({ until }) => until > now) }
}

// People do this by hand: whoever is in the way is so once.
const triesMost = 5

/** Changes them, whoever else does so at the same time; those that are over are forgotten. */
export async function changeSilences(
  deps: Reader & Pick<Deps, 'runId'>,
  now: number,
  change: (silences: readonly Silence[]) => readonly Silence[],
): Promise<void> {
  for (let tries = 0; tries < triesMost; tries++) {
    const { version, silences } = await readSilences(deps, now)
    const body = { silences: { B: packed(change(silences)) } }
    if ((await writeVersioned(deps, key, version, body)) === 'written') return
  }
  throw new Error('The silences could not be written: others kept writing them')
}

export const mutesOf = (silences: readonly Silence[]): Mute[] =>
  silences.map(({ queues, rules, until, reason }) => ({
    ...{ kind: 'silence', queues, rules, until, reason },
  }))
