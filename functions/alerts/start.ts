import { type Again, againSource, againType, parseAgain } from '../../shared/again.ts'
import { parseTick, type Tick } from '../../shared/looks.ts'
import { awsEvent } from '../../shared/malformed.ts'

/** What starts alerts: the schedule each minute, or a report of what a worker receives again. */
export type Start = Tick | { readonly again: Again }

/** Throws for anything else, saying what it is; for a malformed report by its field. */
export function parseStart(event: unknown): Start {
  const { data } = awsEvent.safeParse(event)
  const isReport = data?.source === againSource && data['detail-type'] === againType
  return isReport ? { again: parseAgain(event) } : parseTick(event)
}
