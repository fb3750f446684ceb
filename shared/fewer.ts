import { GetItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb'
import { SendMessageCommand } from '@aws-sdk/client-sqs'
import * as z from 'zod/mini'
import type { Deps } from './aws.ts'
import { parseJson } from './json.ts'
import { type Put, putIf } from './put.ts'
import { queueUrl } from './queues.ts'
import { type Wish, wishSchema } from './wish.ts'

/** Tells drain. Its queue has the name of all that drains, where the group is. */
export async function sendWish(
  deps: Pick<Deps, 'sqs' | 'drainName' | 'signal'>,
  wish: Wish,
  groupArn: string,
): Promise<void> {
  const command = new SendMessageCommand({
    QueueUrl: queueUrl(deps.drainName, groupArn),
    MessageBody: JSON.stringify({ fewer: wish }),
  })
  await deps.sqs.send(command, { abortSignal: deps.signal })
}

/**
 * What is remembered of a group that should have fewer instances: the last wish, and who was chosen
 * to leave, when. Kept in the state table as `fewer#<group>`; whoever writes a version chooses, so
 * that two runs at once cannot lower the group twice for one wish.
 */
const fewerSchema = z.object({ wish: wishSchema, leaving: z.record(z.string(), z.number()) })
export type Fewer = z.output<typeof fewerSchema>

/** As it was read: the version is the condition of the next write, 0 for none yet. */
export type KeptFewer = { readonly fewer: Fewer | null; readonly version: number }

type Db = Pick<Deps, 'dynamodb' | 'stateTable' | 'runId' | 'signal'>

// A wish is good for minutes. A day is for those who look at the table and wonder.
const keptSeconds = 86_400

const keyOf = (group: string) => ({ pk: { S: `fewer#${group}` } })

/** One consistent read. What cannot be understood counts as none, and is written anew. */
export async function readFewer(deps: Db, group: string): Promise<KeptFewer> {
  const command = new GetItemCommand({
    TableName: deps.stateTable,
    Key: keyOf(group),
    ConsistentRead: true,
  })
  const { Item } = await deps.dynamodb.send(command, { abortSignal: deps.signal })
  const parsed = fewerSchema.safeParse(parseJson(Item?.['fewer']?.S ?? ''))
  const version = Number(Item?.['version']?.N ?? 0)
  return { fewer: parsed.success ? parsed.data : null, version }
}

/** Writes the next version, unless another run has written since. */
export async function writeFewer(deps: Db, fewer: Fewer, version: number): Promise<Put> {
  const writer = { S: `${deps.runId}/${version}` }
  const command = new PutItemCommand({
    TableName: deps.stateTable,
    Item: {
      ...keyOf(fewer.wish.group),
      version: { N: String(version + 1) },
      writer,
      fewer: { S: JSON.stringify(fewer) },
      expiresAt: { N: String(Math.ceil(fewer.wish.until / 1_000) + keptSeconds) },
    },
    // The client repeats a write whose answer was lost: it finds itself, and is no conflict.
    ConditionExpression: 'attribute_not_exists(pk) OR #version = :read OR #writer = :writer',
    ExpressionAttributeNames: { '#version': 'version', '#writer': 'writer' },
    ExpressionAttributeValues: { ':read': { N: String(version) }, ':writer': writer },
  })
  return putIf(deps, command)
}
