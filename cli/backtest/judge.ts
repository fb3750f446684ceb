import { type RuleName, ruleNames } from '../../shared/alerts/rules.ts'
import { quantile } from '../../twin/backtest/judge.ts'
import type { Recorded } from './recorded.ts'
import type { Replayed, Spell } from './replay.ts'

/** What the rules would have told, against when the promise was broken. Pure; epoch seconds. */

export type RuleResult = {
  readonly rule: RuleName
  readonly fired: number
  readonly minutes: number
  /** Of the times that it fired, so many belong to a broken promise. */
  readonly withBreak: number
  /** How long before it broke, the median; below zero: after. Null where it never did. */
  readonly leadSecondsMedian: number | null
}

export type Verdict = {
  /** When messages waited for longer than promised. */
  readonly breaks: readonly Spell[]
  /** Those that no rule told of. */
  readonly untold: readonly Spell[]
  readonly rules: readonly RuleResult[]
}

// What fires so long before the promise breaks has seen it coming.
const aheadSeconds = 1_800
// Breaks that are no further apart are one for whoever is told.
const togetherSeconds = 600

export function judge(
  recorded: Recorded,
  { fired, notJudged }: Replayed,
  promiseSeconds: number,
): Verdict {
  const breaks = breaksOf(recorded, promiseSeconds)
  const all = [...fired.values()].flat()
  return {
    breaks,
    untold: breaks.filter((one) => !all.some((spell) => isOf(spell, one))),
    rules: ruleNames.flatMap((rule) =>
      notJudged.includes(rule) ? [] : resultOf(rule, fired.get(rule) ?? [], breaks),
    ),
  }
}

const isOf = (spell: Spell, broken: Spell) =>
  spell.until > broken.from - aheadSeconds && spell.from <= broken.until

function resultOf(rule: RuleName, spells: readonly Spell[], breaks: readonly Spell[]): RuleResult {
  const leads = breaks.flatMap((broken) => {
    const first = spells.find((spell) => isOf(spell, broken))
    return first ? broken.from - Math.max(first.from, broken.from - aheadSeconds) : []
  })
  return {
    ...{ rule, fired: spells.length },
    minutes: spells.reduce((sum, { from, until }) => sum + (until - from) / 60, 0),
    withBreak: spells.filter((spell) => breaks.some((broken) => isOf(spell, broken))).length,
    leadSecondsMedian: quantile(leads, 0.5),
  }
}

/**
 * When the oldest message that waits has waited for longer than promised: of all that was sent, the
 * newest are those that wait still. Nothing where it is not recorded what was sent.
 */
export function breaksOf({ from, minutes, values }: Recorded, promiseSeconds: number): Spell[] {
  const spells: Spell[] = []
  let sent = 0
  let started = 0
  let oldest = 0
  const sentUntil: number[] = []
  for (let minute = 0; minute < minutes; minute++) {
    sent += values.sent[minute] || 0
    sentUntil.push(sent)
    // Counts are approximate: what has started has started.
    started = Math.max(started, sent - (values.visible[minute] || 0))
    while (oldest < minute && (sentUntil[oldest] ?? 0) <= started) oldest++
    const isLate = sent > started && (minute - oldest) * 60 > promiseSeconds
    if (isLate) add(spells, from + minute * 60)
  }
  return spells
}

function add(spells: Spell[], at: number): void {
  const last = spells.at(-1)
  if (last && at - last.until <= togetherSeconds) {
    spells[spells.length - 1] = { ...last, until: at + 60 }
  } else spells.push({ from: at, until: at + 60 })
}
