import { once } from 'node:events'
import { parseArgs } from 'node:util'
import { short, table, whole } from '../cli/format.ts'
import type { AlertsDeps } from '../shared/aws.ts'
import { simulate } from '../twin/run.ts'
import { talk } from '../twin/scenarios/talk.ts'
import type { LogLine } from '../twin/twin.ts'
import type { World } from '../twin/world/world.ts'
import { ask, type Line, median, start } from './parts.ts'

/**
 * How long one look at the alerts takes and what it calls, the real handler and the real SDK
 * clients against a loopback stub that answers every call after 20 ms; and what a month of the
 * simulated day costs, metric by metric.
 *
 *     npx node bench/alerts.ts [--queues 70] [--of 1] [--hours 24]
 *     npx node bench/alerts.ts --queues 10000 --of 20 --hours 0
 *
 * A wrong count of calls ends it with 1. A slow look does not: that depends on the machine.
 */

// A call from a function in the same region takes 10 to 50 ms, most of them nearer to the first.
const latencyMilliseconds = 20
// Warm looks. An odd number, so that the median is one of them.
const warmLooks = 7
// As the function: its memory's heap, and its time less what it keeps to say what failed.
const heapOfTheFunction = ['--max-old-space-size=512', '--max-semi-space-size=1']
const deadlineMilliseconds = 47_000
const instancesPerGroup = 4
const messagesPerQueue = 40
const queriesPerCall = 500

/** What a look may take: of one shard of a usual fleet, and of one of a large one. */
const barSeconds = (of: number) => (of === 1 ? 0.8 : 20)
const dollarsBar = 30

type Looked = { readonly seconds: number; readonly watched: number; readonly metrics: number }
type Look = Looked & { readonly calls: Readonly<Record<string, number>> }

async function measure(queues: number, of: number): Promise<Look[]> {
  const args = ['--queues', String(queues), '--of', String(of)]
  const stub = start(import.meta.filename, 'stub', { args })
  const [url] = await once(stub, 'message')
  const env = { AWS_ENDPOINT_URL: String(url) }
  const looker = start(import.meta.filename, 'looker', { args, env, execArgv: heapOfTheFunction })
  await once(looker, 'message')
  const looks: Look[] = []
  for (let turn = 0; turn <= warmLooks; turn++) {
    await ask(stub, 'forget')
    // Each is a minute after the last, as its clock has it.
    const looked = await ask<Looked>(looker, turn)
    looks.push({ ...looked, calls: await ask<Look['calls']>(stub, 'calls') })
  }
  looker.disconnect()
  stub.disconnect()
  return looks
}

function linesOf(looks: readonly Look[], of: number): Line[] {
  const most = barSeconds(of)
  const line = (what: string, value: number): Line => {
    const verdict = value <= most ? 'met' : 'over'
    return [what, `${value.toFixed(2)} s`, `<= ${most} s`, verdict]
  }
  const wall = looks.map(({ seconds }) => seconds)
  const warm = wall.slice(1)
  const inTurn = (values: readonly number[]) =>
    values.filter((value, index) => value !== values[index - 1]).join(', then ')
  const calls = looks.map((look) => look.calls['GetMetricData'] ?? 0)
  const expected = looks.map(({ metrics }) => Math.ceil(metrics / queriesPerCall))
  const isRight = calls.every((count, index) => count === expected[index])
  return [
    line('cold look', wall[0] ?? 0),
    line(`warm look, median of ${warm.length}`, median(warm)),
    line('warm look, longest', Math.max(...warm)),
    ['queues watched', inTurn(looks.map(({ watched }) => watched)), '', ''],
    ['metrics asked for', inTurn(looks.map(({ metrics }) => metrics)), '', ''],
    ['GetMetricData', inTurn(calls), inTurn(expected), isRight ? 'met' : 'WRONG'],
    ...Object.entries(looks.at(-1)?.calls ?? {}).map(
      ([action, count]): Line => [`${action}, last look`, String(count), '', ''],
    ),
  ]
}

// List prices of us-east-1 in 2026.
const dollars = {
  metric: 0.01 / 1_000,
  put: 0.01 / 1_000,
  customMetric: 0.3,
  alarm: 0.1,
  sqsRequest: 0.4e-6,
  lambdaRequest: 0.2e-6,
  lambdaGigabyteSecond: 0.0000133334,
  tableRead: 0.125e-6,
  tableWrite: 0.625e-6,
}
const minutesPerMonth = 30 * 24 * 60
const own = { metrics: 3, gigabytes: 1, seconds: 0.5 }
const ownUnits = 2 + 3 * 0.5

type Asked = Record<'ages' | 'received' | 'deleted' | 'sent', number>

/** The simulated day once, and what its alerts asked for. */
async function dayOf(hours: number) {
  const asked: Asked = { ages: 0, received: 0, deleted: 0, sent: 0 }
  const minutes = { all: 0, filled: 0 }
  let last: LogLine | undefined
  let world: World | null = null
  const names = ['ages', 'received', 'deleted', 'sent'] as const
  await simulate({
    ...{ scenario: talk(0, 14), seed: 1, hours, repeats: 'once' },
    onMinute: (progress) => {
      world = progress.world
      const { logged, sqs } = world.twin
      const lines = logged.slice(last ? logged.lastIndexOf(last) + 1 : 0)
      last = logged.at(-1)
      for (const { message, fields } of lines) {
        if (message !== 'watched') continue
        for (const name of names) asked[name] += Number(fields[name])
      }
      for (const { sqs: name } of world.scenario.fleet.queues) {
        const { visible, inFlight, delayed } = sqs.queue(name)
        minutes.all++
        if (visible + inFlight + delayed > 0) minutes.filled++
      }
    },
  })
  return { asked, minutes, kilobytes: await notesKilobytes(world) }
}

/** What the notes of a shard weigh at the end of the day. */
async function notesKilobytes(world: World | null): Promise<number> {
  if (!world) return 0
  const { readVersioned } = await import('../shared/versioned.ts')
  const { item } = await readVersioned(world.twin.deps, 'alerts#0/1')
  return ((item['queues']?.B?.length ?? 0) + (item['alerts']?.B?.length ?? 0)) / 1_024
}

async function printCost(hours: number): Promise<void> {
  const { asked, minutes, kilobytes } = await dayOf(hours)
  const month = (minutesPerMonth * 1) / (hours * 60)
  const queues = minutes.all / (hours * 60)
  const metricOf = (what: string, count: number) =>
    [what, whole(count * month), count * month * dollars.metric] as const
  const of = (what: string, count: number, price: number) =>
    [what, whole(count), count * price] as const
  const lines = [
    metricOf('ApproximateAgeOfOldestMessage', asked.ages),
    metricOf('NumberOfMessagesReceived', asked.received),
    metricOf('NumberOfMessagesDeleted', asked.deleted),
    metricOf('NumberOfMessagesSent', asked.sent),
    of(
      'SQS: counts of queues and of dead-letter queues',
      2 * queues * minutesPerMonth,
      dollars.sqsRequest,
    ),
    of('Lambda: invocations', minutesPerMonth, dollars.lambdaRequest),
    of(
      'Lambda: GB-seconds',
      minutesPerMonth * own.seconds * own.gigabytes,
      dollars.lambdaGigabyteSecond,
    ),
    // Its own notes and the sweep's are read consistently, 4 KB a unit; outlooks are half a unit.
    // What was told and the silences are a unit each, and three lists half a unit at least.
    of(
      'DynamoDB: reads',
      minutesPerMonth * (Math.ceil(kilobytes / 4) * 3 + queues / 2 + ownUnits),
      dollars.tableRead,
    ),
    of('DynamoDB: writes', minutesPerMonth * (Math.ceil(kilobytes) + 2), dollars.tableWrite),
    of('CloudWatch: PutMetricData', minutesPerMonth, dollars.put),
    of('CloudWatch: metrics of its own', own.metrics, dollars.customMetric),
    of('CloudWatch: alarm', 1, dollars.alarm),
  ]
  const total = lines.reduce((sum, [, , cost]) => sum + cost, 0)
  const share = minutes.filled / minutes.all
  console.log(
    `\n${whole(queues)} queues, non-empty in ${short(share * 100)} % of their minutes; ` +
      `notes of ${short(kilobytes)} KB`,
  )
  const rows = lines.map(([what, count, cost]) => [what, count, `$${cost.toFixed(2)}`])
  const verdict = total <= dollarsBar ? 'met' : 'over'
  rows.push(['total a month', `<= $${dollarsBar}: ${verdict}`, `$${total.toFixed(2)}`])
  console.log(table(['a month', 'count', 'cost'], rows))
}

const names = (queues: number) => Array.from({ length: queues }, (_, index) => `work-${index}`)

/** The stub's process: says its URL, then what it received. */
async function serve(queues: number): Promise<void> {
  const { startStub } = await import('../test/loopback.ts')
  const { addGroup, addMessages } = await import('../test/loopback/cloud.ts')
  const stub = await startStub({ table: 'state', latencyMilliseconds })
  const tags = { 'celery:concurrency': '1', Name: 'workers', team: 'data', 'cost-centre': '4711' }
  for (const name of names(queues)) {
    addMessages(stub.cloud, name, messagesPerQueue)
    addGroup(
      stub.cloud,
      `${name}-workers`,
      { 'celery:queue': name, ...tags },
      { desired: instancesPerGroup },
    )
  }
  process.on('message', (word: string) => {
    if (word === 'forget') stub.forget()
    process.send?.(word === 'forget' ? 'done' : Object.fromEntries(stub.calls))
  })
  process.once('disconnect', () => stub.close())
  process.send?.(stub.url)
}

/** The looking process: one look for each word, timed from the call to its end. */
async function look(queues: number, of: number): Promise<void> {
  const aws = await import('../shared/aws.ts')
  const { alerts } = await import('../functions/alerts/handler.ts')
  const { defineFleet } = await import('../shared/queue-config.ts')
  const fleet = defineFleet({
    ...{ name: 'bench', shards: of, defaultQueues: names(queues) },
    defaults: { scaling: { mode: 'direct' } },
  })
  const quiet = () => {}
  const deps: Omit<AlertsDeps, 'signal' | 'runId' | 'clock'> = {
    sqs: aws.makeSqs(),
    autoscaling: aws.makeAutoScaling(),
    cloudwatch: aws.makeCloudWatch(),
    dynamodb: aws.makeDynamoDb(),
    ...{ sns: aws.makeSns(), ssm: aws.makeSsm(), web: aws.makeWeb() },
    ...{ drainName: 'talk-prod-drain', stateTable: 'state' },
    alertsTopic: 'arn:aws:sns:us-east-1:123456789012:wire-alerts',
    log: { info: quiet, warn: quiet, error: quiet },
  }
  const run = alerts(fleet)
  process.on('message', async (turn: number) => {
    const clock = { now: () => aws.systemClock.now() + turn * 60_000 }
    const signal = AbortSignal.timeout(deadlineMilliseconds)
    const started = performance.now()
    const report = await run({ shard: 0, of }, { ...deps, clock, runId: aws.newRunId(), signal })
    const seconds = (performance.now() - started) / 1_000
    const metrics = Object.values(report.metricsRead).reduce((sum, count) => sum + count, 0)
    process.send?.({ seconds, watched: report.watched, metrics })
  })
  process.once('disconnect', () => process.exit(0))
  process.send?.('ready')
}

const { part, ...given } = parseArgs({
  options: {
    queues: { type: 'string', default: '70' },
    of: { type: 'string', default: '1' },
    hours: { type: 'string', default: '24' },
    part: { type: 'string' },
  },
}).values
const [queues, of, hours] = [Number(given.queues), Number(given.of), Number(given.hours)]
if (part === 'stub') await serve(queues)
else if (part === 'looker') await look(queues, of)
else {
  const lines = linesOf(await measure(queues, of), of)
  const head = of === 1 ? `${queues} queues` : `${queues} queues, one shard of ${of}`
  console.log(table([head, 'measured', 'bar', ''], lines))
  if (lines.some(([, , , verdict]) => verdict === 'WRONG')) process.exitCode = 1
  if (hours > 0) await printCost(hours)
}
