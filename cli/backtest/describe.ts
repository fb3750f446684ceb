import { inWords } from '../../shared/duration.ts'
import { timeOf } from '../../shared/notify/text.ts'
import { short, table } from '../format.ts'
import type { RuleResult, Verdict } from './judge.ts'
import type { Replayed, Spell } from './replay.ts'

/** A replay of a recording for a reader. */
export function describe(replayed: Replayed, { breaks, untold, rules }: Verdict): string {
  const { from, until, pages, notJudged } = replayed
  const told = pages.filter(({ kind }) => kind === 'trigger').length
  const days = short((until - from) / 86_400)
  const minutes = breaks.reduce((sum, spell) => sum + (spell.until - spell.from) / 60, 0)
  // Both are told by what was sent.
  const broken = notJudged.includes('producer-silent')
    ? 'whether the promise was broken cannot be told without what was sent'
    : `the promise was broken ${times(breaks.length)}, ${short(minutes)} minutes in all`
  const head = ['rule', 'fired', 'minutes', 'promise broken', 'before it broke, median']
  return [
    `${days} days from ${timeOf(from)} on: ${broken}; people would have had ${pagesOf(told)}.`,
    ...(rules.length === 0 ? [] : [table(head, rules.map(rowOf))]),
    ...(untold.length === 0 ? [] : [`No rule told of:\n${untold.map(spellOf).join('\n')}`]),
    ...(notJudged.length === 0
      ? []
      : [`Not judged, for the recording does not have it: ${notJudged.join(', ')}.`]),
  ].join('\n\n')
}

const times = (count: number) => (count === 1 ? 'once' : `${count} times`)
const pagesOf = (count: number) => (count === 1 ? '1 page' : `${count} pages`)

const rowOf = ({ rule, fired, minutes, withBreak, leadSecondsMedian: lead }: RuleResult) => [
  ...[rule, String(fired), short(minutes), `${withBreak} of ${fired}`],
  lead === null ? '' : lead >= 0 ? inWords(lead) : `${inWords(-lead)} after`,
]

const spellOf = ({ from, until }: Spell) => `  ${timeOf(from)}, for ${inWords(until - from)}`
