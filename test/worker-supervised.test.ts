import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { until } from './worker/celery.ts'
import { describeWithCelery } from './worker/describe.ts'
import { drain, inSeconds } from './worker/drain.ts'
import { allTaken, counts, load, makeQueue } from './worker/queue.ts'
import { startDocker, startSupervisord, startSystemd } from './worker/supervised.ts'

/**
 * Workers that a supervisor would start again: the real supervisord, and stand-ins for systemd and
 * Docker that keep real processes.
 */

const farSeconds = 90

// Longer than any of the supervisors waits before it starts a worker again.
const restartMilliseconds = 2_000

const rows = [
  { name: 'supervisord, which would TERM the group,', start: startSupervisord },
  { name: 'systemd, with its defaults,', start: startSystemd },
  { name: 'Docker, which always restarts,', start: startDocker },
]

// Each would end the running task in a way of its own.
const withoutPackage = [
  { name: 'supervisord, which would TERM the group,', start: startSupervisord },
  { name: 'systemd, with a shell in front,', start: startSystemd, inFront: 'shell' as const },
]

describeWithCelery(
  'a supervised worker',
  ({ moto, python }) => {
    it.each(rows)('$name loses nothing at the deadline and stays down', async ({ start }) => {
      const queue = await makeQueue(moto)
      const worker = await start({ python, moto, queue: queue.name })
      await load(queue)
      await allTaken(queue, 8)
      const { code, last } = await drain(
        ['--deadline', inSeconds(22), '--reason', 'spot', ...worker.selector],
        worker.env,
      )
      expect(last).toMatchObject({ handedBack: 8, finished: 0, forced: 1, exit: 1 })
      expect(code).toBe(1)
      await sleep(restartMilliseconds)
      expect(worker.status()).toBe('stopped')
      expect(worker.starts()).toBe(1)
      expect(await counts(queue)).toEqual({ visible: 8, inFlight: 0 })
    })

    it.each(rows)('$name ends when its task has, and --resume starts it', async ({ start }) => {
      const queue = await makeQueue(moto)
      const worker = await start({ python, moto, queue: queue.name })
      const id = await load(queue)
      await allTaken(queue, 8)
      const drained = drain(
        ['--deadline', inSeconds(farSeconds), '--reason', 'scale_in', ...worker.selector],
        worker.env,
      )
      await until('seven are visible', async () => (await counts(queue)).visible === 7 || null)
      worker.open('gate')
      const { last } = await drained
      expect(last).toMatchObject({ handedBack: 7, finished: 1, forced: 0, exit: 0 })
      expect(worker.done()).toEqual([`begin ${id}`, `end ${id}`])
      await sleep(restartMilliseconds)
      expect(worker.status()).toBe('stopped')
      const resumed = await drain(['--resume', ...worker.selector], worker.env)
      expect(resumed.last).toEqual({ resumed: 1, failed: 0, exit: 0 })
      await until('the seven are done', () => worker.done().length === 16 || null)
      const units = join(worker.folder, 'units')
      expect(existsSync(units) ? readdirSync(units) : []).toEqual([])
    })

    it('changes nothing when a shell is the first process of a container', async () => {
      const queue = await makeQueue(moto)
      const worker = await startDocker({ python, moto, queue: queue.name, inFront: 'shell' })
      const id = await load(queue)
      await allTaken(queue, 8)
      const drained = drain(
        ['--deadline', inSeconds(farSeconds), '--reason', 'scale_in', ...worker.selector],
        worker.env,
      )
      await until('seven are visible', async () => (await counts(queue)).visible === 7 || null)
      worker.open('gate')
      expect((await drained).last).toMatchObject({ handedBack: 7, finished: 1, exit: 0 })
      expect(worker.done()).toEqual([`begin ${id}`, `end ${id}`])
      await sleep(restartMilliseconds)
      expect(worker.status()).toBe('stopped')
    })

    it.each(withoutPackage)('$name ends no task without the package', async (row) => {
      const queue = await makeQueue(moto)
      const options = { python, moto, queue: queue.name, env: { PACKAGE: 'no' } }
      const worker = await row.start(row.inFront ? { ...options, inFront: row.inFront } : options)
      const id = await load(queue, { behind: 3 })
      await allTaken(queue, 4)
      const drained = drain(
        ['--deadline', inSeconds(farSeconds), '--reason', 'scale_in', ...worker.selector],
        worker.env,
      )
      await until('it shuts down', () => worker.log().join().includes('Warm shutdown') || null)
      worker.open('gate')
      const { last, said } = await drained
      expect(said).toContain('is not installed in it')
      expect(last).toMatchObject({ forced: 0, exit: 0 })
      // On a busy machine a worker may begin what it has fetched ahead before it stops: no loss.
      const done = worker.done()
      expect(done.slice(0, 2)).toEqual([`begin ${id}`, `end ${id}`])
      const begun = done.filter((line) => line.startsWith('begin '))
      expect(done).toEqual(begun.flatMap((line) => [line, line.replace('begin', 'end')]))
      await sleep(restartMilliseconds)
      expect(worker.status()).toBe('stopped')
    })
  },
  // What differs between the supervisors is not Celery's: the oldest, Debian's, is enough.
  (all) => all.slice(0, 1),
)
