import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import type { Compared, Row } from '../twin/compare.ts'
import type { Timeline } from '../twin/timeline.ts'
import type { Traffic } from '../twin/traces/traffic.ts'

/** A replay as one page that needs nothing else: its data, its script and uPlot are in it. */

type Options = {
  readonly title: string
  readonly about: string
  readonly head: readonly string[]
  readonly cells: readonly (readonly string[])[]
  readonly compared: readonly Compared[]
  readonly traffic: Traffic
  readonly promiseSeconds: number
  readonly slots: number
}

// Below this share of tasks in time a policy's row is marked: what the promise is held to be.
const keptShare = 0.995

const library = (file: string) => fileURLToPath(import.meta.resolve(`uplot/dist/${file}`))
const own = (file: string) => new URL(`page/${file}`, import.meta.url)

export async function replayPage(options: Options): Promise<string> {
  const [chart, chartStyle, script, style] = await Promise.all([
    readFile(library('uPlot.iife.min.js'), 'utf8'),
    readFile(library('uPlot.min.css'), 'utf8'),
    readFile(own('replay.js'), 'utf8'),
    readFile(own('replay.css'), 'utf8'),
  ])
  // Nothing in the data may end the script element that it is in.
  const data = JSON.stringify(dataOf(options)).replaceAll('<', '\\u003c')
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(options.title)}</title>
<style>${chartStyle}${style}</style>
</head>
<body>
<h1>${escaped(options.title)}</h1>
<p>${escaped(options.about)}</p>
<div class="scroll" id="rows"></div>
<div class="scroll"><div id="policies"></div></div>
<script type="application/json" id="replay">${data}</script>
<script>${chart}</script>
<script>${script}</script>
</body>
</html>
`
}

const escaped = (text: string) =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')

function dataOf({ compared, traffic, promiseSeconds, slots, head, cells }: Options) {
  const arrivals = perMinute(traffic)
  return {
    from: traffic.daysFrom / 1_000,
    promise: promiseSeconds,
    keptShare,
    within: compared.map(({ row }) => row.within),
    head,
    rows: cells,
    policies: compared.flatMap(({ row, timeline }) =>
      timeline ? [policyOf(row, timeline, { traffic, slots, arrivals })] : [],
    ),
  }
}

type Shared = {
  readonly traffic: Traffic
  readonly slots: number
  readonly arrivals: readonly number[]
}

function policyOf(row: Row, timeline: Timeline, { traffic, slots, arrivals }: Shared) {
  const minutes = timeline.minutes.filter(({ at }) => at >= traffic.daysFrom)
  const params = Object.entries(row.params).map(([name, value]) => `${name} ${rounded(value)}`)
  return {
    name: row.policy,
    params: params.join(', '),
    // The minute that a look ends is the one before it.
    at: minutes.map(({ at }) => Math.floor(at / 60_000) * 60),
    arrivals: minutes.map((_, index) => arrivals[index] ?? 0),
    forecasts: minutes.some(({ forecast }) => forecast !== null),
    forecast: minutes.map(({ forecast }) => (forecast === null ? null : rounded(forecast))),
    visible: minutes.map(({ visible }) => visible),
    wait: minutes.map(({ waitSeconds }) => rounded(waitSeconds)),
    wanted: minutes.map(({ desired }) => desired * slots),
    slots: minutes.map((minute) => minute.slots),
    busy: minutes.map(({ busy }) => busy),
    asked: timeline.asked
      .filter(({ at }) => at >= traffic.daysFrom)
      .map(({ at, desired, reason }) => [at / 1_000, desired, reason]),
  }
}

const rounded = (value: number) => Math.round(value * 10) / 10

/** Arrivals of each minute of the days. */
function perMinute({ tasks, daysFrom, endAt }: Traffic): number[] {
  const counts = Array.from({ length: Math.ceil((endAt - daysFrom) / 60_000) }, () => 0)
  for (const at of tasks.at) {
    if (at < daysFrom) continue
    const minute = Math.floor((at - daysFrom) / 60_000)
    counts[minute] = (counts[minute] ?? 0) + 1
  }
  return counts
}
