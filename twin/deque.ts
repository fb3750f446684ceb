/** A first-in, first-out queue with constant-time ends: an array whose head moves. */
export type Deque<T> = { items: T[]; head: number }

export const createDeque = <T>(): Deque<T> => ({ items: [], head: 0 })

export const first = <T>(deque: Deque<T>): T | undefined => deque.items[deque.head]

export const add = <T>(deque: Deque<T>, item: T): void => {
  deque.items.push(item)
}

export function take<T>(deque: Deque<T>): T | undefined {
  const item = deque.items[deque.head]
  if (item === undefined) return undefined
  deque.head++
  // Give memory back once half the array has been read; each item is copied once on average.
  if (deque.head > 1_000 && deque.head * 2 > deque.items.length) {
    deque.items = deque.items.slice(deque.head)
    deque.head = 0
  }
  return item
}
