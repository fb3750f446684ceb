import {
  type Errors,
  type Forecast,
  forecast,
  learn,
  noErrors,
  predictions,
  type Recent,
} from './predict.ts'
import { addArrivals } from './rates.ts'
import { hundredth } from './round.ts'
import { aheadOf } from './size.ts'
import type { Outlook, Workload } from './types.ts'

/** What is remembered of arrivals from look to look. */
export type Seen = { readonly recent: Recent; readonly errors: Errors }

/** Takes up what came since `from` and says what will come in the next seconds. */
export function foresee(
  workload: Workload,
  profiles: Outlook['profiles'],
  seen: Seen | null,
  { from, now, came }: { readonly from: number; readonly now: number; readonly came: number },
): { readonly seen: Seen; readonly foreseen: Forecast } {
  const recent = roundRecent(addArrivals(seen?.recent ?? null, from, now, came))
  const ahead = aheadOf(workload)
  const says = predictions(recent, profiles, now, ahead)
  const errors = roundErrors(learn(seen?.errors ?? noErrors, recent, now, says, ahead))
  return { seen: { recent, errors }, foreseen: forecast(errors, says, ahead) }
}

// What is foreseen rests on what will be remembered of it, to the last digit: the same look again,
// by another run, must not be on the other side of a whole instance.
const roundRecent = ({ minute, counts }: Recent): Recent => ({
  minute,
  counts: counts.map(hundredth),
})

const roundErrors = ({ squares, arrivals, weight, open }: Errors): Errors => ({
  squares: squares.map(hundredth),
  ...{ arrivals: hundredth(arrivals), weight: hundredth(weight) },
  open: open && { ...open, says: open.says.map((value) => value && hundredth(value)) },
})
