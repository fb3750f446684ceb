import { spawn } from 'node:child_process'
import { delimiter, resolve } from 'node:path'
import type { Moto } from '../moto.ts'

/** A moto_server of one's own for what is no test, such as a bench. `stop` ends it. */
export async function startMoto(): Promise<Moto & { stop(): void }> {
  const child = spawn('moto_server', ['-H', '127.0.0.1', '-p', '0'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const endpoint = await new Promise<string>((done, fail) => {
    let said = ''
    // It is read to the end: a full pipe would stop the server.
    child.stderr.on('data', (chunk: Buffer) => {
      said = `${said}${chunk}`.slice(-2_000)
      const found = /Running on (http:\/\/127\.0\.0\.1:\d+)/.exec(said)?.[1]
      if (found) done(found)
    })
    child.once('error', fail)
    child.once('exit', (code) => fail(new Error(`moto_server ended with ${code}: ${said}`)))
  })
  const credentials = { accessKeyId: 'testing', secretAccessKey: 'testing' }
  return {
    endpoint,
    client: { endpoint, region: 'us-east-1', credentials },
    env: {
      PATH: [resolve('node_modules/.bin'), process.env['PATH']].join(delimiter),
      HOME: process.env['HOME'],
      AWS_ENDPOINT_URL: endpoint,
      AWS_REGION: 'us-east-1',
      AWS_ACCESS_KEY_ID: credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
      AWS_CONFIG_FILE: '/dev/null',
      AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
    },
    stop: () => {
      child.kill()
    },
  }
}
