/**
 * Virtual time: an event heap. Events run in order of their time and, at the same time, in the
 * order in which they were planned, so that a run is a function of its seed alone.
 */
export type Engine = {
  /** Virtual epoch milliseconds. */
  readonly now: number
  /** Plans an event. One planned for the past runs next, at the present time. */
  at(time: number, run: () => void): void
  /**
   * Runs everything planned up to and including that time, and ends at that time. Where it is asked
   * to, it ends before: once all of a moment is done, and that says so. Says whether it came to the
   * end.
   */
  runUntil(time: number, isInterrupted?: () => boolean): boolean
}

type Planned = { readonly time: number; readonly order: number; readonly run: () => void }

export function createEngine(startAt: number): Engine {
  const heap: Planned[] = []
  let now = startAt
  let order = 0
  return {
    get now() {
      return now
    },
    at(time, run) {
      push(heap, { time: Math.max(time, now), order: order++, run })
    },
    runUntil(end, isInterrupted = never) {
      for (let next = heap[0]; next && next.time <= end; next = heap[0]) {
        if (next.time > now && isInterrupted()) return false
        pop(heap)
        now = next.time
        next.run()
      }
      if (isInterrupted()) return false
      now = end
      return true
    },
  }
}

const never = () => false

const before = (a: Planned, b: Planned) =>
  a.time < b.time || (a.time === b.time && a.order < b.order)

function push(heap: Planned[], item: Planned): void {
  let index = heap.length
  heap.push(item)
  while (index > 0) {
    const up = (index - 1) >> 1
    const parent = heap[up]
    if (!parent || !before(item, parent)) break
    heap[index] = parent
    index = up
  }
  heap[index] = item
}

/** Removes the first item: the last one takes its place and sinks to where it belongs. */
function pop(heap: Planned[]): void {
  const item = heap.pop()
  if (!item || heap.length === 0) return
  let index = 0
  for (;;) {
    let down = 2 * index + 1
    let child = heap[down]
    const right = heap[down + 1]
    if (child && right && before(right, child)) {
      child = right
      down++
    }
    if (!child || !before(child, item)) break
    heap[index] = child
    index = down
  }
  heap[index] = item
}
