import { afterAll, describe, expect, it } from 'vitest'
import { backlog } from '../functions/backlog/handler.ts'
import { newRunId } from '../shared/aws.ts'
import { parseLook } from '../shared/looks.ts'
import { fleetOf } from './fixtures.ts'
import { addMessages } from './loopback/cloud.ts'
import { makeRig, published, type Rig, resized, run } from './loopback/rig.ts'
import { Refusal } from './loopback/wire.ts'

/** The fast lane with the real SDK clients: what is sent, and which calls a look makes. */

const fleet = fleetOf({
  defaults: {
    ...{ startWithin: '150s', taskTime: '12h', bootTime: '2m' },
    scaling: { mode: 'direct' },
  },
  queues: { slow: { startWithin: '270s' } },
  defaultQueues: ['a', 'b'],
})
const depths = { a: 4, b: 1, slow: 5 }

const rigs: Rig[] = []
async function rigOf(): Promise<Rig> {
  const rig = await makeRig(depths)
  rigs.push(rig)
  return rig
}
afterAll(() => Promise.all(rigs.map(({ close }) => close())))

const asked = ({ stub }: Rig) =>
  [...stub.cloud.looks.messages.values()].map(({ body }) => JSON.parse(body))

/** The look of a message, as if so many seconds had passed since the run that sent it. */
async function look(rig: Rig, index: number, seconds: number) {
  const at = rig.deps.clock.now() + seconds * 1_000
  const message = parseLook({ Records: [{ body: JSON.stringify(asked(rig)[index]) }] })
  const deps = { ...rig.deps, runId: newRunId(), clock: { now: () => at } }
  return backlog(fleet)(message, deps)
}

describe('the fast lane over the wire', () => {
  it('a run of the minute asks for three looks at the fast groups', async () => {
    const rig = await rigOf()
    const before = Date.now()
    expect((await run(rig, fleet)).error).toBeNull()
    expect(rig.stub.calls.get('SendMessageBatch')).toBe(1)
    const groups = ['b-workers', 'a-workers'].sort()
    expect(asked(rig)).toMatchObject([0, 1, 2].map(() => ({ shard: 0, of: 1, groups })))
    const offsets = asked(rig).map(({ dueAt }) => Math.round((dueAt - before) / 15_000))
    expect(offsets).toEqual([1, 2, 3])
    expect(rig.stub.cloud.looks.delayed).toBe(3)
  })

  it('a look reads its queues alone, resizes, remembers and publishes nothing', async () => {
    const rig = await rigOf()
    await run(rig, fleet)
    addMessages(rig.stub.cloud, 'a', 2)
    rig.stub.forget()
    await look(rig, 0, 15)
    expect(Object.fromEntries(rig.stub.calls)).toEqual({
      BatchGetItem: 1,
      DescribeAutoScalingGroups: 1,
      GetItem: 1,
      GetQueueAttributes: 2,
      PutItem: 1,
      Query: 1,
      SetDesiredCapacity: 1,
    })
    expect(resized(rig).filter((line) => line.startsWith('a-'))).toHaveLength(2)
    expect(published(rig)).toEqual(['a', 'b', 'slow'])
  })

  it('a look that is late reads its memory, counts and leaves', async () => {
    const rig = await rigOf()
    await run(rig, fleet)
    rig.stub.forget()
    expect(await look(rig, 0, 60)).toMatchObject({ dropped: 'late' })
    expect(Object.fromEntries(rig.stub.calls)).toEqual({ GetItem: 1, PutMetricData: 1 })
    const names = rig.stub.cloud.values.map(({ name }) => name)
    expect(names.filter((name) => name === 'LooksDropped')).toHaveLength(1)
  })

  it('when no look can be asked for, all else is done and the run ends in error', async () => {
    const rig = await rigOf()
    const how = new Refusal('AccessDeniedException', 'Not authorized', 403, 'AccessDenied')
    rig.stub.fail({ action: 'SendMessageBatch', how })
    const { error } = await run(rig, fleet)
    expect(error?.message).toMatch(/^backlog: 2 of 3 queues failed: .*AccessDenied/)
    expect(resized(rig)).toContain('slow-workers: 5')
    expect(published(rig)).toEqual(['a', 'b', 'slow'])
  })
})
