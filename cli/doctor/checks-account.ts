import { isDeepStrictEqual } from 'node:util'
import * as z from 'zod/mini'
import { parseJson } from '../../shared/json.ts'
import { seconds } from '../format.ts'
import { agentFix, agentReason, agentVersionLeast } from './checks-box.ts'
import { visibilityMarginSeconds, visibilityTasks } from './checks-worker.ts'
import {
  type AccountFacts,
  type GroupFacts,
  type HookFacts,
  isUnread,
  type QueueFacts,
  type SqsFacts,
} from './facts.ts'
import { type About, about, compareVersions, type Finding } from './finding.ts'

// Each hand-back is a receive. Two in a row are usual (a rebalance, then Spot on the next box), and
// with fewer receives than three the task, which never failed, is then in the dead-letter queue.
const receivesForTwoHandBacks = 3
// A storm in a zone may take the same task's box again and again; four hand-backs of one task have
// a probability that can be lived with.
const receivesForFourHandBacks = 5

// Two sweeps of the control plane: what EventBridge lost, the second of them finds at the latest.
const heartbeatSecondsLeast = 120
// An instance whose drain nobody ends waits as long, and is paid for.
const heartbeatSecondsMost = 900
// From the deadline until the last report has arrived and the hook is completed.
const lastReportSeconds = 30

// Longer lists say nothing more.
const instancesShown = 5

export function checkAccount(facts: AccountFacts): Finding[] {
  return [
    checkDocument(about('document', facts.drainName), facts),
    ...facts.queues.flatMap((queue) => checkQueue(facts, queue)),
  ]
}

const documentSchema = z.looseObject({ parameters: z.optional(z.unknown()) })

function checkDocument(at: About, { document, ownDocument }: AccountFacts): Finding {
  const fix = 'npx serverless deploy'
  if (document !== null && isUnread(document)) return at.unknown(document.unread)
  if (document === null) {
    return at.error('there is no such document', 'No command to drain can be sent.', fix)
  }
  const found = `its default version ${document.version}`
  const [there, here] = [parseJson(document.content), parseJson(ownDocument)]
  if (isDeepStrictEqual(there, here)) return at.ok(`${found} is worker/drain-document.json`)
  const parameters = (content: unknown) => documentSchema.safeParse(content).data?.parameters
  if (isDeepStrictEqual(parameters(there), parameters(here))) {
    const reason = 'Boxes do something else than this checkout says.'
    return at.warning(`${found} is not worker/drain-document.json`, reason, fix)
  }
  const reason = 'A command is refused whose parameters the document does not take.'
  return at.error(`${found} has other parameters than worker/drain-document.json`, reason, fix)
}

function checkQueue(facts: AccountFacts, { queue, sqs, group }: QueueFacts): Finding[] {
  const subject = `queue ${queue.name}`
  const findings = checkSqs(subject, sqs, queue)
  if ('problem' in group) {
    const fix = `Tag its group ${facts.tags.queue}=${queue.name}, or name it in fleet.config.ts.`
    const reason = 'Nothing measures, sizes or drains for this queue.'
    return [about('group', subject).error(group.problem, reason, fix), ...findings]
  }
  return [...findings, ...checkGroup(facts, group, queue)]
}

type QueueConfig = QueueFacts['queue']

function checkSqs(subject: string, sqs: QueueFacts['sqs'], queue: QueueConfig): Finding[] {
  const exists = about('sqs', subject)
  if (sqs !== null && isUnread(sqs)) return [exists.unknown(sqs.unread)]
  if (sqs === null) {
    const fix = 'Create it, or correct `sqs` or `queueNamePrefix` in fleet.config.ts.'
    return [exists.error(`SQS has no queue ${queue.sqs}`, 'There is nothing to work on.', fix)]
  }
  return [
    checkReceives(about('max-receive-count', subject), sqs),
    checkVisibility(about('visibility-timeout', subject), sqs, queue),
  ]
}

function checkReceives(at: About, { maxReceiveCount: most }: SqsFacts): Finding {
  if (most === null) return at.ok('no dead-letter queue')
  const found = `maxReceiveCount ${most}`
  const reason =
    'Each hand-back of a drain is a receive: a task that never failed goes to the dead-letter ' +
    `queue after ${most - 1 === 1 ? 'one' : most - 1} of them.`
  const fix = `Set maxReceiveCount to ${receivesForFourHandBacks} or more.`
  if (most < receivesForTwoHandBacks) return at.error(found, reason, fix)
  if (most < receivesForFourHandBacks) return at.warning(found, reason, fix)
  return at.ok(found)
}

function checkVisibility(at: About, sqs: SqsFacts, { taskSeconds }: QueueConfig): Finding {
  const found = `VisibilityTimeout ${seconds(sqs.visibilitySeconds)}`
  const least = Math.ceil(visibilityTasks * taskSeconds + visibilityMarginSeconds)
  if (sqs.visibilitySeconds >= least) return at.ok(found)
  const task = `a usual task takes ${seconds(taskSeconds)}`
  const fix = `Set it to ${least} s or more: three usual tasks, and two minutes.`
  if (sqs.visibilitySeconds < taskSeconds) {
    const reason =
      'SQS gives the task out again while it runs: it runs many times over, until the ' +
      'dead-letter queue has it.'
    return at.error(`${found}, ${task}`, reason, fix)
  }
  const reason = 'A task that takes longer than usual, or waits in a worker first, runs twice.'
  return at.warning(`${found}, ${task}`, reason, fix)
}

function checkGroup(facts: AccountFacts, group: GroupFacts, queue: QueueConfig): Finding[] {
  const subject = `group ${group.name}`
  const rebalancing = about('capacity-rebalancing', subject)
  return [
    ...checkHook(about('terminate-hook', subject), group, { facts, queue }),
    ...checkTags(subject, group, { facts, queue }),
    ...checkAgents(subject, group),
    group.capacityRebalance
      ? rebalancing.ok('on', 'Auto Scaling replaces instances that Spot is likely to take.')
      : rebalancing.ok('off', 'Celeriac asks for a replacement when it drains on a rebalance.'),
  ]
}

type Context = { readonly facts: AccountFacts; readonly queue: QueueConfig }

const terminating = 'autoscaling:EC2_INSTANCE_TERMINATING'

function checkHook(at: About, group: GroupFacts, { facts, queue }: Context): Finding[] {
  const { hooks, name } = group
  if (isUnread(hooks)) return [at.unknown(hooks.unread)]
  const own = hooks.find((hook) => hook.name === facts.drainName)
  if (own && own.transition === terminating) return checkTimes(at, own, queue)
  const found = own ? `${own.name} is a hook on ${own.transition}` : `no hook ${facts.drainName}`
  const fix =
    `aws autoscaling put-lifecycle-hook --auto-scaling-group-name ${name} ` +
    `--lifecycle-hook-name ${facts.drainName} --lifecycle-transition ${terminating} ` +
    '--heartbeat-timeout 300 --default-result CONTINUE'
  if (queue.mode === 'direct') {
    const reason =
      'Celeriac does not lower the backlog of this group while work runs, for a scale-in would ' +
      'cut it; and one by anybody else does.'
    return [at.warning(found, reason, fix)]
  }
  const reason = 'A scale-in ends instances without asking: what runs there is cut, not drained.'
  return [at.error(found, reason, fix)]
}

function checkTimes(at: About, hook: HookFacts, { drainSeconds }: QueueConfig): Finding[] {
  const budget = drainSeconds + lastReportSeconds
  const findings: Finding[] = []
  if (hook.globalSeconds < budget) {
    const found = `it holds an instance for ${seconds(hook.globalSeconds)} in all`
    const reason =
      `A drain may take ${seconds(drainSeconds)}; extended or not, a hook ends after a hundred ` +
      'of its timeouts, and after 48 hours: running tasks are then cut.'
    const fix = `Set --heartbeat-timeout to ${Math.max(Math.ceil(budget / 100), 300)} or more.`
    findings.push(at.error(found, reason, fix))
  }
  const found = `its timeout is ${seconds(hook.heartbeatSeconds)}`
  if (hook.heartbeatSeconds < heartbeatSecondsLeast) {
    const reason = 'Where an event is lost the sweep finds the instance, which may take longer.'
    findings.push(at.warning(found, reason, 'Set --heartbeat-timeout to 300.'))
  } else if (hook.heartbeatSeconds > Math.max(heartbeatSecondsMost, budget / 100)) {
    const reason = 'An instance whose drain nobody ends (a failed deployment) is paid for as long.'
    findings.push(at.warning(found, reason, 'Set --heartbeat-timeout to 300: it is extended.'))
  }
  if (hook.defaultResult !== 'CONTINUE') {
    const reason =
      "A timeout then skips the group's other terminate hooks, and keeps the instance where the " +
      'group retains what is abandoned.'
    const found = `its default result is ${hook.defaultResult}`
    findings.push(at.warning(found, reason, 'Set --default-result CONTINUE.'))
  }
  return findings.length > 0 ? findings : [at.ok(`${hook.name}, ${found}`)]
}

function checkTags(subject: string, group: GroupFacts, { facts, queue }: Context): Finding[] {
  const { tags, name } = group
  if (isUnread(tags)) return [about('tags', subject).unknown(tags.unread)]
  const { queue: queueTag, concurrency, fleet } = facts.tags
  const wanted = [{ key: queueTag, value: queue.name }, ...(fleet === null ? [] : [fleet])]
  const set = (key: string, value: string) =>
    'aws autoscaling create-or-update-tags --tags ResourceType=auto-scaling-group,' +
    `ResourceId=${name},Key=${key},Value=${value},PropagateAtLaunch=true; then replace instances`
  const denied = 'SendCommand is allowed on instances with the tag alone: every drain is denied.'
  const needed = wanted.map(({ key, value }) => {
    const at = about(`tag ${key}`, subject)
    const tag = tags.find((one) => one.key === key)
    if (tag?.propagates) return at.ok(tag.value)
    const found = tag ? 'it does not propagate at launch' : 'the group has no such tag'
    return at.error(found, denied, set(key, tag?.value ?? value))
  })
  const slots = tags.find((one) => one.key === concurrency)
  if (!slots) return needed
  const at = about(`tag ${concurrency}`, subject)
  if (slots.propagates) return [...needed, at.ok(slots.value)]
  const reason = 'Instances take their slots from it, and the sizing counts on that.'
  const fix = set(concurrency, slots.value)
  return [...needed, at.warning('it does not propagate at launch', reason, fix)]
}

function checkAgents(subject: string, { instances }: GroupFacts): Finding[] {
  const online = about('ssm-online', subject)
  if (isUnread(instances)) return [online.unknown(instances.unread)]
  if (instances.length === 0) return [online.unknown('no instance is in service')]
  const lost = instances.filter(({ agent }) => agent?.ping !== 'Online')
  const old = instances.filter(
    ({ agent }) => agent !== null && compareVersions(agent.version, agentVersionLeast) < 0,
  )
  const of = `of ${instances.length} in service`
  const version = about('ssm-agent-version', subject)
  return [
    lost.length === 0
      ? online.ok(`all ${of}`)
      : online.error(
          `${lost.length} ${of} are not online in Systems Manager: ${list(lost)}`,
          "The command to drain does not reach them, and the box's own watcher is all there is.",
          'Give the instance role AmazonSSMManagedInstanceCore, and have the agent run.',
        ),
    old.length === 0
      ? version.ok(`${agentVersionLeast} or newer`)
      : version.error(`${old.length} ${of} are older: ${list(old)}`, agentReason, agentFix),
  ]
}

function list(instances: readonly { readonly id: string }[]): string {
  const shown = instances.slice(0, instancesShown).map(({ id }) => id)
  const more = instances.length - shown.length
  return more > 0 ? `${shown.join(', ')} and ${more} more` : shown.join(', ')
}
