import { replayed } from './scenarios/replay.ts'
import { groupName, type World } from './world/world.ts'

/** A replay minute by minute, for pictures. */
export type Timeline = {
  readonly minutes: readonly Minute[]
  readonly asked: readonly Asked[]
}

export type Minute = {
  /** Epoch milliseconds. */
  readonly at: number
  /** Messages visible. */
  readonly visible: number
  /** Instances desired, those that are paid, and slots of workers that are up and that run. */
  readonly desired: number
  readonly paid: number
  readonly slots: number
  readonly busy: number
  /** The longest that a task which started in this minute had waited. */
  readonly waitSeconds: number
  /** Arrivals a minute that the sizing expects, where it says so. */
  readonly forecast: number | null
}

/** A capacity that was asked for, epoch milliseconds. */
export type Asked = { readonly at: number; readonly desired: number; readonly reason: string }

export type Recorder = Timeline & {
  /** Looks at the world, once a minute; the wait is that of tasks started since. */
  minute(world: World): void
  ask(asked: Asked): void
}

export function createRecorder(): Recorder {
  const minutes: Minute[] = []
  const asked: Asked[] = []
  let waitsSeen = 0
  let lineSeen: object | undefined
  return {
    minutes,
    asked,
    ask: (one) => asked.push(one),
    minute(world) {
      const { twin, tallies, machines } = world
      const at = twin.engine.now
      const lines = decidedSince(world, lineSeen)
      lineSeen = lines.at(-1) ?? lineSeen
      for (const { desired, to, reason } of lines) {
        if (to !== desired) asked.push({ at, desired: Number(to), reason: String(reason) })
      }
      const waits = tallies.get(replayed)?.waits ?? []
      let waitMs = 0
      for (; waitsSeen < waits.length; waitsSeen++) {
        waitMs = Math.max(waitMs, waits[waitsSeen] ?? 0)
      }
      const group = twin.autoscaling.groups.get(groupName(replayed))
      const machine = machines.get(replayed)
      minutes.push({
        at,
        visible: twin.sqs.queue(replayed).visible,
        desired: group?.desired ?? 0,
        paid: world.instances.ledgers.get(groupName(replayed))?.running.size ?? 0,
        slots: (machine?.workers.online ?? 0) * (machine?.slots ?? 1),
        busy: machine?.workers.running ?? 0,
        waitSeconds: waitMs / 1_000,
        forecast: perMinute(lines.at(-1)?.['rate']),
      })
    },
  }
}

/** What our function has logged of its decisions since that line. */
function decidedSince({ twin: { logged } }: World, line: object | undefined) {
  const found: Record<string, unknown>[] = []
  for (let at = logged.length - 1; at >= 0; at--) {
    const { message, fields } = logged[at] ?? { message: '', fields: {} }
    if (fields === line) break
    if (message === 'decided') found.unshift(fields)
  }
  return found
}

/** Our function logs tasks a second. */
const perMinute = (rate: unknown) => (typeof rate === 'number' ? rate * 60 : null)
