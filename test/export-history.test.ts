import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CloudWatchClient, PutMetricDataCommand } from '@aws-sdk/client-cloudwatch'
import { CreateQueueCommand, SQSClient } from '@aws-sdk/client-sqs'
import fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import { csvOf } from '../cli/export-history.ts'
import { readArrivals } from '../twin/traces/csv.ts'
import { run } from './deployed.ts'
import { describeWithMoto } from './moto.ts'

const none = Number.NaN
const seriesOf = (stepSeconds: number, values: readonly number[]) => ({
  ...{ from: 600, to: 600 + values.length * stepSeconds, stepSeconds },
  values: Float64Array.from(values),
})

describe('a history as CSV', () => {
  it.each([
    ['a minute is a line', 60, [3, 0, 5], [3, 0, 5]],
    ['a minute without a value had no arrivals', 60, [3, none, 5], [3, 0, 5]],
    ['what is before the first value is left out', 60, [none, none, 5, 1], [5, 1]],
    ['five minutes are shared out in whole tasks', 300, [7], [1, 2, 1, 2, 1]],
  ] as const)('%s', (_, step, values, minutes) => {
    const { csv } = csvOf(seriesOf(step, values), 'work')
    expect([...readArrivals(csv, 'work.csv').counts]).toEqual(minutes)
  })

  it('of nothing is an error with a remedy', () => {
    expect(() => csvOf(seriesOf(60, [none, none]), 'work')).toThrow(
      'CloudWatch has no NumberOfMessagesSent of work in that time',
    )
  })

  it('is read with as many arrivals as there were', () => {
    const counts = fc.array(fc.integer({ min: 0, max: 100_000 }), { minLength: 1, maxLength: 50 })
    fc.assert(
      fc.property(fc.constantFrom(60, 300), counts, (step, values) => {
        const { csv, arrivals } = csvOf(seriesOf(step, values), 'work')
        const read = readArrivals(csv, 'work.csv').counts.reduce((sum, count) => sum + count, 0)
        expect(read).toBe(values.reduce((sum, count) => sum + count, 0))
        expect(arrivals).toBe(read)
      }),
    )
  })
})

describeWithMoto('export-history on an AWS that nobody here wrote', (moto) => {
  const folder = mkdtempSync(join(tmpdir(), 'celeriac-history-'))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))
  const celeriac = (...args: string[]) =>
    run(process.execPath, ['cli/celeriac.ts', 'export-history', ...args], {
      ...{ cwd: '.', env: moto.env, timeout: 60_000 },
    })
  const makeQueue = (QueueName: string) =>
    new SQSClient({ ...moto.client, useQueueUrlAsEndpoint: false }).send(
      new CreateQueueCommand({ QueueName }),
    )

  it('writes what simulate reads', async () => {
    await makeQueue('invoice')
    const from = Math.floor(Date.now() / 60_000) * 60_000 - 86_400_000
    await new CloudWatchClient({ ...moto.client, disableRequestCompression: true }).send(
      new PutMetricDataCommand({
        Namespace: 'AWS/SQS',
        MetricData: [4, 0, 9].map((Value, minute) => ({
          ...{ MetricName: 'NumberOfMessagesSent', Value },
          Timestamp: new Date(from + minute * 60_000),
          Dimensions: [{ Name: 'QueueName', Value: 'invoice' }],
        })),
      }),
    )
    const file = join(folder, 'invoice.csv')
    const { code, output } = await celeriac('--queue', 'invoice', '--days', '2', '--out', file)
    expect(code).toBe(0)
    expect(output).toContain('us-east-1')
    expect(output).toContain('13 arrivals, by the minute')
    const { counts } = readArrivals(readFileSync(file, 'utf8'), file)
    expect([...counts.subarray(0, 3)]).toEqual([4, 0, 9])
    // Whole days, less the minutes that are still on their way.
    expect(counts.length).toBeGreaterThan(1_420)
  })

  it.each([
    ['a queue that does not exist', ['--queue', 'nope'], 'There is no SQS queue nope there'],
    [
      'more days than are kept',
      ['--queue', 'invoice', '--days', '64'],
      'Write whole days, 1 to 63',
    ],
  ])('refuses %s, with a remedy', async (_, args, message) => {
    const { code, output } = await celeriac(...args)
    expect(code).toBe(1)
    expect(output).toContain(message)
  })

  it('says of a queue to which nothing was sent that there is nothing', async () => {
    await makeQueue('thumbnail')
    const { code, output } = await celeriac('--queue', 'thumbnail')
    expect(code).toBe(1)
    expect(output).toContain('CloudWatch has no NumberOfMessagesSent of thumbnail')
  })
})
