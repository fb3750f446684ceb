import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { delimiter, join, resolve } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe } from 'vitest'

/**
 * moto_server, the AWS that nobody here wrote: one process of its own for each group of tests, on a
 * free loopback port, ended when they are done.
 */
export type Moto = {
  /** Where it listens, such as `http://127.0.0.1:41234`. Throws while it does not run. */
  readonly endpoint: string
  /** What an SDK client of a test needs. */
  readonly client: ReturnType<typeof clientOptions>
  /** The environment of a child process whose AWS this is. */
  readonly env: NodeJS.ProcessEnv
}

// Python needs a few seconds to import moto on a busy machine; past this it hangs.
const startMilliseconds = 60_000

// A test may build and deploy, which takes seconds, and on a busy machine ten times that.
const timeout = 100_000

// No AWS takes them; moto only wants that there are some.
const credentials = { accessKeyId: 'testing', secretAccessKey: 'testing' }
const region = 'us-east-1'

const clientOptions = (endpoint: string) => ({ endpoint, region, credentials })

/**
 * A `describe` whose tests have a moto. Where none is installed they are skipped, loudly; with
 * CELERIAC_REQUIRE_MOTO=1, which is for CI, each of them fails instead.
 */
export function describeWithMoto(name: string, tests: (moto: Moto) => void): void {
  const installed = (process.env['PATH'] ?? '')
    .split(delimiter)
    .some((folder) => existsSync(join(folder, 'moto_server')))
  const required = process.env['CELERIAC_REQUIRE_MOTO'] === '1'
  if (!installed && !required) {
    console.warn(`\n*** SKIPPED, no moto_server here (pip install 'moto[server]'): ${name} ***\n`)
  }
  describe.skipIf(!installed && !required)(name, { timeout }, () => {
    let server: Promise<Server> | undefined
    let endpoint: string | undefined
    beforeAll(async () => {
      server = start()
      const [started] = await Promise.allSettled([server])
      if (started.status === 'fulfilled') endpoint = started.value.endpoint
    }, startMilliseconds)
    // Here rather than above, so that every test fails and says why.
    beforeEach(async () => void (await server))
    afterAll(async () => stop(server))
    tests({
      get endpoint() {
        if (endpoint === undefined) throw new Error('moto_server does not run')
        return endpoint
      },
      get client() {
        return clientOptions(this.endpoint)
      },
      get env() {
        return childEnvironment(this.endpoint)
      },
    })
  })
}

type Server = { readonly endpoint: string; readonly child: ChildProcess }

/** The system chooses the port, so that any number of them run side by side. */
async function start(): Promise<Server> {
  const child = spawn('moto_server', ['-H', '127.0.0.1', '-p', '0'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  process.once('exit', () => child.kill())
  let said = ''
  const endpoint = new Promise<string>((done, fail) => {
    // It is read to the end: a full pipe would stop the server.
    child.stderr.on('data', (chunk: Buffer) => {
      said = `${said}${chunk}`.slice(-2_000)
      const found = /Running on (http:\/\/127\.0\.0\.1:\d+)/.exec(said)?.[1]
      if (found) done(found)
    })
    child.once('error', fail)
    child.once('exit', (code) => fail(new Error(`moto_server ended with ${code}: ${said}`)))
  })
  return { endpoint: await endpoint, child }
}

async function stop(server: Promise<Server> | undefined): Promise<void> {
  const [started] = await Promise.allSettled([server])
  const child = started.status === 'fulfilled' ? started.value?.child : undefined
  if (!child || child.exitCode !== null) return
  const gone = once(child, 'exit')
  child.kill()
  await gone
}

/** Nothing of the machine's own AWS settings gets in, and no proxy comes between. */
function childEnvironment(endpoint: string): NodeJS.ProcessEnv {
  return {
    // Node.js 24 first, as npx and npm do it.
    PATH: [resolve('node_modules/.bin'), process.env['PATH']].join(delimiter),
    HOME: process.env['HOME'],
    AWS_ENDPOINT_URL: endpoint,
    AWS_REGION: region,
    AWS_ACCESS_KEY_ID: credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    AWS_CONFIG_FILE: '/dev/null',
    AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
    AWS_EC2_METADATA_DISABLED: 'true',
    // moto_server 5.2 unpacks a compressed body twice; CloudWatch's client compresses from 10 KB.
    AWS_DISABLE_REQUEST_COMPRESSION: 'true',
    // moto is done at once; the framework's 5 s between looks would be most of a test.
    SLS_AWS_MONITORING_FREQUENCY: '200',
  }
}
