import { simulate } from './twin/run.ts'
import { talk } from './twin/scenarios/talk.ts'
let hooked = false
const all: any[] = []
const { breaches } = await simulate({ scenario: talk(), seed: 1, hours: 13.1, onMinute: ({ world: { twin } }) => {
  if (hooked) return
  hooked = true
  ;(twin.logged as any).push = function (...lines: any[]) { for (const l of lines) if (twin.engine.now > Date.parse('2026-01-06T12:57:00Z') && JSON.stringify(l.fields).includes('meeting-join')) all.push({ now: twin.engine.now, ...l }); return Array.prototype.push.apply(this, lines) }
} })
for (const b of breaches) console.log(b.slice(0, 230))
for (const l of all) console.log(new Date(l.now).toISOString(), l.message, JSON.stringify(l.fields).slice(0, 620))
