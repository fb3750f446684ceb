import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Open } from '../functions/alerts/pages.ts'
import { pageOf } from '../functions/alerts/words.ts'
import { openWindows } from '../shared/alerts/maintenance.ts'
import { isLike, muteOf } from '../shared/alerts/mute.ts'
import { ruleNames } from '../shared/alerts/rules.ts'
import {
  age,
  alertOf,
  firingIn,
  heardOf,
  lacking,
  type Minute,
  noCapacity,
  nothing,
  spoken,
  stalled,
  startAt,
  tellAll,
  times,
  told,
} from './alerts/stories.ts'

/** What nobody is told of: silences, maintenance windows, rollouts. */

const firing = (muted: string[], ...alerts: Minute['alerts'][number][]): Minute => ({
  alerts,
  muted,
})

describe('what is muted', () => {
  const rows: [string, Minute[], string[][]][] = [
    [
      'begins and ends while it is: nobody hears of it',
      [...times(20, firing(['a'], stalled('a'))), ...times(20, firing([]))],
      nothing(40),
    ],
    [
      'still fires when the silence is over: told then',
      [...times(20, firing(['a'], stalled('a'))), ...times(2, firing([], stalled('a')))],
      [...nothing(20), ['trigger: a/stalled'], []],
    ],
    [
      'was told before: repeated no more, and told again when the silence is over',
      [
        firing([], stalled('a')),
        ...times(300, firing(['a'], stalled('a'))),
        firing([], stalled('a')),
        firing([], stalled('a')),
      ],
      [['trigger: a/stalled'], ...nothing(300), ['update: a/stalled'], []],
    ],
    [
      'was told before and ends in the silence: whoever was told hears that too',
      [
        firing([], stalled('a')),
        ...times(5, firing(['a'], stalled('a'))),
        ...times(12, firing(['a'])),
      ],
      [['trigger: a/stalled'], ...nothing(15), ['resolve: a/stalled'], []],
    ],
    [
      'joins a page and is muted before the update: the others are told of nothing',
      [
        firing([], stalled('b')),
        firing([], stalled('a')),
        ...times(2, firing(['a'], stalled('a'), age('b'))),
        ...times(2, firing([], stalled('a'), age('b'))),
      ],
      [
        ['trigger: b/stalled'],
        ...nothing(3),
        ['update: b/stalled over a/stalled (b/oldest-age)'],
        [],
      ],
    ],
    [
      'says nothing of another queue',
      [firing(['a'], stalled('a'), stalled('b'))],
      [['trigger: b/stalled']],
    ],
    [
      'explains nothing: of what follows from it people are told',
      times(2, firing(['a/at-max'], alertOf('a', 'at-max'), age('a'))),
      [['trigger: a/oldest-age'], []],
    ],
    [
      'a page of two, of which one is muted, is repeated for the other',
      [
        firing([], stalled('a'), stalled('b')),
        ...times(240, firing(['a'], stalled('a'), stalled('b'))),
      ],
      [['trigger: a/stalled b/stalled'], ...nothing(239), ['repeat: a/stalled b/stalled']],
    ],
  ]
  it.each(rows)('%s', (_, minutes, expected) => {
    expect(tellAll(minutes)).toEqual(expected)
  })

  it('is left out of the page that tells of the others', () => {
    const first = told(firing([], stalled('a'), stalled('b')), [], 0)
    const later = told(firing(['a'], stalled('a'), stalled('b')), first.open, 240)
    const [telling] = later.tellings
    if (!telling) throw new Error('It is repeated')
    expect(pageOf(telling, 'test', startAt).alerts.map(({ queue }) => queue)).toEqual(['b'])
  })
})

const anyAlert = fc
  .tuple(fc.constantFrom('a', 'b', 'c'), fc.constantFrom(...ruleNames), fc.boolean(), fc.boolean())
  .map(([queue, rule, lacks, rollout]) =>
    alertOf(queue, rule, { context: { ...(lacks ? lacking : {}), rollout } }),
  )
const anyStory = fc.array(
  fc.record({
    alerts: fc.uniqueArray(anyAlert, {
      selector: ({ queue, rule }) => `${queue}/${rule}`,
      maxLength: 9,
    }),
    muted: fc.subarray(['a', 'b', 'c']),
  }),
  { minLength: 1, maxLength: 60 },
)

describe('whatever fires and is muted', () => {
  it('nobody is told of a queue for the first time, or again, while it is', () => {
    fc.assert(
      fc.property(anyStory, (minutes) => {
        let open: readonly Open[] = []
        minutes.forEach((minute, index) => {
          const now = told(minute, open, index)
          open = now.open
          for (const telling of now.tellings) {
            if (telling.kind === 'resolve') continue
            const { alerts } = pageOf(telling, 'test', startAt + index * 60)
            expect(alerts.filter(({ queue }) => minute.muted.includes(queue))).toEqual([])
          }
        })
      }),
    )
  })

  it('what fires and is not muted is in an open page, told or about to be', () => {
    fc.assert(
      fc.property(anyStory, (minutes) => {
        let open: readonly Open[] = []
        minutes.forEach((minute, index) => {
          open = told(minute, open, index).open
          const on = firingIn(open)
          const names = minute.alerts
            .filter(({ queue }) => !minute.muted.includes(queue))
            .map(({ queue, rule }) => `${queue}/${rule}`)
          expect(on).toEqual(expect.arrayContaining(names))
          expect(new Set(on).size).toBe(on.length)
        })
      }),
    )
  })

  it('every page is triggered once, resolved at most once, and never heard of after that', () => {
    fc.assert(
      fc.property(anyStory, (minutes) => {
        const { open, kinds } = heardOf([...minutes, ...times(12, { alerts: [], muted: [] })])
        expect(open).toEqual([])
        for (const all of kinds) expect(all).toMatch(/^trigger( update| repeat)* resolve$/)
      }),
    )
  })
})

const rolled = (queue: string, rule: (typeof ruleNames)[number] = 'no-capacity') =>
  alertOf(queue, rule, { context: { ...lacking, rollout: true } })

describe('a rollout', () => {
  const rows: [string, Minute[], string[][]][] = [
    [
      'is one page for whatever falls behind while instances are replaced, however late',
      spoken([
        [rolled('a')],
        ...times(20, [rolled('a')]),
        [rolled('a'), rolled('b', 'oldest-age'), rolled('c')],
      ]),
      [['trigger: (a/no-capacity)'], ...nothing(21)],
    ],
    [
      'explains no worker that does nothing, and no task that fails',
      spoken([[rolled('a', 'stalled'), rolled('b', 'dead-letter')]]),
      [['trigger: a/stalled', 'trigger: b/dead-letter']],
    ],
    [
      'that is over explains nothing any more',
      spoken([...times(10, [rolled('a')]), noCapacity('a')].map((one) => [one].flat())),
      [['trigger: (a/no-capacity)'], ...nothing(9), ['trigger: a/no-capacity']],
    ],
    [
      'that ends well is over ten minutes later',
      spoken([[rolled('a')], ...times(12, [])]),
      [['trigger: (a/no-capacity)'], ...nothing(10), ['resolve: (a/no-capacity)'], []],
    ],
    [
      'leaves alone what was told before it',
      spoken([[age('a')], ...times(3, [age('a'), rolled('a')])]),
      [['trigger: a/oldest-age'], ['trigger: (a/no-capacity)'], [], []],
    ],
  ]
  it.each(rows)('%s', (_, minutes, expected) => {
    expect(tellAll(minutes)).toEqual(expected)
  })

  it('wakes nobody, and says what it explains', () => {
    const [telling] = told(firing([], rolled('a'), rolled('b', 'oldest-age')), [], 0).tellings
    if (!telling) throw new Error('It is told')
    expect(pageOf(telling, 'test', startAt)).toMatchObject({
      severity: 'warning',
      title: 'a, b: fewer instances while a rollout replaces them',
      alerts: [{ rule: 'no-capacity' }, { rule: 'oldest-age' }],
    })
  })
})

describe('a silence', () => {
  it.each([
    ['video', 'video', true],
    ['video', 'videos', false],
    ['*', 'anything.fifo', true],
    ['mail-*', 'mail-out', true],
    ['mail-*', 'email-out', false],
    ['*.fifo', 'video.fifo', true],
    ['*.fifo', 'videoxfifo', false],
    ['a.b', 'axb', false],
  ])('%s names %s: %s', (pattern, name, expected) => {
    expect(isLike(pattern, name)).toBe(expected)
  })

  it('is the one that lasts longest of those that fit', () => {
    const mute = (until: number, queues: string[], rules: (typeof ruleNames)[number][] = []) => ({
      ...{ kind: 'silence' as const, until, reason: `until ${until}`, queues, rules },
    })
    const mutes = [mute(10, ['*']), mute(30, ['video'], ['depth']), mute(20, ['vid*'])]
    expect(muteOf(mutes, 'video', 'depth')?.until).toBe(30)
    expect(muteOf(mutes, 'video', 'blind')?.until).toBe(20)
    expect(muteOf(mutes.slice(1), 'mail', 'blind')).toBeNull()
  })
})

describe('a maintenance window', () => {
  const window = (cron: string, hours: number, timezone = 'Europe/Berlin') => ({
    ...{ cron, timezone, forSeconds: hours * 3_600, reason: 'reindexing' },
    ...{ queues: ['*'], rules: [] },
  })
  const at = (text: string) => Date.parse(text) / 1_000
  it.each<[string, ReturnType<typeof window>, string, string | null]>([
    ['not yet', window('0 2 * * *', 2), '2026-06-01T23:59:59Z', null],
    ['at its first second', window('0 2 * * *', 2), '2026-06-02T00:00:00Z', '2026-06-02T02:00:00Z'],
    ['within', window('0 2 * * *', 2), '2026-06-02T01:30:00Z', '2026-06-02T02:00:00Z'],
    ['at its end no more', window('0 2 * * *', 2), '2026-06-02T02:00:00Z', null],
    ['in winter an hour later', window('0 2 * * *', 2), '2026-12-02T00:30:00Z', null],
    ['on another day', window('0 2 * * SUN', 2), '2026-06-02T01:00:00Z', null],
    ['over midnight', window('0 23 * * SAT', 4), '2026-06-07T00:30:00Z', '2026-06-07T01:00:00Z'],
    [
      'in an hour that the clocks leave out, from where they go on',
      window('30 2 * * *', 1),
      '2026-03-29T01:45:00Z',
      '2026-03-29T02:30:00Z',
    ],
    [
      'of several beginnings the last',
      window('0,30 2 * * *', 1),
      '2026-06-02T00:45:00Z',
      '2026-06-02T01:30:00Z',
    ],
  ])('%s', (_, one, now, until) => {
    const open = openWindows([one], at(now))
    expect(open.map((mute) => mute.until)).toEqual(until === null ? [] : [at(until)])
  })
})
