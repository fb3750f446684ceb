import { makeAutoScaling, makeDynamoDb, makeHistory, makeSqs, systemClock } from '../shared/aws.ts'
import type { Fleet } from '../shared/queue-config.ts'

/** The account of the SDK's credentials and region, for commands that only read there. */
export async function openAccount(fleet: Fleet, stage: string) {
  const sqs = makeSqs()
  const [region, { accountId }] = await Promise.all([sqs.config.region(), sqs.config.credentials()])
  const whose = accountId ? `account ${accountId}` : "the credentials' account"
  // On the other stream, for it is no result.
  console.error(`Reading fleet ${fleet.name}, stage ${stage}, in ${whose}, ${region}.`)
  return {
    ...{ sqs, autoscaling: makeAutoScaling(), dynamodb: makeDynamoDb() },
    ...{ cloudwatch: makeHistory(), clock: systemClock },
    stateTable: `${fleet.name}-${stage}-state`,
    drainName: `${fleet.name}-${stage}-drain`,
    signal: new AbortController().signal,
  }
}

/** The queue of the file, by its name; throws, listing those that there are. */
export function findQueue(fleet: Fleet, name: string) {
  const found = fleet.queues.find((queue) => queue.name === name)
  if (found) return found
  const names = fleet.queues.map((queue) => queue.name).join(', ')
  throw new Error(`There is no queue ${name} in fleet.config.ts; there are ${names}`)
}
