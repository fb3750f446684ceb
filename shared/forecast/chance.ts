/** Chance for a rehearsal: the same seed gives the same days, so that a run can be repeated. */
export type Chance = () => number

/** Marsaglia's xorshift, 32 bits: good enough to place tasks within their minutes. */
export function chance(seed: number): Chance {
  let state = (seed ^ 0x9e3779b9) | 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 4_294_967_296
  }
}

export const normal = (next: Chance) =>
  Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next())

/** By its mean and its squared coefficient of variation. */
export function logNormal(next: Chance, mean: number, cv2: number): number {
  const variance = Math.log(1 + cv2)
  return mean * Math.exp(Math.sqrt(variance) * normal(next) - variance / 2)
}

export function poisson(next: Chance, mean: number): number {
  if (mean > 30) return Math.max(0, Math.round(mean + Math.sqrt(mean) * normal(next)))
  const limit = Math.exp(-mean)
  let count = 0
  for (let product = next(); product > limit; product *= next()) count++
  return count
}
