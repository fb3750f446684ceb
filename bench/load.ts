import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bundle, bundleClients, functionNames } from '../test/bundled.ts'

/**
 * What a cold start costs before the first line of a handler runs: the size of each bundle, how
 * much of it is AWS clients, and the time that a fresh process takes to load it.
 *
 *     npx node bench/load.ts
 */

// Odd, so that the median is one of them; nine loads take two seconds.
const loads = 9

const kilobytes = (bytes: number) => `${Math.round(bytes / 1_000)} KB`

function loadMilliseconds(file: string): number {
  const script =
    'const start = performance.now();' +
    `require(${JSON.stringify(file)});` +
    'console.log(performance.now() - start)'
  // Nothing but what Lambda always sets and the clients ask for.
  const env = { AWS_REGION: 'us-east-1' }
  return Number(execFileSync(process.execPath, ['-e', script], { env }).toString())
}

const folder = mkdtempSync(join(tmpdir(), 'celeriac-load-'))
try {
  for (const name of functionNames()) {
    const { file, bytes, own } = await bundle(name, folder)
    const clients = await bundleClients(name, own, folder)
    const times = Array.from({ length: loads }, () => loadMilliseconds(file)).sort((a, b) => a - b)
    const median = times[(loads - 1) / 2] ?? Number.NaN
    const [fastest = Number.NaN] = times
    console.log(
      `${name}: ${kilobytes(bytes)} (clients ${kilobytes(clients.bytes)}, ` +
        `the rest ${kilobytes(bytes - clients.bytes)}), loads in ${median.toFixed(0)} ms ` +
        `(median of ${loads}, fastest ${fastest.toFixed(0)} ms, Node.js ${process.version})`,
    )
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}
