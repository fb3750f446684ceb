import * as z from 'zod/mini'
import { type Page, pageSchema } from '../../shared/alerts/page.ts'
import type { Deps } from '../../shared/aws.ts'
import { parseJson } from '../../shared/json.ts'
import type { Delivery } from '../../shared/notify/send.ts'
import { packed, unpacked } from '../../shared/packed.ts'
import type { Put } from '../../shared/put.ts'
import { readVersioned, writeVersioned } from '../../shared/versioned.ts'
import { alertSchema } from './alert.ts'
import { causes } from './causes.ts'
import type { Open } from './pages.ts'

/**
 * What people were told, in one item of the fleet, `alerts#told`: the pages that are open, and
 * those that are on their way. A page is written down before it is sent and struck off when it
 * was: a run that dies in between leaves it to the next one.
 */

/** A page that is to be sent, or that some channel has not taken yet. */
export type Due = {
  readonly page: Page
  /** Channels that have not taken it. */
  readonly channels: readonly string[]
  /** When a run began to send it, epoch seconds; 0 when it has given up. */
  readonly claimedAt: number
  readonly tries: number
}

export type Told = {
  readonly version: number
  readonly open: readonly Open[]
  readonly due: readonly Due[]
}

const member = z.object({
  alert: alertSchema,
  endedAt: z.nullable(z.number()),
  silenced: z.boolean(),
  muted: z._default(z.boolean(), false),
})
const openSchema = z.object({
  key: z.string(),
  cause: z.enum(causes),
  ...{ openedAt: z.number(), toldAt: z.number(), news: z.boolean() },
  members: z.array(member),
})
const dueSchema = z.object({
  page: pageSchema,
  channels: z.array(z.string()),
  ...{ claimedAt: z.number(), tries: z.number() },
})
const bodySchema = z.object({ open: z.array(openSchema), due: z.array(dueSchema) })

const key = 'alerts#told'

/** An item that cannot be understood counts as none: what fires is then told anew. */
export async function readTold(
  deps: Pick<Deps, 'dynamodb' | 'stateTable' | 'signal'>,
): Promise<Told> {
  const { version, item } = await readVersioned(deps, key)
  const body = bodySchema.safeParse(parseJson(unpacked(item['told']?.B)))
  return { version, ...(body.success ? body.data : { open: [], due: [] }) }
}

export const writeTold = (
  deps: Pick<Deps, 'dynamodb' | 'stateTable' | 'runId' | 'signal'>,
  { version, open, due }: Told,
): Promise<Put> => writeVersioned(deps, key, version, { told: { B: packed({ open, due }) } })

// What a run has after its signal is for this: what was sent and not struck off is sent again.
const strikeMilliseconds = 2_000
// Another run writes once or twice; more often than that nobody does within one run.
const strikesMost = 5

/** Strikes off what this run has sent, whoever has written since it was claimed. */
export async function strikeOff(
  deps: Pick<Deps, 'dynamodb' | 'stateTable' | 'runId'>,
  written: Told,
  mine: readonly Due[],
  left: readonly Due[],
): Promise<void> {
  const own = { ...deps, signal: AbortSignal.timeout(strikeMilliseconds) }
  const claimed = new Set(mine.map(idOf))
  let told = written
  for (let strike = 0; strike < strikesMost; strike++) {
    const due = told.due.flatMap((one) => (claimed.has(idOf(one)) ? leftLike(one, left) : one))
    if ((await writeTold(own, { ...told, due })) === 'written') return
    told = await readTold(own)
  }
  throw new Error('What was told could not be struck off: other runs kept writing')
}

const leftLike = (one: Due, left: readonly Due[]) =>
  left.filter((other) => idOf(other) === idOf(one))

/** A page in the hands of one run: who claims it after that has tried once more. */
const idOf = ({ page, tries }: Due) => [page.key, page.kind, page.at, tries].join()

// The function's own time and a little: who claimed it before is dead.
const claimSeconds = 55
// An hour of a channel that takes nothing; by then the page is old news, and repeats follow.
const triesMost = 60

/** Those that nobody is sending, to be sent by this run. */
export const claim = (due: readonly Due[], now: number): { mine: Due[]; theirs: Due[] } => ({
  mine: due
    .filter((one) => now - one.claimedAt >= claimSeconds)
    .map((one) => ({ ...one, claimedAt: now, tries: one.tries + 1 })),
  theirs: due.filter((one) => now - one.claimedAt < claimSeconds),
})

/** What is left of them when some were delivered; what was tried too often is dropped. */
export function leftOf(
  mine: readonly Due[],
  deliveries: readonly Delivery[],
): { readonly left: Due[]; readonly dropped: Due[] } {
  const left = mine.flatMap((one): Due[] => {
    const isDelivered = (channel: string) =>
      deliveries.some(
        (done) => done.page === one.page && done.channel === channel && done.reason === null,
      )
    const channels = one.channels.filter((channel) => !isDelivered(channel))
    return channels.length === 0 ? [] : [{ ...one, channels, claimedAt: 0 }]
  })
  return {
    left: left.filter(({ tries }) => tries < triesMost),
    dropped: left.filter(({ tries }) => tries >= triesMost),
  }
}
