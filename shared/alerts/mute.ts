import type { RuleName } from './rules.ts'

/** Of what nobody is told for a while. Pure; epoch seconds. */

export type Scope = {
  /** Names of queues, in which `*` stands for anything. */
  readonly queues: readonly string[]
  /** None: every rule. */
  readonly rules: readonly RuleName[]
}

/** A silence of somebody, or a maintenance window that is open. */
export type Mute = Scope & {
  readonly kind: 'silence' | 'maintenance'
  readonly until: number
  readonly reason: string
}

export const isLike = (pattern: string, name: string) => {
  const parts = pattern.split('*').map((part) => part.replace(/[^\w-]/g, '\\$&'))
  return new RegExp(`^${parts.join('.*')}$`).test(name)
}

const covers = ({ queues, rules }: Scope, queue: string, rule: RuleName) =>
  (rules.length === 0 || rules.includes(rule)) && queues.some((pattern) => isLike(pattern, queue))

/** The one that lasts longest; null: people are to be told. */
export function muteOf(mutes: readonly Mute[], queue: string, rule: RuleName): Mute | null {
  const fitting = mutes.filter((mute) => covers(mute, queue, rule))
  return [...fitting].sort((a, b) => b.until - a.until)[0] ?? null
}
