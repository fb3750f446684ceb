/* Draws the page of a replay from the JSON in it; uPlot is in the page as well. */

const page = JSON.parse(document.getElementById('replay').textContent)
const dark = matchMedia('(prefers-color-scheme: dark)')
const palettes = {
  light: ['#2563a8', '#c2570c', '#2e7d46', '#9333a8', '#b42318'],
  dark: ['#6cb0f5', '#f5a15d', '#6bc98a', '#d79be8', '#ff8a7a'],
}
const colour = (index) => palettes[dark.matches ? 'dark' : 'light'][index]
/* A canvas takes no light-dark(): an element has the colour that it comes to. */
const style = (name) => {
  const probe = document.body.appendChild(document.createElement('i'))
  probe.style.color = `var(${name})`
  const { color } = getComputedStyle(probe)
  probe.remove()
  return color
}

const element = (tag, text, className) => {
  const made = document.createElement(tag)
  if (text !== undefined) made.textContent = text
  if (className) made.className = className
  return made
}
const number = (value, digits = 0) =>
  value.toLocaleString('en-US', { maximumFractionDigits: digits })
const clock = (seconds) => {
  const day = Math.floor((seconds - page.from) / 86400)
  return `day ${day + 1} ${new Date(seconds * 1000).toISOString().slice(11, 16)}`
}
const span = (seconds) => {
  if (seconds < 120) return `${number(seconds, 1)} s`
  return seconds < 7200 ? `${number(seconds / 60, 1)} min` : `${number(seconds / 3600, 1)} h`
}

function drawTable() {
  const head = element('tr')
  for (const name of page.head) head.append(element('th', name))
  const table = element('table')
  table.append(head)
  page.rows.forEach((cells, index) => {
    const row = element('tr')
    cells.forEach((cell, column) => {
      const late = column === 1 && page.within[index] < page.keptShare
      row.append(element('td', cell, late ? 'late' : undefined))
    })
    table.append(row)
  })
  document.getElementById('rows').replaceChildren(table)
}

/* One scale for all policies, so that what is higher is more. */
const most = (pick) =>
  page.policies.reduce(
    (high, policy) => pick(policy).reduce((top, value) => Math.max(top, value ?? 0), high),
    0,
  )

const constant = (policy, value) => policy.at.map(() => value)

const charts = [
  {
    title: 'Arrivals a minute',
    lines: [
      { label: 'arrived', of: (policy) => policy.arrivals, fill: true },
      { label: 'forecast', of: (policy) => policy.forecast, when: (policy) => policy.forecasts },
    ],
  },
  {
    title: 'Waiting (messages visible)',
    lines: [{ label: 'waiting', of: (p) => p.visible, fill: true }],
  },
  {
    title: 'Longest wait of tasks that started',
    unit: span,
    cut: page.promise * 4,
    incrs: [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 43200],
    lines: [
      { label: 'waited', of: (policy) => policy.wait },
      { label: 'promise', of: (policy) => constant(policy, page.promise), at: 4, dash: [6, 4] },
    ],
  },
  {
    title: 'Capacity (slots)',
    lines: [
      { label: 'busy', of: (policy) => policy.busy, at: 2, fill: true },
      { label: 'running', of: (policy) => policy.slots, at: 0 },
      {
        label: 'wanted',
        of: (policy) => policy.wanted,
        at: 1,
        paths: uPlot.paths.stepped({ align: 1 }),
      },
    ],
  },
]
for (const chart of charts) {
  chart.top = Math.max(...chart.lines.map((line) => most(line.of))) * 1.05 || 1
  /* One policy that fails must not press the others flat. */
  if (chart.cut && chart.cut < chart.top) {
    chart.top = chart.cut
    chart.title += ` (cut at ${chart.unit(chart.cut)})`
  }
}

const tickAt = (seconds) => {
  const [day, time] = clock(seconds).split(/ (?=\d\d:)/)
  return time === '00:00' ? day : time
}

function drawChart({ title, lines, unit = number, incrs, top }, policy, into) {
  const shown = lines.filter((line) => line.when?.(policy) ?? true)
  const axis = {
    stroke: style('--faint'),
    grid: { stroke: style('--line'), width: 1 },
    ticks: { show: false },
  }
  const series = shown.map(({ label, at, dash, fill, paths }, index) => ({
    label,
    stroke: () => colour(at ?? index),
    width: 1.25,
    points: { show: false },
    ...(dash ? { dash } : {}),
    ...(paths ? { paths } : {}),
    ...(fill ? { fill: () => `${colour(at ?? index)}22` } : {}),
    value: (_, value) => (value === null || value === undefined ? '-' : unit(value)),
  }))
  into.append(element('h3', title))
  const place = element('div')
  into.append(place)
  return new uPlot(
    {
      width: Math.max(280, into.clientWidth - 24),
      height: 150,
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), 'Etc/UTC'),
      cursor: { sync: { key: 'replay' }, drag: { x: true, y: false } },
      scales: { y: { range: [0, top] } },
      axes: [
        { ...axis, size: 28, space: 60, values: (_, ticks) => ticks.map(tickAt) },
        {
          ...axis,
          size: 56,
          ...(incrs ? { incrs } : {}),
          values: (_, ticks) => ticks.map((tick) => unit(tick)),
        },
      ],
      series: [
        { label: 'at', value: (_, value) => (value === null ? '-' : clock(value)) },
        ...series,
      ],
    },
    [policy.at, ...shown.map((line) => line.of(policy))],
    place,
  )
}

function drawDecisions(policy, into) {
  into.append(element('h3', `Capacities asked for: ${number(policy.asked.length)}`))
  const counts = new Map()
  for (const [, , reason] of policy.asked) counts.set(reason, (counts.get(reason) ?? 0) + 1)
  const reasons = element('div', undefined, 'reasons')
  for (const [reason, count] of [...counts].sort(([, a], [, b]) => b - a)) {
    reasons.append(element('span', `${reason} ${number(count)}`))
  }
  const list = element('div', undefined, 'decisions')
  const table = element('table')
  policy.asked.forEach(([at, desired, reason], index) => {
    const before = policy.asked[index - 1]?.[1]
    const row = element('tr')
    row.append(
      element('td', clock(at)),
      element('td', before === undefined ? String(desired) : `${before} → ${desired}`),
      element('td', reason),
    )
    table.append(row)
  })
  list.append(table)
  into.append(reasons, list)
}

function draw() {
  const place = document.getElementById('policies')
  place.replaceChildren()
  const sections = page.policies.map((policy) => {
    const section = element('section')
    section.append(element('h2', policy.name), element('div', policy.params, 'params'))
    place.append(section)
    return section
  })
  // The columns have their widths only when all of them are there.
  page.policies.forEach((policy, index) => {
    for (const chart of charts) drawChart(chart, policy, sections[index])
    drawDecisions(policy, sections[index])
  })
}

drawTable()
draw()
dark.addEventListener('change', draw)
let resizing
addEventListener('resize', () => {
  clearTimeout(resizing)
  resizing = setTimeout(draw, 150)
})
