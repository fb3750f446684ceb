import { describe, expect, it } from 'vitest'
import talk from '../fleet.config.ts'
import { checkFleet, defineFleet, describeProblem } from '../shared/queue-config.ts'
import { extraMetrics, type FleetInput } from '../shared/queue-schema.ts'
import { fleetOf, queueOf } from './fixtures.ts'

const problemsOf = (input: unknown) => checkFleet(input).problems.map(describeProblem)

describe('a fleet with a mistake is refused with the path, the value and the remedy', () => {
  const durationRemedy = "write a positive number and a unit, such as '90s', '3m' or '2h'"
  const rows: [string, unknown, string[]][] = [
    [
      'an unknown key in a queue',
      { name: 'x', queues: { a: { promise: '3m' } } },
      [
        'queues.a.promise: "3m" does not fit; there is no such setting; there are startWithin, ' +
          'taskTime, bootTime, concurrency, scaling, prefetch, priority, instance, drain, ' +
          'worker, alerts, metrics, sqs, group',
      ],
    ],
    [
      'a worker under two names',
      { name: 'x', queues: { a: { worker: { unit: 'celery.service', container: 'celery' } } } },
      [
        'queues.a.worker: {"unit":"celery.service","container":"celery"} does not fit; name one ' +
          "of them, such as { unit: 'celery.service' }",
      ],
    ],
    [
      'a worker whose name is a command',
      { name: 'x', queues: { a: { worker: { program: 'celery; rm -rf /' } } } },
      [
        'queues.a.worker.program: "celery; rm -rf /" does not fit; write a name of letters, ' +
          'digits and @ . : / _ -',
      ],
    ],
    [
      'an unknown key in drain',
      { name: 'x', defaults: { drain: { limit: '1h' } } },
      [
        'defaults.drain.limit: "1h" does not fit; there is no such setting; there are within, ' +
          'onRebalance',
      ],
    ],
    [
      'an unknown key in scaling',
      { name: 'x', queues: { a: { scaling: { maximum: 3 } } } },
      [
        'queues.a.scaling.maximum: 3 does not fit; there is no such setting; there are mode, ' +
          'min, max, target',
      ],
    ],
    [
      'a duration in words',
      { name: 'x', queues: { a: { startWithin: '5 minutes' } } },
      [`queues.a.startWithin: "5 minutes" does not fit; ${durationRemedy}`],
    ],
    [
      'a duration of nothing',
      { name: 'x', queues: { a: { taskTime: '0s' } } },
      [`queues.a.taskTime: "0s" does not fit; ${durationRemedy}`],
    ],
    [
      'a duration without a unit',
      { name: 'x', defaults: { bootTime: 90 }, defaultQueues: ['a'] },
      [`defaults.bootTime: 90 does not fit; ${durationRemedy}`],
    ],
    [
      'min above max',
      { name: 'x', queues: { a: { scaling: { min: 3, max: 2 } } } },
      ['queues.a.scaling.min: 3 does not fit; min is above max 2; lower min or raise max'],
    ],
    [
      'min above the max of the defaults',
      { name: 'x', defaults: { scaling: { max: 2 } }, queues: { a: { scaling: { min: 3 } } } },
      ['queues.a.scaling.min: 3 does not fit; min is above max 2; lower min or raise max'],
    ],
    [
      'a fraction of an instance',
      { name: 'x', queues: { a: { scaling: { min: 0.5 } } } },
      ['queues.a.scaling.min: 0.5 does not fit; write a whole number, 0 or more'],
    ],
    [
      'no slot',
      { name: 'x', queues: { a: { concurrency: 0 } } },
      ['queues.a.concurrency: 0 does not fit; write a whole number, 1 or more'],
    ],
    [
      'a mode that does not exist',
      { name: 'x', queues: { a: { scaling: { mode: 'auto' } } } },
      [
        `queues.a.scaling.mode: "auto" does not fit; write one of 'observe', 'target-tracking', ` +
          `'direct'`,
      ],
    ],
    [
      'a queue listed twice',
      { name: 'x', defaultQueues: ['a', 'b', 'a'] },
      ['defaultQueues.2: "a" does not fit; remove it, defaultQueues.0 has it already'],
    ],
    [
      'a queue with settings and without',
      { name: 'x', queues: { a: {} }, defaultQueues: ['a'] },
      ['defaultQueues.0: "a" does not fit; remove it, queues.a has it already'],
    ],
    [
      'two queues that are one SQS queue',
      { name: 'x', queues: { a: { sqs: 'b' } }, defaultQueues: ['b'] },
      [
        'defaultQueues.0.sqs: "b" does not fit; the SQS queue belongs to queues.a already; give ' +
          'each queue its own',
      ],
    ],
    [
      'two queues with one group',
      { name: 'x', queues: { a: { group: 'g' }, b: { group: 'g' } } },
      [
        'queues.b.group: "g" does not fit; the group belongs to queues.a already; give each ' +
          'queue its own',
      ],
    ],
    [
      'an SQS queue that the role could not read',
      { name: 'x', queueNamePrefix: 'prod-', queues: { a: { sqs: 'other-a' } } },
      [
        `queues.a.sqs: "other-a" does not fit; the queue's name must begin with queueNamePrefix ` +
          `'prod-'`,
      ],
    ],
    [
      'a name that no resource could have',
      { name: 'My Fleet', defaultQueues: ['a'] },
      ['name: "My Fleet" does not fit; write 1 to 30 lower-case letters, digits and hyphens'],
    ],
    [
      'a queue name that SQS would refuse',
      { name: 'x', queues: { 'a b': {} } },
      [
        'queues.a b: "a b" does not fit; name a queue with 1 to 80 letters, digits, hyphens and ' +
          'underscores',
      ],
    ],
    ['no queue', { name: 'x' }, ['queues: missing; name at least one queue']],
    [
      'no name',
      { defaultQueues: ['a'] },
      ['name: missing; write 1 to 30 lower-case letters, digits and hyphens'],
    ],
    [
      'no object at all',
      'fleet',
      ['fleet: "fleet" does not fit; write an object with the name of the fleet and its queues'],
    ],
    [
      'a metric that does not exist',
      { name: 'x', queues: { a: { metrics: ['Depth'] } } },
      [
        `queues.a.metrics.0: "Depth" does not fit; write one of 'BacklogSeconds', ` +
          `'WantedCapacity', 'Shortfall'`,
      ],
    ],
  ]
  it.each(rows)('%s', (_, input, expected) => {
    expect(problemsOf(input)).toEqual(expected)
  })

  it('every mistake of a file is reported at once', () => {
    const input: unknown = {
      name: 'X',
      bogus: true,
      defaults: { scaling: { mode: 'auto' } },
      queues: { a: { startWithin: 'soon', scaling: { min: -1 } } },
    }
    expect(problemsOf(input).map((line) => line.split(':')[0])).toEqual([
      'name',
      'defaults.scaling.mode',
      'queues.a.startWithin',
      'queues.a.scaling.min',
      'bogus',
    ])
  })

  it('defineFleet throws one error with one line a mistake', () => {
    const mistaken: FleetInput = { name: 'X', queues: { a: { scaling: { min: -1 } } } }
    expect(() => defineFleet(mistaken)).toThrow(
      [
        "The fleet's configuration has 2 problems:",
        '  name: "X" does not fit; write 1 to 30 lower-case letters, digits and hyphens',
        '  queues.a.scaling.min: -1 does not fit; write a whole number, 0 or more',
      ].join('\n'),
    )
  })
})

describe('a promise that zero instances cannot keep is a warning', () => {
  const warningsOf = (settings: object) =>
    fleetOf({ queues: { a: settings } }).warnings.map(describeProblem)
  it('names the boot, the look and the settling of the counts', () => {
    expect(warningsOf({ startWithin: '3m', bootTime: '2m' })).toEqual([
      'queues.a.startWithin: "180s" does not fit; from zero instances the promise cannot be ' +
        'kept: a boot of 120 s, a look each 60 s and counts that settle in 60 s make 240 s; ' +
        'set scaling.min to 1 or promise 240s',
    ])
  })
  it.each([
    ['one instance is kept', { startWithin: '3m', scaling: { min: 1 } }],
    ['the promise is just long enough', { startWithin: '4m', bootTime: '2m' }],
    [
      'the fast lane sees the first task within 15 s',
      { startWithin: '195s', bootTime: '2m', scaling: { mode: 'direct' } },
    ],
  ])('but not when %s', (_, settings) => {
    expect(warningsOf(settings)).toEqual([])
  })
})

describe('what a queue comes to', () => {
  it('takes its own settings, then the defaults of the file, then ours', () => {
    const { queues } = fleetOf({
      queueNamePrefix: 'prod-',
      defaults: {
        ...{ startWithin: '10m', concurrency: 3, scaling: { mode: 'direct', max: 9 } },
        instance: { vcpus: 4 },
      },
      queues: { video: { startWithin: '90s', scaling: { min: 2 } } },
    })
    expect(queues).toEqual([
      {
        name: 'video',
        sqs: 'prod-video',
        group: null,
        startWithinSeconds: 90,
        taskSeconds: 30,
        bootSeconds: 120,
        slotsPerInstance: 3,
        mode: 'direct',
        min: 2,
        max: 9,
        target: null,
        priority: 0,
        instance: { instances: 1, vcpus: 4, dollarsPerHour: null },
        prefetch: 4,
        alerts: queueOf().alerts,
        metrics: [],
        drainSeconds: 600,
        drainsOnRebalance: false,
        worker: { kind: 'all', name: '' },
      },
    ])
  })
  it.each([
    ['short tasks', {}, 600, false],
    ['tasks of a minute', { taskTime: '60s' }, 600, true],
    ['long tasks', { taskTime: '30m' }, 18_000, true],
    ['its own limit', { taskTime: '30m', drain: { within: '1h' } }, 3_600, true],
    ['its own way', { taskTime: '30m', drain: { onRebalance: 'ignore' } }, 18_000, false],
  ])('gives a drain time for ten usual tasks: %s', (_, settings, drainSeconds, drains) => {
    expect(queueOf(settings)).toMatchObject({ drainSeconds, drainsOnRebalance: drains })
  })
  it('knows its worker by the one name that is given', () => {
    expect(queueOf({ worker: { unit: 'celery@video.service' } }).worker).toEqual({
      kind: 'unit',
      name: 'celery@video.service',
    })
  })
  it('resizes nothing until a mode says so', () => {
    expect(queueOf().mode).toBe('observe')
  })
  it('reads hours and fractions', () => {
    expect(queueOf({ startWithin: '1.5h' }).startWithinSeconds).toBe(5_400)
  })
})

describe("the example's fleet", () => {
  it('has 70 queues, five of them with the shape of the talk, and no warning', () => {
    expect(talk.queues).toHaveLength(70)
    expect(talk.queues.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['video', 'transcript', 'email', 'report', 'meeting-join']),
    )
    expect(talk.queues.find(({ name }) => name === 'video')?.slotsPerInstance).toBe(1)
    expect(talk.queues.find(({ name }) => name === 'meeting-join')?.startWithinSeconds).toBe(180)
    expect(talk.warnings).toEqual([])
  })
  it('asks for every extra metric of the queue that matters most, and for no other', () => {
    const asking = talk.queues.filter(({ metrics }) => metrics.length > 0)
    expect(asking.map(({ name, metrics }) => [name, metrics])).toEqual([
      ['meeting-join', [...extraMetrics]],
    ])
  })
})
