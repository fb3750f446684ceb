import { once } from 'node:events'
import { parseArgs } from 'node:util'
import { table } from '../cli/format.ts'
import type { BacklogDeps } from '../shared/aws.ts'
import { ask, type Line, median, start } from './parts.ts'

/**
 * How long one sweep takes, what it calls and what it holds: the real handler and the real SDK
 * clients against a loopback stub that answers every call after 20 ms. The stub and the sweep are
 * processes of their own, fresh ones for each number of queues, so that neither the stub's work
 * nor an earlier sweep's memory counts.
 *
 *     npx node bench/sweep.ts [--queues 70,1000]
 *
 * A wrong count of calls ends it with 1. A slow or large sweep does not: that depends on the
 * machine, and stands beside its bar for a person to judge.
 */

// A call from a function in the same region takes 10 to 50 ms, most of them nearer to the first.
const latencyMilliseconds = 20

// Warm sweeps. An odd number, so that the median is one of them.
const warmSweeps = 7

// One queue in so many has grown since the last sweep and its group is resized: a busy minute. In
// the last sweep it is every one, as after an outage of the producers.
const busy = 10
const outage = 1
// More than any group was raised by for what was foreseen after its last message.
const outageMessages = 20

// The heap that Node allows itself where it sees 512 MB, as the function does: half of them, and
// small semi-spaces. With a large machine's defaults it lets garbage lie, which says nothing here.
const heapOfTheFunction = ['--max-old-space-size=256', '--max-semi-space-size=1']

// What the function has for a sweep: its timeout of 50 s, less what it keeps to say what failed.
const deadlineMilliseconds = 47_000

// 70 groups of 100 to 500 workers: their descriptions are the largest answers of a sweep.
const instancesPerGroup = 4

// With tasks of half a day each message wants an instance of its own, whatever the constants.
const messagesPerInstance = 1

const seconds = (value: number) => `${value.toFixed(2)} s`
const megabytes = (value: number) => `${Math.round(value)} MB`

/** What a sweep of so many queues may take and hold, where there is a bar. */
const bars = new Map([
  // A hundredth of the minute, so that a slow AWS still leaves the minute whole.
  [70, { seconds: 0.6, megabytes: null }],
  // What one shard is meant to carry, in less than half of a 512 MB function.
  [1_000, { seconds: 2.5, megabytes: 200 }],
])

/** The fewest calls that the services' limits allow: 100 groups a page, 1,000 values a call. */
const callsExpected = (queues: number, resized: number): Record<string, number> => ({
  DescribeAutoScalingGroups: Math.ceil(queues / 100),
  GetQueueAttributes: queues,
  SetDesiredCapacity: resized,
  // What the forecast has left of each queue.
  BatchGetItem: Math.ceil(queues / 100),
  // A value for each queue, and three for the run.
  PutMetricData: Math.ceil((queues + 3) / 1_000),
})

// A read and a write of its memory, and a query of the index: the instances that are drained.
const dynamoDbCalls = ['GetItem', 'PutItem', 'Query']

/** What the stub received in a sweep. */
type Received = {
  readonly calls: Readonly<Record<string, number>>
  readonly valuesPerCallMax: number
}
/** What the sweeping process says of it; the peak is that of its life so far. */
type Swept = {
  readonly seconds: number
  readonly cpuSeconds: number
  readonly peakMegabytes: number
}
/** And how many groups had to be resized. */
type Sweep = Received & Swept & { readonly toResize: number }

async function main(queues: readonly number[]): Promise<void> {
  let wrong = 0
  for (const count of queues) {
    const sweeps = await measure(count)
    const lines = [...costs(count, sweeps), ...calls(count, sweeps)]
    wrong += lines.filter(([, , , verdict]) => verdict === 'WRONG').length
    console.log(`\n${table([`${count} queues`, 'measured', 'bar', ''], lines)}`)
  }
  if (wrong > 0) process.exitCode = 1
}

/** The cold sweep, the warm ones and one that resizes every group, in this order. */
async function measure(queues: number): Promise<Sweep[]> {
  const args = ['--queues', String(queues)]
  const stub = start(import.meta.filename, 'stub', { args })
  const [url] = await once(stub, 'message')
  const sweeper = start(import.meta.filename, 'sweeper', {
    args,
    env: { AWS_ENDPOINT_URL: String(url) },
    execArgv: heapOfTheFunction,
  })
  await once(sweeper, 'message')
  const sweeps: Sweep[] = []
  for (const growth of [...Array.from({ length: 1 + warmSweeps }, () => busy), outage]) {
    const toResize = await ask<number>(stub, growth)
    const swept = await ask<Swept>(sweeper, 'sweep')
    const received = await ask<Received>(stub, 'received')
    sweeps.push({ ...swept, ...received, toResize })
  }
  sweeper.disconnect()
  stub.disconnect()
  return sweeps
}

function costs(queues: number, sweeps: readonly Sweep[]): Line[] {
  const bar = bars.get(queues)
  const line = (what: string, value: number, most: number | null, unit: (n: number) => string) => {
    const verdict = most === null ? '' : value <= most ? 'met' : 'over'
    return [what, unit(value), most === null ? '-' : `<= ${unit(most)}`, verdict] satisfies Line
  }
  const most = bar?.seconds ?? null
  const wall = sweeps.map((sweep) => sweep.seconds)
  const warm = wall.slice(1, -1)
  const cpu = sweeps.map(({ cpuSeconds }) => cpuSeconds).slice(1, -1)
  const peak = Math.max(...sweeps.map(({ peakMegabytes }) => peakMegabytes))
  return [
    line('cold sweep', wall[0] ?? 0, most, seconds),
    line(`warm sweep, median of ${warm.length}`, median(warm), most, seconds),
    line('warm sweep, longest', Math.max(...warm), most, seconds),
    line('warm sweep, CPU, median', median(cpu), null, seconds),
    line('every group resized', wall.at(-1) ?? 0, null, seconds),
    line('peak RSS', peak, bar?.megabytes ?? null, megabytes),
  ]
}

function calls(queues: number, sweeps: readonly Sweep[]): Line[] {
  const count = (action: string) => sweeps.map((sweep) => sweep.calls[action] ?? 0)
  const exact = Object.keys(callsExpected(queues, 0)).map((action): Line => {
    const expected = sweeps.map(({ toResize }) => callsExpected(queues, toResize)[action] ?? 0)
    const measured = count(action)
    const right = measured.every((calls, index) => calls === expected[index])
    return [action, inTurn(measured), inTurn(expected), right ? 'met' : 'WRONG']
  })
  const known = new Set([...exact.map(([action]) => action), ...dynamoDbCalls])
  const strange = sweeps.flatMap((sweep) => Object.keys(sweep.calls)).filter((a) => !known.has(a))
  const dynamoDb = dynamoDbCalls.map((action): Line => {
    const right = count(action).every((calls) => calls === 1)
    return [action, inTurn(count(action)), '1', right ? 'met' : 'WRONG']
  })
  const values = sweeps.map(({ valuesPerCallMax }) => valuesPerCallMax)
  const valuesRight = values.every((count) => count === Math.min(queues + 3, 1_000))
  return [
    ...exact,
    ['values in one PutMetricData', inTurn(values), '<= 1000', valuesRight ? 'met' : 'WRONG'],
    ...dynamoDb,
    ['anything else', inTurn([strange.length]), '0', strange.length === 0 ? 'met' : 'WRONG'],
  ]
}

/** The numbers of all sweeps, those that repeat themselves once. */
const inTurn = (values: readonly number[]) =>
  values.filter((value, index) => value !== values[index - 1]).join(', then ')

const names = (queues: number) => Array.from({ length: queues }, (_, index) => `work-${index}`)

/** The stub's process: says its URL, then lets queues grow or says what it received. */
async function serve(queues: number): Promise<void> {
  const { startStub } = await import('../test/loopback.ts')
  const { addGroup, addMessages } = await import('../test/loopback/cloud.ts')
  const stub = await startStub({ table: 'state', latencyMilliseconds })
  const tags = { 'celery:concurrency': '1', Name: 'workers', team: 'data', 'cost-centre': '4711' }
  const sizes = { desired: instancesPerGroup }
  for (const name of names(queues)) {
    addMessages(stub.cloud, name, instancesPerGroup * messagesPerInstance)
    addGroup(stub.cloud, `${name}-workers`, { 'celery:queue': name, ...tags }, sizes)
  }
  let turn = 0
  /** One queue in so many, and each time other ones, gets the messages for one more instance. */
  const grow = (oneIn: number) => {
    const growing = names(queues).filter((_, index) => index % oneIn === turn % oneIn)
    const messages = oneIn === outage ? outageMessages : messagesPerInstance
    for (const name of growing) addMessages(stub.cloud, name, messages)
    turn++
    stub.forget()
    return growing.length
  }
  process.on('message', (word: string | number) => {
    if (typeof word === 'number') process.send?.(grow(word))
    else {
      const calls = Object.fromEntries(stub.calls)
      process.send?.({ calls, valuesPerCallMax: stub.valuesPerCallMax() })
    }
  })
  process.once('disconnect', () => stub.close())
  process.send?.(stub.url)
}

/** The sweeping process: one sweep for each word, timed from the call to its end. */
async function sweep(queues: number): Promise<void> {
  const aws = await import('../shared/aws.ts')
  const { backlog } = await import('../functions/backlog/handler.ts')
  const { defineFleet } = await import('../shared/queue-config.ts')
  const fleet = defineFleet({
    name: 'bench',
    defaults: {
      startWithin: '270s',
      taskTime: '12h',
      bootTime: '2m',
      scaling: { mode: 'direct', min: 1 },
    },
    defaultQueues: names(queues),
  })
  const quiet = () => {}
  const deps: Omit<BacklogDeps, 'signal' | 'runId'> = {
    sqs: aws.makeSqs(),
    autoscaling: aws.makeAutoScaling(),
    cloudwatch: aws.makeCloudWatch(),
    dynamodb: aws.makeDynamoDb(),
    clock: aws.systemClock,
    drainName: 'talk-prod-drain',
    fastQueue: 'talk-prod-fast',
    stateTable: 'state',
    log: { info: quiet, warn: quiet, error: quiet },
  }
  const run = backlog(fleet)
  process.on('message', async () => {
    const cpu = process.cpuUsage()
    const started = performance.now()
    const signal = AbortSignal.timeout(deadlineMilliseconds)
    await run({ shard: 0, of: 1 }, { ...deps, runId: aws.newRunId(), signal })
    const seconds = (performance.now() - started) / 1_000
    const { user, system } = process.cpuUsage(cpu)
    // Kilobytes, on every system that this runs on.
    const peakMegabytes = process.resourceUsage().maxRSS / 1_024
    process.send?.({ seconds, cpuSeconds: (user + system) / 1e6, peakMegabytes })
  })
  process.once('disconnect', () => process.exit(0))
  process.send?.('ready')
}

const { part, queues } = parseArgs({
  options: { queues: { type: 'string', default: '70,1000' }, part: { type: 'string' } },
}).values
const counts = queues.split(',').map(Number)
if (!counts.every((count) => Number.isInteger(count) && count > 0)) {
  throw new Error(`--queues takes whole numbers with commas between them, not ${queues}`)
}
if (part === 'stub') await serve(counts[0] ?? 0)
else if (part === 'sweeper') await sweep(counts[0] ?? 0)
else await main(counts)
