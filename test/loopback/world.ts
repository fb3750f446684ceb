import type { Item } from '../../twin/aws/dynamodb.ts'

// Any account and region do; the handler takes both from a group's ARN.
const account = '123456789012'
const region = 'us-east-1'

/** A queue is its attributes as SQS writes them, so that a test may drop one or garble it. */
export type Queue = { readonly name: string; readonly attributes: Map<string, string> }

export type Group = {
  readonly name: string
  readonly tags: ReadonlyMap<string, string>
  readonly minSize: number
  readonly maxSize: number
  desired: number
  /** A new desired capacity launches nothing: what boots when is the twin's subject. */
  readonly inService: number
}

/** One value of a PutMetricData call. */
export type Value = {
  readonly namespace: string
  readonly name: string
  readonly dimensions: Readonly<Record<string, string>>
  readonly value: number
  readonly unit: string
}

/** Everything the stub's AWS holds. Tests set it up, and judge by it what a run has done. */
export type World = {
  readonly queues: Map<string, Queue>
  readonly groups: Map<string, Group>
  /** The one table that exists, and its items by their key `pk`. */
  readonly table: string
  readonly items: Map<string, Item>
  /** Every metric value received. */
  readonly values: Value[]
  /** Every capacity set, in order: also one that was set to what it had been. */
  readonly capacities: { readonly group: string; readonly desired: number }[]
}

export const createWorld = (table: string): World => ({
  queues: new Map(),
  groups: new Map(),
  table,
  items: new Map(),
  values: [],
  capacities: [],
})

export function addQueue(world: World, name: string, visible = 0): Queue {
  const attributes = new Map([
    ['QueueArn', `arn:aws:sqs:${region}:${account}:${name}`],
    ['ApproximateNumberOfMessages', String(visible)],
    ['ApproximateNumberOfMessagesNotVisible', '0'],
    ['ApproximateNumberOfMessagesDelayed', '0'],
  ])
  const queue = { name, attributes }
  world.queues.set(name, queue)
  return queue
}

export function addGroup(
  world: World,
  name: string,
  tags: Readonly<Record<string, string>>,
  sizes: Partial<Pick<Group, 'minSize' | 'maxSize' | 'desired' | 'inService'>> = {},
): Group {
  const group = {
    name,
    tags: new Map(Object.entries(tags)),
    ...{ minSize: 0, maxSize: 20, desired: 1, inService: 1 },
    ...sizes,
  }
  world.groups.set(name, group)
  return group
}

export const groupArn = (name: string) =>
  `arn:aws:autoscaling:${region}:${account}:autoScalingGroup:0:autoScalingGroupName/${name}`

/** The queue that a URL means, whatever its host: none where the account is another's. */
export function queueOf(world: World, url: string): Queue | undefined {
  const [owner, name = ''] = new URL(url).pathname.slice(1).split('/')
  return owner === account ? world.queues.get(name) : undefined
}
