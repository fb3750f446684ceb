import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'

/** The house rules, as a test: each message says what to do instead. */

const files = execFileSync('git', [
  'ls-files',
  '--cached',
  '--others',
  '--exclude-standard',
  '*.ts',
])
  .toString()
  .trim()
  .split('\n')
  .map((name) => ({ name, text: readFileSync(name, 'utf8') }))
const product = files.filter(({ name }) => /^(functions|shared)\//.test(name))
const source = files.filter(({ name }) => !name.startsWith('test/'))

/** `file:line` of every line that fits the pattern; comments are looked at too. */
const linesLike = (among: typeof files, pattern: RegExp) =>
  among.flatMap(({ name, text }) =>
    text.split('\n').flatMap((line, index) => (pattern.test(line) ? `${name}:${index + 1}` : [])),
  )

type Ban = { name: string; among: typeof files; pattern: RegExp; except?: RegExp }

const bans: Ban[] = [
  { name: 'no line is longer than 100 columns', among: files, pattern: /^.{101,}$/ },
  {
    name: 'the clock is read in shared/aws.ts alone: take deps.clock',
    among: source,
    pattern: /Date\.now\(|new Date\(\)/,
    except: /^shared\/aws\.ts/,
  },
  {
    name: 'chance comes from the seed: take twin/random.ts',
    among: source,
    pattern: /Math\.random\(|randomUUID\(/,
    except: /^shared\/aws\.ts/,
  },
  {
    name: 'the environment is read in shared/aws.ts alone: take environment()',
    among: product,
    pattern: /process\.env/,
    except: /^shared\/aws\.ts/,
  },
  {
    name: 'clients are made in shared/aws.ts alone: take its makers',
    among: source,
    pattern: /new \w+Client\(/,
    except: /^shared\/aws\.ts/,
  },
  {
    name: 'functions/ and shared/ trust types: parse instead of `as`, `any` or `!`',
    among: product,
    pattern: /(?<!import [\w{}, ]*|\*) as (?!const\b)[A-Z\w{[]+[;,)]?$|: any\b|<any>|\w!\.|@ts-/,
  },
  {
    name: 'functions/ and shared/ know no twin',
    among: product,
    pattern: /from '.*twin\//,
  },
  { name: 'nothing is left for later', among: files, pattern: new RegExp('TO' + 'DO|FIX' + 'ME') },
  { name: 'no mocks: the twin has state', among: files, pattern: new RegExp('vi\\.' + 'mock\\(') },
]

describe('house rules', () => {
  it.each(bans)('$name', ({ among, pattern, except }) => {
    const found = linesLike(among, pattern)
    expect(found.filter((place) => !except?.test(place))).toEqual([])
  })

  it('a file has at most 300 lines, a test 500', () => {
    const lengths = files.map(({ name, text }) => [name, text.split('\n').length] as const)
    const most = (name: string) => (name.startsWith('test/') ? 500 : 300)
    expect(lengths.filter(([name, length]) => length > most(name))).toEqual([])
  })

  it('a function has at most 60 lines: name the parts', () => {
    const long = source.flatMap(({ name, text }) =>
      [...text.matchAll(/^(?:export )?(?:async )?(?:function (\w+)|const (\w+) = .*=>)/gm)].flatMap(
        (match) => {
          const rest = text.slice(match.index)
          const lines = rest.slice(0, rest.search(/^[})]/m)).split('\n').length
          return lines > 60 ? `${name} ${match[1] ?? match[2]}: ${lines} lines` : []
        },
      ),
    )
    expect(long).toEqual([])
  })

  it('a decision is pure: decide.ts and sizing.ts know no SDK, clock, log or chance', () => {
    const pure = files.filter(({ name }) => /\/(decide|sizing)\.ts$/.test(name))
    expect(pure).toHaveLength(2)
    expect(linesLike(pure, /@aws-sdk|process\.|Date\.|Math\.random|console\./)).toEqual([])
    const impure = /^import (?!type).* from '.*(aws|queues|fleet|state|metrics|lambda)\.ts'/
    expect(linesLike(pure, impure)).toEqual([])
  })

  it('every file is used by another, or is where something starts', () => {
    const starts =
      /^(functions\/\w+\/handler|cli\/celeriac|fleet\.config|vitest\.config)\.ts$|^bench\/|^test\//
    const imported = files.flatMap(({ text }) =>
      [...text.matchAll(/(?:from|import\() ?'[./]+([\w/.-]+\.ts)'/g)].map(
        (match) => match[1] ?? '',
      ),
    )
    const unused = files.filter(({ name }) => !imported.some((path) => name.endsWith(path)))
    expect(unused.map(({ name }) => name).filter((name) => !starts.test(name))).toEqual([])
  })
})
