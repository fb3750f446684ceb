import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { Socket } from 'node:net'
import { backlog } from '../../functions/backlog/handler.ts'
import type { Report } from '../../functions/backlog/record.ts'
import {
  type AlertsDeps,
  type BacklogDeps,
  type Deps,
  type DrainDeps,
  makeAutoScaling,
  makeCloudWatch,
  makeDynamoDb,
  makeSns,
  makeSqs,
  makeSsm,
  makeWeb,
  newRunId,
  systemClock,
} from '../../shared/aws.ts'
import type { Fleet } from '../../shared/queue-config.ts'
import { type Stub, startStub } from '../loopback.ts'
import { addGroup, addMessages, alertsTopic, drainName, fastQueue, timerQueue } from './cloud.ts'

/** A line that a run logged. */
export type Line = { readonly level: keyof Deps['log']; readonly fields: Record<string, unknown> }

/** A stub, and the real clients that speak to it and to nothing else. */
export type Rig = {
  readonly stub: Stub
  /** What all runs share; each has an id of its own, as in Lambda. */
  readonly deps: Omit<DrainDeps & BacklogDeps & AlertsDeps, 'runId'>
  readonly logged: readonly Line[]
  readonly close: () => Promise<void>
}

const table = 'celeriac-test'

// Enough for calls to overlap, and little enough for a run to take no time.
const latencyMilliseconds = 2

// Far beyond any run, so that a signal that fires is one that a test has set.
export const deadlineMilliseconds = 25_000

/** A stub with a queue of that many messages and a group of one instance for each name. */
export async function makeRig(depths: Readonly<Record<string, number>>): Promise<Rig> {
  const stub = await startStub({ table, latencyMilliseconds })
  for (const [name, depth] of Object.entries(depths)) {
    addMessages(stub.cloud, name, depth)
    addGroup(stub.cloud, `${name}-workers`, { 'celery:queue': name })
  }
  const { clients, destroy } = await connect(stub.url)
  const logged: Line[] = []
  const collect = (level: Line['level']) => (_message: string, fields: Line['fields']) => {
    logged.push({ level, fields })
  }
  const deps = {
    ...clients,
    clock: systemClock,
    drainName,
    ...{ timerQueue, fastQueue, alertsTopic },
    web: makeWeb(),
    stateTable: table,
    log: { info: collect('info'), warn: collect('warn'), error: collect('error') },
    signal: AbortSignal.timeout(deadlineMilliseconds),
  }
  const close = async () => {
    destroy()
    await stub.close()
  }
  return { stub, deps, logged, close }
}

let turn: Promise<unknown> = Promise.resolve()

/** Clients read their endpoint from the environment: one set after the other, and before use. */
function connect(url: string) {
  const connected = turn.then(async () => {
    process.env['AWS_ENDPOINT_URL'] = url
    const sqs = makeSqs()
    const autoscaling = makeAutoScaling()
    const cloudwatch = makeCloudWatch()
    const dynamodb = makeDynamoDb()
    const sns = makeSns()
    const ssm = makeSsm()
    const all = [sqs, autoscaling, cloudwatch, dynamodb, sns, ssm]
    for (const { config } of all) await config.serviceConfiguredEndpoint?.()
    const destroy = () => {
      for (const client of all) client.destroy()
    }
    return { clients: { sqs, autoscaling, cloudwatch, dynamodb, sns, ssm }, destroy }
  })
  turn = connected
  return connected
}

/** What a run came to: exactly one of the two is there. */
export type Outcome = { readonly report: Report | null; readonly error: Error | null }

/** One run of the real handler, as shard 0 of 1. */
export async function run(rig: Rig, fleet: Fleet, deps: Partial<Deps> = {}): Promise<Outcome> {
  try {
    const report = await backlog(fleet)(
      { shard: 0, of: 1 },
      {
        ...rig.deps,
        runId: newRunId(),
        ...deps,
      },
    )
    return { report, error: null }
  } catch (error) {
    if (error instanceof Error) return { report: null, error }
    throw error
  }
}

/** The queues whose backlog was published, as often as it was. */
export const published = ({ stub }: Rig) =>
  stub.cloud.values
    .filter(({ name }) => name === 'BacklogPerInstance')
    .map(({ dimensions }) => dimensions['Queue'] ?? '')
    .sort()

/** What was set to what, by group. */
export const resized = ({ stub }: Rig) =>
  stub.cloud.capacities.map(({ group, desired }) => `${group}: ${desired}`).sort()

/** Every `host:port` that a socket of this process connects to, and every name looked up for it. */
export function watchConnections() {
  const places = new Set<string>()
  const onSocket = (message: unknown) => {
    if (typeof message !== 'object' || message === null || !('socket' in message)) return
    const { socket } = message
    if (!(socket instanceof Socket)) return
    // A name that is not found leads to no attempt, and would have been another host all the same.
    socket.on('lookup', (_error, _address, _family, name: string) => places.add(name))
    socket.on('connectionAttempt', (ip: string, port: number) => places.add(`${ip}:${port}`))
  }
  subscribe('net.client.socket', onSocket)
  return { places, stop: () => unsubscribe('net.client.socket', onSocket) }
}
