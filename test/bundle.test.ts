import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { bundle, functionNames } from './bundled.ts'

// Start-up is nearly all parsing, so that this is the bar of the cold start too.
const bytesMax = { backlog: 850_000 } as Record<string, number>

const unique = (names: readonly string[]) => [...new Set(names)].sort()

const packagesOf = (sources: readonly string[], pattern: RegExp) =>
  unique(sources.flatMap((path) => pattern.exec(path)?.[1] ?? []))

/** The clients whose commands a source file imports; a type of theirs weighs nothing. */
function clientsCalled(source: string): string[] {
  const imports = source.matchAll(/import \{([^}]*)\} from '(@aws-sdk\/client-[\w-]+)'/g)
  return [...imports].flatMap(([, names = '', client = '']) =>
    names.split(',').some((name) => /^\w+Command$/.test(name.trim())) ? client : [],
  )
}

describe.each(functionNames())('the bundle of %s', (name) => {
  let folder = ''
  let bundled: Awaited<ReturnType<typeof bundle>>
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'celeriac-bundle-'))
    bundled = await bundle(name, folder)
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  it('is no larger than it may be', () => {
    expect(bundled.bytes).toBeLessThanOrEqual(bytesMax[name] ?? 0)
  })

  it('holds the AWS clients that its function calls, and no other', () => {
    const own = bundled.sources.filter((path) => !path.includes('node_modules/'))
    const called = unique(own.flatMap((path) => clientsCalled(readFileSync(path, 'utf8'))))
    expect(called).not.toEqual([])
    expect(packagesOf(bundled.sources, /node_modules\/(@aws-sdk\/client-[\w-]+)\//)).toEqual(called)
  })

  it('takes credentials from the environment alone, without the chain behind it', () => {
    const providers =
      /node_modules\/(@aws-sdk\/(?:credential-provider|token-provider|nested)[\w-]+)/
    expect(packagesOf(bundled.sources, providers)).toEqual(['@aws-sdk/credential-provider-env'])
  })

  it('loads in the Node.js of its runtime and exports its handler', () => {
    const script =
      `const { handler } = require(${JSON.stringify(bundled.file)});` +
      'console.log(process.version.split(".")[0], typeof handler)'
    const said = execFileSync(process.execPath, ['-e', script], {
      env: { AWS_REGION: 'us-east-1' },
      timeout: 20_000,
    })
    expect(said.toString().trim()).toBe('v24 function')
  })
})

describe('serverless.yml', () => {
  it('deploys every function, and each from its folder', () => {
    const handlers = readFileSync('serverless.yml', 'utf8').matchAll(/^ {4}handler: (.*)$/gm)
    expect([...handlers].map(([, handler]) => handler).sort()).toEqual(
      functionNames().map((name) => `functions/${name}/handler.handler`),
    )
  })
})
