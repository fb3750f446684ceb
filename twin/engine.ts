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

/** From a moment of virtual time until another, which is no part of it. */
export type Span = { readonly at: number; readonly until: number }

export const isWithin = ({ at, until }: Span, time: number) => time >= at && time < until

export function createEngine(startAt: number): Engine {
  const heap: Heap = { times: [], orders: [], runs: [] }
  let now = startAt
  let order = 0
  return {
    get now() {
      return now
    },
    at(time, run) {
      push(heap, Math.max(time, now), order++, run)
    },
    runUntil(end, isInterrupted = never) {
      for (;;) {
        const time = heap.times[0]
        const run = heap.runs[0]
        if (time === undefined || run === undefined || time > end) break
        if (time > now && isInterrupted()) return false
        pop(heap)
        now = time
        run()
      }
      if (isInterrupted()) return false
      now = end
      return true
    },
  }
}

const never = () => false

/** In three arrays: of the millions of a day only what is compared is looked at. */
type Heap = {
  readonly times: number[]
  readonly orders: number[]
  readonly runs: (() => void)[]
}

/** Whether what is at that place comes before something else. */
function isBefore({ times, orders }: Heap, index: number, time: number, order: number): boolean {
  const own = times[index] ?? 0
  return own < time || (own === time && (orders[index] ?? 0) < order)
}

function put(heap: Heap, index: number, time: number, order: number, run: () => void): void {
  heap.times[index] = time
  heap.orders[index] = order
  heap.runs[index] = run
}

/** Puts there what is at another place. */
function move({ times, orders, runs }: Heap, from: number, to: number): void {
  times[to] = times[from] ?? 0
  orders[to] = orders[from] ?? 0
  runs[to] = runs[from] ?? nothing
}

const nothing = () => {}

function push(heap: Heap, time: number, order: number, run: () => void): void {
  let index = heap.times.length
  put(heap, index, time, order, run)
  while (index > 0) {
    const up = (index - 1) >> 1
    if (isBefore(heap, up, time, order)) break
    move(heap, up, index)
    index = up
  }
  put(heap, index, time, order, run)
}

/** Removes the first: the last one takes its place and sinks to where it belongs. */
function pop(heap: Heap): void {
  const { times, orders, runs } = heap
  const time = times.pop() ?? 0
  const order = orders.pop() ?? 0
  const run = runs.pop()
  const { length } = times
  if (run === undefined || length === 0) return
  let index = 0
  for (;;) {
    let down = 2 * index + 1
    if (down >= length) break
    const right = down + 1
    if (right < length && isBefore(heap, right, times[down] ?? 0, orders[down] ?? 0)) down = right
    if (!isBefore(heap, down, time, order)) break
    move(heap, down, index)
    index = down
  }
  put(heap, index, time, order, run)
}
