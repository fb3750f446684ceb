import { type Decision, decide } from '../../functions/alerts/decide.ts'
import type { Facts, Minutes, Swept, Watched } from '../../functions/alerts/facts.ts'
import { recalled } from '../../functions/alerts/observe.ts'
import type { RuleName } from '../../shared/alerts/rules.ts'
import type { QueueConfig } from '../../shared/queue-config.ts'
import { groupOf, queueOf } from '../fixtures.ts'

/** Stories of a queue for its alerts: a look a minute. */

export const startAt = 1_200_000_000 - (1_200_000_000 % 3_600)

export const usual = {
  ...{ startWithin: '5m', taskTime: '20s', bootTime: '2m', concurrency: 2, prefetch: 1 },
  scaling: { mode: 'direct' },
}

export type Minute = {
  readonly visible?: number
  readonly notVisible?: number
  readonly desired?: number
  readonly inService?: number
  readonly max?: number
  /** The age and the rates of each of the last minutes that are published. */
  readonly age?: number
  readonly received?: number
  readonly deleted?: number
  readonly shortfall?: number
  readonly deadLetters?: number
  readonly handedBack?: number
  readonly rollout?: boolean
  readonly again?: number
  readonly more?: Partial<Facts>
}

/** So many whole minutes that are published, all alike. */
export const published = (now: number, minutes: number, value: number): Minutes => ({
  from: Math.floor((now - 180) / 60) * 60 - (minutes - 1) * 60,
  values: Array.from({ length: minutes }, () => value),
})

export function factsOf(minute: Minute, now: number, queue: QueueConfig = queueOf(usual)): Facts {
  const { visible = 0, notVisible = 0, desired = 4, inService = desired, max = 20 } = minute
  const { received, deleted } = minute
  return {
    queue,
    group: groupOf({ desired, maxSize: max, slotsPerInstance: 2, instances: { inService } }),
    problem: null,
    counts: { visible, notVisible, delayed: 0, visibilitySeconds: 300 },
    deadLetters: minute.deadLetters ?? null,
    ages: minute.age === undefined ? null : published(now, 1, minute.age),
    rates:
      received === undefined || deleted === undefined
        ? null
        : { received: published(now, 5, received), deleted: published(now, 5, deleted) },
    ...{ sent: null, rollout: minute.rollout ?? false, again: minute.again ?? 0 },
    handedBack: minute.handedBack ?? null,
    swept: sweptAt(now, { shortfall: minute.shortfall ?? 0, ...waited(minute) }),
    profiles: {},
    ...minute.more,
  }
}

/** What a sweep of that moment has found. */
export const sweptAt = (at: number, some: Partial<Swept> = {}): Swept => ({
  ...{ at, shortfall: 0, serviceSeconds: 20, waitedSeconds: 0, cameAt: at },
  ...some,
})

/** As the throughput of 24 a minute has it. */
const waited = ({ visible = 0 }: Minute) => ({ waitedSeconds: (visible / 24) * 60 })

export const times = (count: number, minute: Minute): Minute[] =>
  Array.from({ length: count }, () => minute)

export type Told = { readonly decisions: readonly Decision[]; readonly last: Decision }

/** The decisions of a story, minute by minute. */
export function story(minutes: readonly Minute[], queue: QueueConfig = queueOf(usual)): Told {
  let watched: Watched | null = null
  const decisions = minutes.map((minute, index) => {
    const now = startAt + index * 60
    const decision = decide(factsOf(minute, now, queue), recalled(watched, now), now)
    watched = decision.watched
    return decision
  })
  const last = decisions.at(-1)
  if (!last) throw new Error('A story has a minute')
  return { decisions, last }
}

/** The rules that fire in each minute. */
export const firing = ({ decisions }: Told): RuleName[][] =>
  decisions.map(({ alerts }) => alerts.map(({ rule }) => rule))

/** In which minute a rule fires first; -1: in none. */
export const firstFired = (told: Told, rule: RuleName) =>
  firing(told).findIndex((rules) => rules.includes(rule))
