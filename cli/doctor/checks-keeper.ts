import { seconds } from '../format.ts'
import { taskTimeFix, taskTimeUnknown } from './checks-worker.ts'
import type { ContainerFacts, First, Needs, ProgramFacts, UnitFacts } from './facts.ts'
import { type About, about, type Finding, withoutSecrets } from './finding.ts'

/** What there is to say of what keeps a worker: a systemd unit, a program, a container. */

/** Whether drain.sh is there, which stops what it drains from being started again. */
type HasDrain = 'drain.sh' | 'no drain.sh'

// Docker's own, for a container that says nothing.
const dockerStopSeconds = 10

const childrenReason =
  'Every process gets SIGTERM, and not the main one alone: running tasks are killed, and the ' +
  'main process acknowledges them. They are lost.'

export function checkUnit(unit: UnitFacts, needs: Needs, has: HasDrain): Finding[] {
  const subject = `unit ${unit.name}`
  return [
    checkKillMode(about('kill-mode', subject), unit),
    checkSignal(about('stop-signal', subject), unit.killSignal === 15 ? 'TERM' : unit.killSignal),
    checkStopTime(about('stop-timeout', subject), needs, {
      setting: 'TimeoutStopSec',
      secondsMax: unit.stopSeconds,
    }),
    checkRestart(about('restart', subject), `Restart=${unit.restart}`, has),
    checkFirst(about('main-process', subject), unit.first, 'ExecStart'),
  ]
}

function checkKillMode(at: About, { killMode }: UnitFacts): Finding {
  const found = `KillMode=${killMode}`
  const fix = 'Set KillMode=mixed.'
  if (killMode === 'control-group') {
    return at.error(
      found,
      `${childrenReason} A drain avoids it, but a restart, a deployment and a reboot do not.`,
      `${fix} It is systemd's default to do otherwise.`,
    )
  }
  if (killMode === 'mixed') return at.ok(found)
  const reason = 'What is left after the main process has ended is not killed, and runs on alone.'
  return at.warning(found, reason, fix)
}

export function checkProgram(program: ProgramFacts, needs: Needs, has: HasDrain): Finding[] {
  const subject = `program ${program.name}`
  return [
    checkGroup(about('stop-as-group', subject), program),
    checkSignal(about('stop-signal', subject), program.stopSignal),
    checkStopTime(about('stop-timeout', subject), needs, {
      setting: 'stopwaitsecs',
      secondsMax: program.stopSeconds,
    }),
    checkRestart(about('restart', subject), `autorestart=${program.autorestart}`, has),
    checkFirst(about('main-process', subject), program.first, 'command'),
  ]
}

function checkGroup(at: About, { stopAsGroup }: ProgramFacts): Finding {
  if (!stopAsGroup) return at.ok('stopasgroup=false')
  const fix = "Set stopasgroup=false and killasgroup=true, whatever Celery's own example has."
  return at.error('stopasgroup=true', childrenReason, fix)
}

export function checkContainer(container: ContainerFacts, needs: Needs, has: HasDrain): Finding[] {
  const subject = `container ${container.name}`
  const { stopSignal, stopSeconds, restart, first } = container
  return [
    checkFirst(about('main-process', subject), first, 'CMD'),
    checkInit(about('init', subject), container),
    checkSignal(about('stop-signal', subject), stopSignal ?? 'TERM'),
    checkStopTime(about('stop-timeout', subject), needs, {
      setting: stopSeconds === null ? "Docker's default" : 'StopTimeout',
      secondsMax: stopSeconds ?? dockerStopSeconds,
    }),
    checkRestart(about('restart', subject), `restart policy ${restart}`, has),
  ]
}

/** An init in front may pass signals on to the whole group. */
function checkInit(at: About, { first, environment }: ContainerFacts): Finding {
  const name = baseOf(first.argv[0])
  // Its own words end where the worker's begin.
  const until = first.argv.findIndex((word, index) => index > 0 && !word.startsWith('-'))
  const options = first.argv.slice(1, until === -1 ? undefined : until)
  const has = (...words: string[]) => options.some((word) => words.includes(word))
  if (name === 'dumb-init') {
    const single = environment['DUMB_INIT_SETSID'] === '0' || has('-c', '--single-child')
    if (single) return at.ok('dumb-init signals its child alone')
    const fix = "Set DUMB_INIT_SETSID=0 in the container's environment."
    return at.error('dumb-init with DUMB_INIT_SETSID unset', childrenReason, fix)
  }
  if (['tini', 'tini-static', 'docker-init'].includes(name)) {
    const group = has('-g') || environment['TINI_KILL_PROCESS_GROUP'] !== undefined
    if (!group) return at.ok(`${name} signals its child alone`)
    const fix = 'Remove -g and TINI_KILL_PROCESS_GROUP.'
    return at.error(`${name} signals the whole group`, childrenReason, fix)
  }
  return at.ok(`no init that signals a group in front: ${name}`)
}

/** Signals as people write them: TERM, SIGTERM, 15. */
function checkSignal(at: About, signal: string | number): Finding {
  const name = String(signal).toUpperCase().replace(/^SIG/, '')
  const known = numbers[name] ?? name
  const found = `the stop signal is ${known}`
  if (known === 'TERM') return at.ok(found)
  const fix = 'Make it TERM.'
  if (known === 'INT') return at.ok(`${found}: the first one is a warm shutdown as well`)
  if (known === 'QUIT') {
    const reason = 'A cold shutdown: running tasks are cut, and with billiard 4.3.0 they are lost.'
    return at.error(found, reason, fix)
  }
  return at.error(found, 'Celery does not end warm by it: running tasks are cut.', fix)
}

const numbers: Readonly<Record<string, string>> = {
  '1': 'HUP',
  '2': 'INT',
  '3': 'QUIT',
  '9': 'KILL',
  '15': 'TERM',
}

type StopTime = {
  readonly setting: string
  /** Null: never killed. */
  readonly secondsMax: number | null
}

function checkStopTime(at: About, needs: Needs, { setting, secondsMax }: StopTime): Finding {
  if (secondsMax === null) return at.ok(`${setting}: no limit`)
  const found = `${setting}: ${seconds(secondsMax)}`
  if (needs === null) return at.unknown(`${found}, and ${taskTimeUnknown}`, taskTimeFix)
  const { taskSeconds, drainSeconds } = needs
  const fix = `Set it to ${drainSeconds} s, what a drain of this queue may take, or more.`
  const reason =
    'A stop that is no drain (a restart, a deployment, a reboot) kills what still runs then: it ' +
    'waits for its visibility timeout, and with early acknowledgement it is lost.'
  if (secondsMax < taskSeconds) {
    return at.error(`${found}, a usual task takes ${seconds(taskSeconds)}`, reason, fix)
  }
  if (secondsMax < drainSeconds) {
    return at.warning(`${found}, a drain may take ${seconds(drainSeconds)}`, reason, fix)
  }
  return at.ok(found)
}

const never = ['Restart=no', 'autorestart=false', 'restart policy no']

function checkRestart(at: About, found: string, has: HasDrain): Finding {
  if (never.includes(found)) return at.ok(found)
  if (has === 'drain.sh') return at.ok(`${found}; drain.sh keeps it from starting again`)
  const reason = 'A worker that was stopped starts again, and takes tasks on a box that leaves.'
  return at.warning(found, reason, 'Install drain.sh: it keeps what it drains stopped.')
}

const shells = ['sh', 'bash', 'dash', 'ash', 'zsh', 'ksh', 'busybox']

const baseOf = (path = '') => path.slice(path.lastIndexOf('/') + 1)

/** A shell in front takes the signal, and passes it to nobody. */
function checkFirst(at: About, { argv, from, isWorker }: First, setting: string): Finding {
  const found = shorten(withoutSecrets(argv.join(' ')))
  if (isWorker) return at.ok('the worker itself')
  if (!shells.includes(baseOf(argv[0]))) return at.ok(found === '' ? 'not set' : found)
  const reason =
    'The shell takes the stop signal and the worker never hears of it: it is killed, and what ' +
    'runs waits for its visibility timeout.'
  const fix = `Write \`exec\` before the worker in ${setting}, or name the worker without a shell.`
  if (from === 'process') return at.error(`${found}, with the worker below it`, reason, fix)
  const script = argv[argv.indexOf('-c') + 1] ?? ''
  if (!argv.includes('-c')) {
    return at.unknown(`${found}: whether it ends in exec shows when it runs`, 'Run doctor then.')
  }
  if (/(^|[;&|\s])exec\s/.test(script)) return at.ok(found)
  return at.error(found, reason, fix)
}

// A line of a report; more of a command says nothing more.
const foundLengthMax = 100
const shorten = (text: string) =>
  text.length <= foundLengthMax ? text : `${text.slice(0, foundLengthMax - 3)}...`
