import { fastOffsets, laneOf } from '../shared/lanes.ts'
import type { Fleet } from '../shared/queue-config.ts'
import { shardOf } from '../shared/shards.ts'

/** What the looks between two minutes come to in a month, by list prices of us-east-1 in 2026. */

const minutesPerMonth = 30 * 24 * 60

const dollars = {
  lambdaRequest: 0.2e-6,
  /** Of an arm64 function. */
  lambdaGigabyteSecond: 0.0000133334,
  sqsRequest: 0.4e-6,
  tableRead: 0.125e-6,
  tableWrite: 0.625e-6,
}

// As in serverless.yml.
const functionGigabytes = 1
// A few calls one after the other, and their parsing; a cold start now and then.
const lookSeconds = 0.3
// Lambda polls a queue with five pollers, each for 20 s at a time where there is nothing.
const pollsPerMinute = 15
// A message is received and deleted; what is polled for anyway is not counted.
const requestsPerMessage = 2
// The memory, and the drains that are under way; the memory again, of one or two units.
const readsPerLook = 2
const writesPerLook = 2

/** The lines of the bill; none where the fleet has no fast lane. */
export function fastLaneCost(fleet: Fleet): { what: string; perMonth: number; cost: number }[] {
  const fast = fleet.queues.filter((queue) => laneOf(queue) === 'fast')
  if (fast.length === 0) return []
  const shards = new Set(fast.map(({ name }) => shardOf(name, fleet.shards))).size
  const looks = shards * fastOffsets.length * minutesPerMonth
  const sent = shards * minutesPerMonth
  const polls = pollsPerMinute * minutesPerMonth
  const counts = fast.length * fastOffsets.length * minutesPerMonth
  const requests = sent + polls + looks * requestsPerMessage + counts
  const seconds = looks * lookSeconds * functionGigabytes
  const line = (what: string, perMonth: number, price: number) => ({
    ...{ what, perMonth, cost: perMonth * price },
  })
  return [
    line('Lambda invocations', looks, dollars.lambdaRequest),
    line('Lambda GB-seconds', seconds, dollars.lambdaGigabyteSecond),
    line('SQS requests', requests, dollars.sqsRequest),
    line('DynamoDB reads', looks * readsPerLook, dollars.tableRead),
    line('DynamoDB writes', looks * writesPerLook, dollars.tableWrite),
    line('Auto Scaling calls', looks, 0),
  ]
}
