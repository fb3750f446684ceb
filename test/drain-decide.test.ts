import { describe, expect, it } from 'vitest'
import { nextLook, type Seen } from '../functions/drain/decide.ts'
import type { Drain } from '../shared/drains.ts'
import {
  at,
  decided,
  drainOf,
  foldOnto,
  health,
  hook,
  inService,
  interruption,
  rebalance,
  report,
  request,
  seen,
  sentAt,
  standby,
  state,
  t0,
  waiting,
  withdrawal,
  words,
} from './drain/rows.ts'
import { groupOf } from './fixtures.ts'

describe('what follows', () => {
  const acknowledged = { acknowledgedAt: at(3) }
  const done = report(40, 'drained', { finished: 1 })
  const running = report(40, 'running', { running: 1 })
  const unreachable = {
    ...sentAt(1, 3_600),
    fault: { name: 'agent-unreachable', at: at(11) } as const,
  }
  const full = seen(inService, { room: 0 })
  const rebalancing = seen(inService, { group: groupOf({ capacityRebalance: true }) })

  it.each<[string, Drain, Seen, number, string[], string]>([
    [
      'a Spot notice is sent, and a replacement started',
      drainOf([interruption(0)]),
      seen(),
      1,
      ['send drain spot 120', 'set-aside'],
      'draining',
    ],
    [
      'with no room below max it is only sent',
      drainOf([interruption(0)]),
      full,
      1,
      ['send drain spot 120'],
      'draining',
    ],
    [
      'where Auto Scaling replaces by itself too',
      drainOf([interruption(0)]),
      rebalancing,
      1,
      ['send drain spot 120'],
      'draining',
    ],
    [
      'a scale-in is sent, its hook extended in time',
      drainOf([hook(0)]),
      seen(waiting),
      1,
      ['send drain scale_in 3600'],
      'draining',
    ],
    [
      'also where the group does not show yet that it ends',
      drainOf([hook(0)]),
      seen(),
      1,
      ['send drain scale_in 3600'],
      'draining',
    ],
    [
      'what was sent is not sent again',
      drainOf([hook(0)], { ...sentAt(1, 3_600), ...acknowledged }),
      seen(waiting),
      5,
      [],
      'draining',
    ],
    [
      'unless the deadline came nearer',
      drainOf([hook(0), interruption(2)], sentAt(1, 3_600)),
      seen(waiting),
      3,
      ['send drain spot 122'],
      'draining',
    ],
    [
      'by more than four seconds',
      drainOf([request(0, 60), interruption(-62)], { ...sentAt(1, 60), ...acknowledged }),
      full,
      5,
      [],
      'draining',
    ],
    [
      'nor where the run that sent it may live',
      drainOf([hook(0)], { sent: { at: at(1), deadline: at(3_600), asked: false, command: null } }),
      seen(waiting),
      5,
      [],
      'draining',
    ],
    [
      'but where that run has died',
      drainOf([hook(0)], { sent: { at: at(1), deadline: at(3_600), asked: false, command: null } }),
      seen(waiting),
      6,
      ['send drain scale_in 3600'],
      'draining',
    ],
    ['maintenance waits for its day', drainOf([health(0, 7_500)]), seen(), 3_599, [], 'scheduled'],
    [
      'and begins in time for its tasks',
      drainOf([health(0, 7_500)]),
      seen(),
      3_600,
      ['send drain health 7200', 'set-aside'],
      'draining',
    ],
    [
      'an idle worker lets the hook go',
      drainOf([hook(0), done], sentAt(1, 3_600)),
      seen(waiting),
      41,
      ['complete idle'],
      'idle',
    ],
    [
      'a busy one extends it before its timeout',
      drainOf([hook(0), running], { ...sentAt(1, 3_600), ...acknowledged }),
      seen(waiting),
      41,
      ['extend'],
      'draining',
    ],
    [
      'past the budget it goes',
      drainOf([hook(0), report(3_590, 'running', { running: 1 })], {
        ...sentAt(1, 3_600),
        ...acknowledged,
      }),
      seen(waiting),
      3_615,
      ['complete budget'],
      'budget',
    ],
    [
      'an unreachable box goes when the watcher had its time',
      drainOf([hook(0)], unreachable),
      seen(waiting),
      131,
      ['complete unreachable'],
      'unreachable',
    ],
    [
      'and not before',
      { ...drainOf([hook(0)], unreachable), hook: null },
      seen(waiting),
      130,
      [],
      'draining',
    ],
    [
      'a box that is gone lets the hook go',
      drainOf([hook(0), state(9, 'terminated')], sentAt(1, 3_600)),
      seen(waiting),
      10,
      ['complete gone'],
      'gone',
    ],
    [
      'as one that its group has no more',
      drainOf([hook(0)], sentAt(1, 3_600)),
      seen(null),
      10,
      ['complete gone'],
      'gone',
    ],
    [
      'a drained box leaves its group',
      drainOf([rebalance(0), done], { ...sentAt(1, 3_600), asideAt: at(1) }),
      seen(standby),
      41,
      ['terminate idle'],
      'idle',
    ],
    [
      'a drained box without a replacement too',
      drainOf([rebalance(0), done], sentAt(1, 3_600)),
      full,
      41,
      ['terminate idle'],
      'idle',
    ],
    [
      'once',
      drainOf([rebalance(0), done], { ...sentAt(1, 3_600), terminatedAt: at(41) }),
      full,
      42,
      [],
      'draining',
    ],
    [
      'a withdrawn reason resumes and takes back',
      drainOf([request(0), withdrawal(9)], { ...sentAt(1, 3_600), asideAt: at(1) }),
      seen(standby),
      10,
      ['send resume manual 3600', 'take-back'],
      'withdrawn',
    ],
    [
      'one that was not sent too: somebody wants a worker there',
      drainOf([request(0), withdrawal(9)]),
      seen(),
      10,
      ['send resume manual 10'],
      'withdrawn',
    ],
    [
      'a box that nobody reached stays in service',
      drainOf([rebalance(0)], { ...unreachable, asideAt: at(1) }),
      seen(standby),
      131,
      ['take-back'],
      'unreachable',
    ],
    [
      'one that Spot takes does not',
      drainOf([interruption(0)], { ...unreachable, asideAt: at(1) }),
      seen(standby),
      131,
      [],
      'draining',
    ],
    [
      'a reclaimed one is cleared away',
      drainOf([interruption(0)], { ...unreachable, asideAt: at(1) }),
      seen(standby),
      135,
      ['terminate budget'],
      'budget',
    ],
    [
      'where no report comes it is asked',
      drainOf([hook(0)], { ...sentAt(1, 3_600), ...acknowledged, hook: null }),
      seen(waiting),
      63,
      ['send status scale_in 3600'],
      'draining',
    ],
    [
      'the budget of a box that was heard is its end',
      drainOf([rebalance(0), running], { ...sentAt(1, 3_600), ...acknowledged }),
      seen(standby),
      3_615,
      ['terminate budget'],
      'budget',
    ],
    [
      'as of one that only acknowledged',
      drainOf([rebalance(0)], {
        ...sentAt(1, 3_600),
        ...acknowledged,
        status: { at: at(3_600), command: 'command-2' },
      }),
      seen(standby),
      3_615,
      ['terminate budget'],
      'budget',
    ],
    [
      'and not yet a moment before',
      drainOf([rebalance(0), running], {
        ...sentAt(1, 3_600),
        ...acknowledged,
        status: { at: at(3_600), command: 'command-2' },
      }),
      seen(standby),
      3_614,
      [],
      'draining',
    ],
    [
      'one that was never heard works on',
      drainOf([rebalance(0)], {
        ...unreachable,
        fault: { name: 'agent-unreachable', at: at(3_600) },
        asideAt: at(1),
      }),
      seen(standby),
      3_615,
      ['take-back'],
      'unreachable',
    ],
    [
      'a termination that did not show is asked for again',
      drainOf([rebalance(0), done], { ...sentAt(1, 3_600), terminatedAt: at(41) }),
      full,
      101,
      ['terminate idle'],
      'idle',
    ],
    [
      'a box that acknowledged lately is not asked',
      drainOf([hook(0)], { ...sentAt(1, 3_600), acknowledgedAt: at(10), hook: null }),
      seen(waiting),
      69,
      [],
      'draining',
    ],
    [
      'nor one that was asked lately',
      drainOf([hook(0)], {
        ...sentAt(1, 3_600),
        ...acknowledged,
        hook: null,
        status: { at: at(60), command: 'command-2' },
      }),
      seen(waiting),
      119,
      [],
      'draining',
    ],
    [
      'a box without a worker leaves',
      drainOf([rebalance(0), report(2, 'nothing')], sentAt(1, 3_600)),
      seen(standby),
      16,
      ['terminate idle'],
      'idle',
    ],
    [
      'unless one may have started since',
      drainOf([rebalance(0), report(2, 'nothing')], sentAt(1, 3_600)),
      seen(standby),
      17,
      ['send drain rebalance 3600'],
      'draining',
    ],
    [
      'what is over is over',
      drainOf([hook(0), done], { ended: { how: 'left', at: at(41) } }),
      seen(waiting),
      50,
      [],
      'ended',
    ],
  ])('%s', (_, drain, look, seconds, steps, why) => {
    const decision = decided(drain, look, seconds)
    expect([words(decision), decision.why]).toEqual([steps, why])
    expect(words(decided(decision.drain, look, seconds))).toEqual([])
  })

  it('a box that goes into the warm pool is let go, and may be drained again', () => {
    const own = { ...sentAt(1, 3_600), hook: { ...hookOf(600), toWarmPool: true } }
    const { drain, steps } = decided(drainOf([hook(0), done], own), seen(waiting), 41)
    expect(words({ steps })).toEqual(['complete idle'])
    expect(drain.ended?.how).toBe('pooled')
    const again = foldOnto(drain, hook(5_000, 'token-2'))
    expect([again.ended, again.sent, again.hook?.token]).toEqual([null, null, 'token-2'])
    expect(words(decided(again, seen(waiting), 5_001))).toEqual(['send drain scale_in 8600'])
  })

  it('a command that nobody acknowledged in ten seconds has a fault', () => {
    const drain = drainOf([hook(0)], sentAt(1, 3_600))
    expect(decided(drain, seen(waiting), 10).drain.fault).toBeNull()
    expect(decided(drain, seen(waiting), 11).drain.fault).toEqual({
      name: 'agent-unreachable',
      at: at(11),
    })
  })

  it.each<[string, Drain, number, number | null]>([
    ['for its acknowledgement', drainOf([interruption(0)], sentAt(1, 120)), 1, 11],
    [
      'for its hook, by half of its timeout',
      drainOf([hook(0), running], { ...sentAt(1, 3_600), ...acknowledged, hook: hookOf(600) }),
      41,
      100,
    ],
    ['for the watcher, after a fault', drainOf([interruption(0)], unreachable), 12, 131],
    ['for its last report', drainOf([interruption(0), done], sentAt(1, 120)), 41, 135],
    [
      'for a report, a minute after the last word',
      drainOf([interruption(0)], { ...sentAt(1, 120), acknowledgedAt: at(20) }),
      21,
      80,
    ],
    [
      'for the answer to a status',
      drainOf([hook(0)], {
        ...sentAt(1, 3_600),
        ...acknowledged,
        hook: null,
        status: { at: at(60), command: 'command-2' },
      }),
      61,
      70,
    ],
    [
      'never, when it has ended',
      drainOf([hook(0)], { ended: { how: 'left', at: at(1) } }),
      2,
      null,
    ],
  ])('the next look is %s', (_, drain, seconds, expected) => {
    const next = nextLook(drain, at(seconds))
    expect(next === null ? null : (next - t0) / 1_000).toBe(expected)
  })
})

const hookOf = (timeoutSeconds: number): NonNullable<Drain['hook']> => ({
  ...{ name: 'talk-drain', token: 'token-1', toWarmPool: false, openedAt: t0, extendedAt: t0 },
  ...{ timeoutSeconds, completed: null },
})
