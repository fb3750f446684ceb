import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { openWindows } from '../shared/alerts/maintenance.ts'
import { ruleNames } from '../shared/alerts/rules.ts'
import { ruleTable } from '../shared/alerts/settings.ts'
import { checkFleet, describeProblem } from '../shared/queue-config.ts'
import { fleetOf, queueOf } from './fixtures.ts'

const problemsOf = (input: object) =>
  checkFleet({ name: 'x', ...input }).problems.map(describeProblem)

const ofQueue = (alerts: object) => problemsOf({ queues: { a: { alerts } } })

describe('alerts that cannot be meant are refused with path, value and remedy', () => {
  const rows: [string, string[], string[]][] = [
    [
      'a rule that does not exist',
      ofQueue({ age: { threshold: '3m' } }),
      [
        'queues.a.alerts.age: {"threshold":"3m"} does not fit; there is no such setting; there ' +
          `are off, runbook, ${ruleNames.join(', ')}`,
      ],
    ],
    [
      'a setting that a rule does not have',
      ofQueue({ depth: { above: 3 } }),
      [
        'queues.a.alerts.depth.above: 3 does not fit; there is no such setting; there are ' +
          'threshold, recovery, for, recoverFor, breaching, looks, missing, severity, runbook',
      ],
    ],
    [
      'an age as a number',
      ofQueue({ 'oldest-age': { threshold: 180 } }),
      [
        'queues.a.alerts.oldest-age.threshold: 180 does not fit; write a positive number and a ' +
          "unit, such as '90s', '3m' or '2h'",
      ],
    ],
    [
      'a depth as a time',
      ofQueue({ depth: { threshold: '3m' } }),
      ['queues.a.alerts.depth.threshold: "3m" does not fit; write a number, 0 or more'],
    ],
    [
      'a rule that would be over while it fires',
      ofQueue({ depth: { threshold: 100, recovery: 150 } }),
      [
        'queues.a.alerts.depth.recovery: 150 does not fit; it would be over while it still ' +
          'fires; write the threshold 100 or less',
      ],
    ],
    [
      'the same where less is worse',
      ofQueue({ 'time-to-breach': { threshold: '5m', recovery: '4m' } }),
      [
        'queues.a.alerts.time-to-breach.recovery: 240 does not fit; it would be over while it ' +
          'still fires; write the threshold 300 or more',
      ],
    ],
    [
      'the same between the defaults and the queue',
      problemsOf({
        defaults: { alerts: { depth: { threshold: 500, recovery: 400 } } },
        queues: { a: { alerts: { depth: { threshold: 100 } } } },
      }),
      [
        'queues.a.alerts.depth.recovery: 400 does not fit; it would be over while it still ' +
          'fires; write the threshold 100 or less',
      ],
    ],
    [
      'a recovery for a threshold that is derived',
      ofQueue({ depth: { recovery: 5 } }),
      [
        'queues.a.alerts.depth.recovery: 5 does not fit; write the threshold too; one that ' +
          'is derived may be on its other side',
      ],
    ],
    [
      'more breaching looks than looks',
      ofQueue({ depth: { breaching: 4, looks: 3 } }),
      [
        'queues.a.alerts.depth.breaching: 4 does not fit; of 3 looks no more than 3 can breach; ' +
          'lower it, or raise looks',
      ],
    ],
    [
      'a rule that is off and does not exist',
      ofQueue({ off: ['age'] }),
      [
        'queues.a.alerts.off.0: "age" does not fit; write one of ' +
          ruleNames.map((rule) => `'${rule}'`).join(', '),
      ],
    ],
    [
      'a runbook that is no address',
      ofQueue({ runbook: 'see the wiki' }),
      [
        'queues.a.alerts.runbook: "see the wiki" does not fit; write an address that begins ' +
          'with https://',
      ],
    ],
    [
      'a channel of two kinds',
      problemsOf({
        queues: { a: {} },
        notify: { channels: { oncall: { slack: '/a', pagerduty: '/b' } } },
      }),
      [
        'notify.channels.oncall: {"slack":"/a","pagerduty":"/b"} does not fit; name one of ' +
          "slack, pagerduty and webhook with its parameter, such as { slack: '/talk/slack' }",
      ],
    ],
    [
      'an unknown channel',
      problemsOf({ queues: { a: {} }, notify: { channels: { oncall: { teams: '/a' } } } }),
      [
        'notify.channels.oncall.teams: "/a" does not fit; there is no such setting; there are ' +
          'slack, pagerduty, webhook, severities',
        'notify.channels.oncall: {"teams":"/a"} does not fit; name one of slack, pagerduty and ' +
          "webhook with its parameter, such as { slack: '/talk/slack' }",
      ],
    ],
    [
      'a secret in clear',
      problemsOf({
        queues: { a: {} },
        notify: { channels: { chat: { slack: 'https://hooks.slack.com/services/T0/B0/x' } } },
      }),
      [
        'notify.channels.chat.slack: "https://hooks.slack.com/services/T0/B0/x" does not fit; ' +
          "name an SSM SecureString parameter, such as '/talk/pager'",
      ],
    ],
    [
      'a maintenance window without a reason',
      problemsOf({
        queues: { a: {} },
        notify: { maintenance: [{ cron: '0 2 * * *', for: '2h' }] },
      }),
      ['notify.maintenance.0.reason: missing; say why in a line of 3 to 200 characters'],
    ],
    [
      'maintenance windows whose times cannot be meant',
      problemsOf({
        queues: { a: {} },
        notify: {
          maintenance: [
            { cron: '0 25 * * *', for: '2h', reason: 'no such hour' },
            { cron: '0 2 31 2 *', for: '2h', reason: 'no such day' },
            { cron: '0 * * * *', for: '1h', reason: 'always' },
            { cron: '0 2 * * *', timezone: 'Mars/Olympus', for: '2h', reason: 'elsewhere' },
          ],
        },
      }),
      [
        'notify.maintenance.0.cron: "0 25 * * *" does not fit; write the five fields of cron, ' +
          "such as '0 2 * * SUN'",
        'notify.maintenance.1.cron: "0 2 31 2 *" does not fit; that day never comes',
        'notify.maintenance.2.for: "3600s" does not fit; it would begin again before it ends, ' +
          'and nobody would be told of anything',
        'notify.maintenance.3.timezone: "Mars/Olympus" does not fit; name a time zone of the ' +
          "IANA's, such as 'Europe/Berlin'",
      ],
    ],
    ...['0 0 2 * * *', '@daily', '12:30'].map((cron): [string, string[], string[]] => [
      `a maintenance window at ${cron}`,
      problemsOf({
        ...{ queues: { a: {} } },
        notify: { maintenance: [{ cron, for: '2h', reason: 'reindexing' }] },
      }),
      [
        `notify.maintenance.0.cron: "${cron}" does not fit; write the five fields of cron, ` +
          "such as '0 2 * * SUN'",
      ],
    ]),
    [
      'a maintenance window for a rule that does not exist',
      problemsOf({
        queues: { a: {} },
        notify: {
          maintenance: [{ cron: '0 2 * * *', for: '2h', reason: 'reindexing', rule: 'depth' }],
        },
      }),
      [
        'notify.maintenance.0.rule: "depth" does not fit; there is no such setting; there are ' +
          'cron, timezone, for, reason, queues, rules',
      ],
    ],
    [
      'a channel for no severity',
      problemsOf({
        queues: { a: {} },
        notify: { channels: { chat: { slack: '/a', severities: [] } } },
      }),
      [
        'notify.channels.chat.severities: [] does not fit; write at least one severity, or ' +
          'leave it out',
      ],
    ],
  ]
  it.each(rows)('%s', (_, problems, expected) => {
    expect(problems).toEqual(expected)
  })

  it('warns of an age that a task which runs as long as usual has', () => {
    const alerts = { 'oldest-age': { threshold: '3m' } }
    const { warnings } = fleetOf({
      queues: { long: { taskTime: '10m', alerts }, short: { taskTime: '9s', alerts } },
    })
    expect(warnings.map(({ path }) => path).filter((path) => path.includes('alerts'))).toEqual([
      'queues.long.alerts.oldest-age.threshold',
    ])
  })
})

describe('whatever stands for a time of maintenance', () => {
  it('is taken or refused, and breaks nothing', () => {
    const part = fc.oneof(
      fc.constantFrom('*', '0', '7', '31', 'SUN', 'L', '*/5', '1-3', '#2', '5#L', '?', '15W'),
      fc.string({ maxLength: 4 }),
    )
    const cron = fc.oneof(
      fc.array(part, { minLength: 4, maxLength: 7 }).map((parts) => parts.join(' ')),
      fc.string(),
    )
    const timezone = fc.oneof(fc.constantFrom('UTC', 'Europe/Berlin', ''), fc.string())
    fc.assert(
      fc.property(cron, timezone, (some, zone) => {
        const window = { cron: some, timezone: zone, for: '1h', reason: 'any reason' }
        const { fleet } = checkFleet({
          ...{ name: 'x', queues: { a: {} }, notify: { maintenance: [window] } },
        })
        if (fleet) openWindows(fleet.notify.maintenance, 1_800_000_000)
      }),
    )
  })
})

describe('what a rule comes to', () => {
  it('is watched with the usual settings where nothing is written', () => {
    const { alerts } = queueOf()
    for (const rule of ruleNames) {
      const { unit: _, bad: __, ...usual } = ruleTable[rule]
      const derived = { threshold: null, recovery: null, runbook: null }
      expect(alerts[rule]).toEqual({ ...usual, ...derived })
    }
  })
  it('takes the queue before the defaults, setting by setting', () => {
    const { queues } = fleetOf({
      defaults: { alerts: { depth: { threshold: 500, for: '5m' }, runbook: 'https://wiki/x' } },
      queues: { a: { alerts: { depth: { threshold: 90, for: '0s', severity: 'warning' } } } },
    })
    expect(queues[0]?.alerts.depth).toMatchObject({
      ...{ threshold: 90, forSeconds: 0, severity: 'warning', runbook: 'https://wiki/x' },
    })
  })
  it('is off where queue or defaults say so, unless the queue writes something of it', () => {
    const { queues } = fleetOf({
      defaults: { alerts: { off: ['at-max', 'depth'] } },
      queues: { a: { alerts: { off: ['stalled'], depth: { threshold: 5 } } } },
    })
    const off = ruleNames.filter((rule) => queues[0]?.alerts[rule] === null)
    expect(off).toEqual(['stalled', 'at-max'])
  })
  it('looks at as many minutes as must breach, where only those are written', () => {
    expect(queueOf({ alerts: { depth: { breaching: 3 } } }).alerts.depth).toMatchObject({
      ...{ breaching: 3, looks: 3 },
    })
  })
  it('tells every channel of everything, every four hours, unless told otherwise', () => {
    const { notify } = fleetOf({
      queues: { a: {} },
      notify: {
        channels: {
          oncall: { pagerduty: '/x/pager', severities: ['critical'] },
          hook: { webhook: 'x-hook' },
        },
      },
    })
    expect(notify).toEqual({
      channels: [
        { name: 'oncall', kind: 'pagerduty', secret: '/x/pager', severities: ['critical'] },
        { name: 'hook', kind: 'webhook', secret: 'x-hook', severities: ['critical', 'warning'] },
      ],
      ...{ repeatSeconds: 14_400, maintenance: [] },
    })
  })
  it('has maintenance windows of all queues and rules in UTC, unless told otherwise', () => {
    const { notify, warnings } = fleetOf({
      queues: { mail: {} },
      notify: {
        maintenance: [
          { cron: '0 2 * * SUN', for: '2h', reason: 'reindexing' },
          {
            ...{ cron: '0 2 * * *', timezone: 'Europe/Berlin', for: '30m', reason: 'imports' },
            ...{ queues: ['mail*', 'maill'], rules: ['depth'] },
          },
        ],
      },
    })
    expect(notify.maintenance).toEqual([
      {
        ...{ cron: '0 2 * * SUN', timezone: 'UTC', forSeconds: 7_200, reason: 'reindexing' },
        ...{ queues: ['*'], rules: [] },
      },
      {
        ...{ cron: '0 2 * * *', timezone: 'Europe/Berlin', forSeconds: 1_800, reason: 'imports' },
        ...{ queues: ['mail*', 'maill'], rules: ['depth'] },
      },
    ])
    expect(warnings.map(describeProblem)).toEqual([
      'notify.maintenance.1.queues.1: "maill" does not fit; no queue of this file is named so; ' +
        'it is of use for adopted ones alone',
    ])
  })
})
