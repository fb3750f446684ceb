import { ReceiveMessageCommand } from '@aws-sdk/client-sqs'
import { expect, it } from 'vitest'
import { startWorker, until } from './worker/celery.ts'
import { describeWithCelery } from './worker/describe.ts'
import { phase, quiet, resume } from './worker/orders.ts'
import { makeQueue, type Queue, send } from './worker/queue.ts'
import { collectReports, type Report, reports } from './worker/reports.ts'

/** What a worker receives again and again, as it tells the control plane. */

/** As often as a worker that dies with it would. */
async function receive(queue: Queue, times: number): Promise<void> {
  for (let time = 0; time < times; time++) {
    await queue.sqs.send(
      new ReceiveMessageCommand({
        ...{ QueueUrl: queue.url, MaxNumberOfMessages: 10, VisibilityTimeout: 0 },
      }),
    )
  }
}

/** Of that queue: the bus is everybody's. */
const again = (told: readonly Report[], { name }: Queue) =>
  told.filter(
    (report) =>
      report['detail-type'] === 'Celeriac Messages Received Again' &&
      report.detail['queue'] === name,
  )

const total = (told: readonly Report[], queue: Queue) =>
  again(told, queue).reduce((sum, { detail }) => sum + Number(detail['messages']), 0)

describeWithCelery('a worker tells', ({ moto, python }) => {
  it('of what it receives for the third time, at once and a minute later, together', async () => {
    const collected = await collectReports(moto)
    const queue = await makeQueue(moto)
    for (let sent = 0; sent < 3; sent++) await send(queue, 'work', [''])
    await receive(queue, 2)
    // Received for the first time, of which nothing is said.
    for (let sent = 0; sent < 3; sent++) await send(queue, 'work', [''])
    const worker = await startWorker({ python, moto, queue: queue.name })
    await until('all are done', () => worker.done().length === 12 || null)
    const told: Report[] = []
    const tells = (messages: number) =>
      until(`${messages} are told`, async () => {
        told.push(...(await reports(collected)))
        return total(told, queue) >= messages || null
      })
    await tells(3)
    expect(again(told, queue)).toHaveLength(1)
    expect(again(told, queue)[0]).toMatchObject({
      source: 'celeriac.worker',
      detail: { queue: queue.name, messages: 3 },
    })
    // While it polls not, others receive what it gets then.
    quiet(worker)
    await phase(worker, 'idle')
    for (let sent = 0; sent < 2; sent++) await send(queue, 'work', [''])
    await receive(queue, 2)
    resume(worker)
    await tells(5)
    const [first, second] = again(told, queue).map(({ time }) => Date.parse(time))
    expect((second ?? 0) - (first ?? 0)).toBeGreaterThanOrEqual(59_000)
    expect(worker.log()).not.toContain('Traceback')
  })
})
