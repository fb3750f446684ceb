import { openWindows } from '../../shared/alerts/maintenance.ts'
import { muteOf } from '../../shared/alerts/mute.ts'
import type { Page } from '../../shared/alerts/page.ts'
import { mutesOf, readSilences } from '../../shared/alerts/silences.ts'
import type { AlertsDeps } from '../../shared/aws.ts'
import type { Tick } from '../../shared/looks.ts'
import {
  type Delivery,
  destinationsOf,
  type Sending,
  tellAll,
  topic,
} from '../../shared/notify/send.ts'
import type { Fleet } from '../../shared/queue-config.ts'
import type { Alert } from './alert.ts'
import { readOthers } from './notebook.ts'
import { pagesOf } from './pages.ts'
import { claim, type Due, leftOf, readTold, strikeOff, writeTold } from './told.ts'
import { cappedPage, channelPage, pageOf } from './words.ts'

/** What was told in a run. */
export type Told = {
  /** True: another run has written what was told, so that this one told nobody anything. */
  readonly superseded: boolean
  readonly pages: readonly Page[]
  /** How many alerts fire of which somebody has asked not to be told. */
  readonly muted: number
  readonly deliveries: readonly Delivery[]
  /** Pages that no channel took for so long that they are given up. */
  readonly dropped: readonly Page[]
}

const nothing: Told = { superseded: false, pages: [], muted: 0, deliveries: [], dropped: [] }

/** Decides who is to be told what, writes it down, sends it, and strikes off what was sent. */
export async function tell(
  deps: AlertsDeps,
  fleet: Fleet,
  tick: Tick,
  alerts: readonly Alert[],
  now: number,
): Promise<Told> {
  const [others, told, { silences }] = await Promise.all([
    readOthers(deps, tick),
    readTold(deps),
    readSilences(deps, now),
  ])
  const { notify, name } = fleet
  const mutes = [...mutesOf(silences), ...openWindows(notify.maintenance, now)]
  const firing = [...alerts, ...others]
  const isMuted = ({ queue, rule }: Alert) => muteOf(mutes, queue, rule) !== null
  const muted = firing.filter(isMuted).length
  const manners = { repeatSeconds: notify.repeatSeconds, isMuted }
  const next = pagesOf(firing, told.open, manners, now)
  const pages = next.tellings.map((telling) => pageOf(telling, name, now))
  if (next.held > 0) pages.push(cappedPage(next.held, name, now))
  const fresh = pages.map((page) => dueOf(page, fleet))
  const { mine, theirs } = claim([...told.due, ...fresh], now)
  if (told.open.length + next.open.length + mine.length === 0) return { ...nothing, muted }
  const { version } = told
  const { open } = next
  const claimed = await writeTold(deps, { version, open, due: [...mine, ...theirs] })
  if (claimed === 'superseded') return { ...nothing, superseded: true }
  if (mine.length === 0) return { ...nothing, muted }
  const deliveries = await tellAll(deps, fleet, mine)
  const report = reportOf(mine, deliveries, fleet, now)
  if (report) deliveries.push(...(await tellAll(deps, fleet, [report])))
  const { left, dropped } = leftOf(mine, deliveries)
  await strikeOff(deps, { version: version + 1, open, due: [...mine, ...theirs] }, mine, left)
  return { superseded: false, pages, muted, deliveries, dropped: dropped.map(({ page }) => page) }
}

/** What could not be told for the first time, for the channels that work. */
function reportOf(
  mine: readonly Due[],
  deliveries: readonly Delivery[],
  { name, notify }: Fleet,
  now: number,
): Sending | null {
  const first = new Set(mine.flatMap(({ page, tries }) => (tries === 1 ? page : [])))
  const failed = deliveries.filter(({ page, reason }) => reason !== null && first.has(page))
  const lines = new Map(
    failed.map(({ channel, reason, detail }) => [channel, `${channel}: ${reason} (${detail})`]),
  )
  const all = [topic, ...notify.channels.map((channel) => channel.name)]
  const working = all.filter((channel) => !lines.has(channel))
  if (lines.size === 0 || working.length === 0) return null
  return { page: channelPage([...lines.values()], name, now), channels: working }
}

/** The channels that are to have a page, the topic always. */
function dueOf(page: Page, fleet: Fleet): Due {
  const wanted = destinationsOf(fleet).filter(({ severities }) =>
    severities.includes(page.severity),
  )
  return { page, channels: wanted.map(({ name }) => name), claimedAt: 0, tries: 0 }
}
