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

/** Seconds as people say them, in the two largest of its units: `4 min 20 s`, `2 h 5 min`. */
export function inWords(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds))
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60]
  const part = (value: number, unit: string) => (value === 0 ? [] : [`${value} ${unit}`])
  if (hours > 0) return [`${hours} h`, ...part(minutes, 'min')].join(' ')
  if (minutes > 0) return [`${minutes} min`, ...part(rest, 's')].join(' ')
  return `${whole} s`
}
