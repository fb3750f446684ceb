import { describe, expect, it } from 'vitest'
import { type Drain, deadlineOf, reasonOf } from '../shared/drains.ts'
import type { Notice } from '../shared/events.ts'
import {
  ask,
  at,
  drainOf,
  foldAll,
  foldOnto,
  health,
  hook,
  interruption,
  invocation,
  placeOf,
  rebalance,
  release,
  report,
  request,
  sentAt,
  shortTasks,
  state,
  t0,
  withdrawal,
} from './drain/rows.ts'

const shape = (drain: Drain | null) =>
  drain && reasonOf(drain) && [reasonOf(drain), (deadlineOf(drain) - t0) / 1_000]

describe('what notices come to: the strongest reason and the earliest deadline', () => {
  it.each<[string, Notice[], [string, number] | null]>([
    ['a Spot notice leaves two minutes', [interruption(0)], ['spot', 120]],
    ['a scale-in leaves the queue its time', [hook(0)], ['scale_in', 3_600]],
    ['a rebalance leaves the same', [rebalance(0)], ['rebalance', 3_600]],
    ['a request may say how long', [request(0, 600)], ['manual', 600]],
    ['maintenance ends five minutes before it', [health(0, 7_500)], ['health', 7_200]],
    ['Spot after rebalance is Spot', [rebalance(0), interruption(10)], ['spot', 130]],
    ['rebalance after Spot is Spot still', [interruption(0), rebalance(0)], ['spot', 120]],
    ['a scale-in after a request keeps its deadline', [request(0, 60), hook(5)], ['scale_in', 60]],
    ['maintenance that is moved', [health(0, 7_500), health(9, 9_300)], ['health', 9_000]],
    [
      'maintenance that is moved, the old news last',
      [health(9, 9_300), health(0, 7_500)],
      ['health', 9_000],
    ],
    ['a cancelled maintenance is none', [health(0, 7_500), health(9, 7_500, true)], null],
    ['a cancellation that comes first', [health(9, 7_500, true), health(0, 7_500)], null],
    ['a question has its own time', [ask(0, 120)], ['surplus', 120]],
    ['a scale-in after a question is no question', [ask(0, 60), hook(5)], ['scale_in', 3_605]],
    ['a question after a scale-in changes nothing', [hook(0), ask(5, 60)], ['scale_in', 3_600]],
    ['Spot after a question is Spot', [ask(0, 60), interruption(5)], ['spot', 125]],
    ['a question taken back', [ask(0, 60), release(5)], null],
    [
      'a question taken back leaves the rest',
      [ask(0, 60), hook(1), release(5)],
      ['scale_in', 3_601],
    ],
    ['a question a person takes back', [ask(0, 60), withdrawal(5)], null],
    ['a request withdrawn', [request(0), withdrawal(5)], null],
    ['a request anew after its withdrawal', [withdrawal(5), request(9, 99)], ['manual', 99]],
    ['what AWS has begun is not withdrawn', [hook(0), withdrawal(5)], ['scale_in', 3_600]],
    [
      'a withdrawal leaves the stronger reason',
      [request(0, 60), interruption(1), withdrawal(5)],
      ['spot', 121],
    ],
    [
      'a report of a drain that the box began',
      [report(0, 'started', { deadline: at(90), reason: 'spot' })],
      ['spot', 90],
    ],
  ])('%s', (_, notices, expected) => {
    expect(shape(foldAll(notices, at(9)).drain)).toEqual(expected)
  })

  it.each<[string, Notice[], number, string]>([
    ['a Spot notice after its two minutes', [interruption(0)], 120, 'stale'],
    ['a request whose deadline has passed', [request(0, 60)], 61, 'stale'],
    ['the same notice twice', [interruption(0), interruption(0)], 1, 'known'],
    ['the end of an instance without a drain', [state(0, 'terminated')], 1, 'no-drain'],
    ['an answer to nothing', [invocation(0, 'Success')], 1, 'no-drain'],
    ['an instance that starts', [request(0), state(1, 'running')], 2, 'known'],
    ['a box that says it has nothing to drain', [report(0, 'nothing')], 1, 'no-drain'],
    ['a report of an earlier drain', [request(0), report(-61, 'drained')], 2, 'stale'],
  ])('%s is ignored', (_, notices, now, reason) => {
    expect(foldAll(notices, at(now)).ignored).toEqual([reason])
  })

  it('a rebalance is ignored where tasks end within a Spot notice', () => {
    expect(foldAll([rebalance(0)], t0, placeOf(shortTasks))).toEqual({
      drain: null,
      ignored: ['short-tasks'],
    })
  })

  it('reports date the drain by the first that says a thing, whatever their order', () => {
    const reports = [report(9, 'drained', { finished: 1 }), report(3, 'quiet', { running: 1 })]
    for (const order of [reports, [...reports].reverse()]) {
      const { drain } = foldAll([hook(0), ...order], at(20))
      expect(drain).toMatchObject({ quietAt: at(3), idleAt: at(9), acknowledgedAt: at(3) })
      expect(drain?.worker).toMatchObject({ phase: 'drained', finished: 1 })
    }
  })

  it.each([
    ['Failed', 'script-failed'],
    ['TimedOut', 'agent-unreachable'],
    ['Cancelled', 'agent-unreachable'],
  ])('a command that ends as %s is the fault %s', (status, name) => {
    const drain = drainOf([hook(0)], sentAt(1, 3_600))
    expect(foldOnto(drain, invocation(2, status)).fault).toEqual({ name, at: at(2) })
  })

  it('an acknowledgement that comes late ends the fault', () => {
    const fault = { name: 'agent-unreachable', at: at(11) } as const
    const drain = drainOf([hook(0)], { ...sentAt(1, 3_600), fault })
    expect(foldOnto(drain, invocation(15, 'Success'))).toMatchObject({
      acknowledgedAt: at(15),
      fault: null,
    })
  })
})
