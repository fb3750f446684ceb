import { join } from 'node:path'
import { expect, it } from 'vitest'
import { startWorker, until, type Worker } from './worker/celery.ts'
import { describeWithCelery } from './worker/describe.ts'
import { drain, inSeconds } from './worker/drain.ts'
import { allTaken, counts, load, makeQueue } from './worker/queue.ts'

/** drain.sh on a pid file, with real Celery workers on moto's SQS. */

// What the test app's workers wait for messages.
const waitSeconds = 2

// Far enough for any machine: what these tests wait for is not the deadline.
const farSeconds = 90

const pidfile = (worker: Worker) => ['--pidfile', join(worker.folder, 'pid')]

describeWithCelery('drain.sh', ({ moto, python }) => {
  it('hands back seven at once, and the running one at the deadline', async () => {
    const queue = await makeQueue(moto)
    const worker = await startWorker({ python, moto, queue: queue.name })
    await load(queue)
    await allTaken(queue, 8)
    const asked = performance.now()
    const drained = drain(
      ['--deadline', inSeconds(22), '--reason', 'spot', ...pidfile(worker)],
      worker.env,
    )
    await until('seven are visible', async () => (await counts(queue)).visible === 7 || null)
    const seconds = (performance.now() - asked) / 1_000
    const { code, last } = await drained
    expect(await counts(queue)).toEqual({ visible: 8, inFlight: 0 })
    expect(last).toMatchObject({ handedBack: 8, finished: 0, forced: 1, stillRunning: 0, exit: 1 })
    expect(code).toBe(1)
    expect(await worker.ended).toBe('SIGKILL')
    // The aim is one second more than the wait: 1.3 s in all where nothing else runs. The
    // slack is for a machine full of other tests; it still ends before the deadline's own release.
    expect(seconds).toBeLessThan(waitSeconds + 10)
  })

  it('lets what runs finish when there is time', async () => {
    const queue = await makeQueue(moto)
    const worker = await startWorker({ python, moto, queue: queue.name })
    const id = await load(queue)
    await allTaken(queue, 8)
    const drained = drain(
      ['--deadline', inSeconds(farSeconds), '--reason', 'scale_in', ...pidfile(worker)],
      worker.env,
    )
    await until('seven are visible', async () => (await counts(queue)).visible === 7 || null)
    worker.open('gate')
    const { code, last } = await drained
    expect(last).toMatchObject({ handedBack: 7, finished: 1, forced: 0, stillRunning: 0, exit: 0 })
    expect(code).toBe(0)
    expect(worker.done()).toEqual([`begin ${id}`, `end ${id}`])
    expect(await counts(queue)).toEqual({ visible: 7, inFlight: 0 })
    expect(await worker.ended).toBe(0)
  })

  it('has nothing to drain when the worker is gone', async () => {
    const queue = await makeQueue(moto)
    const worker = await startWorker({ python, moto, queue: queue.name })
    process.kill(worker.pid, 'SIGKILL')
    await worker.ended
    const { code, last } = await drain(
      ['--deadline', inSeconds(farSeconds), '--reason', 'spot', ...pidfile(worker)],
      worker.env,
    )
    expect(last).toMatchObject({ worker: '', exit: 3 })
    expect(code).toBe(3)
  })

  it('without the package lets the running task end, and the others wait for it', async () => {
    const queue = await makeQueue(moto)
    const env = { PACKAGE: 'no' }
    const worker = await startWorker({ python, moto, queue: queue.name, env })
    const id = await load(queue, { behind: 3 })
    await allTaken(queue, 4)
    const drained = drain(
      ['--deadline', inSeconds(farSeconds), '--reason', 'scale_in', ...pidfile(worker)],
      worker.env,
    )
    await until('it shuts down', () => worker.log().includes('Warm shutdown') || null)
    const meanwhile = await counts(queue)
    worker.open('gate')
    const { code, last, said } = await drained
    expect(meanwhile).toEqual({ visible: 0, inFlight: 4 })
    expect(said).toContain('stays in flight until the last task ends')
    expect(last).toMatchObject({ handedBack: 0, forced: 0, exit: 0 })
    expect(code).toBe(0)
    expect(worker.done()).toEqual([`begin ${id}`, `end ${id}`])
    expect(await worker.ended).toBe(0)
  })
})
