/**
 * What CloudWatch has of a queue and its group by the minute, as CSV: a header that names the
 * columns, and a line a minute. What is wrong with a file is said with its line and a remedy.
 */

export const columns = [
  ...(['visible', 'notVisible', 'delayed', 'age', 'sent', 'received', 'deleted'] as const),
  ...(['deadLetters', 'desired', 'inService', 'max'] as const),
  // What no metric has: tasks that an instance runs at a time, and the visibility timeout, seconds.
  ...(['slots', 'visibility'] as const),
] as const
export type Column = (typeof columns)[number]

const required: readonly Column[] = ['visible', 'notVisible']

/** Whole minutes from a moment on, epoch seconds; no number where CloudWatch has none. */
export type Recorded = {
  readonly from: number
  readonly minutes: number
  readonly values: Readonly<Record<Column, Float64Array>>
}

// Ten years: a time beyond is a typing error, and would fill the memory.
const minutesMost = 5_300_000

const wrong = (file: string, line: number | null, what: string) =>
  new Error(line === null ? `${file} ${what}` : `${file}:${line}: ${what}`)

/** Throws an error that names the file, the line and the remedy. */
export function readRecorded(text: string, file: string): Recorded {
  const lines = text.replace(/^\ufeff/, '').split(/\r?\n/)
  while (lines.at(-1)?.trim() === '') lines.pop()
  const names = headerOf(lines[0], file)
  const rows = lines.slice(1).map((line, index) => rowOf(line, names, file, index + 2))
  const [first, last] = [rows[0], rows.at(-1)]
  if (!first || !last) throw wrong(file, null, 'has no minutes; write one on each line')
  checkOrder(rows, file)
  const minutes = (last.at - first.at) / 60 + 1
  if (minutes > minutesMost) throw wrong(file, rows.length + 1, 'is more than ten years on')
  const none = () => new Float64Array(minutes).fill(Number.NaN)
  const values = byColumn(none)
  for (const { at, cells } of rows) {
    for (const [name, value] of cells) values[name][(at - first.at) / 60] = value
  }
  return { from: first.at, minutes, values }
}

/** Something of each column. */
export const byColumn = <T>(of: (name: Column) => T): Readonly<Record<Column, T>> => ({
  ...{ visible: of('visible'), notVisible: of('notVisible'), delayed: of('delayed') },
  ...{ age: of('age'), sent: of('sent'), received: of('received'), deleted: of('deleted') },
  ...{ deadLetters: of('deadLetters'), desired: of('desired') },
  ...{ inService: of('inService'), max: of('max') },
  ...{ slots: of('slots'), visibility: of('visibility') },
})

const known = `time,${columns.join(',')}`

function headerOf(line: string | undefined, file: string): (Column | 'time')[] {
  if (line === undefined) throw wrong(file, null, `is empty; begin it with a line such as ${known}`)
  const names = line.split(',').map((name) => name.trim())
  const found = names.map((name) => {
    const column = name === 'time' ? name : columns.find((one) => one === name)
    if (column) return column
    throw wrong(file, 1, `there is no column '${name}'; there are ${known}`)
  })
  for (const name of ['time', ...required] as const) {
    if (!found.includes(name)) throw wrong(file, 1, `the column '${name}' is missing; add it`)
  }
  const twice = found.find((name, index) => found.indexOf(name) < index)
  if (twice) throw wrong(file, 1, `the column '${twice}' is there twice; remove one`)
  return found
}

type Row = { readonly at: number; readonly line: number; readonly cells: [Column, number][] }

function rowOf(text: string, names: (Column | 'time')[], file: string, line: number): Row {
  const cells = text.split(',').map((cell) => cell.trim())
  if (cells.length !== names.length) {
    throw wrong(file, line, `has ${cells.length} columns; the header has ${names.length}`)
  }
  const at = timeOf(cells[names.indexOf('time')] ?? '')
  if (at === null) {
    const remedy = 'write whole minutes, as 2026-11-26T09:00:00Z or in seconds since 1970'
    throw wrong(file, line, `the time '${cells[names.indexOf('time')]}' does not fit; ${remedy}`)
  }
  const numbers = names.flatMap((name, index): [Column, number][] => {
    const cell = cells[index] ?? ''
    if (name === 'time' || cell === '') return []
    const value = Number(cell)
    if (value >= 0 && Number.isFinite(value)) return [[name, value]]
    throw wrong(file, line, `${name} '${cell}' does not fit; write a number, 0 or more, or nothing`)
  })
  return { at, line, cells: numbers }
}

function timeOf(text: string): number | null {
  const seconds = /^\d{9,11}$/.test(text)
    ? Number(text)
    : /^\d{4}-\d\d-\d\dT\d\d:\d\d(:00(\.0+)?)?Z$/.test(text)
      ? Date.parse(text) / 1_000
      : Number.NaN
  return seconds % 60 === 0 ? seconds : null
}

function checkOrder(rows: readonly Row[], file: string): void {
  rows.forEach(({ at, line }, index) => {
    const before = rows[index - 1]?.at ?? 0
    if (at === before) throw wrong(file, line, 'this minute is there twice; leave one out')
    if (at < before) throw wrong(file, line, 'comes after a later minute; sort the lines by time')
  })
}

/** The CSV of what was read. */
export function csvOf({ from, minutes, values }: Recorded): string {
  const lines = Array.from({ length: minutes }, (_, minute) => {
    const time = new Date((from + minute * 60) * 1_000).toISOString().replace('.000Z', 'Z')
    const cells = columns.map((name) => {
      const value = values[name][minute] ?? Number.NaN
      return Number.isNaN(value) ? '' : String(Math.round(value * 100) / 100)
    })
    return [time, ...cells].join(',')
  })
  return `${[known, ...lines].join('\n')}\n`
}
