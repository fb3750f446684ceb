import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { atTheEnd, type Python, startWorker, until } from './worker/celery.ts'
import { describeWithCelery } from './worker/describe.ts'
import { order, phase, quiet, resume, runFiles } from './worker/orders.ts'
import { startProxy } from './worker/proxy.ts'
import { allTaken, counts, load, makeQueue, send } from './worker/queue.ts'

/** celeriac_worker inside real Celery workers: what it does on an order, and that it harms none. */

// An idle worker must be seen to take nothing for longer than its next poll could need.
const pollMilliseconds = 3_000

describeWithCelery('celeriac_worker', ({ moto, python }) => {
  it('hands back what waits, also for its ETA or its rate limit, and resumes', async () => {
    const queue = await makeQueue(moto)
    const worker = await startWorker({ python, moto, queue: queue.name })
    await send(queue, 'limited', [])
    await until('the first limited one is done', () => worker.done().length === 1 || null)
    const id = await load(queue, { behind: 3 })
    await send(queue, 'limited', [])
    const later = await send(queue, 'work', [''], { countdown: 300 })
    await allTaken(queue, 6)
    quiet(worker)
    const state = await phase(worker, 'quiet')
    expect(await counts(queue)).toEqual({ visible: 5, inFlight: 1 })
    expect(state).toMatchObject({ drainId: 'd-1', handedBack: 5, failed: 0, held: [] })
    expect(state.running).toMatchObject([{ id, task: 'work', handle: expect.any(String) }])
    worker.open('gate')
    expect(await phase(worker, 'idle')).toMatchObject({ finished: 1, running: [] })
    expect(await counts(queue)).toEqual({ visible: 5, inFlight: 0 })
    resume(worker)
    await phase(worker, 'working')
    // The one with the ETA and the limited one wait again, the others are done: three lines of
    // each, and one of the first limited one.
    await until('what could run has', () => worker.done().length === 9 || null)
    expect(worker.done().join()).not.toContain(later)
    quiet(worker, 'd-2')
    expect(await phase(worker, 'idle')).toMatchObject({ drainId: 'd-2', handedBack: 2 })
    expect(await counts(queue)).toEqual({ visible: 2, inFlight: 0 })
    const lines = worker.log().match(/\{"celeriac": .*\}/g)
    expect(lines?.map((line) => JSON.parse(line).celeriac)).toEqual([
      'quiet',
      'idle',
      'resumed',
      'idle',
    ])
    process.kill(worker.pid, 'SIGTERM')
    expect(await worker.ended).toBe(0)
    expect(runFiles(worker)).toEqual([])
  })

  it('does not swallow a message that lands on the open poll', async () => {
    const queue = await makeQueue(moto)
    const env = { WAIT_SECONDS: '6' }
    const worker = await startWorker({ python, moto, queue: queue.name, env })
    // The first poll may still be on its way to SQS.
    await sleep(1_000)
    quiet(worker)
    await phase(worker, 'quieting')
    await send(queue, 'work', [''])
    expect(await phase(worker, 'idle')).toMatchObject({ handedBack: 1 })
    await sleep(pollMilliseconds)
    expect(await counts(queue)).toEqual({ visible: 1, inFlight: 0 })
    expect(worker.done()).toEqual([])
  })

  it('lists an early acknowledged task that runs, without a handle', async () => {
    const queue = await makeQueue(moto)
    const env = { ACKS_LATE: 'no' }
    const worker = await startWorker({ python, moto, queue: queue.name, env })
    const id = await load(queue, { behind: 3 })
    await allTaken(queue, 3)
    quiet(worker)
    const state = await phase(worker, 'quiet')
    expect(state.running).toMatchObject([{ id, handle: null }])
    expect(state.handedBack).toBe(3)
    expect(await counts(queue)).toEqual({ visible: 3, inFlight: 0 })
    worker.open('gate')
    expect(await phase(worker, 'idle')).toMatchObject({ finished: 1 })
  })
})

const oldest = (all: Python[]) => all.slice(0, 1)

describeWithCelery(
  'celeriac_worker, whatever the Celery,',
  ({ moto, python }) => {
    it('hands back from each of its queues', async () => {
      const queues = [await makeQueue(moto), await makeQueue(moto)] as const
      const [first, second] = queues
      const args = ['-Q', `${first.name},${second.name}`]
      const worker = await startWorker({ python, moto, queue: first.name, args })
      await load(first, { behind: 0 })
      await allTaken(first, 1)
      for (const queue of queues) await load(queue, { behind: 2 })
      await Promise.all([allTaken(first, 4), allTaken(second, 3)])
      quiet(worker)
      expect(await phase(worker, 'quiet')).toMatchObject({ handedBack: 6 })
      expect(await Promise.all(queues.map(counts))).toEqual([
        { visible: 3, inFlight: 1 },
        { visible: 3, inFlight: 0 },
      ])
    })

    it('hands back as soon as it can while SQS is out of reach', async () => {
      const proxy = await startProxy(moto.endpoint)
      atTheEnd(proxy.close)
      const queue = await makeQueue(moto)
      const env = { SQS_HOST: proxy.host }
      const worker = await startWorker({ python, moto, queue: queue.name, env })
      await load(queue)
      await allTaken(queue, 8)
      proxy.cut()
      quiet(worker)
      const tried = await until('the state says what failed', () => {
        const state = worker.state()
        return state?.error ? state : null
      })
      expect(tried).toMatchObject({ phase: 'quieting', handedBack: 0 })
      expect(tried.error).toContain('EndpointConnectionError')
      expect(tried.held).toHaveLength(7)
      await proxy.mend()
      expect(await phase(worker, 'quiet')).toMatchObject({ handedBack: 7, error: null })
      expect(await counts(queue)).toEqual({ visible: 7, inFlight: 1 })
    })

    it('obeys an order that came while its connection was lost', async () => {
      const proxy = await startProxy(moto.endpoint)
      atTheEnd(proxy.close)
      const queue = await makeQueue(moto)
      const env = { SQS_HOST: proxy.host }
      const worker = await startWorker({ python, moto, queue: queue.name, env })
      proxy.cut()
      await until('it has noticed', () => worker.log().includes('Trying again') || null)
      quiet(worker)
      await send(queue, 'work', [''])
      await proxy.mend()
      await phase(worker, 'idle')
      await sleep(pollMilliseconds)
      expect(worker.done()).toEqual([])
      expect(await counts(queue)).toEqual({ visible: 1, inFlight: 0 })
      resume(worker)
      await until('it works again', () => worker.done().length === 2 || null)
    })

    it('lets a solo pool end its task, and gives back what came with it', async () => {
      const queue = await makeQueue(moto)
      const args = ['-P', 'solo']
      const [worker] = await Promise.all([
        startWorker({ python, moto, queue: queue.name, args }),
        load(queue),
      ])
      await until('the first task runs', () => worker.done().length || null)
      quiet(worker)
      worker.open('gate')
      await phase(worker, 'idle')
      // How many came with the first one is moto's choice.
      expect(await counts(queue)).toMatchObject({ inFlight: 0 })
      const { visible } = await counts(queue)
      await sleep(pollMilliseconds)
      expect(worker.done()).toHaveLength(2 * (8 - visible))
      expect(visible).toBeGreaterThan(0)
    })

    it('takes back what a pool of threads has queued', async () => {
      const queue = await makeQueue(moto)
      const args = ['-P', 'threads']
      const worker = await startWorker({ python, moto, queue: queue.name, args })
      const id = await load(queue)
      await allTaken(queue, 8)
      quiet(worker)
      expect(await phase(worker, 'quiet')).toMatchObject({ handedBack: 7, running: [{ id }] })
      expect(await counts(queue)).toEqual({ visible: 7, inFlight: 1 })
      worker.open('gate')
      expect(await phase(worker, 'idle')).toMatchObject({ finished: 1 })
      expect(worker.done()).toEqual([`begin ${id}`, `end ${id}`])
    })

    it('keeps orders that make no sense from harming the worker', async () => {
      const queue = await makeQueue(moto)
      const worker = await startWorker({ python, moto, queue: queue.name })
      for (const text of ['', '{"order": "sleep"}', '[]', `{"order": "quiet", "drainId": 7}`]) {
        const before = worker.log().split('RunDirError').length
        order(worker, text)
        await until('it has complained', () =>
          worker.log().split('RunDirError').length > before ? true : null,
        )
      }
      await send(queue, 'work', [''])
      await until('it still works', () => worker.done().length === 2 || null)
      expect(worker.state()).toMatchObject({ phase: 'working' })
    })

    it.each([
      ['no run directory', { CELERIAC_RUN_DIR: '/proc/nowhere' }, 'cannot be made'],
      ['SIGUSR2 in use', { CELERY_RDBSIG: '1' }, 'CELERY_RDBSIG is set'],
    ])('works as ever, but without orders, with %s', async (_, env, why) => {
      const queue = await makeQueue(moto)
      const worker = await startWorker({ python, moto, queue: queue.name, env })
      await send(queue, 'work', [''])
      await until('it works', () => worker.done().length === 2 || null)
      expect(worker.log()).toContain(`celeriac_worker takes no orders: `)
      expect(worker.log()).toContain(why)
      expect(runFiles(worker)).toEqual([])
    })
  },
  oldest,
)
