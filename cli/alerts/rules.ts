import { conditionOf, pictureOf } from '../../functions/alerts/conditions.ts'
import { decide } from '../../functions/alerts/decide.ts'
import { gather } from '../../functions/alerts/gather.ts'
import { readNotes } from '../../functions/alerts/notebook.ts'
import type { Condition } from '../../shared/alerts/machine.ts'
import { type RuleName, ruleNames, type Severity, type Unit } from '../../shared/alerts/rules.ts'
import { ruleTable } from '../../shared/alerts/settings.ts'
import type { Deps } from '../../shared/aws.ts'
import { inWords } from '../../shared/duration.ts'
import type { Fleet } from '../../shared/queue-config.ts'
import { shardOf } from '../../shared/shards.ts'
import { table } from '../format.ts'
import { findQueue } from '../place.ts'

export type RulesDeps = Pick<
  Deps,
  'sqs' | 'autoscaling' | 'cloudwatch' | 'dynamodb' | 'stateTable' | 'clock' | 'signal'
>

/** A rule as it stands at a queue. Epoch seconds. */
export type RuleView = {
  readonly rule: RuleName
  readonly severity: Severity
  readonly unit: Unit
  readonly status: string
  readonly since: number
  readonly value: number | null
  readonly condition: Condition
}

export type QueueView = {
  readonly queue: string
  readonly now: number
  readonly rules: readonly RuleView[]
  readonly off: readonly RuleName[]
}

/** Looks at the queue as a run would, and writes nothing. Throws where it cannot be read. */
export async function readRules(deps: RulesDeps, fleet: Fleet, name: string): Promise<QueueView> {
  const now = Math.floor(deps.clock.now() / 1_000)
  const one = { ...fleet, queues: [findQueue(fleet, name)], adopt: false }
  const tick = { shard: shardOf(name, fleet.shards), of: fleet.shards }
  const notes = await readNotes(deps, tick)
  const { gathered, failures } = await gather(deps, one, { tick, remembered: notes.queues, now })
  const [failure] = failures
  if (failure) throw failure.error
  const [seen] = gathered
  if (!seen) throw new Error(`The queue ${name} was not seen`)
  const { facts, before } = seen
  const { watched } = decide(facts, before, now)
  const picture = pictureOf(facts, watched, now)
  const rules = ruleNames.flatMap((rule): RuleView[] => {
    const settings = facts.queue.alerts[rule]
    const state = watched.states[rule]
    if (!settings || !state) return []
    const condition = conditionOf(rule, settings, picture)
    const { status, since, value } = state
    const { unit } = ruleTable[rule]
    return [{ rule, severity: settings.severity, unit, status, since, value, condition }]
  })
  const off = ruleNames.filter((rule) => !rules.some((view) => view.rule === rule))
  return { queue: name, now, rules, off }
}

/** A view for a reader. */
export function describeRules({ queue, now, rules, off }: QueueView): string {
  const head = ['rule', 'severity', 'state', 'for', 'value', 'fires', 'after', 'over', 'after']
  const rows = rules.map(({ rule, severity, unit, status, since, value, condition }) => {
    const { bad, threshold, recovery, forSeconds, recoverSeconds } = condition
    const show = (amount: number) =>
      unit === 'seconds' ? inWords(amount) : String(Math.round(amount * 10) / 10)
    return [
      ...[rule, severity, status, inWords(now - since), value === null ? '?' : show(value)],
      ...[`${bad} ${show(threshold)}`, inWords(forSeconds)],
      ...[`at ${show(recovery)}`, inWords(recoverSeconds)],
    ]
  })
  return [
    `${queue}: each of its rules as it stands; thresholds follow its promise and its task times ` +
      'where the file has none.',
    table(head, rows),
    ...(off.length === 0 ? [] : [`Off: ${off.join(', ')}.`]),
  ].join('\n\n')
}
