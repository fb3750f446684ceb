import { describe, expect, it } from 'vitest'
import type { Page } from '../shared/alerts/page.ts'
import type { RuleName } from '../shared/alerts/rules.ts'
import { type Incident, judge } from '../twin/backtest/judge.ts'

/** What counts as told, missed, told twice and told of nothing. */

const incident: Incident = {
  ...{ name: 'video hangs', queues: ['video'], rules: ['stalled', 'oldest-age'] },
  ...{ from: 1_000, until: 5_000 },
}

const page = (at: number, kind: Page['kind'], ...alerts: [string, RuleName][]): Page => ({
  ...{ key: `k${at}`, kind, fleet: 'test', severity: 'critical', title: '', at, since: at },
  ...{ until: null, impact: '', cause: '', action: '', silenced: [], link: null },
  alerts: alerts.map(([queue, rule]) => ({
    ...{ queue, rule, severity: 'critical', unit: 'seconds', since: at },
    ...{ value: 1, threshold: 0, peak: 1 },
  })),
})

const possible = [
  { queue: 'video', rule: 'stalled' as const, at: 1_200 },
  { queue: 'video', rule: 'oldest-age' as const, at: 1_500 },
  // Of another queue, and before it began.
  { queue: 'mail', rule: 'stalled' as const, at: 1_000 },
  { queue: 'video', rule: 'stalled' as const, at: 900 },
]

describe('an incident', () => {
  const none = { paged: 0, missed: 1, false: 0, duplicates: 0, detectionSecondsMedian: null }
  const told = { paged: 1, missed: 0, false: 0, duplicates: 0, detectionSecondsMedian: 60 }
  it.each<[string, Page[], object]>([
    ['that nobody was told of is missed', [], none],
    ['is told by a page of its queue', [page(1_260, 'trigger', ['video', 'stalled'])], told],
    [
      'is told once where an update follows',
      [
        page(1_260, 'trigger', ['video', 'stalled']),
        page(1_400, 'update', ['video', 'oldest-age']),
      ],
      told,
    ],
    [
      'is told twice by a second page',
      [
        page(1_260, 'trigger', ['video', 'stalled']),
        page(1_400, 'trigger', ['video', 'oldest-age']),
      ],
      { ...told, duplicates: 1 },
    ],
    [
      'is not told by a page of another queue, which tells of nothing',
      [page(1_260, 'trigger', ['mail', 'stalled'])],
      { ...none, false: 1 },
    ],
    [
      'is not told by a rule that does not follow from it',
      [page(1_260, 'trigger', ['video', 'blind'])],
      { ...none, false: 1 },
    ],
    [
      'is not told before it began, or when nothing of it is left',
      [page(900, 'trigger', ['video', 'stalled']), page(5_001, 'trigger', ['video', 'stalled'])],
      { ...none, false: 2 },
    ],
    [
      'is told by the update that it is added by',
      [page(1_100, 'trigger', ['mail', 'blind']), page(1_260, 'update', ['video', 'stalled'])],
      { ...told, false: 1 },
    ],
    ['is not told by a repeat or an end', [page(1_260, 'repeat', ['video', 'stalled'])], none],
  ])('%s', (_, pages, expected) => {
    expect(judge('x', 1, [incident], { pages, possible })).toMatchObject(expected)
  })
})
