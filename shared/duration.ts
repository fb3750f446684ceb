/** A length of time as people write it: a positive number and a unit, `'90s'`, `'3m'`, `'2h'`. */
export type Duration = `${number}${'s' | 'm' | 'h'}`

const secondsPerUnit = { s: 1, m: 60, h: 3600 }

/** Seconds in a duration, or null when the text is not one. Zero and negatives are none. */
export function parseDuration(text: unknown): number | null {
  const match = typeof text === 'string' ? /^(\d+(?:\.\d+)?)([smh])$/.exec(text) : null
  if (!match) return null
  const unit = match[2] === 'h' ? 'h' : match[2] === 'm' ? 'm' : 's'
  const seconds = Number(match[1]) * secondsPerUnit[unit]
  return seconds > 0 ? seconds : null
}
