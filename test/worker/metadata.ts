import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import { atTheEnd } from './celery.ts'

/** The instance metadata service, version 2: nothing without a token that it has given out. */
export type Metadata = {
  readonly endpoint: string
  /** What there is, by its path, such as `{ 'spot/instance-action': '{...}' }`. */
  items: Record<string, string>
  /** `silent` answers nothing at all, `broken` has only errors. */
  mood: 'well' | 'silent' | 'broken'
  /** Makes every token that was given out worthless. */
  forgetTokens(): void
  /** How often anything was asked for. */
  readonly asked: { count: number }
}

export async function startMetadata(): Promise<Metadata> {
  const tokens = new Set<string>()
  const metadata: Omit<Metadata, 'endpoint'> = {
    items: {},
    mood: 'well',
    forgetTokens: () => tokens.clear(),
    asked: { count: 0 },
  }
  const answer = (request: IncomingMessage): readonly [number, string] => {
    metadata.asked.count += 1
    if (metadata.mood === 'broken') return [500, '']
    const path = request.url ?? ''
    if (path === '/latest/api/token') {
      const seconds = Number(request.headers['x-aws-ec2-metadata-token-ttl-seconds'])
      if (request.method !== 'PUT' || !(seconds >= 1 && seconds <= 21_600)) return [400, '']
      const token = `token-${metadata.asked.count}`
      tokens.add(token)
      return [200, token]
    }
    if (!tokens.has(String(request.headers['x-aws-ec2-metadata-token']))) return [401, '']
    const item = metadata.items[path.replace('/latest/meta-data/', '')]
    return item === undefined ? [404, '<html>404 - Not Found</html>'] : [200, item]
  }
  const server = createServer((request, response) => {
    if (metadata.mood === 'silent') return
    const [status, body] = answer(request)
    response.writeHead(status).end(body)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('The server has no port')
  atTheEnd(() => {
    server.close()
    server.closeAllConnections()
  })
  return Object.assign(metadata, { endpoint: `http://127.0.0.1:${address.port}` })
}
