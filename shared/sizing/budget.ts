import type { Constants } from './types.ts'

/** The error budget: who has started too many tasks late becomes more careful for a while. */

/** Tasks started of late, and how many of them late; old ones fade. */
export type Budget = { readonly started: number; readonly late: number }

export const fullBudget: Budget = { started: 0, late: 0 }

// A day's worth counts.
const halfLifeSeconds = 12 * 3_600
// One task in two hundred may be late; four fifths of that are spent before anything is done.
const lateShareMax = 0.004
// Of fewer tasks a single late one would be too large a share.
const startedLeast = 250

export function spend(
  { started, late }: Budget,
  since: { readonly seconds: number; readonly started: number; readonly areLate: boolean },
): Budget {
  const fade = 0.5 ** (since.seconds / halfLifeSeconds)
  return {
    started: started * fade + since.started,
    late: late * fade + (since.areLate ? since.started : 0),
  }
}

// A step is what a rehearsal would try next.
const spendStep = 0.1
const spendLeast = 0.1
const marginStep = 1

export function strained(constants: Constants, { started, late }: Budget): Constants {
  if (started < startedLeast || late <= lateShareMax * started) return constants
  return {
    ...constants,
    spend: Math.max(spendLeast, constants.spend - spendStep),
    margin: constants.margin + marginStep,
  }
}
