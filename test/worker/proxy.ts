import { once } from 'node:events'
import { createServer, connect as dial, type Socket } from 'node:net'

/** A way to moto that can be cut and mended, as a network can. */
export type Proxy = {
  /** `host:port`, which stays the same. */
  readonly host: string
  cut(): void
  mend(): Promise<void>
  close(): void
}

export async function startProxy(endpoint: string): Promise<Proxy> {
  const { hostname, port } = new URL(endpoint)
  const sockets = new Set<Socket>()
  const server = createServer((client) => {
    const upstream = dial(Number(port), hostname)
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      // Either end may vanish at any time: that is what the proxy is for.
      socket.on('error', () => socket.destroy())
      socket.on('close', () => sockets.delete(socket))
    }
    client.pipe(upstream).pipe(client)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('The proxy has no port')
  const cut = () => {
    server.close()
    for (const socket of sockets) socket.destroy()
  }
  return {
    host: `127.0.0.1:${address.port}`,
    cut,
    mend: async () => {
      server.listen(address.port, '127.0.0.1')
      await once(server, 'listening')
    },
    close: cut,
  }
}
