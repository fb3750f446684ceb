import { spawn } from 'node:child_process'
import { join, resolve } from 'node:path'
import { expect, it } from 'vitest'
import { endAtTheEnd, startWorker, until, type Worker } from './worker/celery.ts'
import { describeWithCelery } from './worker/describe.ts'
import { type Metadata, startMetadata } from './worker/metadata.ts'
import { phase } from './worker/orders.ts'
import { allTaken, counts, load, makeQueue } from './worker/queue.ts'

/** watch.sh beside a real worker, and a metadata service that wants its tokens. */

/** Starts the watcher for a worker; what it and its drains say is in `said()`. */
function watch(worker: Worker, metadata: Metadata, more: NodeJS.ProcessEnv = {}) {
  const env = {
    ...worker.env,
    AWS_EC2_METADATA_SERVICE_ENDPOINT: metadata.endpoint,
    CELERIAC_WATCH_SECONDS: '0.3',
    CELERIAC_GRACE_SECONDS: '0',
    ...more,
  }
  const pidfile = join(worker.folder, 'pid')
  const child = spawn('sh', [resolve('worker/watch.sh'), '--pidfile', pidfile], {
    env,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  endAtTheEnd(child)
  let said = ''
  child.stderr.on('data', (chunk: Buffer) => {
    said += chunk
  })
  return { said: () => said }
}

/** Waits until the watcher has asked so many times more. */
async function looks(metadata: Metadata, count: number): Promise<void> {
  const before = metadata.asked.count
  await until('the watcher asks', () => metadata.asked.count >= before + count || null)
}

describeWithCelery(
  'watch.sh',
  ({ moto, python }) => {
    it('drains for a scale-in, and for nothing less', async () => {
      const queue = await makeQueue(moto)
      const worker = await startWorker({ python, moto, queue: queue.name })
      const metadata = await startMetadata()
      metadata.mood = 'silent'
      const { said } = watch(worker, metadata)
      await until('it is said', () => said().includes('does not answer') || null)
      metadata.mood = 'broken'
      await looks(metadata, 3)
      metadata.mood = 'well'
      metadata.items = { 'autoscaling/target-lifecycle-state': 'InService' }
      await looks(metadata, 4)
      metadata.forgetTokens()
      metadata.items = {
        'events/recommendations/rebalance': '{"noticeTime": "2026-01-01T00:00:00Z"}',
      }
      await looks(metadata, 6)
      expect(worker.state()).toMatchObject({ phase: 'working' })
      expect(said()).not.toContain('draining')
      metadata.items = { 'autoscaling/target-lifecycle-state': 'Terminated' }
      expect(await worker.ended).toBe(0)
      expect(said().match(/scale_in: draining until \d{10}/g)).toHaveLength(1)
    })

    it('moves the deadline when a Spot notice follows', async () => {
      const queue = await makeQueue(moto)
      const worker = await startWorker({ python, moto, queue: queue.name })
      await load(queue, { behind: 2 })
      await allTaken(queue, 3)
      const metadata = await startMetadata()
      const { said } = watch(worker, metadata, { CELERIAC_REBALANCE: 'drain' })
      metadata.items = {
        'events/recommendations/rebalance': '{"noticeTime": "2026-01-01T00:00:00Z"}',
      }
      await phase(worker, 'quiet')
      expect(said()).toMatch(/rebalance: draining until \d{10}/)
      // Twenty seconds, less the watcher's own ten.
      const time = `${new Date(Date.now() + 22_000).toISOString().slice(0, 19)}Z`
      metadata.items['spot/instance-action'] = JSON.stringify({ action: 'terminate', time })
      expect(await worker.ended).toBe('SIGKILL')
      const deadline = Date.parse(time) / 1_000 - 10
      expect(said()).toContain(`spot: draining until ${deadline}`)
      expect(said()).toContain(`the deadline is now ${deadline} (spot)`)
      expect(await counts(queue)).toEqual({ visible: 3, inFlight: 0 })
    })
  },
  (all) => all.slice(0, 1),
)
