import type { Finding, Severity } from './finding.ts'

/** Findings for a person: by what they are about, the worst first, each with its fix on a line. */

const order: readonly Severity[] = ['error', 'warning', 'unknown', 'ok']

// Where a terminal's lines end at the latest.
const columns = 100

export function describeFindings(findings: readonly Finding[], show: 'all' | 'not ok'): string {
  const shown = findings.filter(({ severity }) => show === 'all' || severity !== 'ok')
  const width = Math.max(0, ...shown.map(({ check }) => check.length))
  const blocks = [...Map.groupBy(shown, ({ subject }) => subject)].map(([subject, own]) => {
    const sorted = own.toSorted((a, b) => order.indexOf(a.severity) - order.indexOf(b.severity))
    return [subject, ...sorted.flatMap((finding) => linesOf(finding, width))].join('\n')
  })
  return [...blocks, summaryOf(findings, show)].join('\n\n')
}

const severityWidth = Math.max(...order.map((severity) => severity.length))

function linesOf({ severity, check, found, reason, fix }: Finding, width: number): string[] {
  const head = `  ${severity.padEnd(severityWidth)}  ${check.padEnd(width)}  `
  const indent = ' '.repeat(severityWidth + 4)
  const [first = '', ...more] = wrap(found, columns - head.length)
  return [
    head + first,
    ...more.map((line) => ' '.repeat(head.length) + line),
    ...wrap(reason, columns - indent.length).map((line) => indent + line),
    // Whole, so that a command can be copied.
    ...(fix === '' ? [] : [`${indent}Fix: ${fix}`]),
  ]
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ').filter(Boolean)) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line)
      line = ''
    }
    line = line === '' ? word : `${line} ${word}`
  }
  return line === '' ? lines : [...lines, line]
}

function summaryOf(findings: readonly Finding[], show: 'all' | 'not ok'): string {
  const count = (severity: Severity) => findings.filter((one) => one.severity === severity).length
  const plural = (number: number, word: string) => `${number} ${word}${number === 1 ? '' : 's'}`
  const parts = [
    plural(count('error'), 'error'),
    plural(count('warning'), 'warning'),
    `${count('unknown')} unknown`,
    `${count('ok')} ok${show === 'all' ? '' : ' (--verbose shows them)'}`,
  ]
  return `${parts.join(', ')}.`
}
