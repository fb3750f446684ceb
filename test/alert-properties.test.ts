import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { asksHandedBack, asksOf, decide } from '../functions/alerts/decide.ts'
import type { Facts, Minutes, Watched } from '../functions/alerts/facts.ts'
import { recalled } from '../functions/alerts/observe.ts'
import { factsOf, startAt, sweptAt } from './alerts/looks.ts'

/** Whatever AWS says of a queue: a verdict on each rule, and nothing that breaks the next run. */

const count = fc.oneof(fc.nat({ max: 50 }), fc.nat({ max: 1_000_000_000 }))
const value = fc.oneof(
  fc.double({ min: 0, max: 1e6 }),
  fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -1, 1e300),
)
/** A series that begins and ends anywhere, of the future as well. */
const minutesAt = (now: number): fc.Arbitrary<Minutes | null> =>
  fc.option(
    fc.record({
      from: fc.integer({ min: -40, max: 20 }).map((minute) => now + minute * 60),
      values: fc.array(value, { maxLength: 15 }),
    }),
  )

const factsAt = (now: number): fc.Arbitrary<Facts> =>
  fc
    .record({
      counts: fc.option(
        fc.record({
          ...{ visible: count, notVisible: count, delayed: count },
          visibilitySeconds: fc.option(fc.nat({ max: 43_200 })),
        }),
      ),
      desired: fc.nat({ max: 500 }),
      inService: fc.nat({ max: 500 }),
      max: fc.nat({ max: 500 }),
      ...{ ages: minutesAt(now), received: minutesAt(now), deleted: minutesAt(now) },
      ...{ sent: minutesAt(now), handedBack: fc.option(count), again: count },
      deadLetters: fc.option(count),
      swept: fc.option(
        fc.record({
          shortfall: count,
          waitedSeconds: fc.nat({ max: 1_000_000 }),
          ago: fc.nat(900),
        }),
      ),
      ...{ rollout: fc.boolean(), isGone: fc.boolean() },
    })
    .map(({ desired, inService, max, received, deleted, swept, isGone, ...more }) => {
      const facts = factsOf({ desired, inService, max }, now)
      return {
        ...facts,
        ...more,
        ...(isGone ? { group: null, problem: 'gone' } : {}),
        rates: received && deleted ? { received, deleted } : null,
        swept: swept ? sweptAt(now - swept.ago, swept) : null,
      }
    })

const story = fc
  .array(fc.integer({ min: 30, max: 2_000 }), { minLength: 1, maxLength: 25 })
  .chain((gaps) => {
    let now = startAt
    return fc.tuple(
      ...gaps.map((gap) => {
        now += gap
        const at = now
        return factsAt(at).map((facts) => ({ facts, at }))
      }),
    )
  })

describe('whatever is seen of a queue', () => {
  it('each alert has finite numbers, and what is remembered is the same when it is read', () => {
    fc.assert(
      fc.property(story, (moments) => {
        let watched: Watched | null = null
        for (const { facts, at } of moments) {
          const before: Watched = recalled(watched, at)
          const decision = decide(facts, before, at)
          for (const { value: number, threshold, peak, since } of decision.alerts) {
            for (const one of [number, threshold, peak, since]) {
              expect(Number.isFinite(one) && one >= 0).toBe(true)
            }
            expect(since).toBeLessThanOrEqual(at + 120)
          }
          watched = JSON.parse(JSON.stringify(decision.watched))
          expect(watched).toEqual(decision.watched)
        }
      }),
    )
  })

  it('the same look again decides the same', () => {
    fc.assert(
      fc.property(story, (moments) => {
        let watched: Watched | null = null
        for (const { facts, at } of moments) {
          const first = decide(facts, recalled(watched, at), at)
          const again = decide(facts, recalled(first.watched, at), at)
          expect(again.alerts).toEqual(first.alerts)
          expect(again.changes).toEqual([])
          watched = first.watched
        }
      }),
    )
  })

  it('what is asked of AWS is asked for a reason that is a number of the past', () => {
    fc.assert(
      fc.property(story, (moments) => {
        let watched: Watched | null = null
        for (const { facts, at } of moments) {
          const before: Watched = recalled(watched, at)
          expect(Object.keys(asksOf(facts, before, at))).toEqual(['ages', 'rates', 'sent'])
          const since = asksHandedBack(facts, before, at)
          if (since !== null) expect(since).toBeLessThanOrEqual(at)
          watched = decide(facts, before, at).watched
        }
      }),
    )
  })
})
