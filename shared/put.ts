import type { PutItemCommand } from '@aws-sdk/client-dynamodb'
import { type Deps, isAwsError } from './aws.ts'

/** Whether a write was made, or its condition says that another run has written meanwhile. */
export type Put = 'written' | 'superseded'

export async function putIf(
  deps: Pick<Deps, 'dynamodb' | 'signal'>,
  command: PutItemCommand,
): Promise<Put> {
  try {
    await deps.dynamodb.send(command, { abortSignal: deps.signal })
    return 'written'
  } catch (error) {
    if (isAwsError(error, 'ConditionalCheckFailedException')) return 'superseded'
    throw error
  }
}
