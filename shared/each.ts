import pLimit from 'p-limit'

/**
 * How many AWS calls a sweep has under way at once. At 20 ms a call, 64 is 3,000 calls a second,
 * which sweeps a thousand queues well within the minute; more would only wait for the CPU.
 */
export const concurrencyMax = 64

/** What came of one item: its value, or the error that was its alone. */
export type Outcome<T, R> =
  | { readonly item: T; readonly value: R }
  | { readonly item: T; readonly error: unknown }

/**
 * Does the work for every item, a bounded number at a time and each on its own: an error is that
 * item's outcome and stops nobody else. Resolves, in order, when all have ended.
 */
export async function each<T, R>(
  items: readonly T[],
  work: (item: T) => Promise<R>,
  concurrency = concurrencyMax,
): Promise<Outcome<T, R>[]> {
  // Most are few: a limiter that has nothing to limit would cost more than what it runs.
  const limit = items.length > concurrency ? pLimit(concurrency) : null
  const run = async (item: T) => (limit ? limit(work, item) : work(item))
  const settled = await Promise.allSettled(items.map(run))
  return items.map((item, index) => {
    const result = settled[index]
    if (result?.status === 'fulfilled') return { item, value: result.value }
    return { item, error: result?.reason }
  })
}

/** The list in parts of that size. */
export const chunks = <T>(list: readonly T[], size: number): T[][] =>
  Array.from({ length: Math.ceil(list.length / size) }, (_, index) =>
    list.slice(index * size, (index + 1) * size),
  )
