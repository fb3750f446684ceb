import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { table } from '../cli/format.ts'
import type { Batch } from '../functions/drain/handler.ts'
import type { DrainDeps } from '../shared/aws.ts'
import { ask, type Line, median, start } from './parts.ts'

/**
 * How long a notice takes to become a command, alone and among three hundred: the real handler and
 * the real SDK clients against a loopback that answers every call after 20 ms. The loopback and
 * each function are processes of their own, as many functions as Lambda would run at once.
 *
 *     npx node bench/notices.ts [--repetitions 5]
 *
 * A wrong count of calls or of commands ends it with 1. Slowness does not: that depends on the
 * machine, and stands beside its bar for a person to judge.
 */

// A call from a function in the same region takes 10 to 50 ms, most of them nearer to the first.
const latencyMilliseconds = 20

// From serverless.yml: how long Lambda gathers a batch, and how many functions it runs at once.
const batchingWindowMilliseconds = 1_000
const concurrencyMax = 10

// Spot takes a zone: six groups of fifty.
const queues = ['a', 'b', 'c', 'd', 'e', 'f']
const stormSize = { groups: 6, instances: 50 }

// Full batches, and the smallest that ten functions at once share three hundred notices in.
const batchSizes = [100, 30]

const instancesPerCommandMax = 50
const bars = { one: { milliseconds: 300, calls: 4 }, storm: { milliseconds: 10_000 } }

/** What the loopback received since it was asked for instances. */
type Received = {
  /** How many calls there were up to the first command, and with it. */
  readonly callsToCommand: number
  /** Epoch milliseconds at which each SendCommand came. */
  readonly commandsAt: readonly number[]
  /** How many instances each command went to, and how often the busiest instance got one. */
  readonly sizes: readonly number[]
  readonly timesMost: number
}

/** What a function says of one run. */
type Ran = { readonly failures: number }

type Size = { readonly groups: number; readonly instances: number }

async function main(repetitions: number): Promise<void> {
  const stub = start(import.meta.filename, 'stub', { args: [] })
  const [url] = await once(stub, 'message')
  const env = { AWS_ENDPOINT_URL: String(url) }
  const lines = await measureOne(stub, env, repetitions)
  for (const size of batchSizes)
    lines.push(...(await measureStorm(stub, env, { size, repetitions })))
  stub.disconnect()
  console.log(table(['notices', 'measured', 'bar', ''], lines))
  if (lines.some(([, , , verdict]) => verdict === 'WRONG')) process.exitCode = 1
}

type Environment = Readonly<Record<string, string>>

async function startFunctions(count: number, env: Environment): Promise<ChildProcess[]> {
  const functions = Array.from({ length: count }, () =>
    start(import.meta.filename, 'function', { args: [], env }),
  )
  for (const one of functions) await once(one, 'message')
  return functions
}

/** One notice to a fresh function, and then to a warm one. */
async function measureOne(
  stub: ChildProcess,
  env: Environment,
  repetitions: number,
): Promise<Line[]> {
  const { systemClock } = await import('../shared/aws.ts')
  const times: number[] = []
  const calls: number[] = []
  const [drainer] = await startFunctions(1, env)
  if (!drainer) throw new Error('no function has started')
  // Warm runs cost a fraction of a second, so that there may be more of them.
  for (let run = 0; run <= repetitions * 4; run++) {
    const instances = await ask<string[]>(stub, { groups: 1, instances: 1 } satisfies Size)
    const from = systemClock.now()
    await ask<Ran>(drainer, instances)
    const { commandsAt, callsToCommand } = await ask<Received>(stub, 'received')
    times.push((commandsAt[0] ?? Number.NaN) - from)
    calls.push(callsToCommand)
  }
  drainer.disconnect()
  const [cold = 0, ...warm] = times
  const { milliseconds: most, calls: callsMost } = bars.one
  const callsRight = calls.every((count) => count <= callsMost)
  return [
    timeLine('one, to a fresh function, until its command', cold, most),
    timeLine(`one, to a warm one, median of ${warm.length}`, median(warm), most),
    timeLine('one, to a warm one, longest', Math.max(...warm), most),
    ['calls up to its command', inTurn(calls), `<= ${callsMost}`, callsRight ? 'met' : 'WRONG'],
  ]
}

type Storm = { readonly size: number; readonly repetitions: number }

/** Three hundred at once, in batches of that size, each to a function of its own. */
async function measureStorm(
  stub: ChildProcess,
  env: Environment,
  { size, repetitions }: Storm,
): Promise<Line[]> {
  const { systemClock } = await import('../shared/aws.ts')
  const { chunks } = await import('../shared/each.ts')
  const total = stormSize.groups * stormSize.instances
  const functions = await startFunctions(Math.min(Math.ceil(total / size), concurrencyMax), env)
  const times: number[] = []
  const received: Received[] = []
  let failures = 0
  for (let run = 0; run <= repetitions; run++) {
    const instances = await ask<string[]>(stub, stormSize)
    const from = systemClock.now()
    await sleep(batchingWindowMilliseconds)
    const batches = chunks(shuffled(instances), size)
    const ran = await Promise.all(
      batches.map((batch, index) => ask<Ran>(functions[index] ?? stub, batch)),
    )
    failures += ran.reduce((sum, one) => sum + one.failures, 0)
    const seen = await ask<Received>(stub, 'received')
    times.push(Math.max(...seen.commandsAt) - from)
    received.push(seen)
  }
  for (const one of functions) one.disconnect()
  return stormLines(size, times, { received, failures })
}

function stormLines(
  size: number,
  [cold = 0, ...warm]: readonly number[],
  { received, failures }: { readonly received: readonly Received[]; readonly failures: number },
): Line[] {
  const total = stormSize.groups * stormSize.instances
  const what = `${total} in batches of ${size}`
  const most = bars.storm.milliseconds
  const largest = Math.max(...received.flatMap(({ sizes }) => sizes))
  const reached = received.map(({ sizes }) => sizes.reduce((sum, one) => sum + one, 0))
  const isTotal = (count: number) => count === total
  const timesMost = Math.max(...received.map((one) => one.timesMost))
  return [
    timeLine(`${what}, to fresh functions, until the last command`, cold, most),
    timeLine(`${what}, to warm ones, median of ${warm.length}`, median(warm), most),
    timeLine(`${what}, to warm ones, longest`, Math.max(...warm), most),
    bounded('instances of one command, most', largest, instancesPerCommandMax),
    ['SendCommand calls', inTurn(received.map(({ commandsAt }) => commandsAt.length)), '-', ''],
    ['instances commanded', inTurn(reached), String(total), right(reached.every(isTotal))],
    ['commands to one instance, most', String(timesMost), '1', right(timesMost === 1)],
    ['messages that came back', String(failures), '0', right(failures === 0)],
  ]
}

const right = (held: boolean) => (held ? 'met' : 'WRONG')

const bounded = (what: string, value: number, most: number): Line => [
  ...([what, String(value), `<= ${most}`] as const),
  right(value <= most),
]

function timeLine(what: string, milliseconds: number, most: number): Line {
  const text = `${Math.round(milliseconds)} ms`
  return [what, text, `<= ${most} ms`, milliseconds <= most ? 'met' : 'over']
}

/** The numbers of all repetitions, those that repeat themselves once. */
const inTurn = (values: readonly number[]) =>
  values.filter((value, index) => value !== values[index - 1]).join(', then ')

/** In an order of its own: seven is prime to three hundred, so that each is met once. */
const shuffled = (ids: readonly string[]) =>
  ids.map((_, index) => ids[(index * 7) % ids.length] ?? '')

/** The loopback's process: makes instances, or says what it received for them. */
async function serve(): Promise<void> {
  const { systemClock } = await import('../shared/aws.ts')
  const { startStub } = await import('../test/loopback.ts')
  const { addGroup } = await import('../test/loopback/cloud.ts')
  const commandsAt: number[] = []
  const onCall = (action: string) => {
    if (action === 'SendCommand') commandsAt.push(systemClock.now())
  }
  const stub = await startStub({ table: 'state', latencyMilliseconds, onCall })
  let turn = 0
  let seen = 0
  const make = ({ groups, instances }: Size) => {
    turn++
    commandsAt.length = 0
    stub.forget()
    const sizes = { desired: instances, maxSize: instances + 10 }
    const ids = queues
      .slice(0, groups)
      .flatMap((queue) =>
        addGroup(stub.cloud, `${queue}-workers-${turn}`, { 'celery:queue': queue }, sizes),
      )
    seen = stub.cloud.changes.length
    return ids
  }
  const received = (): Received => {
    const sent = stub.cloud.changes
      .slice(seen)
      .flatMap((change) => (change.kind === 'ssm.sent' ? [change.instances] : []))
    const times = [...Map.groupBy(sent.flat(), (id) => id).values()].map(({ length }) => length)
    return {
      callsToCommand: stub.log.indexOf('SendCommand') + 1,
      commandsAt: [...commandsAt],
      sizes: sent.map(({ length }) => length),
      timesMost: Math.max(...times),
    }
  }
  process.on('message', (word: Size | 'received') => {
    process.send?.(word === 'received' ? received() : make(word))
  })
  process.once('disconnect', () => stub.close())
  process.send?.(stub.url)
}

// What the function has: its timeout of 15 s, less what it keeps to say what failed.
const deadlineMilliseconds = 12_000

/** A function's process: one run for each batch of instances, told by a Spot notice each. */
async function runFunction(): Promise<void> {
  const aws = await import('../shared/aws.ts')
  const { drain } = await import('../functions/drain/handler.ts')
  const { defineFleet } = await import('../shared/queue-config.ts')
  const { drainName, timerQueue } = await import('../test/loopback/cloud.ts')
  const { spot } = await import('../test/loopback/drains.ts')
  const quiet = () => {}
  const deps: Omit<DrainDeps, 'signal' | 'runId'> = {
    ...{ sqs: aws.makeSqs(), autoscaling: aws.makeAutoScaling(), ssm: aws.makeSsm() },
    ...{ cloudwatch: aws.makeCloudWatch(), dynamodb: aws.makeDynamoDb() },
    ...{ clock: aws.systemClock, stateTable: 'state', drainName, timerQueue },
    log: { info: quiet, warn: quiet, error: quiet },
  }
  const run = drain(defineFleet({ name: 'bench', defaultQueues: queues }))
  process.on('message', async (instances: readonly string[]) => {
    const now = aws.systemClock.now()
    const batch: Batch = {
      Records: instances.map((id) => ({ messageId: id, body: spot(id, now) })),
    }
    const signal = AbortSignal.timeout(deadlineMilliseconds)
    const { batchItemFailures } = await run(batch, { ...deps, runId: aws.newRunId(), signal })
    process.send?.({ failures: batchItemFailures.length } satisfies Ran)
  })
  process.once('disconnect', () => process.exit(0))
  process.send?.('ready')
}

const { part, repetitions } = parseArgs({
  options: { repetitions: { type: 'string', default: '5' }, part: { type: 'string' } },
}).values
const count = Number(repetitions)
if (!Number.isInteger(count) || count < 1) {
  throw new Error(`--repetitions takes a whole number, not ${repetitions}`)
}
if (part === 'stub') await serve()
else if (part === 'function') await runFunction()
else await main(count)
