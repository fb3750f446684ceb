import { type Reason, reasons } from '../../shared/events.ts'
import type { Random } from '../../shared/random.ts'
import { random } from '../../shared/random.ts'
import type { Change } from '../aws/service.ts'
import type { Twin } from '../twin.ts'
import type { Bus, BusEvent } from './bus.ts'
import type { Task } from './task.ts'
import type { Workers } from './workers.ts'

/** What may be wrong with a box, and how often: shares from 0 to 1. */
export type BoxFaults = {
  /** Its SSM agent is registered and answers nothing. */
  readonly deadAgents: number
  /** Nothing on it polls the instance metadata. */
  readonly withoutWatcher: number
  /** Its role may not put events, so that it reports nothing. */
  readonly mute: number
}

/** The side of a drain that is on the box: agent, drain.sh, watcher and their reports. */
export type Boxes = {
  /** The box runs: its agent registers. */
  boot(instance: string, workers: Workers): void
  /**
   * Its worker is ready to poll: on a box that was told to leave meanwhile it does not, for
   * drain.sh has left a note that the worker reads when it starts.
   */
  startWorker(instance: string, start: () => void): void
  /** The instance metadata says that the box is to leave. */
  warn(instance: string, reason: 'spot' | 'scale_in', deadline: number): void
  /** Its worker puts an event of its own. */
  tell(instance: string, event: BusEvent): void
  /** The box is gone. */
  end(instance: string): void
}

// An agent starts a command within a second or two of its being sent, and drain.sh at once.
const agentSeconds = { from: 0.3, to: 2 }
// The watcher polls every five seconds.
const watcherSeconds = { from: 0, to: 5 }
// drain.sh looks this often while a worker goes quiet, and a worker answers at once.
const lookSeconds = 0.3
// drain.sh stops what still runs this long before the deadline, to have handed it back by then.
const reserveSeconds = 5

type Box = {
  readonly instance: string
  readonly workers: Workers
  readonly mute: boolean
  readonly watched: boolean
  /** What the instance metadata says, the nearest deadline of it. */
  warning: Order | null
  drain: BoxDrain | null
  /** Told to leave before its worker was there: how that one would start, once it is ready. */
  note: { start: (() => void) | null } | null
}

type BoxDrain = {
  reason: Reason
  readonly drainId: string | null
  deadline: number
  told: 'started' | 'quiet'
  readonly startedAt: number
}

type Order = Pick<BoxDrain, 'reason' | 'drainId' | 'deadline'>
type State = {
  readonly twin: Twin<Task>
  readonly bus: Bus
  readonly draw: Random
  readonly boxes: Map<string, Box>
  /** What the metadata says of instances that have not booted: it is there before they are. */
  readonly early: Map<string, Order>
}

export function createBoxes(twin: Twin<Task>, bus: Bus, faults: BoxFaults): Boxes {
  const draw = random(twin.seed, 'boxes')
  const state: State = { twin, bus, draw, boxes: new Map(), early: new Map() }
  twin.onChange((change) => {
    if (change.kind === 'ssm.command') answer(state, change)
  })
  return {
    boot(instance, workers) {
      const warning = state.early.get(instance) ?? null
      state.early.delete(instance)
      const box: Box = {
        ...{ instance, workers, warning, drain: null, note: null },
        mute: draw.chance(faults.mute),
        watched: !draw.chance(faults.withoutWatcher),
      }
      state.boxes.set(instance, box)
      twin.emit(twin.ssm.register(instance))
      if (draw.chance(faults.deadAgents)) twin.ssm.silence(instance)
      if (warning) watch(state, box)
    },
    startWorker(instance, start) {
      const box = state.boxes.get(instance)
      if (box?.note) box.note.start = start
      else start()
    },
    tell(instance, event) {
      // Of a box that is gone nothing is heard any more.
      if (state.boxes.get(instance)?.mute === false) bus.put(event)
    },
    warn(instance, reason, deadline) {
      const box = state.boxes.get(instance)
      const known = box ? box.warning : state.early.get(instance)
      const nearest = Math.min(deadline, known?.deadline ?? deadline)
      const warning = { reason, drainId: null, deadline: nearest }
      if (!box) {
        state.early.set(instance, warning)
        return
      }
      box.warning = warning
      watch(state, box)
    },
    end(instance) {
      state.boxes.delete(instance)
      state.early.delete(instance)
      twin.ssm.unregister(instance)
    },
  }
}

/** The watcher's next look at the metadata: where the box is to leave, its worker is drained. */
function watch(state: State, box: Box): void {
  const { twin, draw, boxes } = state
  const { engine } = twin
  if (!box.watched) return
  engine.at(engine.now + draw.between(watcherSeconds.from, watcherSeconds.to) * 1_000, () => {
    if (boxes.has(box.instance) && box.warning) begin(state, box, box.warning)
  })
}

/** The agent runs the document: its success says that drain.sh has begun, or what it printed. */
function answer(
  state: State,
  { command, instance, parameters }: Extract<Change, { kind: 'ssm.command' }>,
) {
  const { twin, draw } = state
  const { engine, ssm } = twin
  engine.at(engine.now + draw.between(agentSeconds.from, agentSeconds.to) * 1_000, () => {
    const box = state.boxes.get(instance)
    if (!box || ssm.started(command, instance) === 'over') return
    const [action] = parameters['Action'] ?? []
    const [reason] = parameters['Reason'] ?? []
    const output = action === 'status' ? statusOf(box) : ''
    twin.emit(
      ssm.finished(engine.now, command, instance, { status: 'Success', exitCode: 0, output }),
    )
    // What only takes back a question leaves alone what has begun meanwhile.
    const isStronger = reason === 'surplus' && box.drain !== null && box.drain.reason !== 'surplus'
    if (action === 'resume' && !isStronger) resume(state, box)
    if (action === 'drain') begin(state, box, orderIn(parameters))
  })
}

function orderIn(parameters: Readonly<Record<string, readonly string[]>>): Order {
  const value = (name: string) => parameters[name]?.[0] ?? ''
  const reason = reasons.find((one) => one === value('Reason'))
  if (!reason) throw new Error(`The document let the reason '${value('Reason')}' through`)
  return { reason, drainId: value('DrainId'), deadline: Number(value('Deadline')) * 1_000 }
}

function begin(state: State, box: Box, order: Order): void {
  const { engine } = state.twin
  if (box.drain) {
    join(state, box, box.drain, order)
    return
  }
  const drain = { ...order, told: 'started', startedAt: engine.now } as const
  if (!box.workers.look(box.instance)) {
    // A question leaves no note: a worker that starts later is told of what has a reason.
    if (order.reason !== 'surplus') box.note ??= { start: null }
    report(state, box, drain, 'nothing')
    return
  }
  box.drain = { ...drain }
  report(state, box, box.drain, 'started')
  planEnd(state, box, box.drain)
  box.workers.quiet(box.instance, () => progress(state, box))
  if (order.reason === 'surplus') answerBusy(state, box, box.drain)
}

/** A drain is under way: only a nearer deadline changes it, or a reason where it only asks. */
function join(state: State, box: Box, drain: BoxDrain, order: Order): void {
  const isStronger = drain.reason === 'surplus' && order.reason !== 'surplus'
  const isWeaker = drain.reason !== 'surplus' && order.reason === 'surplus'
  if (isWeaker || (!isStronger && order.deadline >= drain.deadline)) return
  drain.deadline = order.deadline
  drain.reason = order.reason
  planEnd(state, box, drain)
  if (isStronger) progress(state, box)
}

/** One that runs something says so as soon as that is known, and works on. */
function answerBusy(state: State, box: Box, drain: BoxDrain): void {
  const { engine } = state.twin
  engine.at(engine.now + lookSeconds * 1_000, () => {
    const running = box.workers.look(box.instance)?.running ?? 0
    if (box.drain !== drain || drain.reason !== 'surplus' || running === 0) return
    workOn(state, box, drain, 'busy')
  })
}

function workOn(state: State, box: Box, drain: BoxDrain, phase: 'busy' | 'resumed'): void {
  report(state, box, drain, phase)
  box.workers.resume(box.instance)
  box.drain = null
}

/** What drain.sh says whenever the worker's state changes; the end, once nothing runs. */
function progress(state: State, box: Box): void {
  const worker = box.workers.look(box.instance)
  const { drain } = box
  if (!drain || !worker?.drain?.quiet) return
  if (drain.reason === 'surplus') {
    if (worker.running > 0) workOn(state, box, drain, 'busy')
    else report(state, box, drain, 'idle')
    return
  }
  if (worker.running === 0) {
    report(state, box, drain, 'drained')
    box.workers.stop(box.instance)
    return
  }
  report(state, box, drain, drain.told === 'quiet' ? 'running' : 'quiet')
  drain.told = 'quiet'
}

function planEnd(state: State, box: Box, drain: BoxDrain): void {
  const { engine } = state.twin
  engine.at(drain.deadline - reserveSeconds * 1_000, () => {
    const due = engine.now >= drain.deadline - reserveSeconds * 1_000
    if (box.drain !== drain || !due || !state.boxes.has(box.instance)) return
    if (drain.reason === 'surplus') {
      workOn(state, box, drain, 'resumed')
      return
    }
    const worker = box.workers.look(box.instance)
    if (!worker) return
    const forced = box.workers.stop(box.instance)
    const counts = { ...countsOf(worker), running: 0, forced }
    send(state, box, drain, { phase: 'handed-back', ...counts })
  })
}

function resume(state: State, box: Box): void {
  box.note?.start?.()
  box.note = null
  // Nobody takes back what EC2 or the group has begun: the watcher sees it still.
  watch(state, box)
  if (!box.drain) return
  workOn(state, box, box.drain, 'resumed')
}

const countsOf = (worker: ReturnType<Workers['look']>) => ({
  running: worker?.running ?? 0,
  handedBack: worker?.drain?.handedBack ?? 0,
  finished: worker?.drain?.finished ?? 0,
})

function statusOf(box: Box): string {
  const worker = box.workers.look(box.instance)
  const quiet = worker?.drain?.quiet ? 'quiet' : 'quieting'
  const phase = !worker ? 'gone' : worker.drain ? quiet : 'working'
  return JSON.stringify({ workers: worker ? 1 : 0, phase, ...countsOf(worker) })
}

const report = (state: State, box: Box, drain: BoxDrain, phase: string) =>
  send(state, box, drain, { phase, ...countsOf(box.workers.look(box.instance)), forced: 0 })

function send({ twin, bus }: State, box: Box, drain: BoxDrain, said: object): void {
  if (box.mute) return
  const { reason, drainId, deadline, startedAt, told } = drain
  const at = twin.engine.now / 1_000
  bus.put({
    source: 'celeriac.worker',
    type: 'Celeriac Drain Progress',
    detail: {
      ...{ 'instance-id': box.instance, 'drain-id': drainId, reason, at, workers: 1, ...said },
      deadline: Math.floor(deadline / 1_000),
      quietSeconds: told === 'quiet' ? at - startedAt / 1_000 : null,
    },
  })
}
