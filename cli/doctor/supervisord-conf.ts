import { globSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { isUnread, type Reading } from './facts.ts'
import { readText } from './run.ts'

/** Sections of a supervisord configuration, as supervisord itself puts them together. */
export type Sections = ReadonlyMap<string, Readonly<Record<string, string>>>

/** The file with those that it includes; later sections of one name replace earlier keys. */
export async function readConf(file: string, env: NodeJS.ProcessEnv): Promise<Reading<Sections>> {
  const text = await readText(file)
  if (isUnread(text)) return text
  const here = dirname(file)
  const main = parseConf(text, { here, env })
  const patterns = (main.get('include')?.['files'] ?? '').split(/\s+/).filter(Boolean)
  const merged = new Map(main)
  for (const path of patterns.flatMap((pattern) => globSync(resolve(here, pattern)).sort())) {
    const more = await readText(path)
    if (isUnread(more)) return more
    // What an included file calls `here` is the main file's folder to supervisord as well.
    for (const [name, keys] of parseConf(more, { here, env })) {
      merged.set(name, { ...merged.get(name), ...keys })
    }
  }
  return merged
}

type Names = { readonly here: string; readonly env: NodeJS.ProcessEnv }

/** Python's configparser, as far as supervisord uses it: comments, continued lines, `%(here)s`. */
export function parseConf(text: string, names: Names): Sections {
  const sections = new Map<string, Record<string, string>>()
  let section: Record<string, string> = {}
  let last = ''
  for (const raw of text.split(/\r?\n/)) {
    if (/^\s*([;#]|$)/.test(raw)) continue
    const line = raw.replace(/\s[;#].*$/, '')
    const head = /^\[([^\]]+)\]/.exec(line)?.[1]
    if (head !== undefined) {
      section = sections.get(head) ?? {}
      sections.set(head, section)
      last = ''
      continue
    }
    if (/^\s/.test(line) && last !== '') {
      section[last] = `${section[last]} ${expand(line.trim(), names)}`
      continue
    }
    const [, key = '', value = ''] = /^\s*([^=:]+?)\s*[=:]\s*(.*?)\s*$/.exec(line) ?? []
    if (key === '') continue
    last = key.toLowerCase()
    section[last] = expand(value, names)
  }
  return sections
}

/** What else stands in %(...)s, such as the program's own name, stays as it is. */
const expand = (value: string, { here, env }: Names) =>
  value.replace(/%\((here|ENV_(\w+))\)s/g, (whole, name: string, variable?: string) =>
    name === 'here' ? here : (env[variable ?? ''] ?? whole),
  )
