import { expect, it } from 'vitest'
import { checkWorker } from '../cli/doctor/checks-worker.ts'
import { readProcesses } from '../cli/doctor/processes.ts'
import { readWorker } from '../cli/doctor/read-worker.ts'
import { fourMinutes } from './doctor/facts.ts'
import { startWorker, until } from './worker/celery.ts'
import { describeWithCelery } from './worker/describe.ts'
import { makeQueue } from './worker/queue.ts'

/** The doctor on workers that take orders: the real package, on each Celery of this machine. */

describeWithCelery('the doctor sees', ({ moto, python }) => {
  const examine = async (env: NodeJS.ProcessEnv) => {
    const queue = await makeQueue(moto)
    const worker = await startWorker({ python, moto, queue: queue.name, env })
    if (env['PACKAGE'] !== 'no') await until('a state file', () => worker.state())
    const process = (await readProcesses()).get(worker.pid)
    if (!process) throw new Error('The worker is gone')
    const facts = await readWorker(process, null, { app: 'app', python: undefined })
    const findings = checkWorker(facts, fourMinutes)
    return { queue, facts, severity: new Map(findings.map((one) => [one.check, one.severity])) }
  }

  it('a worker with celeriac_worker, its queue and its settings', async () => {
    const { queue, facts, severity } = await examine({})
    expect(facts).toMatchObject({
      ...{ phase: 'working', takesOrders: true, queues: [queue.name], container: null },
      probe: {
        python: python.command,
        celeriacWorker: '0.1.0',
        settings: { transport: 'sqs', acksLate: true, visibilitySeconds: 600, waitSeconds: 2 },
      },
    })
    expect(severity.get('celeriac-worker')).toBe('ok')
    const loses = python.versions.includes('billiard 4.3.0')
    expect(severity.get('cold-shutdown')).toBe(loses ? 'warning' : 'ok')
    expect(JSON.stringify(facts)).not.toContain('testing:testing')
  })

  it('one whose application does not install it', async () => {
    const { facts, severity } = await examine({ PACKAGE: 'no', ACKS_LATE: 'no' })
    expect(facts).toMatchObject({ phase: null, takesOrders: false })
    expect(severity.get('celeriac-worker')).toBe('warning')
    expect(severity.get('acks-late')).toBe('error')
  })
})
