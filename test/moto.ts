import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/** Whether moto_server is on the machine. Throws instead of saying no where CI requires it. */
export function hasMoto(): boolean {
  try {
    execFileSync('moto_server', ['--help'], { stdio: 'ignore' })
    return true
  } catch (cause) {
    if (process.env['CELERIAC_REQUIRE_MOTO'] === '1') {
      throw new Error('moto_server is required and does not run here', { cause })
    }
    console.warn('\n*** moto_server is not on this machine: the tests against it are SKIPPED ***\n')
    return false
  }
}

export type Moto = { readonly endpoint: string; readonly stop: () => void }

/** An AWS that nobody here wrote, on a free port of the loopback. */
export async function startMoto(): Promise<Moto> {
  const port = await freePort()
  const server: ChildProcess = spawn('moto_server', ['-p', String(port)], { stdio: 'ignore' })
  const endpoint = `http://127.0.0.1:${port}`
  for (let tries = 0; tries < 100; tries++) {
    const answer = await fetch(`${endpoint}/moto-api/`).catch(() => null)
    if (answer?.ok) return { endpoint, stop: () => server.kill() }
    await sleep(200)
  }
  server.kill()
  throw new Error('moto_server did not answer within 20 s')
}

const freePort = () =>
  new Promise<number>((resolve, reject) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const address = probe.address()
      probe.close(() =>
        address && typeof address === 'object'
          ? resolve(address.port)
          : reject(new Error('no port')),
      )
    })
  })
