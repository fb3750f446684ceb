import {
  type CreateTableCommandInput,
  GetItemCommand,
  PutItemCommand,
  type PutItemCommandInput,
} from '@aws-sdk/client-dynamodb'
import { type Aws, done, outcome, type Row } from './row.ts'

/** A table without a sort key, as moto is told to make it. */
export const plainTable = {
  TableName: 'plain',
  AttributeDefinitions: [{ AttributeName: 'pk', AttributeType: 'S' }],
  KeySchema: [{ AttributeName: 'pk', KeyType: 'HASH' }],
  BillingMode: 'PAY_PER_REQUEST',
} satisfies CreateTableCommandInput

const { TableName } = plainTable
const key = (pk: string) => ({ pk: { S: pk } })

const write = (aws: Aws, pk: string, input: Partial<PutItemCommandInput> = {}) =>
  outcome(
    aws.dynamodb.send(
      new PutItemCommand({ TableName, Item: { ...key(pk), n: { N: '1' } }, ...input }),
    ),
    done,
  )

export const itemRows: Row[] = [
  {
    name: 'an item as it was written, and none where none was',
    calls: async (aws) => {
      await write(aws, 'item')
      const read = (pk: string) =>
        aws.dynamodb.send(new GetItemCommand({ TableName, Key: key(pk) }))
      return [(await read('item')).Item, (await read('nothing')).Item ?? 'none']
    },
    expected: [{ pk: { S: 'item' }, n: { N: '1' } }, 'none'],
  },
  {
    name: 'conditions joined by OR and AND',
    calls: async (aws) => {
      const on = (ConditionExpression: string, n: string) =>
        write(aws, 'condition', {
          ConditionExpression,
          ExpressionAttributeNames: { '#n': 'n' },
          ExpressionAttributeValues: { ':n': { N: n } },
        })
      return [
        await on('attribute_not_exists(pk) OR #n = :n', '7'),
        await on('attribute_not_exists(pk) OR #n = :n', '7'),
        await on('attribute_not_exists(pk) OR #n = :n', '1'),
        await on('attribute_exists(pk) AND #n < :n', '1'),
        await on('attribute_exists(pk) AND #n <= :n', '1'),
        await on('#n <> :n OR #n > :n AND attribute_not_exists(pk)', '2'),
      ]
    },
    expected: [
      'done',
      'ConditionalCheckFailedException',
      'done',
      'ConditionalCheckFailedException',
      'done',
      'done',
    ],
  },
  {
    name: 'a condition that is none',
    calls: (aws) => write(aws, 'nonsense', { ConditionExpression: 'pk is new' }),
    expected: 'ValidationException',
  },
  {
    name: 'a condition on a name that is not given',
    calls: (aws) => write(aws, 'nameless', { ConditionExpression: 'attribute_exists(#n)' }),
    expected: 'ValidationException',
    moto: {
      answers: 'SyntaxError',
      awsSays: 'an undefined name is a validation error; here the server fails',
    },
  },
  {
    name: 'a table that does not exist',
    calls: (aws) => write(aws, 'x', { TableName: 'nowhere' }),
    expected: 'ResourceNotFoundException',
  },
  {
    name: 'an item without its key',
    calls: (aws) => write(aws, 'x', { Item: { n: { N: '1' } } }),
    expected: 'ValidationException',
  },
]
