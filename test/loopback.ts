import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { actions } from './loopback/actions.ts'
import { type Cloud, createCloud } from './loopback/cloud.ts'
import {
  type Answer,
  type Call,
  decode,
  encode,
  encodeRefusal,
  Refusal,
  refusalOf,
} from './loopback/wire.ts'

/** What is to go wrong, where, and how often. */
export type Fault = {
  /** Undefined: every action. */
  readonly action?: string
  /** The queue or the group that is asked about; undefined: every one. */
  readonly of?: string
  /** Undefined: for good. */
  readonly times?: number
  /** An AWS error; no answer ever; or it is done, and the connection breaks before the answer. */
  readonly how: Refusal | 'silence' | 'lost-answer'
}

/** A server on the loopback interface that speaks the wire protocols of the six SDK clients. */
export type Stub = {
  readonly url: string
  readonly cloud: Cloud
  /** The actions asked for since the last `forget`, in order, each try of a client counted. */
  readonly log: readonly string[]
  /** How often each was. */
  readonly calls: ReadonlyMap<string, number>
  /** The most values that came in one PutMetricData call since the last `forget`. */
  readonly valuesPerCallMax: () => number
  readonly forget: () => void
  readonly fail: (fault: Fault) => void
  /** Requests for the action wait until so many of them have come; the later ones pass. */
  readonly gather: (action: string, parties: number) => void
  readonly close: () => Promise<void>
}

type Options = {
  readonly table: string
  /** What a healthy call to AWS takes, at best, from a function in the same region. */
  readonly latencyMilliseconds?: number
  /** Told of every call when it has come, before it is answered. */
  readonly onCall?: (action: string) => void
}

export async function startStub(options: Options): Promise<Stub> {
  const { table, latencyMilliseconds = 20, onCall = () => {} } = options
  const cloud = createCloud(table)
  const faults = createFaults()
  const barriers = createBarriers()
  const log: string[] = []
  const calls = new Map<string, number>()
  let valuesPerCallMax = 0

  const count = ({ action, input }: Call) => {
    log.push(action)
    onCall(action)
    calls.set(action, (calls.get(action) ?? 0) + 1)
    const { MetricData: values } = input
    if (Array.isArray(values)) valuesPerCallMax = Math.max(valuesPerCallMax, values.length)
  }
  const server = createServer(async (request, response) => {
    const bytes = await readBody(request)
    if (bytes === null) return
    const call = attempt(() => decode(request.headers, bytes))
    if (call instanceof Refusal) return send(response, encodeRefusal(null, call))
    count(call)
    await barriers.pass(call.action)
    const how = faults.take(call)
    if (how === 'silence') return
    const answer = answerOf(cloud, call, how)
    await sleep(latencyMilliseconds)
    if (how === 'lost-answer') request.socket.destroy()
    else send(response, answer)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${portOf(server.address())}`,
    cloud,
    log,
    calls,
    valuesPerCallMax: () => valuesPerCallMax,
    forget: () => {
      log.length = 0
      calls.clear()
      valuesPerCallMax = 0
    },
    fail: faults.add,
    gather: barriers.add,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

function answerOf(cloud: Cloud, call: Call, how: Fault['how'] | null): Answer {
  const output = attempt(() => {
    if (how instanceof Refusal) throw how
    const action = actions[call.service][call.action]
    if (!action) throw new Refusal('UnknownOperationException', `No action ${call.action}`)
    return action(cloud, call.input)
  })
  return output instanceof Refusal ? encodeRefusal(call, output) : encode(call, output)
}

/** A refusal as a value. Any other error is a mistake of the stub's own and is said as such. */
function attempt<T>(work: () => T): T | Refusal {
  try {
    return work()
  } catch (thrown) {
    const error = refusalOf(thrown)
    if (error instanceof Refusal) return error
    return new Refusal('StubFailure', error instanceof Error ? String(error.stack) : String(error))
  }
}

/** Faults in the order given; the first that fits a call and has not run out is what happens. */
function createFaults() {
  const faults: { fault: Fault; left: number }[] = []
  const take = ({ action, input }: Call): Fault['how'] | null => {
    const name = nameIn(input)
    const found = faults.find(
      ({ fault, left }) =>
        left > 0 &&
        (fault.action === undefined || fault.action === action) &&
        (fault.of === undefined || fault.of === name),
    )
    if (!found) return null
    found.left--
    return found.fault.how
  }
  const add = (fault: Fault) => {
    faults.push({ fault, left: fault.times ?? Number.POSITIVE_INFINITY })
  }
  return { add, take }
}

/** The queue or the group that a call is about. */
function nameIn({ QueueUrl: url, AutoScalingGroupName: group }: Call['input']): string | null {
  if (typeof url === 'string') return url.slice(url.lastIndexOf('/') + 1)
  return typeof group === 'string' ? group : null
}

function createBarriers() {
  const barriers = new Map<string, { parties: number; readonly waiting: (() => void)[] }>()
  const add = (action: string, parties: number) => {
    barriers.set(action, { parties, waiting: [] })
  }
  const pass = async (action: string): Promise<void> => {
    const barrier = barriers.get(action)
    if (!barrier) return
    await new Promise<void>((resolve) => {
      barrier.waiting.push(resolve)
      if (barrier.waiting.length < barrier.parties) return
      barriers.delete(action)
      for (const release of barrier.waiting) release()
    })
  }
  return { add, pass }
}

/** Null: the client gave up while it was sending. */
async function readBody(request: IncomingMessage): Promise<Buffer | null> {
  const chunks: Buffer[] = []
  return new Promise((resolve) => {
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => resolve(Buffer.concat(chunks)))
    request.on('error', () => resolve(null))
  })
}

function send(response: ServerResponse, { status, headers, body }: Answer): void {
  response.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(body) })
  response.end(body)
}

function portOf(address: AddressInfo | string | null): number {
  if (typeof address === 'object' && address !== null) return address.port
  throw new Error(`The stub listens on no port but on ${address}`)
}
