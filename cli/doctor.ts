import { hostname } from 'node:os'
import { makeAutoScaling, makeSqs, makeSsm } from '../shared/aws.ts'
import type { Fleet } from '../shared/queue-config.ts'
import { checkAccount } from './doctor/checks-account.ts'
import { checkBox } from './doctor/checks-box.ts'
import { exitCodeOf, type Finding } from './doctor/finding.ts'
import { needsOf } from './doctor/needs.ts'
import { describeFindings } from './doctor/print.ts'
import { type AccountDeps, readAccount } from './doctor/read-account.ts'
import { readBox } from './doctor/read-box.ts'

export type DoctorOptions = {
  readonly box?: true
  readonly config?: true
  readonly queue?: string
  readonly stage: string
  readonly taskTime?: string
  readonly app?: string
  readonly python?: string
  readonly unit: readonly string[]
  readonly program: readonly string[]
  readonly container: readonly string[]
  readonly supervisorConf?: string
  readonly verbose?: true
  readonly json?: true
}

/** What --help says after the options. */
export const doctorHelp = `
Exit codes: 0 nothing worse than unknown, 1 warnings, 2 errors, 3 it could not run.
An error loses tasks or keeps a drain from working; a warning is late or costly.
--box reads this machine (as root it sees everything); --config reads the AWS account of the
SDK's credentials and region. Nothing is changed, on the machine or in the account.`

// Of the exit codes, the one of a run that has no findings.
export const couldNotRun = 3

/** Looks for whatever would lose tasks, before a drain finds it. */
export async function doctor(options: DoctorOptions): Promise<void> {
  // Until there are findings: whatever throws ends in this.
  process.exitCode = couldNotRun
  const { default: fleet } = await import('../fleet.config.ts')
  const account = options.config ? await accountFindings(options, fleet) : null
  const box = options.box || !options.config ? await boxFindings(options, fleet) : null
  const findings = [...(box?.findings ?? []), ...(account?.findings ?? [])]
  if (options.json) {
    const about = { box: box?.host ?? null, account: account?.place ?? null }
    console.log(JSON.stringify({ ...about, findings }, null, 2))
  } else {
    for (const part of [box, account]) {
      if (part) console.log(`${part.title}\n`)
      if (part)
        console.log(`${describeFindings(part.findings, options.verbose ? 'all' : 'not ok')}\n`)
    }
  }
  process.exitCode = exitCodeOf(findings)
}

type Part = { readonly title: string; readonly findings: readonly Finding[] }

async function boxFindings(options: DoctorOptions, fleet: Fleet): Promise<Part & { host: string }> {
  const { app, python, supervisorConf, queue, taskTime } = options
  // Asked before the reading, so that a wrong name costs no time.
  if (queue !== undefined || taskTime !== undefined) needsOf(fleet, { queue, taskTime }, [])
  const facts = await readBox({
    ...{ app, python, supervisorConf },
    units: options.unit,
    programs: options.program,
    containers: options.container,
  })
  const queues = facts.workers.flatMap((worker) => worker.queues)
  const needs = needsOf(fleet, { queue, taskTime }, queues)
  const host = hostname()
  return { host, title: `This box, ${host}`, findings: checkBox(facts, needs) }
}

async function accountFindings(
  { stage, queue }: DoctorOptions,
  fleet: Fleet,
): Promise<Part & { place: object }> {
  const ssm = makeSsm()
  const [region, { accountId }] = await Promise.all([ssm.config.region(), ssm.config.credentials()])
  const whose = accountId ? `account ${accountId}` : "the credentials' account"
  // On the other stream, for it is no result.
  console.error(`Reading fleet ${fleet.name}, stage ${stage}, in ${whose}, ${region}.`)
  const deps: AccountDeps = {
    ...{ ssm, region, autoscaling: makeAutoScaling(), sqs: makeSqs() },
    signal: new AbortController().signal,
    drainName: `${fleet.name}-${stage}-drain`,
  }
  const facts = await readAccount(deps, fleet, { queue })
  const account = facts.account ?? accountId ?? null
  return {
    place: { account, region, stage },
    title: `Account ${account ?? 'unknown'}, ${region}`,
    findings: checkAccount(facts),
  }
}
