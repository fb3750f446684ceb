import { type AttributeValue, GetItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb'
import { holds } from './condition.ts'
import { type Applied, answer, awsError, notInTwin, type Service } from './service.ts'

export type Item = Record<string, AttributeValue>

// The most that one item may hold.
const itemBytesMax = 400 * 1_024

/** Tables with a string key `pk`, made beforehand by name: what the deployment's stack makes. */
export function createDynamoDb(tables: readonly string[]): Service {
  const stored = new Map(tables.map((table) => [table, new Map<string, Item>()]))
  const find = (name: string | undefined) => {
    const table = stored.get(name ?? '')
    if (!table) throw awsError('ResourceNotFoundException', 'Requested resource not found')
    return table
  }
  return {
    apply(_now, command): Applied {
      if (command instanceof GetItemCommand) {
        const Item = find(command.input.TableName).get(keyOf(command.input.Key))
        return answer(Item ? { Item: structuredClone(Item) } : {})
      }
      if (command instanceof PutItemCommand) {
        const { TableName, Item, ConditionExpression } = command.input
        const table = find(TableName)
        const key = keyOf(Item)
        if (JSON.stringify(Item).length > itemBytesMax) {
          throw awsError('ValidationException', 'Item size has exceeded the maximum allowed size')
        }
        if (ConditionExpression && !holds(ConditionExpression, table.get(key), command.input)) {
          const message = 'The conditional request failed'
          throw awsError('ConditionalCheckFailedException', message)
        }
        table.set(key, structuredClone(Item ?? {}))
        return answer({}, [{ kind: 'dynamodb.put', table: TableName ?? '', key }])
      }
      throw notInTwin('DynamoDB', command)
    },
  }
}

function keyOf(item: Item | undefined): string {
  const key = item?.['pk']?.S
  if (key === undefined) {
    throw awsError('ValidationException', 'The provided key element does not match the schema')
  }
  return key
}
