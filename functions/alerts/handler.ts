import fleet from '../../fleet.config.ts'
import { putAgain } from '../../shared/again.ts'
import {
  type AlertsDeps,
  alertsEnvironment,
  environment,
  makeAutoScaling,
  makeCloudWatch,
  makeDynamoDb,
  makeSns,
  makeSqs,
  makeSsm,
  makeWeb,
  systemClock,
} from '../../shared/aws.ts'
import { each } from '../../shared/each.ts'
import { errorOf, type Failure, failuresOf, logFailures } from '../../shared/failures.ts'
import { lambda } from '../../shared/lambda.ts'
import type { Tick } from '../../shared/looks.ts'
import { publish } from '../../shared/metrics.ts'
import type { Fleet } from '../../shared/queue-config.ts'
import { type Decision, decide } from './decide.ts'
import { type Gathered, gather } from './gather.ts'
import { readNotes, type ShardNotes, writeNotes } from './notebook.ts'
import { logRun, metricsOf, type Report, type Run } from './record.ts'
import { parseStart } from './start.ts'
import { tell } from './tell.ts'

/**
 * Every minute: what each queue and its group look like -> the state of each of its rules -> who is
 * told what. Each shard watches its own queues; the first one tells people, once for all of them.
 */
export const alerts = (fleet: Fleet) => async (tick: Tick, deps: AlertsDeps) => {
  const now = Math.floor(deps.clock.now() / 1_000)
  const notes = await readNotes(deps, tick)
  const seen = await gather(deps, fleet, { tick, remembered: notes.queues, now })
  logFailures(deps.log, seen.failures)
  const decided = await decideAll(seen.gathered, now)
  const acted = await act(deps, fleet, { tick, now, notes }, decided.decisions)
  const failures = [...seen.failures, ...decided.failures]
  return record(deps, fleet, { tick, now, ...acted, metricsRead: seen.metricsRead }, failures)
}

/** Each on its own: a rule that fails for one queue says nothing of the others. */
async function decideAll(gathered: readonly Gathered[], now: number) {
  const outcomes = await each(
    gathered.map((one) => ({ ...one, queue: one.facts.queue })),
    async ({ facts, before }) => decide(facts, before, now),
  )
  const decisions = outcomes.flatMap((outcome) => ('value' in outcome ? [outcome.value] : []))
  return { decisions, failures: failuresOf(outcomes, 'decide') }
}

type Begun = { readonly tick: Tick; readonly now: number; readonly notes: ShardNotes }

/** What was seen is written before anybody is told: of two runs at once, only one goes on. */
async function act(
  deps: AlertsDeps,
  fleet: Fleet,
  { tick, now, notes }: Begun,
  decisions: readonly Decision[],
): Promise<Pick<Run, 'decisions' | 'superseded' | 'told'>> {
  const queues = Object.fromEntries(decisions.map(({ queue, watched }) => [queue, watched]))
  const firing = decisions.flatMap((decision) => decision.alerts)
  const written = await writeNotes(deps, tick, notes, { at: now, queues, alerts: firing })
  if (written === 'superseded') return { decisions, superseded: true, told: null }
  const told = tick.shard === 0 ? await tell(deps, fleet, tick, firing, now) : null
  return { decisions, superseded: false, told }
}

/** Ends in error when any queue failed, after everything else has been said and done. */
async function record(
  deps: AlertsDeps,
  fleet: Fleet,
  run: Run,
  failures: readonly Failure[],
): Promise<Report> {
  const report = logRun(deps.log, run)
  if (!run.superseded) await publish(deps, fleet.name, metricsOf(run), run.now * 1_000)
  if (failures.length === 0) return report
  throw errorOf('alerts', failures, run.decisions.length)
}

const clients = {
  sqs: makeSqs(),
  autoscaling: makeAutoScaling(),
  cloudwatch: makeCloudWatch(),
  dynamodb: makeDynamoDb(),
  sns: makeSns(),
  ssm: makeSsm(),
  web: makeWeb(),
  clock: systemClock,
}

export const handler = lambda('alerts', parseStart, (start, run): Promise<unknown> => {
  const deps = { ...clients, ...environment(), ...alertsEnvironment(), ...run }
  return 'again' in start ? putAgain(deps, start.again) : alerts(fleet)(start, deps)
})
