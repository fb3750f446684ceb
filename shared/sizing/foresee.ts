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
  const recent = addArrivals(seen?.recent ?? null, from, now, came)
  const ahead = aheadOf(workload)
  const says = predictions(recent, profiles, now, ahead)
  const errors = learn(seen?.errors ?? noErrors, recent, now, says, ahead)
  return { seen: { recent, errors }, foreseen: forecast(errors, says, ahead) }
}
