import fleet from '../../fleet.config.ts'
import { assignGroups } from '../../shared/assign.ts'
import {
  type Deps,
  environment,
  makeAutoScaling,
  makeCloudWatch,
  makeDynamoDb,
  makeSqs,
  systemClock,
} from '../../shared/aws.ts'
import { isLeaving, listDrains } from '../../shared/drains.ts'
import { each } from '../../shared/each.ts'
import { parseTick, type Tick } from '../../shared/events.ts'
import { describeGroups, type Group, type Member, setDesired } from '../../shared/fleet.ts'
import { lambda } from '../../shared/lambda.ts'
import { terminateHooks } from '../../shared/lifecycle.ts'
import { publish } from '../../shared/metrics.ts'
import type { Fleet } from '../../shared/queue-config.ts'
import { queueUrl, readCounts } from '../../shared/queues.ts'
import { shardOf } from '../../shared/shards.ts'
import { noOutlook } from '../../shared/sizing/types.ts'
import { readMemory, type ShardMemory, writeMemory } from '../../shared/state.ts'
import { type Decided, type Decision, decide } from './decide.ts'
import {
  errorOf,
  type Failure,
  failuresOf,
  logFailures,
  logRun,
  metricsOf,
  type Report,
  type Run,
} from './record.ts'

/** Every minute: measure each queue and its group, publish the backlog, resize, and say why. */
export const backlog = (fleet: Fleet) => async (tick: Tick, deps: Deps) => {
  const now = deps.clock.now()
  const seen = await gather(deps, fleet, tick, now)
  logFailures(deps.log, seen.failures)
  const decided = seen.measured.map((one) => ({
    ...one,
    decision: decide(one.queue, one.snapshot, now),
  }))
  const acted = await act(deps, tick, seen.memory, decided)
  return record(deps, fleet, { now, tick, decided, ...acted }, seen.failures)
}

async function gather(deps: Deps, fleet: Fleet, tick: Tick, now: number) {
  const [groups, memory, drains] = await Promise.all([
    describeGroups(deps, fleet),
    readMemory(deps, tick),
    listDrains(deps),
  ])
  const leaving = new Set(
    drains.flatMap(({ drain }) => (drain && isLeaving(drain, now) ? drain.instance : [])),
  )
  const mine = assignGroups(fleet, groups, (name) => shardOf(name, tick.of) === tick.shard)
  const outcomes = await each(mine, async (assigned) => {
    if ('problem' in assigned) throw new Error(assigned.problem)
    const { queue, group } = assigned
    const counts = await readCounts(deps, queueUrl(queue.sqs, group.arn))
    const remembered = memory.queues[queue.name] ?? null
    const draining = group.members.filter((member) => isDraining(member, leaving)).length
    const snapshot = { counts, group, draining, hooked: true, outlook: noOutlook, remembered }
    const asks = lowersWhileBusy(decide(queue, snapshot, now), group)
    return { queue, snapshot: { ...snapshot, hooked: asks && (await isHooked(deps, group.name)) } }
  })
  const measured = outcomes.flatMap((outcome) => ('value' in outcome ? [outcome.value] : []))
  return { memory, measured, failures: failuresOf(outcomes, 'measure') }
}

const lowersWhileBusy = (decision: Decision, group: Group) =>
  decision.kind === 'resize' && decision.desired < group.desired && decision.reason !== 'idle'

const isDraining = ({ id, kind }: Member, leaving: ReadonlySet<string>) =>
  kind === 'inService' && leaving.has(id)

/** Looks once more before a capacity is lowered while work runs. */
const isHooked = async (deps: Deps, group: string) =>
  (await terminateHooks(deps, group)).some(({ name }) => name === deps.drainName)

/** The write of the memory comes first: of two runs at once, only the one that wrote it acts. */
async function act(deps: Deps, tick: Tick, memory: ShardMemory, decided: readonly Decided[]) {
  const remembered = decided.flatMap(({ queue, decision }) =>
    decision.kind === 'unreadable' ? [] : [[queue.name, decision.memory]],
  )
  const written = await writeMemory(deps, tick, memory, Object.fromEntries(remembered))
  if (written === 'superseded') return { superseded: true, failures: [] }
  const outcomes = await each(decided, async ({ snapshot, decision }) => {
    if (decision.kind === 'unreadable') throw new Error(decision.detail)
    if (decision.kind === 'resize') await setDesired(deps, snapshot.group, decision.desired)
  })
  return { superseded: false, failures: failuresOf(outcomes, 'act') }
}

/** Ends in error when any queue failed, after everything else has been said and done. */
async function record(
  deps: Deps,
  fleet: Fleet,
  run: Run & { readonly failures: readonly Failure[] },
  unmeasured: readonly Failure[],
): Promise<Report> {
  const failures = [...unmeasured, ...run.failures]
  logFailures(deps.log, run.failures)
  const report = logRun(deps.log, run)
  if (!run.superseded) {
    const milliseconds = deps.clock.now() - run.now
    await publish(deps, fleet.name, metricsOf(run.decided, failures, milliseconds), run.now)
  }
  if (failures.length === 0) return report
  throw errorOf(failures, run.decided.length + unmeasured.length)
}

const clients = {
  sqs: makeSqs(),
  autoscaling: makeAutoScaling(),
  cloudwatch: makeCloudWatch(),
  dynamodb: makeDynamoDb(),
  clock: systemClock,
}

export const handler = lambda('backlog', parseTick, (tick, run) =>
  backlog(fleet)(tick, { ...clients, ...environment(), ...run }),
)
