import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Alert } from '../functions/alerts/alert.ts'
import type { Open } from '../functions/alerts/pages.ts'
import { pageOf } from '../functions/alerts/words.ts'
import { ruleNames } from '../shared/alerts/rules.ts'
import {
  age,
  alertOf,
  firingIn,
  heardOf,
  lacking,
  noCapacity,
  nothing,
  spoken,
  stalled,
  startAt,
  tellAll,
  times,
  told as toldIn,
} from './alerts/stories.ts'

/** Who is told what: a story is a list of minutes, each with what fires in it. */

const warned = alertOf('a', 'orphaned', { severity: 'warning' })
const tell = (alerts: readonly Alert[], open: readonly Open[], minute: number) =>
  toldIn({ alerts, muted: [] }, open, minute)

describe('who is told what', () => {
  const rows: [string, (readonly Alert[])[], string[][]][] = [
    ['nothing fires: nobody', [[], []], [[], []]],
    [
      'one alert: when it begins, and ten minutes after it is over, once each',
      [...times(3, [age('a')]), ...times(12, [])],
      [['trigger: a/oldest-age'], ...nothing(12), ['resolve: a/oldest-age'], []],
    ],
    [
      'one that goes on: again after the repeat interval',
      times(242, [age('a')]),
      [['trigger: a/oldest-age'], ...nothing(239), ['repeat: a/oldest-age'], []],
    ],
    [
      'queues of one cause that begin together: one page',
      [[stalled('a'), stalled('b')]],
      [['trigger: a/stalled b/stalled']],
    ],
    [
      'queues of two causes: two pages',
      [[stalled('a'), alertOf('b', 'dead-letter')]],
      [['trigger: a/stalled', 'trigger: b/dead-letter']],
    ],
    [
      'what the cause explains at its queue: silenced, in the same minute or later',
      [
        [age('a'), stalled('a')],
        [age('a'), stalled('a'), alertOf('a', 'depth')],
      ],
      [['trigger: a/stalled (a/oldest-age)'], []],
    ],
    [
      'a cause that shows after what it explains: the page goes on, and says why',
      [[age('a')], [age('a'), stalled('a')], [age('a'), stalled('a')]],
      [['trigger: a/oldest-age'], [], ['update: a/oldest-age a/stalled']],
    ],
    [
      'a critical cause after a warning: told, for it wakes somebody',
      [[warned], ...times(3, [warned, stalled('a')])],
      [['trigger: a/orphaned'], [], ['update: a/orphaned a/stalled'], []],
    ],
    [
      'the same rule at another queue says nothing of this one',
      [[age('a'), stalled('b')]],
      [['trigger: b/stalled', 'trigger: a/oldest-age']],
    ],
    [
      'a queue that joins: told at once where the last word is two minutes old',
      [...times(3, [stalled('a')]), [stalled('a'), stalled('b')]],
      [['trigger: a/stalled'], [], [], ['update: a/stalled b/stalled']],
    ],
    [
      'queues that join one by one: told every two minutes',
      [
        [stalled('a')],
        [stalled('a'), stalled('b')],
        [stalled('a'), stalled('b'), stalled('c')],
        [stalled('a'), stalled('b'), stalled('c')],
      ],
      [['trigger: a/stalled'], [], ['update: a/stalled b/stalled c/stalled'], []],
    ],
    [
      'a queue that begins ten minutes later: a page of its own',
      [...times(12, [stalled('a')]), [stalled('a'), stalled('b')]],
      [['trigger: a/stalled'], ...nothing(11), ['trigger: b/stalled']],
    ],
    [
      'one of two is over: the page goes on until the other is',
      [[stalled('a'), stalled('b')], ...times(20, [stalled('b')]), ...times(11, [])],
      [['trigger: a/stalled b/stalled'], ...nothing(30), ['resolve: a/stalled b/stalled']],
    ],
    [
      'one that was over for ten minutes in a page that goes on: a page of its own',
      [[stalled('a'), stalled('b')], ...times(11, [stalled('b')]), [stalled('b'), stalled('a')]],
      [['trigger: a/stalled b/stalled'], ...nothing(11), ['trigger: a/stalled']],
    ],
    [
      'one that is over and comes back within ten minutes, over and over: the same page',
      Array.from({ length: 40 }, (_, minute) => (minute % 10 === 0 ? [stalled('a')] : [])),
      [['trigger: a/stalled'], ...nothing(39)],
    ],
    [
      'one that comes back after that: a new page',
      [[stalled('a')], ...times(11, []), [stalled('a')]],
      [['trigger: a/stalled'], ...nothing(10), ['resolve: a/stalled'], ['trigger: a/stalled']],
    ],
    [
      'what follows from one that was over a moment ago: the same page, with its cause',
      [[age('a')], ...times(4, []), ...times(2, [alertOf('a', 'redelivery')])],
      [['trigger: a/oldest-age'], ...nothing(4), ['update: a/oldest-age over a/redelivery'], []],
    ],
    [
      'a shortage of three groups silences what falls behind at a fourth that lacks instances',
      [
        [noCapacity('a'), noCapacity('b'), noCapacity('c')],
        [noCapacity('a'), noCapacity('b'), noCapacity('c'), age('d', { context: lacking })],
      ],
      [['trigger: a/no-capacity b/no-capacity c/no-capacity'], []],
    ],
    [
      'and silences further groups that lack instances, however late they do',
      [
        ...times(20, [noCapacity('a'), noCapacity('b'), noCapacity('c')]),
        [noCapacity('a'), noCapacity('b'), noCapacity('c'), noCapacity('d')],
      ],
      [['trigger: a/no-capacity b/no-capacity c/no-capacity'], ...times(20, []).map(() => [])],
    ],
    [
      'a shortage explains nothing at a group that has what it asked for',
      [
        [noCapacity('a'), noCapacity('b'), noCapacity('c')],
        [noCapacity('a'), noCapacity('b'), noCapacity('c'), age('d')],
      ],
      [['trigger: a/no-capacity b/no-capacity c/no-capacity'], ['trigger: d/oldest-age']],
    ],
  ]
  it.each(rows)('%s', (_, minutes, told) => {
    expect(tellAll(spoken(minutes))).toEqual(told)
  })

  it('no more than ten pages a run; the others with the next, the critical first', () => {
    const open: Open[] = Array.from({ length: 14 }, (_, index) => ({
      ...{ key: `k${index}`, cause: 'stalled', openedAt: startAt - 60, toldAt: 0, news: true },
      members: [
        {
          alert: alertOf(`q${index}`, 'stalled', { severity: index < 9 ? 'warning' : 'critical' }),
          ...{ endedAt: null, silenced: false, muted: false },
        },
      ],
    }))
    const alerts = open.flatMap(({ members }) => members.map(({ alert }) => alert))
    const first = tell(alerts, open, 0)
    const keys = (told: typeof first) => told.tellings.map(({ page }) => page.key)
    expect(keys(first)).toEqual([
      ...['k9', 'k10', 'k11', 'k12', 'k13'],
      ...['k0', 'k1', 'k2', 'k3', 'k4'],
    ])
    expect(first.held).toBe(4)
    const second = tell(alerts, first.open, 1)
    expect(keys(second)).toEqual(['k5', 'k6', 'k7', 'k8'])
    expect(second.held).toBe(0)
  })

  it('is the same however the alerts are ordered in what is told', () => {
    const some = [age('a'), stalled('a'), stalled('b'), alertOf('c', 'blind'), noCapacity('d')]
    fc.assert(
      fc.property(fc.shuffledSubarray(some, { minLength: some.length }), (shuffled) => {
        const told = tell(shuffled, [], 0).tellings.map(({ page }) => [
          page.cause,
          page.members.map(({ alert: { queue, rule } }) => `${queue}/${rule}`).sort(),
        ])
        expect(told.map(([cause]) => cause).sort()).toEqual(['blind', 'no-capacity', 'stalled'])
      }),
    )
  })
})

const anyAlert = fc
  .tuple(fc.constantFrom('a', 'b', 'c', 'd'), fc.constantFrom(...ruleNames), fc.boolean())
  .map(([queue, rule, lacks]) => alertOf(queue, rule, lacks ? { context: lacking } : {}))
const anyStory = fc.array(
  fc.uniqueArray(anyAlert, { selector: ({ queue, rule }) => `${queue}/${rule}`, maxLength: 12 }),
  { minLength: 1, maxLength: 60 },
)

describe('whatever fires, for however long', () => {
  it('each alert is in one open page while it fires, and in none when all of it is over', () => {
    fc.assert(
      fc.property(anyStory, (minutes) => {
        let open: readonly Open[] = []
        minutes.forEach((alerts, minute) => {
          ;({ open } = tell(alerts, open, minute))
          const on = firingIn(open)
          expect(on.sort()).toEqual(alerts.map(({ queue, rule }) => `${queue}/${rule}`).sort())
        })
      }),
    )
  })

  it('every page is triggered once, resolved at most once, and never heard of after that', () => {
    fc.assert(
      fc.property(anyStory, (minutes) => {
        const { open, kinds } = heardOf(spoken([...minutes, ...times(12, [])]))
        expect(open).toEqual([])
        for (const all of kinds) expect(all).toMatch(/^trigger( update| repeat)* resolve$/)
      }),
    )
  })

  it('a second look at the same moment tells nobody anything', () => {
    fc.assert(
      fc.property(anyStory, (minutes) => {
        let open: readonly Open[] = []
        minutes.forEach((alerts, minute) => {
          const told = tell(alerts, open, minute)
          open = told.open
          const again = tell(alerts, open, minute)
          // What was held back is due.
          expect(again.tellings).toHaveLength(Math.min(10, told.held))
        })
      }),
    )
  })
})

describe('what a page says', () => {
  const pageAt = (minutes: readonly (readonly Alert[])[]) => {
    let open: readonly Open[] = []
    const pages = minutes.flatMap((alerts, minute) => {
      const now = startAt + minute * 60
      const told = tell(alerts, open, minute)
      open = told.open
      return told.tellings.map((telling) => pageOf(telling, 'talk', now))
    })
    const page = pages.at(-1)
    if (!page) throw new Error('Nobody was told anything')
    return page
  }

  it('answers what, since when, how bad, why, what is done, and where to read on', () => {
    const alert = { ...age('video', { value: 400 }), runbook: 'https://wiki/age' }
    expect(pageAt([[alert]])).toEqual({
      ...{ key: `talk/behind/video/${startAt}`, kind: 'trigger', fleet: 'talk' },
      ...{ severity: 'critical', title: 'video: falls behind its promise' },
      ...{ at: startAt, since: startAt - 60, until: null },
      impact: 'video: 40 wait, the newest about 1 min 30 s (promise 5 min)',
      cause: 'more comes than is done',
      action: 'sizes the group: 4 of 4 instances are in service, max 20; 6 would hold the promise',
      alerts: [
        {
          ...{ queue: 'video', rule: 'oldest-age', severity: 'critical', unit: 'seconds' },
          ...{ value: 400, threshold: 100, peak: 400, since: startAt - 60 },
        },
      ],
      ...{ silenced: [], link: 'https://wiki/age' },
    })
  })

  it('says what was silenced', () => {
    const page = pageAt([[stalled('a'), age('a'), alertOf('a', 'depth')]])
    expect(page.silenced).toEqual(['a: oldest-age', 'a: depth'])
    expect(page.title).toBe('a: messages wait and nothing is done')
  })

  it('says when it was over, and keeps its key', () => {
    const minutes = [[stalled('a')], [stalled('a')], ...times(11, [])]
    const [begun, over] = [pageAt(minutes.slice(0, 1)), pageAt(minutes)]
    expect(over).toMatchObject({ kind: 'resolve', until: startAt + 120, key: begun.key })
  })

  it('names the cause once it is known', () => {
    const both = [age('a'), stalled('a')]
    expect(pageAt([[age('a')], both, both])).toMatchObject({
      ...{ kind: 'update', key: `talk/behind/a/${startAt}` },
      title: 'a: messages wait and nothing is done',
    })
  })

  it('names three queues and counts the rest', () => {
    const queues = ['a', 'b', 'c', 'd', 'e']
    expect(pageAt([queues.map(stalled)]).title).toBe(
      'a, b, c and 2 more: messages wait and nothing is done',
    )
    expect(pageAt([queues.map(noCapacity)]).title).toBe(
      'No Spot capacity for 5 groups: a, b, c and 2 more',
    )
  })

  it('lists a hundred of them at most', () => {
    const queues = Array.from({ length: 130 }, (_, index) => `q${index}`)
    const page = pageAt([queues.flatMap((queue) => [stalled(queue), age(queue)])])
    expect(page.alerts).toHaveLength(100)
    expect(page.silenced.slice(-2)).toEqual(['q99: oldest-age', 'and 30 more'])
  })
})
