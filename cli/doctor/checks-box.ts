import { checkContainer, checkProgram, checkUnit } from './checks-keeper.ts'
import { checkWorker } from './checks-worker.ts'
import { type BoxFacts, type DrainFacts, isUnread, type Needs, type Reading } from './facts.ts'
import { about, compareVersions, type Finding } from './finding.ts'

// The first agent that passes a command's parameters as environment variables.
export const agentVersionLeast = '3.3.2746.0'

/** Everything there is to say of a box, the worker's own first. */
export function checkBox(facts: BoxFacts, needs: Needs): Finding[] {
  const has = facts.drain.script === 'executable' ? 'drain.sh' : 'no drain.sh'
  return [
    ...(facts.workers.length === 0 ? [noWorker()] : []),
    ...facts.workers.flatMap((worker) => checkWorker(worker, needs)),
    ...each(facts.units, 'unit', (unit) => checkUnit(unit, needs, has)),
    ...each(facts.programs, 'program', (program) => checkProgram(program, needs, has)),
    ...each(facts.containers, 'container', (one) => checkContainer(one, needs, has)),
    ...checkDrain(facts.drain),
    checkReports(facts.drain),
    ...checkAgent(facts),
    checkMetadata(facts),
  ]
}

const noWorker = () =>
  about('worker', 'this box').unknown(
    'no Celery worker runs here',
    'Run doctor while it runs, or name --python, --unit, --program or --container.',
  )

/** What could not be read has one finding, whatever would have been looked at. */
const each = <T>(
  readings: readonly Reading<T>[],
  kind: string,
  check: (facts: T) => Finding[],
): Finding[] =>
  readings.flatMap((one) =>
    isUnread(one) ? [about(kind, 'this box').unknown(one.unread)] : check(one),
  )

function checkDrain({ script, path, watcher }: DrainFacts): Finding[] {
  const drain = about('drain-script', 'this box')
  const watch = about('watcher', 'this box')
  const missing = drain.error(
    `${path} is ${script}`,
    "It is what the control plane's command and the watcher start: without it nothing drains.",
    'Copy worker/ of the project to /opt/celeriac, and make drain.sh executable.',
  )
  const deaf = 'Where the command does not arrive (a dead agent), nobody sees the notice in time.'
  const start = 'systemctl enable --now celeriac-watch.service'
  return [
    script === 'executable' ? drain.ok(path) : missing,
    isUnread(watcher)
      ? watch.unknown(watcher.unread)
      : watcher === 'active'
        ? watch.ok('celeriac-watch.service is active')
        : watch.warning(`celeriac-watch.service is ${watcher}`, deaf, start),
  ]
}

/** PutEvents has no dry run, so that only what was tried can be told. */
function checkReports({ report }: DrainFacts): Finding {
  const at = about('reports', 'this box')
  if (report !== null && isUnread(report)) {
    return at.unknown(`${report.unread}; whether the role may put events shows with a drain`)
  }
  if (report === null) return at.ok('the last drain could report')
  return at.warning(
    `the last drain could not report: ${report}`,
    'The control plane then asks each minute, and lets go of the instance up to a minute late.',
    'Allow events:PutEvents on the default bus in the instance role, as the README has it.',
  )
}

function checkAgent({ agent: { running, version } }: BoxFacts): Finding[] {
  const runs = about('ssm-agent', 'this box')
  const least = about('ssm-agent-version', 'this box')
  const process = running
    ? runs.ok('it runs')
    : runs.error(
        'no process amazon-ssm-agent (in a container none is seen: run doctor on the box)',
        "The control plane's command to drain does not arrive.",
        'systemctl enable --now amazon-ssm-agent',
      )
  if (isUnread(version)) return [process, least.unknown(version.unread)]
  if (compareVersions(version, agentVersionLeast) >= 0) return [process, least.ok(version)]
  return [process, least.error(version, agentReason, agentFix)]
}

export const agentReason =
  `Before ${agentVersionLeast} the agent does not pass parameters as environment variables: the ` +
  'command to drain refuses to run.'
export const agentFix = `Update the SSM agent to ${agentVersionLeast} or newer.`

/** Of the box itself; whoever is in a container has a finding of its own. */
function checkMetadata({ metadata }: BoxFacts): Finding {
  const at = about('metadata', 'this box')
  if (metadata === 'token') return at.ok('IMDSv2 answers')
  return at.warning(
    `IMDSv2 gives no token: ${metadata.failed}`,
    'The watcher hears of no Spot notice, and what needs the instance id or region fails.',
    'aws ec2 modify-instance-metadata-options --instance-id ID --http-endpoint enabled',
  )
}
