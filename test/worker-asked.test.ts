import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { startWorker, until, type Worker } from './worker/celery.ts'
import { describeWithCelery } from './worker/describe.ts'
import { drain, inSeconds } from './worker/drain.ts'
import { phase } from './worker/orders.ts'
import { allTaken, counts, load, makeQueue, type Queue, send } from './worker/queue.ts'
import { collectReports, reports } from './worker/reports.ts'

/** Workers that are only asked whether they are idle. Nothing depends on which Celery it is. */

const farSeconds = 90

// An idle worker must be seen to take nothing for longer than its next poll could need.
const pollMilliseconds = 3_000

const pidfile = (worker: Worker) => ['--pidfile', join(worker.folder, 'pid')]

const farDrain = (worker: Worker) =>
  drain(
    ['--deadline', inSeconds(farSeconds), '--reason', 'scale_in', ...pidfile(worker)],
    worker.env,
  )

const ask = (worker: Worker, seconds = farSeconds) =>
  drain(['--deadline', inSeconds(seconds), '--reason', 'surplus', ...pidfile(worker)], worker.env)

/** The phases that the box has reported since the last time, until that one has come. */
async function phasesUntil(collected: Queue, instance: string, last: string) {
  const told = new Set<unknown>()
  await until(`${last} is reported`, async () => {
    for (const { detail } of await reports(collected)) {
      if (detail['instance-id'] === instance) told.add(detail['phase'])
    }
    return told.has(last) || null
  })
  return told
}

describeWithCelery(
  'a question',
  ({ moto, python }) => {
    it('of an idle worker keeps it quiet, until it is taken back', async () => {
      const collected = await collectReports(moto)
      const queue = await makeQueue(moto)
      const box = 'i-00000000000000001'
      const env = { CELERIAC_PYTHON: '', CELERIAC_INSTANCE_ID: box }
      const worker = await startWorker({ python, moto, queue: queue.name, env })
      const asked = ask(worker)
      await phase(worker, 'idle')
      await phasesUntil(collected, box, 'idle')
      const id = await send(queue, 'work', [''])
      await sleep(pollMilliseconds)
      expect(await counts(queue)).toEqual({ visible: 1, inFlight: 0 })
      const taken = await drain(['--resume', '--reason', 'surplus', ...pidfile(worker)], worker.env)
      expect(taken.last).toEqual({ resumed: 1, failed: 0, exit: 0 })
      expect((await asked).code).toBe(4)
      expect(await phasesUntil(collected, box, 'resumed')).not.toContain('drained')
      await until('it works', () => worker.done().includes(`end ${id}`) || null)
    })

    it('of a busy worker lets it work on', async () => {
      const collected = await collectReports(moto)
      const queue = await makeQueue(moto)
      const box = 'i-00000000000000002'
      const env = { CELERIAC_PYTHON: '', CELERIAC_INSTANCE_ID: box }
      const worker = await startWorker({ python, moto, queue: queue.name, env })
      const id = await load(queue)
      await allTaken(queue, 8)
      const { code } = await ask(worker)
      expect(code).toBe(4)
      expect(await phasesUntil(collected, box, 'busy')).toEqual(new Set(['started', 'busy']))
      await allTaken(queue, 8)
      worker.open('gate')
      await until('all is done', async () => (await counts(queue)).inFlight === 0 || null)
      expect(worker.done().slice(0, 2)).toEqual([`begin ${id}`, `end ${id}`])
      expect(worker.done()).toHaveLength(16)
    })

    it('gives way to a drain with a reason, and never moves it', async () => {
      const queue = await makeQueue(moto)
      const worker = await startWorker({ python, moto, queue: queue.name })
      const asked = ask(worker)
      await phase(worker, 'idle')
      const drained = farDrain(worker)
      expect((await drained).last).toMatchObject({ forced: 0, stillRunning: 0, exit: 0 })
      expect((await asked).code).toBe(0)
      expect(await worker.ended).toBe(0)
      const other = await startWorker({ python, moto, queue: queue.name })
      await load(queue)
      await allTaken(queue, 8)
      const going = farDrain(other)
      await phase(other, 'quiet')
      const late = ask(other)
      const taken = await drain(['--resume', '--reason', 'surplus', ...pidfile(other)], other.env)
      expect(taken.code).toBe(3)
      expect(other.state()?.phase).toBe('quiet')
      other.open('gate')
      expect((await going).last).toMatchObject({ handedBack: 7, finished: 1, exit: 0 })
      expect((await late).code).toBe(0)
    })

    it('ends by itself when nobody takes it back', async () => {
      const queue = await makeQueue(moto)
      const worker = await startWorker({ python, moto, queue: queue.name })
      const asked = await ask(worker, 6)
      expect(asked.code).toBe(4)
      await phase(worker, 'working')
      const plain = await startWorker({
        ...{ python, moto, queue: queue.name, env: { PACKAGE: 'no' } },
      })
      const refused = await ask(plain)
      expect(refused.code).toBe(4)
      expect(refused.said).toContain('it was only asked, and works on')
      const id = await send(queue, 'work', [''])
      const isDone = () => [worker, plain].some((one) => one.done().includes(`end ${id}`))
      await until('one of them works', () => isDone() || null)
    })
  },
  (all) => all.slice(0, 1),
)
