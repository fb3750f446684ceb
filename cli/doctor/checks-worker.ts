import { seconds } from '../format.ts'
import {
  isUnread,
  type Needs,
  type Probe,
  type Reading,
  type Settings,
  type Unread,
  type WorkerFacts,
} from './facts.ts'
import { type About, about, compareVersions, type Finding } from './finding.ts'

/** What there is to say of one worker process, or of the Python that one would run. */

// celeriac_worker needs it: the first with the bootsteps and the event loop that it knows.
const celeryLeast = '5.2'
// Since this billiard a cold shutdown of Celery acknowledges what runs, and deletes it from SQS.
const billiardThatLoses = '4.3.0'
// The newest Celery in which that was seen; its mend (celery#10667) is younger.
const celeryThatLoses = '5.6.3'
// Since this one a hand-back at the end of a worker waits for wait_time_seconds.
const kombuThatDelays = '5.6'

// What is longer than this is long: three times as much, about P99, is most of the two minutes
// that a Spot notice leaves. fleet.config.ts draws the same line for rebalance recommendations.
const longTaskSeconds = 30
// Usual is a prior, P99 about three times as much; two minutes are for what comes before and after.
export const visibilityTasks = 3
export const visibilityMarginSeconds = 120

export function checkWorker(worker: WorkerFacts, needs: Needs): Finding[] {
  const { probe } = worker
  const subject = subjectOf(worker)
  return [
    ...(isUnread(probe) ? [noProbe(subject, probe)] : checkProbe(subject, probe, worker)),
    ...checkRemap(about('remap-sigterm', subject), worker),
    checkPackage(about('celeriac-worker', subject), worker),
    ...(isUnread(probe) ? [] : checkSettings(subject, probe.settings, needs)),
    ...checkMetadata(about('metadata', subject), worker),
  ]
}

/** Once, whatever its Python would have been asked. */
const noProbe = (subject: string, { unread }: Unread) =>
  about('python', subject).unknown(unread, 'Run doctor as root, or name its Python with --python.')

export function subjectOf({ pid, container, probe }: WorkerFacts): string {
  if (pid === null) return `python ${isUnread(probe) ? '' : probe.python}`.trim()
  return container === null ? `worker ${pid}` : `worker ${pid} in container ${container}`
}

function checkProbe(subject: string, probe: Probe, { remapSigterm }: WorkerFacts): Finding[] {
  return [
    checkCelery(about('celery', subject), probe),
    ...(probe.kombu === null ? [] : [describeKombu(about('kombu', subject), probe.kombu)]),
    ...(probe.celery === null
      ? []
      : [checkShutdown(about('cold-shutdown', subject), probe, remapSigterm)]),
  ]
}

function checkCelery(at: About, { celery, python }: Probe): Finding {
  if (celery === null) {
    const fix = 'Name the Python that runs the worker with --python.'
    return at.unknown(`${python} cannot import celery`, fix)
  }
  if (compareVersions(celery, celeryLeast) >= 0) return at.ok(`Celery ${celery}`)
  return at.warning(
    `Celery ${celery}`,
    `Before ${celeryLeast} celeriac_worker does not work, so that a drain cannot hand back.`,
    `Install Celery ${celeryLeast} or newer.`,
  )
}

function describeKombu(at: About, kombu: string): Finding {
  const reason =
    compareVersions(kombu, kombuThatDelays) < 0
      ? 'A worker that ends gives its messages back at once.'
      : 'A worker that ends gives its messages back, without a drain wait_time_seconds later.'
  return at.ok(`kombu ${kombu}`, reason)
}

const losesReason =
  'A cold shutdown (SIGQUIT, worker_soft_shutdown_timeout, REMAP_SIGTERM) of this pair ' +
  'acknowledges running tasks, late or not: SQS deletes them, and they are lost.'
const losesFix =
  "Install 'billiard<4.3', or a Celery that has celery#10667; until then stop workers " +
  'with SIGTERM to their main process alone.'

/** Null: not known. */
function losesInColdShutdown({ celery, billiard }: Probe): boolean | null {
  if (celery === null || billiard === null) return null
  if (compareVersions(billiard, billiardThatLoses) < 0) return false
  return compareVersions(celery, celeryThatLoses) <= 0 ? true : null
}

function checkShutdown(at: About, probe: Probe, remap: Reading<string | null>): Finding {
  const found = `Celery ${probe.celery ?? 'unknown'} with billiard ${probe.billiard ?? 'unknown'}`
  const loses = losesInColdShutdown(probe)
  if (loses === false) return at.ok(found)
  if (loses === null) return at.unknown(`${found}: this pair has not been tried`)
  if (remap !== 'SIGQUIT') return at.warning(found, losesReason, losesFix)
  const fix = `Remove REMAP_SIGTERM from the worker's environment. ${losesFix}`
  return at.error(`${found}, and REMAP_SIGTERM=SIGQUIT makes every stop cold`, losesReason, fix)
}

/** Only SIGQUIT means something to Celery; where that loses tasks there is an error already. */
function checkRemap(at: About, { remapSigterm: remap, probe }: WorkerFacts): Finding[] {
  if (remap !== null && isUnread(remap)) return [at.unknown(remap.unread, 'Run doctor as root.')]
  if (remap !== 'SIGQUIT') return [at.ok('SIGTERM is a warm shutdown')]
  const known = isUnread(probe) ? null : probe
  if (known && losesInColdShutdown(known)) return []
  const settings = known?.settings ?? null
  const early = settings !== null && !isUnread(settings) && !settings.acksLate
  const say = early ? at.error : at.warning
  const reason = early
    ? 'A drain cuts running tasks at once, and with early acknowledgement they are lost.'
    : 'A drain cuts running tasks at once: they begin anew elsewhere, however short they are.'
  return [
    say('REMAP_SIGTERM=SIGQUIT', reason, "Remove REMAP_SIGTERM from the worker's environment."),
  ]
}

function checkPackage(at: About, { pid, probe, phase, takesOrders }: WorkerFacts): Finding {
  const reason =
    'Without it a drain cannot hand back prefetched messages: they stay in flight until the last ' +
    'running task ends, and one that lands on the open poll until its visibility timeout.'
  const install = 'import celeriac_worker; celeriac_worker.install(app)'
  if (phase !== null && takesOrders) return at.ok(`active, ${phase}`)
  if (phase !== null) {
    const fix = `Have nothing else handle SIGUSR2 in the worker, after \`${install}\`.`
    return at.warning('it has a state file, but SIGUSR2 has no handler', reason, fix)
  }
  if (isUnread(probe)) return at.unknown(`it has no state file; ${probe.unread}`)
  if (probe.celeriacWorker === null) {
    const fix = `Put worker/ on the worker's PYTHONPATH, and \`${install}\` into its app.`
    return at.warning('it cannot be imported', reason, fix)
  }
  if (pid === null) return at.ok(`celeriac_worker ${probe.celeriacWorker} can be imported`)
  const fix = `Put \`${install}\` into the app; where it is, the worker's log says what it lacked.`
  return at.warning('it can be imported, but the worker has no state file', reason, fix)
}

function checkSettings(
  subject: string,
  settings: Reading<Settings> | null,
  needs: Needs,
): Finding[] {
  const late = about('acks-late', subject)
  if (settings === null) {
    return [late.unknown('no application was named', 'Name it with --app, as celery -A does.')]
  }
  if (isUnread(settings)) return [late.unknown(settings.unread, 'Name the application with --app.')]
  return [
    checkBroker(about('broker', subject), settings),
    checkAcks(late, settings),
    checkLost(about('reject-on-worker-lost', subject), settings),
    checkPrefetch(about('prefetch', subject), settings, needs),
    checkSoft(about('soft-shutdown', subject), settings),
    checkVisibility(about('visibility-timeout', subject), settings, needs),
  ]
}

function checkBroker(at: About, { transport }: Settings): Finding {
  const sqs = /^sqs\b/i.test(transport)
  if (sqs) return at.ok(transport)
  const reason = 'celeriac_worker and the control plane know Amazon SQS alone.'
  return at.error(transport, reason, "Set broker_url to 'sqs://'.")
}

function checkAcks(at: About, { acksLate, earlyTasks, acksOnFailureOrTimeout }: Settings): Finding {
  const reason =
    'A task is deleted from SQS before it runs: whatever cuts it (a deadline, Spot, a crash) ' +
    'loses it.'
  if (!acksLate) {
    return at.error('task_acks_late is off', reason, 'Set task_acks_late = True.')
  }
  if (earlyTasks.length > 0) {
    const fix = 'Give them acks_late=True, or know that they are lost when they are cut.'
    return at.error(`on, but not for ${earlyTasks.join(', ')}`, reason, fix)
  }
  const failed = acksOnFailureOrTimeout ? 'not run again' : 'run again'
  return at.ok(`task_acks_late is on; a task that fails or times out is ${failed}`)
}

function checkLost(at: About, { rejectOnWorkerLost, acksLate }: Settings): Finding {
  if (rejectOnWorkerLost || !acksLate) return at.ok(String(rejectOnWorkerLost))
  return at.warning(
    'task_reject_on_worker_lost is off',
    'A task whose process is killed (out of memory, say) is acknowledged, and not run again.',
    'Set task_reject_on_worker_lost = True where tasks may run twice; have a dead-letter queue.',
  )
}

function checkPrefetch(at: About, { prefetchMultiplier: times }: Settings, needs: Needs): Finding {
  const found = `worker_prefetch_multiplier is ${times}`
  const reason =
    'Messages wait in this worker behind its running tasks while other workers are free, and ' +
    'each one that an unplanned end catches waits for its visibility timeout.'
  const fix = 'Set worker_prefetch_multiplier = 1.'
  if (times === 1) return at.ok(found)
  if (times < 1) return at.warning(`${found}: without a limit`, reason, fix)
  if (needs === null) return at.unknown(`${found}, and ${taskTimeUnknown}`, taskTimeFix)
  if (needs.taskSeconds <= longTaskSeconds) return at.ok(`${found}, tasks are short`)
  return at.warning(`${found}, tasks take ${seconds(needs.taskSeconds)}`, reason, fix)
}

function checkSoft(at: About, { softShutdownSeconds }: Settings): Finding {
  const found = `worker_soft_shutdown_timeout is ${softShutdownSeconds}`
  if (softShutdownSeconds === 0) return at.ok(found)
  return at.warning(
    found,
    'It makes a cold shutdown of every SIGQUIT after that time, and waits it out even when idle; ' +
      'a drain stops workers by SIGTERM and needs none of it.',
    'Remove worker_soft_shutdown_timeout.',
  )
}

function checkVisibility(at: About, { visibilitySeconds }: Settings, needs: Needs): Finding {
  if (visibilitySeconds === null) {
    return at.ok("not set: the queue's own counts, which doctor --config reads")
  }
  const found = `visibility_timeout is ${seconds(visibilitySeconds)}`
  if (needs === null) return at.unknown(`${found}, and ${taskTimeUnknown}`, taskTimeFix)
  const least = visibilityTasks * needs.taskSeconds + visibilityMarginSeconds
  if (visibilitySeconds >= least) return at.ok(found)
  return at.warning(
    `${found}, tasks take ${seconds(needs.taskSeconds)}`,
    'kombu makes a missing queue with it, and a task that runs longer is given out again.',
    `Set it to ${least} s or more, and the queue's own VisibilityTimeout as well.`,
  )
}

export const taskTimeUnknown = 'how long tasks take is not known'
export const taskTimeFix = 'Say it with --queue (as in fleet.config.ts) or --task-time.'

/** Asked inside containers alone: that is where a hop limit of 1 keeps it away. */
function checkMetadata(at: About, { container, probe }: WorkerFacts): Finding[] {
  if (container === null) return []
  if (isUnread(probe) || probe.metadata === null) {
    const query = "--query '*[].*[].MetadataOptions.HttpPutResponseHopLimit'"
    return [at.unknown('not asked', `aws ec2 describe-instances --instance-ids ID ${query}`)]
  }
  if (!isUnread(probe.metadata)) return [at.ok('it answers inside the container')]
  return [
    at.warning(
      `no answer inside the container: ${probe.metadata.unread}`,
      "A hop limit of 1 ends at the box: code in the container gets neither the role's " +
        'credentials nor its region.',
      'aws ec2 modify-instance-metadata-options --instance-id ID --http-put-response-hop-limit 2',
    ),
  ]
}
