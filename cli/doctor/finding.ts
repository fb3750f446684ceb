/** What the doctor says: data, so that a table, JSON and an exit code come from the same thing. */

/** `error`: tasks are lost or a drain cannot work. `warning`: late or costly. */
export type Severity = 'error' | 'warning' | 'unknown' | 'ok'

export type Finding = {
  /** What was looked at, the same word for every subject: `kill-mode`. */
  readonly check: string
  /** Where: `unit celery.service`. */
  readonly subject: string
  readonly severity: Severity
  /** What is there; for `unknown`, why that cannot be told. */
  readonly found: string
  /** What follows from it; empty where nothing does. */
  readonly reason: string
  /** What to do; empty where there is nothing to do. */
  readonly fix: string
}

/** Findings about one thing, each with what follows from it and what to do. */
export const about = (check: string, subject: string) => {
  const say = (severity: Severity) => (found: string, reason: string, fix: string) => ({
    ...{ check, subject, severity, found, reason, fix },
  })
  return {
    error: say('error'),
    warning: say('warning'),
    unknown: (why: string, fix = '') => say('unknown')(why, '', fix),
    ok: (found: string, reason = '') => say('ok')(found, reason, ''),
  }
}
export type About = ReturnType<typeof about>

/** 0: nothing worse than unknown; 1: warnings; 2: errors. 3, could not run, is the caller's. */
export function exitCodeOf(findings: readonly Finding[]): 0 | 1 | 2 {
  const has = (severity: Severity) => findings.some((finding) => finding.severity === severity)
  if (has('error')) return 2
  return has('warning') ? 1 : 0
}

/** Below 0 where `a` is older; by numbers, and what follows them (`rc1`) is left out. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [numbersOf(a), numbersOf(b)]
  for (let part = 0; part < Math.max(left.length, right.length); part++) {
    const difference = (left[part] ?? 0) - (right[part] ?? 0)
    if (difference !== 0) return difference
  }
  return 0
}

const numbersOf = (version: string) =>
  (/^\d+(\.\d+)*/.exec(version)?.[0] ?? '0').split('.').map(Number)

// More of an error's text is a stack, and no reader's line.
const textLengthMax = 300

/** The text of an error or a command as it may be shown: broker URLs may hold a password. */
export const withoutSecrets = (text: string) =>
  text.replace(/\/\/[^\s/@]*@/g, '//...@').slice(0, textLengthMax)
