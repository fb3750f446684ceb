import { hundredth } from './round.ts'
import type { Constants } from './types.ts'

/** The error budget: who has started too many tasks late becomes more careful for a while. */

/** Tasks started of late, and how many of them late; old ones fade. */
export type Budget = { readonly started: number; readonly late: number }

export const fullBudget: Budget = { started: 0, late: 0 }

// What was late this morning says little of tonight.
const halfLifeSeconds = 6 * 3_600
// One bad hour, such as the first of all, is not held against the rule for days.
const lateShareKept = 0.008
// One task in two hundred may be late; four fifths of that are spent before anything is done.
const lateShareMax = 0.004
// Of fewer tasks a single late one would be too large a share.
const startedLeast = 250

export function spend(
  { started, late }: Budget,
  since: { readonly seconds: number; readonly started: number; readonly areLate: boolean },
): Budget {
  const fade = 0.5 ** (since.seconds / halfLifeSeconds)
  const all = started * fade + since.started
  const allLate = late * fade + (since.areLate ? since.started : 0)
  return { started: hundredth(all), late: hundredth(Math.min(allLate, lateShareKept * all)) }
}

// A step is what a rehearsal would try next.
const spendStep = 0.1
const spendLeast = 0.1
const marginStep = 0.5

export function strained(constants: Constants, { started, late }: Budget): Constants {
  if (started < startedLeast || late <= lateShareMax * started) return constants
  return {
    ...constants,
    spend: Math.max(spendLeast, constants.spend - spendStep),
    margin: constants.margin + marginStep,
  }
}
