import type {
  BoxFacts,
  ContainerFacts,
  First,
  GroupFacts,
  Probe,
  ProgramFacts,
  QueueFacts,
  Settings,
  UnitFacts,
  WorkerFacts,
} from '../../cli/doctor/facts.ts'
import { queueOf } from '../fixtures.ts'

/** Facts of a box and of a group in which everything is in order. */

export const goodSettings: Settings = {
  transport: 'sqs',
  acksLate: true,
  earlyTasks: [],
  rejectOnWorkerLost: true,
  acksOnFailureOrTimeout: true,
  prefetchMultiplier: 1,
  softShutdownSeconds: 0,
  visibilitySeconds: 1_800,
  waitSeconds: 10,
  defaultQueue: 'celery',
}

export const goodProbe: Probe = {
  python: '/opt/app/bin/python',
  celery: '5.6.3',
  kombu: '5.6.2',
  billiard: '4.2.1',
  celeriacWorker: '0.1.0',
  settings: goodSettings,
  metadata: null,
}

export const goodWorker: WorkerFacts = {
  pid: 812,
  container: null,
  queues: ['video'],
  remapSigterm: null,
  probe: goodProbe,
  phase: 'working',
  takesOrders: true,
}

const itself: First = {
  argv: ['/opt/app/bin/python', '-m', 'celery', '-A', 'app', 'worker'],
  from: 'process',
  isWorker: true,
}

export const goodUnit: UnitFacts = {
  name: 'celery.service',
  killMode: 'mixed',
  killSignal: 15,
  restart: 'always',
  stopSeconds: 3_600,
  first: itself,
}

export const goodProgram: ProgramFacts = {
  name: 'celery',
  stopAsGroup: false,
  stopSignal: 'TERM',
  stopSeconds: 3_600,
  autorestart: 'true',
  first: itself,
}

export const goodContainer: ContainerFacts = {
  name: 'worker',
  first: itself,
  environment: {},
  stopSignal: null,
  stopSeconds: 3_600,
  restart: 'always',
  network: 'bridge',
}

export const goodBox: BoxFacts = {
  workers: [goodWorker],
  units: [goodUnit],
  programs: [goodProgram],
  containers: [goodContainer],
  agent: { running: true, version: '3.3.2746.0' },
  metadata: 'token',
  drain: {
    script: 'executable',
    path: '/opt/celeriac/drain.sh',
    watcher: 'active',
    report: null,
  },
}

/** Tasks of four minutes, and ten of them for a drain. */
export const fourMinutes = { taskSeconds: 240, drainSeconds: 2_400 }

export const goodGroup: GroupFacts = {
  name: 'video-workers',
  capacityRebalance: true,
  hooks: [
    {
      name: 'test-prod-drain',
      transition: 'autoscaling:EC2_INSTANCE_TERMINATING',
      heartbeatSeconds: 300,
      globalSeconds: 30_000,
      defaultResult: 'CONTINUE',
    },
  ],
  tags: [
    { key: 'celery:queue', value: 'video', propagates: true },
    { key: 'celery:concurrency', value: '4', propagates: true },
  ],
  instances: [{ id: 'i-a', agent: { ping: 'Online', version: '3.3.2746.0' } }],
}

export const goodQueue: QueueFacts = {
  queue: queueOf({ taskTime: '4m', scaling: { mode: 'direct' } }),
  sqs: { visibilitySeconds: 900, maxReceiveCount: 5 },
  group: goodGroup,
}
