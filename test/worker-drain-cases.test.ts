import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import {
  celeryArguments,
  startWorker,
  testFolder,
  until,
  type Worker,
  workerEnvironment,
} from './worker/celery.ts'
import { describeWithCelery } from './worker/describe.ts'
import { drain, inSeconds, run, script } from './worker/drain.ts'
import { phase, quiet } from './worker/orders.ts'
import { allTaken, counts, load, makeQueue, type Queue, send } from './worker/queue.ts'
import { collectReports, type Report, reports } from './worker/reports.ts'

/** What may happen around a drain. Nothing here depends on which Celery it is. */

const farSeconds = 90

// An idle worker must be seen to take nothing for longer than its next poll could need.
const pollMilliseconds = 3_000

const pidfile = (worker: Worker) => ['--pidfile', join(worker.folder, 'pid')]

const farDrain = (worker: Worker, ...more: readonly string[]) =>
  drain(
    ['--deadline', inSeconds(farSeconds), '--reason', 'scale_in', ...pidfile(worker), ...more],
    worker.env,
  )

const status = async (worker: Worker) =>
  (await drain(['--status', ...pidfile(worker)], worker.env)).last

/** Everything that `/proc` says a worker needs in a state file that belongs to it. */
const startTime = (pid: number) =>
  Number(readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ')[19])

describeWithCelery(
  'a drain',
  ({ moto, python }) => {
    it('joins another, whose deadline it moves nearer and never further away', async () => {
      const queue = await makeQueue(moto)
      const worker = await startWorker({ python, moto, queue: queue.name })
      await load(queue)
      await allTaken(queue, 8)
      const first = farDrain(worker)
      await phase(worker, 'quiet')
      const later = farDrain(worker)
      const nearer = drain(
        ['--deadline', inSeconds(15), '--reason', 'spot', '--drain-id', 'd-2', ...pidfile(worker)],
        worker.env,
      )
      const all = await Promise.all([first, later, nearer])
      expect(all.map(({ code }) => code)).toEqual([1, 1, 1])
      expect(new Set(all.map(({ lines }) => lines.at(-1))).size).toBe(1)
      expect(all[0].last).toMatchObject({ handedBack: 8, forced: 1 })
      expect(all[0].said).toMatch(/the deadline is now \d+ \(spot\)/)
      expect(await counts(queue)).toEqual({ visible: 8, inFlight: 0 })
    })

    it('can be called off, and the worker drained again; status and reports say so', async () => {
      const collected = await collectReports(moto)
      const queue = await makeQueue(moto)
      const env = { CELERIAC_PYTHON: '', CELERIAC_INSTANCE_ID: 'i-0123456789abcdef0' }
      const worker = await startWorker({ python, moto, queue: queue.name, env })
      const id = await load(queue)
      await allTaken(queue, 8)
      expect(await status(worker)).toMatchObject({ workers: 1, phase: 'working', running: null })
      const first = farDrain(worker, '--drain-id', 'd-1')
      await phase(worker, 'quiet')
      expect(await status(worker)).toMatchObject({
        ...{ workers: 1, phase: 'quiet', running: 1, handedBack: 7, drainId: 'd-1' },
        deadline: expect.any(Number),
      })
      const told: Report[] = []
      const tells = (drainId: string, phase: string) =>
        until(`${phase} of ${drainId} is told`, async () => {
          told.push(...(await reports(collected)))
          return (
            told.some((r) => r.detail['drain-id'] === drainId && r.detail['phase'] === phase) ||
            null
          )
        })
      // The worker is quiet before its drain sees it: called off in between, it never says so.
      await tells('d-1', 'quiet')
      const resumed = await drain(['--resume', ...pidfile(worker)], worker.env)
      expect(resumed.last).toEqual({ resumed: 1, failed: 0, exit: 0 })
      expect((await first).code).toBe(4)
      expect((await first).last).toMatchObject({ stillRunning: 1, forced: 0, exit: 4 })
      await allTaken(queue, 8)
      const second = farDrain(worker, '--drain-id', 'd-2')
      await phase(worker, 'quiet')
      await tells('d-2', 'quiet')
      worker.open('gate')
      expect((await second).last).toMatchObject({ handedBack: 7, finished: 1, exit: 0 })
      expect(worker.done()).toEqual([`begin ${id}`, `end ${id}`])
      expect(await status(worker)).toMatchObject({
        ...{ workers: 0, phase: 'gone', running: 0, handedBack: 7, finished: 1, drainId: 'd-2' },
      })
      const again = await drain(['--resume', ...pidfile(worker)], worker.env)
      expect(again.code).toBe(1)
      expect(again.said).toContain('does not tell how to start one')
      await tells('d-2', 'drained')
      told.sort((a, b) => Number(a.detail['at']) - Number(b.detail['at']))
      // A report whose answer is late is sent again, so that it may come twice.
      const phases = (drainId: string) =>
        new Set(
          told.flatMap(({ detail }) => (detail['drain-id'] === drainId ? detail['phase'] : [])),
        )
      expect([...phases('d-1')]).toEqual(['started', 'quiet', 'resumed'])
      expect([...phases('d-2')]).toEqual(['started', 'quiet', 'drained'])
      expect(told.at(-1)).toMatchObject({
        source: 'celeriac.worker',
        'detail-type': 'Celeriac Drain Progress',
        detail: {
          ...{ 'instance-id': 'i-0123456789abcdef0', 'drain-id': 'd-2', reason: 'scale_in' },
          ...{ phase: 'drained', workers: 1, running: 0, handedBack: 7, finished: 1, forced: 0 },
          ...{ deadline: expect.any(Number), at: expect.any(Number) },
          quietSeconds: expect.any(Number),
        },
      })
    })

    it('without a worker named takes every one on the box, and totals them', async () => {
      const folder = testFolder()
      const queues = [await makeQueue(moto), await makeQueue(moto)] as const
      const env = workerEnvironment(folder, { python, moto, queue: queues[0].name })
      // A pid namespace of its own, in which nobody else's worker is.
      const users = process.getuid?.() === 0 ? [] : ['--user', '--map-root-user']
      const namespace = [...users, '--pid', '--fork', '--mount-proc', '--kill-child']
      const start = (name: string, { name: queue }: Queue) =>
        [python.command, ...celeryArguments(['-n', name, '-Q', queue])].join(' ')
      const box = [
        `cd ${folder}`,
        `{ ${start('a', queues[0])} >a.log 2>&1 & ${start('b', queues[1])} >b.log 2>&1 & }`,
        'until [ "$(cat ?.log | grep -c ready.)" = 2 ]; do sleep 0.1; done',
        'touch ready; until [ -e go ]; do sleep 0.1; done',
        `exec sh ${script} --deadline ${inSeconds(farSeconds)} --reason health`,
      ].join('; ')
      const drained = run('unshare', [...namespace, 'sh', '-c', box], env)
      await until('both are ready', () => existsSync(join(folder, 'ready')) || null)
      for (const queue of queues) await load(queue, { behind: 4 })
      for (const queue of queues) await allTaken(queue, 5)
      writeFileSync(join(folder, 'go'), '')
      for (const queue of queues)
        await until('four are visible', async () => (await counts(queue)).visible === 4 || null)
      writeFileSync(join(folder, 'gate'), '')
      const { code, lines, last } = await drained
      expect(code).toBe(0)
      expect(lines).toHaveLength(3)
      expect(last).toMatchObject({
        ...{ worker: expect.stringMatching(/^pid-\d+,pid-\d+$/), handedBack: 8, finished: 2 },
        ...{ forced: 0, stillRunning: 0, exit: 0 },
      })
      for (const queue of queues) expect(await counts(queue)).toEqual({ visible: 4, inFlight: 0 })
    })

    it('never sends SIGUSR2 to a worker that has no handler for it', async () => {
      const queue = await makeQueue(moto)
      const env = { PACKAGE: 'no' }
      const worker = await startWorker({ python, moto, queue: queue.name, env })
      // As it lies there after a worker has started itself anew without the package.
      const state = { pid: worker.pid, startTime: startTime(worker.pid), phase: 'working' }
      const lines = Object.entries({ ...state, waitTimeSeconds: 2 }).map(
        ([key, value]) => `${JSON.stringify(key)}: ${JSON.stringify(value)}`,
      )
      const file = join(worker.folder, 'run', `${worker.pid}.json`)
      writeFileSync(file, `{\n${lines.join(',\n')}\n}\n`)
      const { code, said } = await farDrain(worker)
      expect(said).toContain('has no handler for SIGUSR2')
      expect(code).toBe(0)
      // The signal would have ended it by itself.
      expect(await worker.ended).toBe(0)
    })

    it('without the package can only end what runs at the deadline, and says so', async () => {
      const queue = await makeQueue(moto)
      const env = { PACKAGE: 'no' }
      const worker = await startWorker({ python, moto, queue: queue.name, env })
      await load(queue, { behind: 0 })
      await allTaken(queue, 1)
      const { last, said } = await drain(
        ['--deadline', inSeconds(12), '--reason', 'spot', ...pidfile(worker)],
        worker.env,
      )
      expect(said).toContain('stays in flight until its visibility timeout')
      expect(last).toMatchObject({ quietSeconds: null, handedBack: 0, forced: 1, exit: 1 })
      expect(await worker.ended).toBe('SIGKILL')
    })

    it('hands back what a worker held that was killed on the way', async () => {
      const queue = await makeQueue(moto)
      const worker = await startWorker({ python, moto, queue: queue.name })
      await load(queue)
      await allTaken(queue, 8)
      const drained = farDrain(worker)
      await phase(worker, 'quiet')
      // Past drain.sh's own look at the new state, a second at most.
      await sleep(1_500)
      process.kill(worker.pid, 'SIGKILL')
      const { last, said } = await drained
      expect(said).toContain('it died with 1 running')
      expect(last).toMatchObject({ handedBack: 8, forced: 1, exit: 1 })
      expect(await counts(queue)).toEqual({ visible: 8, inFlight: 0 })
    })

    it('goes on where a drain that was killed has stopped', async () => {
      const queue = await makeQueue(moto)
      const worker = await startWorker({ python, moto, queue: queue.name })
      await load(queue)
      await allTaken(queue, 8)
      const lock = join(worker.folder, 'box', `${worker.pid}-${startTime(worker.pid)}`)
      await run('mkdir', ['-p', lock], worker.env)
      // Of a process that is long gone: pid 1 started at another time.
      writeFileSync(join(lock, 'owner'), '1 999999999999\n')
      quiet(worker, 'of-the-dead')
      await phase(worker, 'quiet')
      const drained = farDrain(worker)
      await until('it has taken over', () => worker.state()?.drainId !== 'of-the-dead' || null)
      worker.open('gate')
      const { last, said } = await drained
      expect(said).toContain('going on with it')
      expect(last).toMatchObject({ finished: 1, exit: 0 })
      expect(await counts(queue)).toEqual({ visible: 7, inFlight: 0 })
    })

    it('before its worker is there keeps that one quiet until it is resumed', async () => {
      const queue = await makeQueue(moto)
      const folder = testFolder()
      const { code } = await drain(
        [
          ...['--deadline', inSeconds(farSeconds), '--reason', 'scale_in'],
          ...['--drain-id', 'd-early', '--pidfile', join(folder, 'pid')],
        ],
        workerEnvironment(folder, { python, moto, queue: queue.name }),
      )
      expect(code).toBe(3)
      const env = { CELERIAC_LEAVING: join(folder, 'leaving') }
      const worker = await startWorker({ python, moto, queue: queue.name, env })
      expect(await phase(worker, 'idle')).toMatchObject({ drainId: 'd-early', handedBack: 0 })
      await send(queue, 'work', [''])
      await sleep(pollMilliseconds)
      expect(await counts(queue)).toEqual({ visible: 1, inFlight: 0 })
      const resumed = await drain(['--resume', ...pidfile(worker)], worker.env)
      expect(resumed.last).toMatchObject({ resumed: 1, exit: 0 })
      await until('it works', () => worker.done().length > 0 || null)
    })

    it('says once that nobody can be told, and drains all the same', async () => {
      const queue = await makeQueue(moto)
      const worker = await startWorker({ python, moto, queue: queue.name })
      const env = { ...worker.env, PATH: '/usr/bin:/bin', CELERIAC_PYTHON: '/bin/nothing' }
      const { code, said } = await drain(
        ['--deadline', inSeconds(farSeconds), '--reason', 'manual', ...pidfile(worker)],
        env,
      )
      expect(code).toBe(0)
      expect(said.split('progress cannot be reported')).toHaveLength(2)
    })
  },
  (all) => all.slice(0, 1),
)
