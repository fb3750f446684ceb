/**
 * The cheapest setting of a peer that keeps the promise. One parameter slides, from the safest to
 * the cheapest; what else there is to set is tried in variants and then one at a time. What cannot
 * win any more is not run to its end.
 */

export type Knobs = Readonly<Record<string, number>>

export type Space = {
  /** How many places the slide has: 0 is the safest, the last one the cheapest. */
  readonly places: number
  /** Each is searched from one end of the slide to the other. */
  readonly variants: readonly Knobs[]
  /** Tried from the best variant on, one knob at a time. */
  readonly minor: Readonly<Record<string, readonly number[]>>
}

export type Trial = { readonly place: number; readonly knobs: Knobs }

export type Outcome =
  /** Given up: more tasks are late than may be, or it costs as much as the best already. */
  | { readonly end: 'late' | 'dear' }
  | { readonly end: 'whole'; readonly within: number; readonly hours: number }

export type Found = Trial & { readonly within: number; readonly hours: number }

export const nameOf = ({ place, knobs }: Trial) =>
  JSON.stringify([place, Object.entries(knobs).sort()])

type Limits = {
  /** The share that must be in time. */
  readonly keep: number
  /** Runs a setting, which may give up at so many hours. */
  readonly run: (trial: Trial, hoursMax: number) => Outcome
  /** Where the best variant is dearer than this, what else there is to set is not tried. */
  readonly refineHoursMax?: number
}

// How many places are looked at first, from end to end; what lies between two of them is halved.
const coarse = 6
// Changing one knob may make another worth its while; a third time it hardly ever was.
const passes = 2

/** Every setting that was run to its end, the cheapest first, and whether or not it keeps. */
export function search(space: Space, limits: Limits): readonly Found[] {
  const { keep, run, refineHoursMax = Number.POSITIVE_INFINITY } = limits
  const seen = new Map<string, Outcome>()
  const whole: Found[] = []
  let best: Found | null = null
  /** Whether something cheaper may be tried: this one is in time, or dearer than the best. */
  const isSafe = (trial: Trial): boolean => {
    const name = nameOf(trial)
    const before = seen.get(name)
    const outcome = before ?? run(trial, best?.hours ?? Number.POSITIVE_INFINITY)
    seen.set(name, outcome)
    if (outcome.end !== 'whole') return outcome.end === 'dear'
    const found = { ...trial, within: outcome.within, hours: outcome.hours }
    if (!before) whole.push(found)
    if (found.within < keep) return false
    if (best === null || found.hours < best.hours) best = found
    return true
  }
  const bestOf = () => best as Found | null
  for (const knobs of space.variants) descend(space.places, (place) => isSafe({ place, knobs }))
  for (let pass = 0; pass < passes; pass++) {
    const before = bestOf()
    if (before && before.hours > refineHoursMax) break
    for (const [knob, values] of Object.entries(space.minor)) {
      for (const value of values) {
        const from: Trial = bestOf() ?? { place: 0, knobs: space.variants[0] ?? {} }
        const knobs = { ...from.knobs, [knob]: value }
        gallop(space.places, from.place, (place) => isSafe({ place, knobs }))
      }
    }
    if (bestOf() === before) break
  }
  return whole.sort((a, b) => a.hours - b.hours)
}

type IsSafe = (place: number) => boolean

/** From the cheap end: most of what is there gives up soon. */
function descend(places: number, isSafe: IsSafe): void {
  let late = places
  const step = Math.ceil(places / coarse)
  let place = places - 1
  while (!isSafe(place)) {
    if (place === 0) return
    late = place
    place = Math.max(0, place - step)
  }
  halve(place, late, isSafe)
}

/** From a place that was good with other knobs: a step, two, four, either way. */
function gallop(places: number, from: number, isSafe: IsSafe): void {
  const cheaper = isSafe(from)
  let [safe, late] = cheaper ? [from, places] : [-1, from]
  for (let step = 1; ; step *= 2) {
    const place = cheaper ? safe + step : late - step
    if (place < 0 || place >= places) break
    if (isSafe(place)) safe = place
    else late = place
    if (cheaper !== (safe === place)) break
  }
  if (!cheaper && safe < 0) {
    if (late === 0 || !isSafe(0)) return
    safe = 0
  }
  halve(safe, late, isSafe)
}

/** Between one that is safe and one that is late. */
function halve(safe: number, late: number, isSafe: IsSafe): void {
  if (late - safe <= 1) return
  const middle = Math.floor((safe + late) / 2)
  if (isSafe(middle)) halve(middle, late, isSafe)
  else halve(safe, middle, isSafe)
}
