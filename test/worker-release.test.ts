import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DeleteMessageCommand, ReceiveMessageCommand } from '@aws-sdk/client-sqs'
import { expect, it } from 'vitest'
import { testFolder, workerEnvironment } from './worker/celery.ts'
import { describeWithCelery } from './worker/describe.ts'
import { run } from './worker/drain.ts'
import { counts, makeQueue, type Queue, send } from './worker/queue.ts'

/** `python -m celeriac_worker release`: the handles of a state file, with no Celery at hand. */

/** Receives so many messages, as a worker that dies then: their entries in its ledger. */
async function taken(queue: Queue, count: number) {
  const entries: { id: string; handle: string; queueUrl: string; region: string }[] = []
  for (let sent = 0; sent < count; sent += 1) await send(queue, 'work', [''])
  while (entries.length < count) {
    const { Messages = [] } = await queue.sqs.send(
      new ReceiveMessageCommand({ QueueUrl: queue.url, MaxNumberOfMessages: 10 }),
    )
    for (const { MessageId: id = '', ReceiptHandle: handle = '' } of Messages)
      entries.push({ id, handle, queueUrl: queue.url, region: 'us-east-1' })
  }
  return entries
}

describeWithCelery(
  'release',
  ({ moto, python }) => {
    const release = (state: unknown) => {
      const folder = testFolder()
      const file = join(folder, '1.json')
      writeFileSync(file, typeof state === 'string' ? state : JSON.stringify(state))
      const env = workerEnvironment(folder, { python, moto, queue: '' })
      return run(python.command, ['-m', 'celeriac_worker', 'release', '--state', file], env)
    }
    const endpoint = () => moto.endpoint

    it('makes visible what ran and what was held, in every queue, in tens', async () => {
      const queues = [await makeQueue(moto), await makeQueue(moto)] as const
      const running = [...(await taken(queues[0], 12)), ...(await taken(queues[1], 1))]
      const held = await taken(queues[1], 2)
      const { code, lines, last } = await release({ endpoint: endpoint(), running, held })
      expect(lines).toHaveLength(1)
      expect(last).toEqual({ released: 15, gone: 0, failed: [] })
      expect(code).toBe(0)
      expect(await counts(queues[0])).toEqual({ visible: 12, inFlight: 0 })
      expect(await counts(queues[1])).toEqual({ visible: 3, inFlight: 0 })
    })

    it('counts what is deleted as gone, and what was acknowledged early not at all', async () => {
      const queue = await makeQueue(moto)
      const running = await taken(queue, 2)
      const [first, second] = running
      await queue.sqs.send(
        new DeleteMessageCommand({ QueueUrl: queue.url, ReceiptHandle: first?.handle }),
      )
      const early = { id: 'early', handle: null, queueUrl: queue.url, region: 'us-east-1' }
      const state = { endpoint: endpoint(), running: [first, second, early], held: [] }
      expect((await release(state)).last).toEqual({ released: 1, gone: 1, failed: [] })
      // moto takes the handle of a visible message; to AWS it is gone. Either way nothing fails.
      expect(await release(state)).toMatchObject({ code: 0, last: { failed: [] } })
    })

    it('names what it could not, and does the rest', async () => {
      const queue = await makeQueue(moto)
      const [entry] = await taken(queue, 1)
      const lost = { ...entry, id: 'lost', queueUrl: `${queue.url}-not-there` }
      const { code, last } = await release({ endpoint: endpoint(), running: [lost, entry] })
      expect(last).toEqual({
        ...{ released: 1, gone: 0 },
        failed: [{ id: 'lost', error: expect.stringContaining('QueueDoesNotExist') }],
      })
      expect(code).toBe(1)
    })

    it.each([
      ['is not JSON', '{'],
      ['is something else', '{"running": 1}'],
    ])('refuses a file that %s', async (_, text) => {
      const { code, last } = await release(text)
      expect(last).toMatchObject({ released: 0, gone: 0, failed: [{ id: null }] })
      expect(code).toBe(1)
    })

    it('and report need no Celery', () => {
      const blocked =
        'import sys; sys.modules.update(celery=None, kombu=None);' +
        'sys.path.insert(0, "worker"); import runpy;' +
        'sys.argv = ["celeriac_worker", "report", "--help"];' +
        'runpy.run_module("celeriac_worker", run_name="__main__")'
      expect(execFileSync(python.command, ['-c', blocked]).toString()).toContain('--phase')
    })
  },
  (all) => all.slice(0, 1),
)
