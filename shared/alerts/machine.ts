/**
 * The state of one rule of one queue: ok -> pending -> firing -> recovering -> ok, from a number a
 * minute. Pure; seconds since the epoch.
 */

export const missingModes = ['missing', 'ignore', 'breaching', 'notBreaching', 'idle'] as const
/**
 * What a minute without a number counts as: CloudWatch's four modes, and `idle`, which is `missing`
 * but for queues that are known to be empty.
 */
export type Missing = (typeof missingModes)[number]

/** When a number is bad, and when it is good again. */
export type Condition = {
  /** Which side of the threshold is bad; the threshold itself is not. */
  readonly bad: 'above' | 'below'
  readonly threshold: number
  /** As good as that or better, what fires begins to recover; in between it goes on. */
  readonly recovery: number
  /** So many of the last `looks` numbers are bad: CloudWatch's M of N. */
  readonly breaching: number
  readonly looks: number
  /** For how long that must be so before it fires, and its opposite before it is over. */
  readonly forSeconds: number
  readonly recoverSeconds: number
  readonly missing: Missing
}

/** A number of a moment; null: there should be one, and is none. */
export type Sample = {
  readonly at: number
  readonly value: number | null
  /** Without a number because nobody has touched the queue for hours: it is empty. */
  readonly idle?: true | undefined
}

export const statuses = ['ok', 'pending', 'firing', 'recovering'] as const

export type AlertState = {
  readonly status: (typeof statuses)[number]
  /** Since when it has that status. */
  readonly since: number
  /** Since when it has been bad, while it fires or recovers. */
  readonly firingSince: number | null
  /** The worst since then, or since it is pending. */
  readonly peak: number | null
  /** The newest that there was. */
  readonly value: number | null
  /** The last samples, the oldest first: what the next is judged with. */
  readonly recent: readonly Sample[]
  /** Whether there are too few numbers to say anything; the status is then what it was. */
  readonly unknown: boolean
}

/** Why a sample was not taken, or not taken for what it said. */
export const refusals = [
  /** From more than two minutes ahead: a clock is wrong. */
  'ahead',
  /** Not newer than the last one: it came twice, or too late. */
  'old',
  /** No number that can be: it counts as missing. */
  'absurd',
] as const
export type Refused = Partial<Record<(typeof refusals)[number], number>>

// Clocks of AWS agree to less than a second; a minute is rounded up or down.
const aheadSeconds = 120
// CloudWatch looks at a few more points than it judges by, so that gaps can be made up for: its
// published tables have two more.
const moreLooks = 2
// What was pending before a pause of that length says nothing of what goes on after it.
const pauseSeconds = 1_800

const atFirst = (at: number): AlertState => ({
  ...{ status: 'ok', since: at, firingSince: null, peak: null, value: null },
  ...{ recent: [], unknown: true },
})

/** The state after these samples, whatever their order, and how many of them were refused. */
export function advance(
  condition: Condition,
  samples: readonly Sample[],
  previous: AlertState | null,
  now: number,
): { readonly state: AlertState; readonly refused: Refused } {
  const refused: Refused = {}
  const refuse = (why: keyof Refused, count = 1) => {
    if (count > 0) refused[why] = (refused[why] ?? 0) + count
  }
  // This leaves out NaN as well, which would bring the others out of order.
  const timely = samples.filter(({ at }) => at <= now + aheadSeconds)
  refuse('ahead', samples.length - timely.length)
  let state = previous ?? atFirst(now)
  for (const sample of timely.sort(inOrder(condition))) {
    const last = state.recent.at(-1)?.at ?? Number.NEGATIVE_INFINITY
    if (sample.at <= last) {
      refuse('old')
      continue
    }
    if (isAbsurd(sample)) refuse('absurd')
    state = step(condition, isAbsurd(sample) ? { at: sample.at, value: null } : sample, state)
  }
  return { state, refused }
}

const isAbsurd = ({ value }: Sample) => value !== null && !(Number.isFinite(value) && value >= 0)

/** By time; of several of one time the worst is taken, and a number rather than none. */
const inOrder =
  ({ bad }: Condition) =>
  (a: Sample, b: Sample) =>
    a.at - b.at ||
    vagueness(a) - vagueness(b) ||
    (bad === 'above' ? 1 : -1) * ((b.value ?? 0) - (a.value ?? 0))

const vagueness = (sample: Sample) => {
  if (isAbsurd(sample)) return 3
  if (sample.value !== null) return 0
  return sample.idle ? 1 : 2
}

/** One sample more. */
function step(condition: Condition, sample: Sample, before: AlertState): AlertState {
  const last = before.recent.at(-1)
  const isPause = last !== undefined && sample.at - last.at > pauseSeconds
  const kept = isPause ? [] : before.recent
  const recent = [...kept, sample].slice(-(condition.looks + moreLooks))
  const from: AlertState =
    isPause && before.status === 'pending'
      ? { ...before, status: 'ok', since: sample.at, peak: null }
      : before
  const verdict = verdictOf(condition, recent)
  const next = {
    ...from,
    recent,
    value: sample.value ?? from.value,
    unknown: verdict === 'unknown',
  }
  if (verdict === 'unknown') return next
  return transit(condition, sample, next, verdict)
}

function transit(
  condition: Condition,
  sample: Sample,
  state: AlertState,
  verdict: 'breaching' | 'good',
): AlertState {
  const { at } = sample
  const to = (status: AlertState['status'], more: Partial<AlertState> = {}): AlertState => ({
    ...{ ...state, status, since: at, ...more },
  })
  const peak = worse(condition, state.peak, sample.value)
  const isBad = verdict === 'breaching'
  if (state.status === 'ok') {
    return isBad ? fireIfDue(condition, at, to('pending', { peak })) : state
  }
  if (state.status === 'pending') {
    if (!isBad) return to('ok', { peak: null })
    return fireIfDue(condition, at, { ...state, peak })
  }
  if (state.status === 'firing') {
    if (isBad || !hasRecovered(condition, state.recent)) return { ...state, peak }
    return endIfDue(condition, at, to('recovering'))
  }
  // The same alert goes on: whoever was told of it need not be told again.
  if (isBad) return to('firing', { peak })
  if (!hasRecovered(condition, state.recent)) return to('firing')
  return endIfDue(condition, at, state)
}

const fireIfDue = (condition: Condition, at: number, state: AlertState): AlertState =>
  at - state.since < condition.forSeconds
    ? state
    : { ...state, status: 'firing', since: at, firingSince: state.since }

const endIfDue = (condition: Condition, at: number, state: AlertState): AlertState =>
  at - state.since < condition.recoverSeconds
    ? state
    : { ...state, status: 'ok', since: at, firingSince: null, peak: null }

const worse = ({ bad }: Condition, a: number | null, b: number | null) => {
  if (a === null || b === null) return a ?? b
  return bad === 'above' ? Math.max(a, b) : Math.min(a, b)
}

const isBeyond = ({ bad, threshold }: Condition, value: number) =>
  bad === 'above' ? value > threshold : value < threshold

/** Whether a sample without a number counts as a good one. */
const isGoodWithout = ({ missing }: Condition, { idle }: Sample) =>
  missing === 'notBreaching' || (missing === 'idle' && idle === true)

/** The newest that is known is as good as it must be; where nothing is, nothing says otherwise. */
function hasRecovered(condition: Condition, recent: readonly Sample[]): boolean {
  const last = recent.findLast(
    (sample) => sample.value !== null || isGoodWithout(condition, sample),
  )
  const value = last?.value ?? null
  if (value === null) return true
  return condition.bad === 'above' ? value <= condition.recovery : value >= condition.recovery
}

/**
 * Whether the last N samples breach, as CloudWatch judges an alarm: the newest numbers of a range
 * that is somewhat longer count, and what is missing only fills up what they lack.
 */
export function verdictOf(
  condition: Condition,
  recent: readonly Sample[],
): 'breaching' | 'good' | 'unknown' {
  const { breaching, looks, missing } = condition
  const known = recent
    .flatMap((sample) => {
      if (sample.value !== null) return isBeyond(condition, sample.value)
      return missing === 'idle' && sample.idle ? false : []
    })
    .slice(-looks)
  const bad = known.filter((isBad) => isBad).length
  // Before there was a whole range nothing of it is missing.
  const lacking = Math.min(looks, recent.length) - known.length
  if (missing === 'notBreaching') return bad >= breaching ? 'breaching' : 'good'
  if (missing === 'breaching') return bad + lacking >= breaching ? 'breaching' : 'good'
  if (bad >= breaching) return 'breaching'
  if (known.length === 0) return 'unknown'
  if (bad < known.length || lacking === 0) return 'good'
  // All that is known is bad, and too little of it. CloudWatch does not wait for more once the
  // first is so old that M would have been there, unless it is to ignore the gaps.
  const age = recent.length - recent.findIndex(({ value }) => value !== null)
  return age >= breaching && missing !== 'ignore' ? 'breaching' : 'unknown'
}
