import type { QueueConfig } from '../../shared/queue-config.ts'

/** What the readers bring and the checks judge: plain data, and what could not be read. */

/** Why something could not be read, as a clause. */
export type Unread = { readonly unread: string }
export type Reading<T> = T | Unread

export const isUnread = <T>(reading: Reading<T>): reading is Unread =>
  typeof reading === 'object' && reading !== null && 'unread' in reading

/** How long tasks run and a drain may take, by fleet.config.ts; null where nobody said. */
export type Needs = { readonly taskSeconds: number; readonly drainSeconds: number } | null

export type BoxFacts = {
  readonly workers: readonly WorkerFacts[]
  readonly units: readonly Reading<UnitFacts>[]
  readonly programs: readonly Reading<ProgramFacts>[]
  readonly containers: readonly Reading<ContainerFacts>[]
  readonly agent: AgentFacts
  /** The instance metadata service: whether it gave a session token, or what it said instead. */
  readonly metadata: 'token' | { readonly failed: string }
  readonly drain: DrainFacts
}

export type WorkerFacts = {
  /** Null: no process, but a Python that a worker would run. */
  readonly pid: number | null
  /** The container that it is in, by name. */
  readonly container: string | null
  /** Queues that its command line or its state file names. */
  readonly queues: readonly string[]
  /** REMAP_SIGTERM of its environment. */
  readonly remapSigterm: Reading<string | null>
  readonly probe: Reading<Probe>
  /** The phase in its state file, null where there is none. */
  readonly phase: string | null
  /** Whether the process has a handler for SIGUSR2. */
  readonly takesOrders: boolean
}

/** What the worker's own Python says. */
export type Probe = {
  readonly python: string
  /** Null: cannot be imported. */
  readonly celery: string | null
  readonly kombu: string | null
  readonly billiard: string | null
  readonly celeriacWorker: string | null
  /** Null: no application was named. */
  readonly settings: Reading<Settings> | null
  /** Whether the metadata service answers there; null where that was not asked. */
  readonly metadata: Reading<'token'> | null
}

export type Settings = {
  readonly transport: string
  readonly acksLate: boolean
  /** Tasks that acknowledge early though the setting says late, at most ten. */
  readonly earlyTasks: readonly string[]
  readonly rejectOnWorkerLost: boolean
  readonly acksOnFailureOrTimeout: boolean
  readonly prefetchMultiplier: number
  readonly softShutdownSeconds: number
  readonly visibilitySeconds: number | null
  readonly waitSeconds: number | null
  readonly defaultQueue: string
}

/** What a supervisor started: the process itself, or the command that it would start. */
export type First = {
  readonly argv: readonly string[]
  readonly from: 'process' | 'configuration'
  /** Whether that is the worker's main process. */
  readonly isWorker: boolean
}

export type UnitFacts = {
  readonly name: string
  readonly killMode: string
  /** The number of the signal that `systemctl stop` sends. */
  readonly killSignal: number
  readonly restart: string
  /** Null: never killed. */
  readonly stopSeconds: number | null
  readonly first: First
}

export type ProgramFacts = {
  readonly name: string
  readonly stopAsGroup: boolean
  readonly stopSignal: string
  readonly stopSeconds: number
  readonly autorestart: string
  readonly first: First
}

export type ContainerFacts = {
  readonly name: string
  readonly first: First
  readonly environment: Readonly<Record<string, string>>
  readonly stopSignal: string | null
  /** Null: Docker's default. */
  readonly stopSeconds: number | null
  readonly restart: string
  readonly network: string
}

export type AgentFacts = {
  readonly running: boolean
  readonly version: Reading<string>
}

export type DrainFacts = {
  readonly script: 'executable' | 'not executable' | 'missing'
  readonly path: string
  /** What systemd says of the watcher: `active`, `inactive`, `failed`. */
  readonly watcher: Reading<string>
  /** What the log says of the last report: the failure, null where it went out. */
  readonly report: Reading<string | null>
}

export type AccountFacts = {
  readonly account: string | null
  readonly region: string
  /** The name of the hook, and of the document. */
  readonly drainName: string
  /** The document's default version; null where there is none. */
  readonly document: Reading<{ readonly version: string; readonly content: string } | null>
  /** worker/drain-document.json. */
  readonly ownDocument: string
  readonly tags: TagNames
  readonly queues: readonly QueueFacts[]
}

/** What the fleet's tags are called; `fleet` is null where fleets are not told by one. */
export type TagNames = {
  readonly queue: string
  readonly concurrency: string
  readonly fleet: { readonly key: string; readonly value: string } | null
}

export type QueueFacts = {
  readonly queue: QueueConfig
  /** Null: there is no such queue. */
  readonly sqs: Reading<SqsFacts | null>
  readonly group: GroupFacts | { readonly problem: string }
}

export type SqsFacts = {
  readonly visibilitySeconds: number
  /** Null: nothing goes to a dead-letter queue. */
  readonly maxReceiveCount: number | null
}

export type GroupFacts = {
  readonly name: string
  readonly capacityRebalance: boolean
  readonly hooks: Reading<readonly HookFacts[]>
  readonly tags: Reading<readonly TagFacts[]>
  /** Instances in service, each with what Systems Manager knows of it. */
  readonly instances: Reading<readonly InstanceFacts[]>
}

export type HookFacts = {
  readonly name: string
  readonly transition: string
  readonly heartbeatSeconds: number
  readonly globalSeconds: number
  readonly defaultResult: string
}

export type TagFacts = {
  readonly key: string
  readonly value: string
  readonly propagates: boolean
}

export type InstanceFacts = {
  readonly id: string
  /** Null: Systems Manager does not know it. */
  readonly agent: { readonly ping: string; readonly version: string } | null
}
