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

/** The same lines with their comments blanked: prose may say `as` and `any`. */
const withoutComments = ({ name, text }: (typeof files)[number]) => ({
  name,
  text: text
    .replace(/\/\*[\s\S]*?\*\//g, (comment) => comment.replace(/.+/g, ''))
    .replace(/(^|\s)\/\/.*$/gm, ''),
})

/** How many lines a top-level declaration has, told by those after its first. */
function declarationLength(rest: readonly string[]): number {
  const next = rest.findIndex((line) => /^[^\s)}\]]/.test(line))
  const own = next === -1 ? rest : rest.slice(0, next)
  return 1 + own.findLastIndex((line) => line !== '') + 1
}

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
    name: 'chance comes from the seed: take shared/random.ts',
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
    among: product.map(withoutComments),
    // `as const` and the names of imports aside, every `as` is a cast.
    pattern: /^(?!import|export).*\bas (?!const\b)\w|(?<!AbortSignal\.)\bany\b|[\w\])]!([.);,[]|$)/,
  },
  {
    name: 'the compiler is not told to look away',
    among: files,
    pattern: new RegExp('@ts' + '-'),
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
  it.each([
    'const a = b as Queue',
    'return (b as Queue).name',
    'const a: any = b',
    'return list[0]!.name',
    'return find(name)!',
  ])('the ban on casts sees `%s`', (text) => {
    const ban = bans.find(({ name }) => name.includes('trust types'))
    expect(text).toMatch(ban?.pattern ?? /never/)
  })

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
    const long = source.flatMap(({ name, text }) => {
      const lines = text.split('\n')
      return lines.flatMap((line, start) => {
        if (!/^(export )?(async )?(function|const) /.test(line)) return []
        const length = declarationLength(lines.slice(start + 1))
        return length > 60 ? `${name}:${start + 1}: ${length} lines` : []
      })
    })
    expect(long).toEqual([])
  })

  it.each([
    ['a constant', ['', 'const b = 2'], 1],
    ['a function', ['  a()', '', '  b()', '}'], 5],
    ['a function whose parameters take lines', ['  a: A,', '): B {', '  b()', '}'], 5],
    ['an arrow whose body is an expression', ['  a', '    .b()', '', '/** Next. */'], 3],
  ])('the length of %s', (_, rest, length) => {
    expect(declarationLength(rest)).toBe(length)
  })

  it('what decides, sizes, foresees and rehearses is pure: no SDK, clock, log or chance', () => {
    const patterns = [
      /^functions\/.*\/(decide|fold|share|limits|sizing)\.ts$/,
      /^functions\/alerts\/(observe|conditions|measures|causes|pages|words)\.ts$/,
      /^shared\/alerts\/machine\.ts$/,
      /^shared\/(sizing|forecast)\//,
    ]
    const pure = files.filter(({ name }) => patterns.some((pattern) => pattern.test(name)))
    expect(patterns.filter((pattern) => !pure.some(({ name }) => pattern.test(name)))).toEqual([])
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
