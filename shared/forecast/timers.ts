/** What is to happen, by time: a binary heap in two arrays, for it is asked a million times. */
export type Timers<T> = { readonly times: number[]; readonly items: T[] }

export const createTimers = <T>(): Timers<T> => ({ times: [], items: [] })

export const nextTimer = ({ times }: Timers<unknown>) => times[0] ?? Number.POSITIVE_INFINITY

export function addTimer<T>({ times, items }: Timers<T>, time: number, item: T): void {
  let index = times.length
  times.push(time)
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

/** Removes the earliest: the last takes its place and sinks to where it belongs. */
export function takeTimer<T>({ times, items }: Timers<T>): T | undefined {
  const first = items[0]
  const time = times.pop()
  const item = items.pop()
  if (time === undefined || item === undefined || times.length === 0) return first
  let index = 0
  for (;;) {
    let down = 2 * index + 1
    if (down + 1 < times.length && (times[down + 1] ?? 0) < (times[down] ?? 0)) down++
    const child = items[down]
    const childTime = times[down] ?? 0
    if (child === undefined || childTime >= time) break
    times[index] = childTime
    items[index] = child
    index = down
  }
  times[index] = time
  items[index] = item
  return first
}
