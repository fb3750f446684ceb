import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { parseTick } from '../shared/events.ts'

const read = (file: string): unknown => JSON.parse(readFileSync(`events/${file}`, 'utf8'))

const rows: Record<string, () => void> = {
  'schedule.json': () => {
    expect(parseTick(read('schedule.json'))).toEqual({ shard: 0, of: 1 })
  },
  'malformed.json': () => {
    expect(() => parseTick(read('malformed.json'))).toThrow(
      "The schedule's shard is 2, not below its of, 2",
    )
  },
  'unknown.json': () => {
    expect(() => parseTick(read('unknown.json'))).toThrow(
      "it is 'EC2 Spot Instance Interruption Warning' from aws.ec2",
    )
  },
}

describe('each sample event is what its name says', () => {
  it.each(Object.entries(rows))('%s', (_, check) => check())
  it('and none is without a row', () => {
    expect(readdirSync('events').sort()).toEqual(Object.keys(rows).sort())
  })
})

describe('a schedule that is none is refused by its field', () => {
  it.each([
    ['no shard', { of: 1 }, 'shard:'],
    ['a shard in words', { shard: 'first', of: 1 }, 'shard:'],
    ['no shards at all', { shard: 0, of: 0 }, 'of:'],
    ['nothing', null, 'event:'],
  ])('%s', (_, event, field) => {
    expect(() => parseTick(event)).toThrow(`This event is not a schedule's {shard, of}: ${field}`)
  })
})
