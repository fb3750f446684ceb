import Table from 'cli-table3'

const none = Object.fromEntries(
  ['top', 'bottom', 'left', 'right', 'mid'].flatMap((edge) => [
    [edge, ''],
    [`${edge}-mid`, ''],
    [`${edge}-left`, ''],
    [`${edge}-right`, ''],
  ]),
)

/** Columns under their names, words to the left and numbers to the right, no rules, no colours. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const words = (column: number) => rows.every((row) => !/^[\d−-]/.test(row[column] ?? ''))
  const drawn = new Table({
    head: [...head],
    chars: { ...none, middle: '  ' },
    style: { 'padding-left': 0, 'padding-right': 0, head: [], border: [], compact: true },
    colAligns: head.map((_, column) => (column === 0 || words(column) ? 'left' : 'right')),
  })
  drawn.push(...rows.map((row) => [...row]))
  // The last column's padding is not worth a terminal's line break.
  return drawn.toString().replace(/ +$/gm, '')
}

const grouped = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 })
const oneDigit = new Intl.NumberFormat('en-US', { maximumFractionDigits: 1 })

export const whole = (value: number) => grouped.format(value)
export const short = (value: number) => oneDigit.format(value)

/** Down, never up, so that 99.99 % is not shown as everything. */
export const percent = (share: number) => `${(Math.floor(share * 10_000) / 100).toFixed(2)} %`

/** Seconds as people say them. */
export function seconds(value: number): string {
  if (value < 120) return `${short(value)} s`
  if (value < 7_200) return `${short(value / 60)} min`
  return `${short(value / 3_600)} h`
}
