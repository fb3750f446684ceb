import type { DrainDeps } from '../../shared/aws.ts'
import { type Drain, type Kept, writeDrain } from '../../shared/drains.ts'
import { isEqual } from '../../shared/equal.ts'
import { type Done, settle } from './act.ts'
import { decide, nextLook, type Step, type Why } from './decide.ts'
import { fold, type Ignored } from './fold.ts'
import type { Located, Subject } from './gather.ts'

/** A subject whose next state is written: this run, and no other, does the steps that led to it. */
export type Claimed = {
  readonly kind: 'claimed'
  readonly subject: Subject
  readonly located: Located
  /** As it was before this run, or null. */
  readonly before: Drain | null
  readonly kept: { readonly drain: Drain; readonly version: number }
  readonly steps: readonly Step[]
  readonly why: Why
  readonly ignored: readonly Ignored[]
}

/** A subject of which nothing was to be kept. */
export type Idle = { readonly kind: 'idle'; readonly ignored: readonly (Ignored | 'foreign')[] }

/** What all claims of one run share. */
export type Common = {
  readonly now: number
  /** How many instances may still be put on standby, by group; counts down. */
  readonly rooms: Map<string, number>
  /** The timeout of our hook, by group, where it is known. */
  readonly timeouts: ReadonlyMap<string, number>
}

// Two runs that meet at one instance go on in turn; more than this many in a row is no accident.
const attemptsMax = 5

/**
 * Folds what was heard into the state, decides and writes both down; where another run has written
 * meanwhile, again from what that one left.
 */
export async function claim(
  deps: DrainDeps,
  subject: Subject,
  located: Located,
  common: Common,
): Promise<Claimed | Idle> {
  let kept = subject.kept
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    const next = advance(kept.drain, subject, located, common)
    if (next.drain === null) return { kind: 'idle', ignored: next.ignored }
    const { drain, steps, why, ignored } = next
    const claimed = {
      kind: 'claimed',
      subject,
      located,
      before: kept.drain,
      steps,
      why,
      ignored,
    } as const
    if (isEqual(kept.drain, drain)) return { ...claimed, kept: { drain, version: kept.version } }
    const result = await writeDrain(deps, drain, kept.version)
    if ('written' in result) return { ...claimed, kept: { drain, version: kept.version + 1 } }
    kept = result.conflict
  }
  throw new Error(`${subject.instance} was written by other runs ${attemptsMax} times in a row`)
}

type Advanced =
  | { readonly drain: null; readonly ignored: readonly Ignored[] }
  | (Pick<Claimed, 'steps' | 'why' | 'ignored'> & { readonly drain: Drain })

function advance(
  start: Drain | null,
  { notices }: Subject,
  { place, seen }: Located,
  { now, rooms, timeouts }: Common,
): Advanced {
  const ignored: Ignored[] = []
  let drain = start
  for (const notice of notices) {
    const folded = fold(drain, notice, place, now)
    drain = folded.drain
    if ('ignored' in folded) ignored.push(folded.ignored)
  }
  if (drain === null) return { drain, ignored }
  const room = rooms.get(place.group) ?? 0
  const decision = decide(withTimeout(drain, timeouts), { ...seen, room }, now)
  if (decision.steps.some((step) => step.do === 'set-aside')) rooms.set(place.group, room - 1)
  return { ...decision, ignored }
}

function withTimeout(drain: Drain, timeouts: ReadonlyMap<string, number>): Drain {
  const timeoutSeconds = timeouts.get(drain.group)
  if (!drain.hook || drain.hook.timeoutSeconds !== null || !timeoutSeconds) return drain
  return { ...drain, hook: { ...drain.hook, timeoutSeconds } }
}

// The longest that a message may be delayed; what is later is left to the sweep.
const delayMillisecondsMax = 900_000

// A step that failed is tried again this soon, and not only by the next sweep.
const retryMilliseconds = 10_000

/** When a timer of its own must bring the drain back; null where none is needed. */
export function plan(drain: Drain, done: readonly Done[], now: number): number | null {
  const retry = done.some(({ ok }) => !ok) && !drain.ended ? now + retryMilliseconds : null
  const moments = [nextLook(drain, now), retry].filter((moment) => moment !== null)
  const next = moments.length === 0 ? null : Math.min(...moments)
  if (next === null || next - now > delayMillisecondsMax) return null
  const { lookAt } = drain
  // A timer that is on its way does for any look that is not before it.
  return lookAt !== null && lookAt > now && lookAt <= next ? null : next
}

/** Writes down what came of the steps, on top of whatever others have written meanwhile. */
export async function conclude(
  deps: DrainDeps,
  { kept }: Claimed,
  done: readonly Done[],
  lookAt: number | null,
): Promise<Drain> {
  let from: Kept = kept
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    const base = from.drain ?? kept.drain
    const drain = { ...settle(base, done), lookAt: lookAt ?? base.lookAt }
    if (isEqual(from.drain, drain)) return drain
    const result = await writeDrain(deps, drain, from.version)
    if ('written' in result) return drain
    from = result.conflict
  }
  throw new Error(`${kept.drain.instance} was written by other runs ${attemptsMax} times in a row`)
}
