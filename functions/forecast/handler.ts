import fleet from '../../fleet.config.ts'
import {
  type Deps,
  environment,
  makeAutoScaling,
  makeDynamoDb,
  makeHistory,
  systemClock,
} from '../../shared/aws.ts'
import { concurrencyMax, each } from '../../shared/each.ts'
import { errorOf, type Failure, failuresOf, logFailures } from '../../shared/failures.ts'
import { lambda } from '../../shared/lambda.ts'
import { parseTick, type Tick } from '../../shared/looks.ts'
import { writeOutlook } from '../../shared/outlook.ts'
import type { Fleet } from '../../shared/queue-config.ts'
import { decide, plan, type Seen } from './decide.ts'
import { gatherHistories, gatherQueues } from './gather.ts'
import { type Done, logRun, type Report } from './record.ts'

/** What of all that a function may call this one does. */
export type ForecastDeps = Pick<
  Deps,
  'autoscaling' | 'cloudwatch' | 'dynamodb' | 'clock' | 'stateTable' | 'log' | 'signal'
>

/**
 * Every hour: what came to each queue in two weeks -> what its predictors say of the next hour, how
 * long its tasks take and, once a day, which constants suit it. Written down for backlog.
 */
export const forecast = (fleet: Fleet) => async (tick: Tick, deps: ForecastDeps) => {
  const now = Math.floor(deps.clock.now() / 1_000)
  const seen = await gather(deps, fleet, tick, now)
  logFailures(deps.log, seen.failures)
  const acted = await decideAndAct(deps, seen.histories, now)
  return record(deps, tick, [...seen.fresh, ...acted.done], [...seen.failures, ...acted.failures])
}

async function gather(deps: ForecastDeps, fleet: Fleet, tick: Tick, now: number) {
  const known = await gatherQueues(deps, fleet, tick)
  const tasks = plan(
    known.flatMap((outcome) => ('value' in outcome ? [outcome.value] : [])),
    now,
  )
  const histories = await gatherHistories(deps, tasks, now)
  return {
    histories: histories.flatMap((outcome) => ('value' in outcome ? [outcome.value] : [])),
    fresh: tasks.flatMap((task): Done[] =>
      task.kind === 'fresh' ? [{ task, decision: null, written: 'kept' }] : [],
    ),
    failures: [...failuresOf(known, 'find'), ...failuresOf(histories, 'read')],
  }
}

/**
 * A rehearsal takes a second: those come last, one by one, and what one found is written before the
 * next begins, so that a run that is cut short has done the most that it could.
 */
async function decideAndAct(deps: ForecastDeps, histories: readonly Seen[], now: number) {
  const work = async (seen: Seen): Promise<Done> => {
    deps.signal.throwIfAborted()
    const decision = decide(seen, now)
    const written = await writeOutlook(deps, seen.queue.name, decision.outlook)
    return { task: seen, decision, written }
  }
  const isSlow = ({ kind }: Seen) => kind === 'rehearse'
  const outcomes = [
    ...(await each(
      histories.filter((seen) => !isSlow(seen)),
      work,
      concurrencyMax,
    )),
    ...(await each(histories.filter(isSlow), work, 1)),
  ]
  const failures = failuresOf(outcomes, 'forecast')
  logFailures(deps.log, failures)
  return {
    done: outcomes.flatMap((outcome) => ('value' in outcome ? [outcome.value] : [])),
    failures,
  }
}

/** Ends in error when any queue failed, after everything else has been said and done. */
function record(
  { log }: ForecastDeps,
  tick: Tick,
  done: readonly Done[],
  failures: readonly Failure[],
): Report {
  const report = logRun(log, tick, done)
  if (failures.length === 0) return report
  throw errorOf('forecast', failures, done.length + failures.length)
}

const clients = {
  autoscaling: makeAutoScaling(),
  cloudwatch: makeHistory(),
  dynamodb: makeDynamoDb(),
  clock: systemClock,
}

export const handler = lambda('forecast', parseTick, (tick, { log, signal }) =>
  forecast(fleet)(tick, { ...clients, ...environment(), log, signal }),
)
