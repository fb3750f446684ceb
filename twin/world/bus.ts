import { random } from '../../shared/random.ts'
import { againPattern, drainRules } from '../../shared/rules.ts'
import { matches } from '../aws/patterns.ts'
import { type Twin, twinAccount, twinDrainName, twinRegion } from '../twin.ts'
import type { Stack } from './stack.ts'
import type { Task } from './task.ts'

/** EventBridge's default bus with the deployment's own rules and their targets. */
export type Bus = { put(event: BusEvent): void }

export type BusEvent = {
  readonly source: string
  readonly type: string
  readonly detail: Readonly<Record<string, unknown>>
}

/** How events may fare: AWS delivers them at least once, late and in any order, or not at all. */
export type BusFaults = { readonly lost: number; readonly doubled: number; readonly late: number }

// From what happens until the queue has the event: usually well below a second.
const latencySeconds = { from: 0.2, to: 1 }
// An event that is late is late by up to this.
const lateSeconds = 60

export function createBus(twin: Twin<Task>, stack: Stack, faults: BusFaults): Bus {
  const { engine } = twin
  const draw = random(twin.seed, 'bus')
  const targets = [
    ...drainRules(twinDrainName).map(({ pattern }) => ({ pattern, send: stack.send })),
    { pattern: againPattern, send: stack.sendReport },
  ]
  let count = 0
  return {
    put({ source, type, detail }) {
      const event = {
        version: '0',
        id: `event-${++count}`,
        ...{ 'detail-type': type, source, account: twinAccount, region: twinRegion },
        // EventBridge's times are whole seconds.
        time: `${new Date(engine.now).toISOString().slice(0, 19)}Z`,
        resources: [],
        detail,
      }
      const target = targets.find(({ pattern }) => matches(pattern, event))
      if (!target || draw.chance(faults.lost)) return
      for (let copies = draw.chance(faults.doubled) ? 2 : 1; copies > 0; copies--) {
        const late = draw.chance(faults.late) ? draw.between(0, lateSeconds) : 0
        const latency = draw.between(latencySeconds.from, latencySeconds.to) + late
        engine.at(engine.now + latency * 1_000, () => target.send(JSON.stringify(event)))
      }
    },
  }
}
