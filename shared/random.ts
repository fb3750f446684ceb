/** Draws from one named stream of a seed. */
export type Random = {
  /** Uniform in [0, 1). */
  next(): number
  /** Uniform in [from, to). */
  between(from: number, to: number): number
  /** A whole number, uniform in [0, below). */
  int(below: number): number
  chance(probability: number): boolean
  exponential(mean: number): number
  /** By its mean and its coefficient of variation (standard deviation / mean). */
  logNormal(mean: number, cv: number): number
  poisson(mean: number): number
  /** How many of so many come up, each with that probability. */
  binomial(of: number, probability: number): number
}

/**
 * A generator for one purpose. Streams of one seed are independent, so that what is drawn for one
 * purpose (how a policy's instances boot) never shifts another (which tasks arrive): two policies
 * under one seed meet the very same tasks.
 */
export function random(seed: number, stream: string): Random {
  const next = sfc32(seed, stream)
  const normal = () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next())
  return {
    next,
    between: (from, to) => from + (to - from) * next(),
    int: (below) => Math.floor(next() * below),
    chance: (probability) => next() < probability,
    exponential: (mean) => -mean * Math.log(1 - next()),
    logNormal(mean, cv) {
      const variance = Math.log(1 + cv * cv)
      return Math.exp(Math.log(mean) - variance / 2 + Math.sqrt(variance) * normal())
    },
    poisson: (mean) => (mean < 30 ? smallPoisson(mean, next) : largePoisson(mean, normal)),
    binomial: (of, probability) =>
      probability > 0.5
        ? of - binomial(of, 1 - probability, { next, normal })
        : binomial(of, probability, { next, normal }),
  }
}

/** Knuth's product of uniforms: exact, and quick for small means. */
function smallPoisson(mean: number, next: () => number): number {
  const limit = Math.exp(-mean)
  let count = 0
  for (let product = next(); product > limit; product *= next()) count++
  return count
}

/** The normal approximation: at a mean of 30 and more its error is far below the noise. */
const largePoisson = (mean: number, normal: () => number) =>
  Math.max(0, Math.round(mean + Math.sqrt(mean) * normal()))

type Draws = { readonly next: () => number; readonly normal: () => number }

/** By the gaps between successes where they are few: exact; the normal approximation elsewhere. */
function binomial(of: number, probability: number, { next, normal }: Draws): number {
  const mean = of * probability
  if (mean >= 30) {
    const spread = Math.sqrt(mean * (1 - probability)) * normal()
    return Math.min(of, Math.max(0, Math.round(mean + spread)))
  }
  if (probability <= 0) return 0
  const failure = Math.log1p(-probability)
  let count = 0
  for (let at = gap(next, failure); at <= of; at += gap(next, failure)) count++
  return count
}

/** Trials up to and including the next success. */
const gap = (next: () => number, failure: number) => Math.floor(Math.log(1 - next()) / failure) + 1

/** Small Fast Counting generator, 32 bits: passes PractRand and costs a few nanoseconds. */
function sfc32(seed: number, stream: string): () => number {
  let a = seed | 0
  let b = 0x9e3779b9
  let c = 0x243f6a88
  for (let i = 0; i < stream.length; i++) {
    b = Math.imul(b ^ stream.charCodeAt(i), 0x85ebca6b)
    c = (c ^ (b >>> 13)) + Math.imul(a, 0xc2b2ae35)
  }
  let counter = 1
  const next = () => {
    const sum = (a + b + counter++) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = ((c << 21) | (c >>> 11)) + sum
    return (sum >>> 0) / 4294967296
  }
  // The state mixes over the first dozen rounds; before that, similar seeds look alike.
  for (let i = 0; i < 16; i++) next()
  return next
}
