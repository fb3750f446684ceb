import { isWithin, type Span } from '../engine.ts'

/** When all workers of a queue fail in one way, those that start meanwhile too. */
export type Spells = {
  /** They hang: what runs stands still and goes on afterwards, and nothing is received. */
  readonly hangs?: Span
  /** They do not poll: what they hold they work off, and nothing is received. */
  readonly deaf?: Span
}

export const isPolled = ({ hangs, deaf }: Spells, now: number) =>
  !(hangs && isWithin(hangs, now)) && !(deaf && isWithin(deaf, now))

/** When a run ends that begins now: what is left of it when they hang is worked off afterwards. */
export function endOf({ hangs }: Spells, now: number, durationMs: number): number {
  const end = now + durationMs
  if (!hangs || now >= hangs.until || end <= hangs.at) return end
  return end + hangs.until - Math.max(now, hangs.at)
}
