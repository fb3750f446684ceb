import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { bundle, bundleClients, functionNames, namesCalled } from './bundled.ts'

/** Start-up is nearly all parsing, so that these are the bars of the cold start too. */
const bytesMax: Readonly<Record<string, (clientBytes: number) => number>> = {
  backlog: () => 850_000,
  // What a function brings beside its clients: zod, the logger, p-limit and our own code.
  drain: (clientBytes) => clientBytes + 180_000,
  alerts: (clientBytes) => clientBytes + 180_000,
  forecast: (clientBytes) => clientBytes + 180_000,
}

const unique = (names: readonly string[]) => [...new Set(names)].sort()

const packagesOf = (sources: readonly string[], pattern: RegExp) =>
  unique(sources.flatMap((path) => pattern.exec(path)?.[1] ?? []))

describe.each(functionNames())('the bundle of %s', (name) => {
  let folder = ''
  let bundled: Awaited<ReturnType<typeof bundle>>
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'celeriac-bundle-'))
    bundled = await bundle(name, folder)
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  it('is no larger than it may be', async () => {
    const clients = await bundleClients(name, bundled.own, folder)
    // The measure is one: it is most of the bundle, and of the same packages.
    expect(clients.bytes).toBeGreaterThan(bundled.bytes / 3)
    expect(bundled.bytes).toBeLessThanOrEqual(bytesMax[name]?.(clients.bytes) ?? 0)
  })

  it('holds the AWS clients that its function calls, and no other', () => {
    const called = [...namesCalled(bundled.own).keys()].sort()
    expect(called).not.toEqual([])
    // EC2's client alone is a megabyte: Auto Scaling and Systems Manager say enough.
    expect(called).not.toContain('@aws-sdk/client-ec2')
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
