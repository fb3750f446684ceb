import { percent, seconds, short, table, whole } from '../format.ts'
import type { Explanation } from './explanation.ts'

/** An explanation for a reader. */
export const describe = (told: Explanation): string =>
  [
    head(told),
    `\nNow\n${now(told)}`,
    `\nForecast\n${forecast(told)}`,
    `\nConstants\n${constants(told)}`,
    `\nService time\n${service(told)}`,
  ].join('\n')

function head({ queue, group, mode, promise }: Explanation): string {
  const { startWithinSeconds, bootSeconds, slots, min, max } = promise
  const slot = slots === 1 ? '1 slot' : `${slots} slots`
  return (
    `${queue}: a task starts within ${seconds(startWithinSeconds)}; group ${group}, ` +
    `mode ${mode}, ${min} to ${max} instances of ${slot}, up in ${seconds(bootSeconds)}.`
  )
}

function now({
  at,
  counts,
  instances,
  lastLook,
  decision,
  promise,
  service,
  forecast,
}: Explanation) {
  const { inService, pending, draining, desired } = instances
  const waits = counts
    ? `${whole(counts.visible)} wait, ${whole(counts.notVisible)} in flight, ` +
      `${whole(counts.delayed)} delayed`
    : 'SQS did not say what waits'
  const looked = lastLook
    ? `The last sweep was ${seconds(lastLook.secondsAgo)} ago.`
    : 'No sweep has looked at it yet.'
  const rate = forecast.ratePerSecond ?? 0
  const comes = rate * forecast.aheadSeconds
  const does =
    decision.desired === desired
      ? decision.kind
      : `${decision.kind}, ${desired} to ${decision.desired}`
  return [
    `  ${timeOf(at)}: ${waits}; ${inService} in service, ${draining} of them draining, ` +
      `${pending} pending, ${desired} desired. ${looked}`,
    `  A sweep now would decide: ${does}, reason ${decision.reason}: ${decision.meaning}.`,
    ...(decision.wanted === null
      ? []
      : [
          `  Why: ${short(comes)} tasks are foreseen in ${seconds(forecast.aheadSeconds)}, until ` +
            `what is launched next could help, each of ${seconds(service.seconds)}. For all of ` +
            `them, and what waits and runs, to start within ` +
            `${seconds(promise.startWithinSeconds)}, ${decision.wanted} ` +
            `${decision.wanted === 1 ? 'instance is' : 'instances are'} wanted` +
            `${decision.shortfall ? `, ${decision.shortfall} more than max allows` : ''}.`,
        ]),
  ].join('\n')
}

const notes: Readonly<Record<Explanation['forecast']['outlook'], string>> = {
  fresh: '',
  none: 'No forecast was written yet: the last minutes are all there is.',
  stale: 'The last forecast is more than two days old and is not used.',
  unreadable: 'What was written cannot be read and is not used; the next hour writes it anew.',
  unread: 'The forecast could not be read.',
}

function forecast({ forecast, at }: Explanation): string {
  const { outlook, historyFrom, predictor, ratePerSecond, predictors } = forecast
  const history =
    historyFrom === null
      ? 'no arrivals were ever measured'
      : `arrivals since ${timeOf(historyFrom)}`
  const written = forecast.at === null ? '' : `written ${ago(at - forecast.at)}, ${history}`
  const rows = predictors.map(({ name, errorTasks, errorShare }) => [
    name === predictor ? `* ${name}` : `  ${name}`,
    errorTasks === null ? '-' : short(errorTasks),
    errorShare === null ? '-' : percent(errorShare),
  ])
  return [
    `  ${[notes[outlook], written].filter((text) => text !== '').join(' ')}`,
    ...(predictor === null
      ? []
      : [`  Trusted: ${predictor}, ${rateOf(ratePerSecond ?? 0)}. Rolling errors:`]),
    ...(rows.length === 0 ? [] : [indented(table(['  predictor', 'tasks', 'of a window'], rows))]),
  ].join('\n')
}

function constants({ constants, rehearsal, at }: Explanation): string {
  const { spend, margin, release, holdSeconds, grace } = constants
  const from = rehearsal
    ? `  Rehearsed ${ago(at - rehearsal.at)} on its last days, ${rehearsal.tried} sets: ` +
      `these kept ${percent(rehearsal.outcome.kept)} of the tasks in time with ` +
      `${short(rehearsal.outcome.instanceHours)} instance-hours.`
    : '  The first ones: nothing was rehearsed yet, which needs two days of arrivals.'
  return [
    from,
    `  Spends ${percent(spend)} of the promise on waiting; provides for ${short(margin)} ` +
      `standard deviations of the forecast's error; a waiting task has a slot within ` +
      `${percent(grace)} of the promise.`,
    `  Removes what is not wanted with ${percent(release * spend)} spent either, and was not for ` +
      `${seconds(holdSeconds)}.`,
  ].join('\n')
}

const sources: Readonly<Record<string, string>> = {
  'group-metrics': "by Little's law over a day, from what was in flight and the group's metrics",
  'group-now': "by Little's law over the last hour, with the instances of now",
  'too-few-deletes': 'too few tasks ended in a day',
  'slots-unknown':
    'how many slots there were is not known; let the group publish GroupTotalInstances',
}

function service({ service: { seconds: used, measured, configured } }: Explanation): string {
  const prior = `the configuration says ${seconds(configured)}`
  if (!measured) return `  ${seconds(used)}; not measured yet, ${prior}.`
  const source = sources[measured.source] ?? measured.source
  const found =
    measured.seconds === null
      ? `not measured: ${source}`
      : `measured ${seconds(measured.seconds)} ${source}, ${whole(measured.done)} tasks`
  return `  ${seconds(used)}; ${found}; ${prior}.`
}

const timeOf = (at: number) =>
  `${new Date(at * 1_000).toISOString().slice(0, 16).replace('T', ' ')} UTC`
const ago = (span: number) => (span < 60 ? 'just now' : `${seconds(span)} ago`)
const rateOf = (perSecond: number) =>
  perSecond < 1 ? `${short(perSecond * 60)} tasks a minute` : `${short(perSecond)} tasks a second`
const indented = (text: string) => text.replace(/^/gm, '  ')
