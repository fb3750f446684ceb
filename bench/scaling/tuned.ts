import { createHash } from 'node:crypto'
import { readFile, rename, writeFile } from 'node:fs/promises'
import * as z from 'zod/mini'
import type { Case, When } from './cases.ts'
import type { Tuned } from './work.ts'

/** The file of tuned settings: what `--tune` writes down and the benchmark runs. */

const tunedSchema = z.nullable(
  z.strictObject({
    params: z.record(z.string(), z.number()),
    within: z.number(),
    instanceHours: z.number(),
    busyHours: z.number(),
    utilisation: z.number(),
    launches: z.number(),
    tasksKilled: z.number(),
    tried: z.number(),
  }),
)

const fileSchema = z.record(
  z.string(),
  z.strictObject({
    /** Of the case as it was tuned: a case that has changed is tuned anew. */
    of: z.string(),
    judged: z.record(z.string(), tunedSchema),
    before: z.record(z.string(), tunedSchema),
  }),
)

/** By case: for each peer its setting, or null where none kept. */
export type TunedFile = z.infer<typeof fileSchema>

export async function readTuned(file: string): Promise<TunedFile> {
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return {}
    throw error
  }
  return parseTuned(text, file)
}

export function parseTuned(text: string, file: string): TunedFile {
  const remedy = 'restore it, or remove it and run with --tune'
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    throw new Error(`${file} is not JSON; ${remedy}`)
  }
  const parsed = fileSchema.safeParse(json)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  throw new Error(
    `${file} does not fit at '${issue?.path.join('.')}' (${issue?.message}); ${remedy}`,
  )
}

/** Written beside and renamed, so that a run that is stopped leaves a whole file. */
export async function writeTuned(file: string, tuned: TunedFile): Promise<void> {
  const sorted = Object.fromEntries(Object.entries(tuned).sort(([a], [b]) => (a < b ? -1 : 1)))
  await writeFile(`${file}.part`, `${JSON.stringify(sorted, null, 1)}\n`)
  await rename(`${file}.part`, file)
}

/** What a case is, in a few letters; its name and its remarks aside. */
export function printOf(one: Case): string {
  const { id, meanSeconds, meanBusySlots, meanTasksPerDay, ...rest } = one
  const text = JSON.stringify(Object.entries(rest).sort(([a], [b]) => (a < b ? -1 : 1)))
  return createHash('sha256').update(text).digest('hex').slice(0, 12)
}

/** The settings of a case, where it is still the case that was tuned. */
export function tunedOf(tuned: TunedFile, one: Case) {
  const known = tuned[one.id]
  return known?.of === printOf(one) ? known : { of: printOf(one), judged: {}, before: {} }
}

type Place = { readonly one: Case; readonly when: When; readonly peer: string }

export function withTuned(
  tuned: TunedFile,
  { one, when, peer }: Place,
  setting: Tuned | null,
): TunedFile {
  const known = tunedOf(tuned, one)
  const next = { ...known, [when]: { ...known[when], [peer]: setting && rounded(setting) } }
  return { ...tuned, [one.id]: next }
}

// Enough for the same run; the file is read by people too.
const digits = 6

function rounded({ params, ...numbers }: Tuned): Tuned {
  const round = <T extends Readonly<Record<string, number>>>(values: T) =>
    Object.fromEntries(
      Object.entries(values).map(([name, value]) => [name, Number(value.toPrecision(digits))]),
    ) as T
  return { params: round(params), ...round(numbers) }
}
