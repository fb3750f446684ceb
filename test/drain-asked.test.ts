import { describe, expect, it } from 'vitest'
import { nextLook, type Seen } from '../functions/drain/decide.ts'
import type { Drain } from '../shared/drains.ts'
import type { Notice, Phase } from '../shared/events.ts'
import {
  ask,
  at,
  decided,
  drainOf,
  foldOnto,
  hook,
  inService,
  instance,
  interruption,
  member,
  release,
  report,
  seen,
  t0,
  waiting,
  withdrawal,
  words,
} from './drain/rows.ts'

/** What follows for one instance that is asked, or was, or is the one to leave. */

const sent = { at: at(1), deadline: at(120), asked: true, command: 'command-1' }
const asked = drainOf([ask(0, 120)], { sent })
const answered = (phase: Phase, running = 0) =>
  foldOnto(asked, report(9, phase, { running, reason: 'surplus' }))
const idle = answered('idle')
const leave: Notice = { kind: 'leave', instance, at: at(10) }
const unanswered = drainOf([ask(0, 120)])
const failed = { ...foldOnto(idle, leave), leaveAt: null, terminatedAt: null }

describe('what follows for one that is asked', () => {
  it.each<[string, Drain, Seen, number, string[], string]>([
    [
      'it is asked, and nobody replaces it',
      unanswered,
      seen(),
      1,
      ['send drain surplus 120'],
      'asked',
    ],
    ['once', asked, seen(), 30, [], 'asked'],
    ['and not when its group ends it already', unanswered, seen(waiting), 1, [], 'asked'],
    ['an answer waits for the group to choose', idle, seen(), 10, [], 'asked'],
    [
      'the one that is chosen leaves',
      foldOnto(idle, leave),
      seen(),
      10,
      ['terminate surplus'],
      'surplus',
    ],
    ['and waits for its hook', failed, seen(waiting), 11, [], 'asked'],
    ['one whose end was refused is one of many again', failed, seen(), 11, [], 'asked'],
    [
      'an idle one needs no command when its hook opens',
      foldOnto(idle, hook(11)),
      seen(waiting),
      12,
      ['complete idle'],
      'idle',
    ],
    [
      'a busy one is drained when its hook opens',
      foldOnto(answered('busy', 1), hook(11)),
      seen(waiting),
      12,
      ['send drain scale_in 3611'],
      'draining',
    ],
    [
      'so is one whose worker was not there when it was asked',
      foldOnto(answered('nothing'), hook(11)),
      seen(waiting),
      12,
      ['send drain scale_in 3611'],
      'draining',
    ],
    [
      'so is an idle one whose quiet is about to end',
      foldOnto(idle, hook(104)),
      seen(waiting),
      106,
      ['send drain scale_in 3704'],
      'draining',
    ],
    [
      'Spot takes it like any other',
      foldOnto(idle, interruption(11)),
      seen(),
      12,
      ['send drain spot 131', 'set-aside'],
      'draining',
    ],
    [
      'one released is resumed',
      foldOnto(asked, release(9)),
      seen(),
      9,
      ['send resume surplus 120'],
      'withdrawn',
    ],
    [
      'an idle one too',
      foldOnto(idle, release(10)),
      seen(),
      10,
      ['send resume surplus 120'],
      'withdrawn',
    ],
    [
      'a busy one works already',
      foldOnto(answered('busy', 1), release(10)),
      seen(),
      10,
      [],
      'withdrawn',
    ],
    [
      'one that was never told has nothing to resume',
      foldOnto(unanswered, release(10)),
      seen(),
      10,
      [],
      'withdrawn',
    ],
    [
      'a person takes it back as anything else',
      foldOnto(idle, withdrawal(10)),
      seen(),
      10,
      ['send resume manual 120'],
      'withdrawn',
    ],
    ['one that is gone is gone', asked, seen(null), 30, [], 'gone'],
    ['one on standby is not asked', unanswered, seen(member('Standby', 'standby')), 1, [], 'asked'],
  ])('%s', (_, drain, look, seconds, steps, why) => {
    const decision = decided(drain, look, seconds)
    expect(words(decision)).toEqual(steps)
    expect(decision.why).toBe(why)
  })

  it('looks again when its answer should have come, and when it should have left', () => {
    const next = (drain: Drain, seconds: number) => {
      const look = nextLook(drain, at(seconds))
      return look === null ? null : (look - t0) / 1_000
    }
    expect(next(asked, 2)).toBe(45)
    expect(next(foldOnto(idle, leave), 46)).toBe(70)
    expect(next(asked, 46)).toBeNull()
    expect(decided(foldOnto(idle, leave), seen(inService), 71).drain.leaveAt).toBeNull()
  })
})
