import fleet from '../../fleet.config.ts'
import { assignGroups, queueOf } from '../../shared/assign.ts'
import {
  type BacklogDeps,
  backlogEnvironment,
  type Deps,
  environment,
  makeAutoScaling,
  makeCloudWatch,
  makeDynamoDb,
  makeSqs,
  systemClock,
} from '../../shared/aws.ts'
import { isAsked, isLeaving, listDrains } from '../../shared/drains.ts'
import { each } from '../../shared/each.ts'
import { errorOf, type Failure, failuresOf, logFailures } from '../../shared/failures.ts'
import { sendWish } from '../../shared/fewer.ts'
import {
  describeGroups,
  describeNamed,
  type Group,
  type GroupReading,
  type Member,
  setDesired,
} from '../../shared/fleet.ts'
import { lambda } from '../../shared/lambda.ts'
import { askForLooks, type Dropped, laneOf, whyDropped } from '../../shared/lanes.ts'
import { terminateHooks } from '../../shared/lifecycle.ts'
import { type Look, parseLook } from '../../shared/looks.ts'
import { publish } from '../../shared/metrics.ts'
import { outlookFor, readOutlooks } from '../../shared/outlook.ts'
import type { Fleet } from '../../shared/queue-config.ts'
import { queueUrl, readCounts } from '../../shared/queues.ts'
import { shardOf } from '../../shared/shards.ts'
import { noOutlook } from '../../shared/sizing/types.ts'
import { wishOf } from '../../shared/wish.ts'
import { type Decided, type Decision, decide } from './decide.ts'
import { isTakenBack, withinLimits, withoutHook } from './limits.ts'
import { keep, lastFastLook, type Recalled, recall, rememberedOf } from './memory.ts'
import { failed, logRun, metricsOf, type Report, type Run } from './record.ts'

/**
 * Every minute, and every 15 s for the queues of the fast lane: measure each queue and its group,
 * publish the backlog, resize, and say why.
 */
export const backlog = (fleet: Fleet) => async (look: Look, deps: BacklogDeps) => {
  const now = deps.clock.now()
  const memory = await recall(deps, fleet, look)
  const dropped = look.fast && whyDropped(look.fast.dueAt, lastFastLook(memory), now)
  if (dropped) return drop(deps, fleet, { look, now, dropped })
  const seen = await gather(deps, fleet, { look, memory, now })
  const { decided, failures } = await limit(deps, fleet, seen.groups, seen.wanted)
  const unmeasured = [...seen.failures, ...failures]
  logFailures(deps.log, unmeasured)
  const acted = await act(deps, fleet, { look, memory, now }, decided)
  return record(deps, fleet, { now, look, ...acted }, unmeasured)
}

type Begun = { readonly look: Look; readonly memory: Recalled; readonly now: number }

async function gather(deps: Deps, fleet: Fleet, { look, memory, now }: Begun) {
  const [groups, drains] = await Promise.all([
    // What a limit leaves depends on all of them.
    look.fast && fleet.limits.length === 0
      ? describeNamed(deps, fleet, look.fast.groups)
      : describeGroups(deps, fleet),
    listDrains(deps),
  ])
  const leaving = new Set(
    drains.flatMap(({ drain }) => (drain && isLeaving(drain, now) ? drain.instance : [])),
  )
  const asked = new Set(drains.flatMap(({ drain }) => (drain && isAsked(drain) ? drain.group : [])))
  const mine = assignGroups(fleet, groups, whoseTurn(fleet, look, groups))
  const outlooks = await readOutlooks(
    deps,
    mine.map(({ queue }) => queue.name),
  )
  const outcomes = await each(mine, async (assigned) => {
    if ('problem' in assigned) throw new Error(assigned.problem)
    const { queue, group } = assigned
    const counts = await readCounts(deps, queueUrl(queue.sqs, group.arn))
    const remembered = rememberedOf(memory, queue)
    const draining = group.members.filter((member) => isDraining(member, leaving)).length
    const snapshot = {
      counts,
      group,
      draining,
      asked: asked.has(group.name),
      hooked: true,
      ...outlookIn(outlooks, queue.name, now),
      remembered,
    }
    const decision = decide(queue, snapshot, now)
    // Whether there is a hook matters to nothing else.
    if (!lowersWhileBusy(decision, group))
      return { queue, snapshot: { ...snapshot, hooked: false }, decision }
    const found = { ...snapshot, hooked: await isHooked(deps, group.name) }
    return { queue, snapshot: found, decision: found.hooked ? decision : decide(queue, found, now) }
  })
  const wanted = outcomes.flatMap((outcome) => ('value' in outcome ? [outcome.value] : []))
  return { groups, wanted, failures: failuresOf(outcomes, 'measure') }
}

/** The queues of the shard, or those of them whose groups a fast look was asked for. */
function whoseTurn(fleet: Fleet, { shard, of, fast }: Look, groups: readonly GroupReading[]) {
  const isMine = (name: string) => shardOf(name, of) === shard
  if (!fast) return isMine
  const asked = groups.filter(({ name }) => fast.groups.includes(name))
  const names = new Set(asked.map((group) => queueOf(fleet, group)?.name))
  return (name: string) => isMine(name) && names.has(name)
}

/** Without an outlook a queue is sized by its last minutes: that is no reason to leave it alone. */
function outlookIn(
  { found, failed }: Awaited<ReturnType<typeof readOutlooks>>,
  queue: string,
  now: number,
) {
  if (failed.has(queue)) return { outlook: noOutlook, outlookNote: 'unread' } as const
  const { outlook, note } = outlookFor(found.get(queue), now / 1_000)
  return { outlook, outlookNote: note }
}

const lowersWhileBusy = (decision: Decision, group: Group) =>
  'desired' in decision && decision.desired < group.desired && decision.reason !== 'idle'

const isDraining = ({ id, kind }: Member, leaving: ReadonlySet<string>) =>
  kind === 'inService' && leaving.has(id)

/** Looks once more before a capacity is lowered while work runs. */
const isHooked = async (deps: Deps, group: string) =>
  (await terminateHooks(deps, group)).some(({ name }) => name === deps.drainName)

/** Within the fleet's limits; who is lowered for others keeps what it has without our hook. */
async function limit(
  deps: Deps,
  fleet: Fleet,
  groups: readonly GroupReading[],
  wanted: readonly Decided[],
) {
  if (fleet.limits.length === 0) return { decided: wanted, failures: [] }
  const outcomes = await each(withinLimits(fleet, wanted, groups), async (one) =>
    !isTakenBack(one) || (await isHooked(deps, one.snapshot.group.name)) ? one : withoutHook(one),
  )
  const decided = outcomes.flatMap((outcome) => ('value' in outcome ? [outcome.value] : []))
  return { decided, failures: failuresOf(outcomes, 'measure') }
}

/** The write of the memory comes first: of two runs at once, only the one that wrote it acts. */
async function act(deps: BacklogDeps, fleet: Fleet, begun: Begun, all: readonly Decided[]) {
  const written = await keep(deps, fleet, begun, all)
  const isMine = ({ queue }: Decided) => written.has(laneOf(queue))
  const decided = all.filter(isMine)
  const outcomes = await each(decided, async ({ snapshot: { group, asked }, decision }) => {
    if (decision.kind === 'unreadable') throw new Error(decision.detail)
    const { kind } = decision
    if (kind === 'resize') await setDesired(deps, group, decision.desired)
    // Those that were asked for a wish that is over are to work again.
    const wanted = kind === 'hold' ? group.desired : decision.desired
    if (kind === 'fewer' || asked) {
      await sendWish(deps, wishOf(group, wanted, deps.clock.now()), group.arn)
    }
  })
  const asked = begun.look.fast ? [] : await askAgain(deps, begun, decided)
  const failures = failuresOf([...outcomes, ...asked], 'act')
  return { decided, superseded: all.filter((one) => !isMine(one)), failures }
}

/** Of looks that could not be asked for, each queue of the fast lane is told to have failed. */
async function askAgain(deps: BacklogDeps, { look, now }: Begun, decided: readonly Decided[]) {
  const fast = decided.filter(({ queue }) => laneOf(queue) === 'fast')
  const groups = fast.map(({ snapshot }) => snapshot.group)
  const [outcome] = await each([groups], (list) => askForLooks(deps, look, list, now))
  if (!outcome || 'value' in outcome) return []
  return fast.map((item) => ({ item, error: outcome.error }))
}

/** A look that comes late or twice is no error, but many of them are a fast lane that is slow. */
async function drop(
  deps: Deps,
  fleet: Fleet,
  { look, now, dropped }: Pick<Begun, 'look' | 'now'> & { readonly dropped: Dropped },
): Promise<Report> {
  const { shard, of } = look
  deps.log.info('dropped', { shard, of, dueAt: look.fast?.dueAt, reason: dropped })
  await publish(deps, fleet.name, [{ name: 'LooksDropped', value: 1 }], now)
  return { shard, of, dropped, superseded: false, queues: [] }
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
  if (!report.superseded) {
    const milliseconds = deps.clock.now() - run.now
    const metrics = run.look.fast
      ? failed(failures)
      : metricsOf(run.decided, failures, milliseconds)
    await publish(deps, fleet.name, metrics, run.now)
  }
  if (failures.length === 0) return report
  const queues = run.decided.length + run.superseded.length + unmeasured.length
  throw errorOf('backlog', failures, queues)
}

const clients = {
  sqs: makeSqs(),
  autoscaling: makeAutoScaling(),
  cloudwatch: makeCloudWatch(),
  dynamodb: makeDynamoDb(),
  clock: systemClock,
}

export const handler = lambda('backlog', parseLook, (look, run) =>
  backlog(fleet)(look, { ...clients, ...environment(), ...backlogEnvironment(), ...run }),
)
