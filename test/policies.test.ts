import { describe, expect, it } from 'vitest'
import { paramsOf, parsePolicies, peers, policyNames } from '../twin/policies/find.ts'
import type { Params, Setting, View } from '../twin/policies/peer.ts'

const daysFrom = Date.parse('2026-01-19T00:00:00Z')
const setting: Setting = {
  ...{ promiseSeconds: 300, slots: 1, bootSeconds: 120, min: 0, max: 500, spotPerHour: 0 },
  ...{ serviceSeconds: 60, historyPerMinute: new Float64Array(0), daysFrom },
}

type Seen = Partial<View>
type Agents = [string, Seen, number, Params?]

/** What the policy asks for after each of those looks, at its own cadence. */
function run(name: string, given: Params, looks: readonly Seen[], changed: Partial<Setting> = {}) {
  const peer = peers.find((one) => one.name === name)
  if (!peer) throw new Error(`There is no ${name}`)
  const its = { ...setting, ...changed }
  const running = peer.start(its, paramsOf(peer, given, its))
  return looks.map((look, index) => {
    const inService = look.inService ?? look.desired ?? 0
    const { desired, reason } = running.look({
      now: daysFrom + index * peer.cadenceSeconds * 1_000,
      ...{ visible: 0, notVisible: 0, desired: inService, min: 0, max: 500, inService },
      ...{ warm: inService, warming: 0, online: inService, oldestSeconds: 0 },
      ...{ sent: 0, completed: 0, completedSeconds: 0 },
      ...look,
    })
    return [desired, reason]
  })
}

const last = (...args: Parameters<typeof run>) => run(...args).at(-1)
const times = (count: number, look: Seen): Seen[] => Array.from({ length: count }, () => look)

describe('aws-target-tracking', () => {
  const guide = { target: 100 }
  const high = { visible: 1_500, desired: 10 }
  it.each([
    ["the guide's example: 1,500 for 10 at a target of 100 adds 5", times(4, high), 15],
    ['two minutes above, and one not published yet, are not enough', times(3, high), 10],
    ['it rounds up', times(4, { visible: 1_501, desired: 10 }), 16],
    ['fourteen minutes below do not scale in', times(15, { visible: 100, desired: 10 }), 10],
    ['fifteen do, as far as the target lets them', times(16, { visible: 100, desired: 10 }), 1],
    ['between 0.7 and 1 of the target nothing moves', times(20, { visible: 800, desired: 10 }), 10],
    ['with all workers busy and nothing visible it goes', times(16, { desired: 10 }), 0],
    ['without instances it is as one, and leaves zero', times(4, { visible: 250 }), 3],
    [
      'no scale-in while an instance warms up',
      times(16, { visible: 100, desired: 10, warm: 9, warming: 1 }),
      10,
    ],
  ])('%s', (_, looks, desired) => {
    expect(last('aws-target-tracking', guide, looks)?.[0]).toBe(desired)
  })
  it.each([
    ['the low alarm may lie at 0.9', { lowFraction: 0.9 }, 8],
    ['a gradual variant removes one at a time', { lowFraction: 0.9, maxRemove: 1 }, 9],
    ['messages in flight may count', { lowFraction: 0.9, inFlight: 1 }, 10],
  ])('%s', (_, params, desired) => {
    const looks = times(16, { visible: 800, notVisible: 150, desired: 10 })
    expect(last('aws-target-tracking', { ...guide, ...params }, looks)?.[0]).toBe(desired)
  })
  it('has the acceptable backlog as its usual target: latency over the time of a message', () => {
    const peer = peers.find(({ name }) => name === 'aws-target-tracking')
    const example = { ...setting, promiseSeconds: 10, serviceSeconds: 0.1 }
    expect(peer?.params['target']?.usual(example)).toBe(100)
  })
})

describe('aws-dynamic-target', () => {
  const mean = (seconds: number) => ({ completed: 10, completedSeconds: 10 * seconds })
  it.each([
    ['a target of 100 s / 2 s: 50', 2, { latency: 100 }, 30],
    ['a target of 100 s / 3 s: 33, in whole messages', 3, { latency: 100 }, 46],
    ['never below one, however slow', 500, { latency: 100 }, 1_500],
  ])('works out %s', (_, serviceSeconds, params, desired) => {
    const looks = times(10, { visible: 1_500, desired: 10, ...mean(serviceSeconds) })
    expect(last('aws-dynamic-target', params, looks)?.[0]).toBe(Math.min(desired, 500))
  })
  it('forgets what is older than its window', () => {
    const looks = [
      ...times(10, mean(50)),
      ...times(10, { visible: 1_500, desired: 10, ...mean(2) }),
    ]
    const of = (window: number) => last('aws-dynamic-target', { latency: 100, window }, looks)?.[0]
    expect([of(300), of(86_400)]).toEqual([30, 500])
  })
})

describe('aws-step', () => {
  const params = { high: 100, low: 50 }
  it.each([
    ['10 % just above the threshold', { visible: 2_200, desired: 20 }, 22],
    ['30 % from half above', { visible: 3_200, desired: 20 }, 26],
    ['all again from three times above', { visible: 6_200, desired: 20 }, 40],
    ['at least one', { visible: 330, desired: 3 }, 4],
    ['one where there is none', { visible: 330 }, 1],
    [
      'nothing that is on its way already',
      { visible: 3_200, desired: 26, warm: 20, warming: 6 },
      26,
    ],
    ['nothing between the thresholds', { visible: 1_500, desired: 20 }, 20],
  ])('adds %s', (_, look, desired) => {
    expect(last('aws-step', params, times(4, look))?.[0]).toBe(desired)
  })
  it.each([
    ['10 % after fifteen minutes just below', { visible: 900, desired: 20 }, 18],
    ['30 % below half', { visible: 100, desired: 20 }, 14],
    ['at least one', { visible: 0, desired: 2 }, 1],
    ['nothing while instances warm up', { desired: 20, warm: 19, warming: 1 }, 20],
  ])('removes %s', (_, look, desired) => {
    expect(last('aws-step', params, times(16, look))?.[0]).toBe(desired)
    expect(last('aws-step', params, times(15, look))?.[0]).toBe(look.desired)
  })
})

// Two weeks in which every hour has its own number of arrivals, a hundred more in the second.
const weeks = Float64Array.from({ length: 14 * 1_440 }, (_, minute) => {
  const hour = Math.floor(minute / 60)
  return (hour % 24) + (hour >= 168 ? 100 : 0)
})
const planned = { historyPerMinute: weeks }

describe('aws-predictive', () => {
  const params = { utilisation: 0.5 }
  const at = (hours: number, look: Seen = {}) => ({ now: daysFrom + hours * 3_600_000, ...look })
  it('forecasts the mean of the same hour of the week, and takes that many instances', () => {
    // Hour 3 of a Monday: (3 + 103) / 2 arrivals a minute of a minute each, at half use.
    expect(last('aws-predictive', params, [at(0), at(3)], planned)).toEqual([106, 'forecast'])
  })
  it('is there before the hour, by the buffer', () => {
    const looks = [at(0), at(3.9), at(4 - 300 / 3_600)]
    expect(run('aws-predictive', params, looks, planned)).toEqual([
      [100, 'forecast'],
      [106, 'forecast'],
      [108, 'forecast'],
    ])
  })
  it('leaves what is more to target tracking', () => {
    const looks = [at(0), ...times(4, { visible: 50_000, desired: 200 })]
    expect(last('aws-predictive', { ...params, target: 100 }, looks, planned)?.[0]).toBe(500)
  })
  it('needs a day of history', () => {
    expect(() => run('aws-predictive', {}, [])).toThrow('aws-predictive needs a day of history')
  })
})

describe('scheduled', () => {
  const hour = (hours: number) => ({ now: daysFrom + hours * 3_600_000 })
  it('takes the busiest such hour of the history times its margin', () => {
    const looks = [hour(3), hour(3.95), hour(4)]
    expect(run('scheduled', { margin: 1, lead: 240 }, looks, planned).map(([to]) => to)).toEqual([
      103, 104, 104,
    ])
  })
  it('finds the cheapest margin that keeps the promise on the history', () => {
    const steady = { historyPerMinute: new Float64Array(3 * 1_440).fill(10) }
    expect(last('scheduled', {}, [hour(1)], steady)?.[0]).toBe(10)
    const bursts = Float64Array.from({ length: 3 * 1_440 }, (_, minute) => (minute % 60 ? 2 : 482))
    const wants = last('scheduled', {}, [hour(1)], { historyPerMinute: bursts })?.[0]
    // 482 tasks at once start within five minutes on eighty slots, and 10 is the mean.
    expect(wants).toBe(100)
  })
  it('needs a day of history', () => {
    expect(() => run('scheduled', {}, [])).toThrow('give it --history-days 1 or more')
  })
})

describe('keda', () => {
  const params = { target: 5 }
  it.each([
    ['wakes on one message', [{ visible: 1 }], [1]],
    ['sleeps on nothing', [{}], [0]],
    ['wakes at its own poll alone', [{}, { visible: 1 }, { visible: 1 }], [0, 0, 1]],
    ['from one, four pods more in 15 s', [{ visible: 500, desired: 1 }], [5]],
    ['from many, twice as many', [{ visible: 500, desired: 20 }], [40]],
    ['no more than the messages need', [{ visible: 118, desired: 20 }], [24]],
    ['within a tenth of the target it stays', [{ visible: 109, desired: 20 }], [20]],
    ['in flight counts', [{ visible: 60, notVisible: 58, desired: 20 }], [24]],
    [
      'scales in to the most of its window',
      [{ visible: 60, desired: 20 }, ...times(20, { visible: 5, desired: 20 })],
      [12, ...Array(19).fill(12), 1],
    ],
    [
      'goes to zero once the cooldown is over',
      [{ visible: 1, desired: 1 }, ...times(20, { desired: 1 })],
      [...Array(20).fill(1), 0],
    ],
  ])('%s', (_, looks, desired) => {
    expect(run('keda', params, looks).map(([to]) => to)).toEqual(desired)
  })
})

describe('buildkite', () => {
  const free = { inCooldown: 0, outCooldown: 0 }
  it.each<Agents>([
    ['an agent for each job, scheduled or running', { visible: 7, notVisible: 3, desired: 4 }, 5],
    ['an instance beyond the jobs', { visible: 7, notVisible: 3, desired: 4 }, 6, { buffer: 1 }],
    ['no buffer where there are no jobs', { desired: 4 }, 0, { buffer: 1 }],
    ['one more while agents do not come', { notVisible: 8, desired: 4, online: 1 }, 5],
    ['not while instances are pending', { notVisible: 8, desired: 4, inService: 1, online: 0 }, 4],
    ['half of what it would add', { visible: 20, desired: 2 }, 6, { outFactor: 0.5 }],
    ['half of what it would remove', { visible: 2, desired: 10 }, 5, { inFactor: 0.5 }],
  ])('%s', (_, look, desired, params = {}) => {
    const two = { slots: 2 }
    expect(last('buildkite', { ...free, ...params }, [look], two)?.[0]).toBe(desired)
  })
  it('counts the cooldown of a scale-in from the last one alone', () => {
    const looks = [
      { visible: 5, desired: 9 },
      { visible: 9, desired: 5 },
      { visible: 8, desired: 9 },
    ]
    expect(run('buildkite', { inCooldown: 25, outCooldown: 0 }, looks)).toEqual([
      [5, 'idle'],
      [9, 'jobs'],
      [9, 'in-cooldown'],
    ])
  })
})

describe('judoscale', () => {
  const params = { up: 60, down: 5 }
  it('adds one when jobs wait too long, and no other for three minutes', () => {
    const looks = times(20, { oldestSeconds: 61, desired: 3 })
    const asked = run('judoscale', params, looks).map(([to]) => to)
    expect(asked).toEqual([4, ...Array(17).fill(3), 4, 3])
  })
  it('removes one after ten minutes of short queues, and no other for ten more', () => {
    const looks = times(125, { oldestSeconds: 4, desired: 3 })
    const asked = run('judoscale', params, looks).map(([to]) => to)
    expect(asked.flatMap((to, index) => (to === 2 ? index : []))).toEqual([59, 119])
  })
})

describe('celery-ratio and panic', () => {
  it.each([
    ['celery-ratio', { hold: 0 }, [{ visible: 10, notVisible: 7, desired: 2 }], [5]],
    ['celery-ratio', { ratio: 2, hold: 0 }, [{ visible: 10, notVisible: 7, desired: 2 }], [3]],
    ['celery-ratio', { hold: 20 }, [{ visible: 17 }, { visible: 4 }, {}, {}], [5, 5, 1, 0]],
    ['panic', {}, [{ visible: 17 }, ...times(59, {}), {}], [...Array(60).fill(5), 0]],
  ])('%s %o', (name, params, looks, desired) => {
    expect(run(name, params, looks, { slots: 4 }).map(([to]) => to)).toEqual(desired)
  })
})

describe('static', () => {
  it('is one size', () => {
    expect(run('static', { size: 7 }, [{}, { visible: 900 }]).map(([to]) => to)).toEqual([7, 7])
  })
  it('is a fifth above the busiest hour where nobody says', () => {
    expect(last('static', {}, [{}], planned)?.[0]).toBe(Math.ceil(123 * 1.2))
  })
})

describe('the list of policies', () => {
  it('takes several, with parameters', () => {
    const found = parsePolicies('celeriac,keda:target=5:stabilisation=60, bound')
    expect(found.map(({ policy, given }) => [policy, given])).toEqual([
      ['celeriac', {}],
      ['keda', { target: 5, stabilisation: 60 }],
      ['bound', {}],
    ])
    expect(parsePolicies('all').map(({ policy }) => policy)).toEqual(policyNames)
  })
  it.each([
    ['kedda', `There is no policy 'kedda'; there are ${policyNames.join(', ')}`],
    ['keda:targt=5', "The policy keda has no parameter 'targt'; it has\n  target: messages"],
    ['celeriac:target=5', "The policy celeriac has no parameter 'target'; it has none"],
    ['keda:target=many', "keda:target='many' does not fit; write a number, 0 or more"],
    ['keda:target', "keda:target='' does not fit"],
    ['', "There is no policy ''"],
  ])('refuses %s', (text, message) => {
    expect(() => parsePolicies(text)).toThrow(message)
  })
})
