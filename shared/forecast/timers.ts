/**
 * What is to happen, by time: a binary heap in two arrays, for it is asked a million times. Where
 * nothing is planned the time is infinite, at least as far as the children of what is.
 */
export type Timers<T> = { times: Float64Array; readonly items: T[] }

export const createTimers = <T>(): Timers<T> => ({ times: endless(64), items: [] })

const endless = (length: number) => new Float64Array(length).fill(Number.POSITIVE_INFINITY)

export const nextTimer = ({ times }: Timers<unknown>) => times[0] ?? Number.POSITIVE_INFINITY

export function addTimer<T>(timers: Timers<T>, time: number, item: T): void {
  const { items } = timers
  if (2 * items.length + 4 > timers.times.length) grow(timers)
  const { times } = timers
  let index = items.length
  items.push(item)
  while (index > 0) {
    const up = (index - 1) >> 1
    const parent = items[up]
    const parentTime = times[up] ?? 0
    if (parent === undefined || parentTime <= time) break
    times[index] = parentTime
    items[index] = parent
    index = up
  }
  times[index] = time
  items[index] = item
}

function grow(timers: Timers<unknown>): void {
  const { times } = timers
  timers.times = endless(2 * times.length)
  timers.times.set(times)
}

/** The item of the earliest. */
export const firstTimer = <T>({ items }: Timers<T>): T | undefined => items[0]

/** Removes the earliest: the last takes its place and sinks to where it belongs. */
export function takeTimer<T>(timers: Timers<T>): void {
  const { times, items } = timers
  const item = items.pop()
  const last = items.length
  const time = times[last] ?? 0
  times[last] = Number.POSITIVE_INFINITY
  if (item !== undefined && last > 0) putFirst(timers, time, item)
}

/** Puts one in the place of the earliest: half of what it takes to remove that and add this. */
export function putFirst<T>({ times, items }: Timers<T>, time: number, item: T): void {
  let index = 0
  for (;;) {
    let down = 2 * index + 1
    let earliest = times[down] ?? Number.POSITIVE_INFINITY
    const right = times[down + 1] ?? Number.POSITIVE_INFINITY
    if (right < earliest) {
      earliest = right
      down++
    }
    const child = items[down]
    if (child === undefined || earliest >= time) break
    times[index] = earliest
    items[index] = child
    index = down
  }
  times[index] = time
  items[index] = item
}
