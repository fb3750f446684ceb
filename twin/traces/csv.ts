/**
 * Recorded traffic as CSV: `minute,arrivals`, or `second,arrivals` at a step of its own, and
 * `seconds` for how long tasks ran. What is wrong with a file is said with its line and a remedy.
 */

export type Trace = {
  readonly file: string
  readonly stepSeconds: number
  /** Arrivals of each step, from the first on; a step that the file leaves out has none. */
  readonly counts: Float64Array
}

// Ten years of minutes: an index beyond is a date or a typing error, and would fill the memory.
const stepsMax = 5_300_000

const units = { minute: 60, second: 1 } as const
const headers = "'minute,arrivals' or 'second,arrivals'"

type Row = { readonly line: number; readonly index: number; readonly arrivals: number }

/** The arrivals in a file's text. Throws an error that names the file, the line and the remedy. */
export function readArrivals(text: string, file: string): Trace {
  const lines = linesOf(text)
  const header = lines[0]?.trim() ?? ''
  const [unit, name, ...more] = header.split(',')
  if (lines.length === 0) throw wrong(file, null, `is empty; begin it with the line ${headers}`)
  if ((unit !== 'minute' && unit !== 'second') || name !== 'arrivals' || more.length > 0) {
    throw wrong(file, 1, `the header is '${header}'; write ${headers}`)
  }
  if (lines.length === 1) throw wrong(file, null, 'has no arrivals; write one line for each step')
  const rows = lines.slice(1).map((line, at) => rowOf(file, line, at + 2, unit))
  checkOrder(file, rows, unit)
  // Minutes are minutes, whatever is left out; the step in seconds is the source's own.
  const step = unit === 'minute' ? 1 : usualStep(file, rows)
  const counts = new Float64Array((rows.at(-1)?.index ?? 0) / step + 1)
  for (const { index, arrivals, line } of rows) {
    if (index % step !== 0) {
      const remedy = 'use one step throughout, from second 0 on'
      throw wrong(file, line, `second ${index} is no multiple of the step, ${step} s; ${remedy}`)
    }
    counts[index / step] = arrivals
  }
  return { file, stepSeconds: step * units[unit], counts }
}

function rowOf(file: string, text: string, line: number, unit: keyof typeof units): Row {
  const [first = '', second, ...more] = text.split(',')
  if (second === undefined || more.length > 0) {
    throw wrong(file, line, `'${text}' has not two columns; write ${unit} and arrivals`)
  }
  const index = wholeNumber(first)
  const arrivals = wholeNumber(second)
  if (index === null) {
    throw wrong(file, line, `${unit} '${first}' does not fit; write a whole number, 0 or more`)
  }
  if (arrivals === null) {
    throw wrong(file, line, `'${second}' arrivals do not fit; write a whole number, 0 or more`)
  }
  if (index > stepsMax * (unit === 'minute' ? 1 : 60)) {
    const remedy = `count the ${unit}s from the start of the file`
    throw wrong(file, line, `${unit} ${index} is more than ten years on; ${remedy}`)
  }
  return { line, index, arrivals }
}

function checkOrder(file: string, rows: readonly Row[], unit: keyof typeof units): void {
  let before = -1
  for (const { index, line } of rows) {
    if (index === before) {
      const remedy = 'add its arrivals up in one line'
      throw wrong(file, line, `${unit} ${index} is there twice; ${remedy}`)
    }
    if (index < before) {
      const remedy = 'sort the lines by their first column'
      throw wrong(file, line, `${unit} ${index} comes after ${unit} ${before}; ${remedy}`)
    }
    before = index
  }
}

/** The commonest distance of two lines: gaps are longer, and none of them is the rule. */
function usualStep(file: string, rows: readonly Row[]): number {
  const seen = new Map<number, number>()
  rows.forEach(({ index }, at) => {
    const before = rows[at - 1]
    if (before) seen.set(index - before.index, (seen.get(index - before.index) ?? 0) + 1)
  })
  const [commonest] = [...seen].sort(([a, times], [b, others]) => others - times || a - b)
  if (commonest) return commonest[0]
  throw wrong(file, 2, 'one line has no step; write at least two, or minutes instead of seconds')
}

/** How long tasks run: recorded times to draw from, or an exponential law by its mean. */
export type Durations =
  | { readonly kind: 'recorded'; readonly seconds: Float64Array }
  | { readonly kind: 'exponential'; readonly meanSeconds: number }

/** The durations in a file's text; throws as `readArrivals` does. */
export function readDurations(text: string, file: string): Durations {
  const lines = linesOf(text)
  if (lines.length === 0) throw wrong(file, null, "is empty; begin it with the line 'seconds'")
  if (lines[0]?.trim() !== 'seconds') {
    throw wrong(file, 1, `the header is '${lines[0]?.trim()}'; write 'seconds'`)
  }
  if (lines.length === 1) throw wrong(file, null, 'has no durations; write one on each line')
  const seconds = lines.slice(1).map((text, at) => {
    const value = Number(text.trim() || Number.NaN)
    if (value > 0 && Number.isFinite(value)) return value
    throw wrong(file, at + 2, `'${text.trim()}' seconds do not fit; write a number above 0`)
  })
  return { kind: 'recorded', seconds: Float64Array.from(seconds) }
}

/** `exp:SECONDS`, an exponential law by its mean; null where the text is not of that form. */
export function exponentialOf(text: string): Durations | null {
  if (!text.startsWith('exp:')) return null
  const meanSeconds = Number(text.slice('exp:'.length) || Number.NaN)
  if (meanSeconds > 0 && Number.isFinite(meanSeconds)) return { kind: 'exponential', meanSeconds }
  throw new Error(`'${text}' does not fit; write exp: and the mean in seconds, such as exp:20`)
}

/** Lines without their ends; those that are blank at the end of the file are none. */
function linesOf(text: string): string[] {
  const bare = text.replace(/^\u{FEFF}/u, '').trimEnd()
  return bare === '' ? [] : bare.split(/\r?\n/)
}

const wholeNumber = (text: string) => (/^\s*\d{1,15}\s*$/.test(text) ? Number(text) : null)

const wrong = (file: string, line: number | null, problem: string) =>
  new Error(line === null ? `${file} ${problem}` : `${file}:${line}: ${problem}`)
