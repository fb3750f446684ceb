import { describe, expect, it } from 'vitest'
import { type Done, settle } from '../functions/drain/act.ts'
import { decide, type Seen, type Step } from '../functions/drain/decide.ts'
import { fold } from '../functions/drain/fold.ts'
import { type Drain, deadlineOf, isAsked, reasonOf } from '../shared/drains.ts'
import type { Notice } from '../shared/events.ts'
import type { Member } from '../shared/fleet.ts'
import {
  ask,
  at,
  foldOnto,
  hook,
  inService,
  interruption,
  placeOf,
  rebalance,
  report,
  request,
  seen,
  standby,
  state,
  t0,
  waiting,
  withdrawal,
} from './drain/rows.ts'

/**
 * Every sequence of two to four of these notices, repetitions and reversals included, told one a
 * second from the moment on at which all have happened. AWS shows the truth of that moment to
 * each, whatever has been told of it.
 */
const story = {
  request: request(0, 900),
  withdrawal: withdrawal(5),
  rebalance: rebalance(10),
  ask: ask(15, 135),
  hook: hook(20),
  interruption: interruption(30),
  drained: report(50, 'drained', { handedBack: 3, finished: 1 }),
  terminated: state(60, 'terminated'),
} as const satisfies Record<string, Notice>
type Name = keyof typeof story
const names: readonly Name[] = [
  'request',
  'withdrawal',
  'rebalance',
  'ask',
  'hook',
  'interruption',
  'drained',
  'terminated',
]
const toldFrom = 62

const sequences = (length: number): Name[][] =>
  length === 0
    ? [[]]
    : sequences(length - 1).flatMap((head) => names.map((name) => [...head, name]))
const all = [2, 3, 4].flatMap(sequences)

type Told = { readonly drain: Drain | null; readonly steps: readonly Step[] }

/** What AWS shows: gone, held by the hook until it is completed, put aside, or in service. */
function truth(happened: ReadonlySet<Name>, { drain, steps }: Told): Member | null {
  if (happened.has('terminated')) return null
  const completed = steps.some((step) => step.do === 'complete')
  if (happened.has('hook')) return completed ? null : waiting
  if (steps.some((step) => step.do === 'terminate')) return null
  return drain?.asideAt ? standby : inService
}

/** Tells the notices in that order; each step that is decided succeeds. */
function tell(sequence: readonly Name[]): Told {
  const happened = new Set(sequence)
  let told: Told = { drain: null, steps: [] }
  sequence.forEach((name, index) => {
    const now = at(toldFrom + index)
    const { drain } = fold(told.drain, story[name], placeOf(), now)
    told = drain ? follow(drain, { ...told, drain }, happened, now) : told
  })
  return told
}

function follow(drain: Drain, told: Told, happened: ReadonlySet<Name>, now: number): Told {
  const look: Seen = seen(truth(happened, told))
  const { steps, ...decision } = decide(drain, look, now)
  const { instance } = drain
  const done = steps.map((step): Done => {
    return { instance, step, at: now, ok: true, command: 'command-1', unregistered: false }
  })
  const next = { drain: settle(decision.drain, done), steps: [...told.steps, ...steps] }
  // A box that is drained already answers a command: there is nothing to drain.
  const asked = steps.some((step) => step.do === 'send' && step.action === 'drain')
  if (!asked || !happened.has('drained')) return next
  const nothing = report((now - t0) / 1_000 + 0.5, 'nothing')
  return follow(foldOnto(next.drain, nothing), next, happened, now)
}

/** What these notices come to, whatever their order: the strongest reason, the nearest deadline. */
function expected(sequence: readonly Name[]): [string, number][] {
  const happened = new Set(sequence)
  const begins = sequence.find((name) => name !== 'terminated')
  const weakest: [string, number][] = happened.has('ask') ? [['surplus', 135]] : []
  const causes: [string, number, boolean][] = [
    ['manual', 900, happened.has('request') && !happened.has('withdrawal')],
    ['rebalance', 3_610, happened.has('rebalance')],
    ['scale_in', 3_620, happened.has('hook')],
    // A report that comes first is a notice of its own, with the deadline that the box has.
    ['scale_in', 3_600, begins === 'drained'],
    ['spot', 150, happened.has('interruption')],
  ]
  const given = causes.filter((cause) => cause[2])
  // A question's reason and its time count only where there is no other.
  return given.length === 0 ? weakest : given.map(([reason, deadline]) => [reason, deadline])
}

const count = ({ steps }: Told, kind: Step['do']) => steps.filter((step) => step.do === kind).length

describe(`all ${all.length} orders and repetitions of two to four notices`, () => {
  const tales = all.map((sequence) => ({ sequence, told: tell(sequence) }))
  const among = (keep: (happened: ReadonlySet<Name>, told: Told) => boolean) =>
    tales.filter(({ sequence, told }) => keep(new Set(sequence), told))
  const wrong = (list: typeof tales, isRight: (told: Told, sequence: readonly Name[]) => boolean) =>
    list.filter(({ sequence, told }) => !isRight(told, sequence)).map(({ sequence }) => sequence)

  it('complete the hook exactly once where the worker is drained or the box is gone', () => {
    const over = among((set) => set.has('hook') && (set.has('drained') || set.has('terminated')))
    expect(over.length).toBeGreaterThan(500)
    expect(wrong(over, (told) => count(told, 'complete') === 1)).toEqual([])
  })

  it('and leave it alone where the worker may run, or where there is none', () => {
    const open = among((set) => !set.has('hook') || !(set.has('drained') || set.has('terminated')))
    expect(wrong(open, (told) => count(told, 'complete') === 0)).toEqual([])
  })

  it('leave the strongest reason and the earliest deadline', () => {
    const alive = among((_, { drain }) => drain !== null && drain.ended === null)
    expect(alive.length).toBeGreaterThan(500)
    const isRight = ({ drain }: Told, sequence: readonly Name[]) => {
      const causes = expected(sequence)
      if (!drain) return causes.length === 0
      const nearest = Math.min(...causes.map(([, deadline]) => deadline))
      return reasonOf(drain) === causes.at(-1)?.[0] && deadlineOf(drain) === t0 + nearest * 1_000
    }
    expect(wrong(alive, isRight)).toEqual([])
  })

  it('send a drain once, and again only for a nearer deadline', () => {
    const isRight = ({ steps }: Told) => {
      let last = Number.POSITIVE_INFINITY
      return steps.every((step) => {
        if (step.do !== 'send' || step.reason === 'surplus') return true
        const nearer = step.deadline < last
        // What was resumed may be drained again.
        last = step.action === 'resume' ? Number.POSITIVE_INFINITY : step.deadline
        return step.action === 'resume' || nearer
      })
    }
    expect(wrong(tales, isRight)).toEqual([])
    expect(tales.some(({ told }) => count(told, 'send') === 2)).toBe(true)
  })

  it('send nothing to a box that is gone or drained', () => {
    const over = among((set) => set.has('terminated'))
    expect(wrong(over, (told) => count(told, 'send') === 0)).toEqual([])
  })

  it('end in a box that leaves, or works again, and never in one that idles in service', () => {
    const drained = among((set) => set.has('drained') && !set.has('hook'))
    const resumed = ({ steps }: Told) =>
      steps.some((step) => step.do === 'send' && step.action === 'resume')
    // Whether one that was only asked leaves is its group's to say.
    const isOpen = ({ drain }: Told) => drain !== null && isAsked(drain)
    const isRight = (told: Told) => count(told, 'terminate') === 1 || resumed(told) || isOpen(told)
    const living = drained.filter(({ sequence }) => !sequence.includes('terminated'))
    expect(wrong(living, isRight)).toEqual([])
  })

  it('ask once at most, nobody who has been told more, and tell more whoever was asked', () => {
    const questions = ({ steps }: Told) =>
      steps.filter((step) => step.do === 'send' && step.reason === 'surplus')
    expect(wrong(tales, (told) => questions(told).length <= 1)).toEqual([])
    const stronger = among((_, { drain }) => drain !== null && !drain.ended && !isAsked(drain))
    const isRight = ({ drain }: Told) => drain?.sent?.asked !== true
    expect(stronger.some((tale) => questions(tale.told).length === 1)).toBe(true)
    expect(wrong(stronger, isRight)).toEqual([])
  })

  it('resume where everything was withdrawn, and nowhere else', () => {
    const resumed = ({ steps }: Told) =>
      steps.some((step) => step.do === 'send' && step.action === 'resume')
    const never = among((set) => !set.has('withdrawal'))
    expect(wrong(never, (told) => !resumed(told))).toEqual([])
    const only = among((set) => set.has('withdrawal') && [...set].every(isOfAPerson))
    expect(wrong(only, resumed)).toEqual([])
  })
})

const isOfAPerson = (name: Name) => name === 'request' || name === 'withdrawal'
