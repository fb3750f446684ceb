import { type Page, pageSchema } from '../../shared/alerts/page.ts'
import { runUntil } from '../aws/event-source.ts'
import { simulate } from '../run.ts'
import type { LogLine } from '../twin.ts'
import type { World } from '../world/world.ts'
import { byPublished, createIdeal } from './ideal.ts'
import { type Incident, type Judgement, judge, type Possible } from './judge.ts'
import { scenarioOf } from './scenarios.ts'

// The function looks once a minute; whoever knows everything sees what is published in between.
const idealSeconds = 15
const idealLooks = 3

export type Replayed = {
  readonly judgement: Judgement
  readonly incidents: readonly Incident[]
  readonly pages: readonly Page[]
  readonly possible: readonly Possible[]
  readonly breaches: readonly string[]
}

/** The real handlers through a scenario, and what they told against what had happened. */
export async function backtest(name: string, seed: number): Promise<Replayed> {
  const { scenario, hours, incidents } = scenarioOf(name, seed)
  const pages = collectPages()
  const possible: Possible[] = []
  let between: ReturnType<typeof createIdeal> | null = null
  let beside: ReturnType<typeof createIdeal> | null = null
  const { breaches } = await simulate({
    ...{ scenario, seed, hours, repeats: 'once' },
    onMinute: async ({ world }) => {
      pages.collect(world.twin.logged)
      if (incidents.length === 0) return
      between ??= createIdeal(world, (rule) => byPublished.includes(rule))
      for (let look = 0; look < idealLooks; look++) {
        if (look > 0) await pass(world, idealSeconds)
        possible.push(...(await between.look()))
      }
    },
    onLook: async (world) => {
      if (incidents.length === 0) return
      beside ??= createIdeal(world, (rule) => !byPublished.includes(rule))
      possible.push(...(await beside.look()))
    },
  })
  const told = { pages: pages.all, possible }
  return { judgement: judge(name, seed, incidents, told), incidents, ...told, breaches }
}

const pass = ({ twin: { engine }, stack }: World, seconds: number) =>
  runUntil(engine, engine.now + seconds * 1_000, stack.sources)

/** The pages among the lines that were logged; those that come again are known. */
function collectPages() {
  const all: Page[] = []
  let last: LogLine | undefined
  return {
    all: all as readonly Page[],
    collect(logged: readonly LogLine[]) {
      const from = last ? logged.lastIndexOf(last) + 1 : 0
      for (const { message, fields } of logged.slice(from)) {
        if (message === 'page') all.push(pageSchema.parse(fields))
      }
      last = logged.at(-1)
    },
  }
}
