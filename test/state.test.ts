import { deflateRawSync } from 'node:zlib'
import { PutItemCommand } from '@aws-sdk/client-dynamodb'
import { describe, expect, it } from 'vitest'
import { random } from '../shared/random.ts'
import { readMemory, writeMemory } from '../shared/state.ts'
import { createTwin } from '../twin/twin.ts'
import { groupOf, lastOf, times, workloadOf } from './sizing/looks.ts'

/** What a shard remembers, in its table and back. */

const tick = { shard: 0, of: 1 }
const startTwin = () => createTwin({ seed: 1, startAt: 0, makeTask: () => null }).deps

const memoryOf = (visible: number) => {
  const busy = { visible, notVisible: 7, sent: 11, deleted: 11, ...groupOf(9) }
  return lastOf(workloadOf({ taskSeconds: 23 }), times(30, busy)).memory
}

const rounded = (value: unknown): unknown =>
  JSON.parse(
    JSON.stringify(value, (_, part) =>
      typeof part === 'number' ? Math.round(part * 100) / 100 : part,
    ),
  )

describe('the memory of a shard', () => {
  it('that never was written is empty', async () => {
    expect(await readMemory(startTwin(), tick)).toEqual({ version: 0, queues: {} })
  })

  it('is read as it was written, to a hundredth', async () => {
    const deps = startTwin()
    const queues = { video: memoryOf(5), email: memoryOf(0) }
    await writeMemory(deps, tick, await readMemory(deps, tick), queues)
    expect(await readMemory(deps, tick)).toEqual({ version: 1, queues: rounded(queues) })
  })

  it('is its own: another shard has none', async () => {
    const deps = startTwin()
    await writeMemory(deps, tick, await readMemory(deps, tick), { video: memoryOf(5) })
    expect((await readMemory(deps, { shard: 1, of: 2 })).queues).toEqual({})
  })

  it('is not written by a run that read an older one', async () => {
    const deps = startTwin()
    const read = await readMemory(deps, tick)
    await writeMemory(deps, tick, read, { video: memoryOf(5) })
    const other = { ...deps, runId: 'another' }
    expect(await writeMemory(other, tick, read, { video: memoryOf(0) })).toBe('superseded')
    expect((await readMemory(deps, tick)).queues).toEqual(rounded({ video: memoryOf(5) }))
  })

  it('of a thousand queues with an hour of arrivals each fits into an item', async () => {
    const deps = startTwin()
    const { next } = random(1, 'arrivals')
    const memory = memoryOf(5)
    const { seen } = memory
    // What chance makes cannot be packed: nothing real is larger.
    const recentOf = () => ({
      ...seen.recent,
      counts: Array.from({ length: 61 }, () => 999 * next()),
    })
    const squaresOf = () => seen.errors.squares.map(() => 1e6 * next())
    const queues = Array.from({ length: 1_000 }, (_, index) => [
      `queue-${index}`,
      { ...memory, seen: { recent: recentOf(), errors: { ...seen.errors, squares: squaresOf() } } },
    ])
    const written = writeMemory(
      deps,
      tick,
      await readMemory(deps, tick),
      Object.fromEntries(queues),
    )
    expect(await written).toBe('written')
  })
})

describe('what cannot be understood counts as no memory, and is written anew', () => {
  const packed = deflateRawSync(JSON.stringify({ video: memoryOf(5) }))
  it.each([
    ['a text, as once was written', { S: '{"video":{"emptySince":null}}' }],
    ['bytes that are not packed', { B: Buffer.from('garbage') }],
    ['no bytes', { B: Buffer.alloc(0) }],
    ['half of what was packed', { B: packed.subarray(0, packed.length / 2) }],
    ['no JSON', { B: deflateRawSync('{"video":') }],
    ['the memory of another version', { B: deflateRawSync('{"video":{"emptySince":null}}') }],
  ])('%s', async (_, queues) => {
    const deps = startTwin()
    const Item = { pk: { S: 'backlog#0/1' }, version: { N: '7' }, queues }
    await deps.dynamodb.send(new PutItemCommand({ TableName: deps.stateTable, Item }))
    const read = await readMemory(deps, tick)
    expect(read).toEqual({ version: 7, queues: {} })
    expect(await writeMemory(deps, tick, read, { video: memoryOf(5) })).toBe('written')
    expect((await readMemory(deps, tick)).version).toBe(8)
  })
})
