import {
  type CreateTableCommandInput,
  PutItemCommand,
  QueryCommand,
  type QueryCommandInput,
} from '@aws-sdk/client-dynamodb'
import { type Aws, outcome, type Row } from './row.ts'

/** The table that the twin has by itself, as moto is told to make it. */
export const indexedTable = {
  TableName: 'state',
  AttributeDefinitions: [
    { AttributeName: 'pk', AttributeType: 'S' },
    { AttributeName: 'active', AttributeType: 'S' },
  ],
  KeySchema: [{ AttributeName: 'pk', KeyType: 'HASH' }],
  GlobalSecondaryIndexes: [
    {
      IndexName: 'active',
      KeySchema: [
        { AttributeName: 'active', KeyType: 'HASH' },
        { AttributeName: 'pk', KeyType: 'RANGE' },
      ],
      Projection: { ProjectionType: 'ALL' },
    },
  ],
  BillingMode: 'PAY_PER_REQUEST',
} satisfies CreateTableCommandInput

const { TableName } = indexedTable

async function fill(aws: Aws, active: string, names: readonly string[]) {
  for (const name of names) await put(aws, name, active)
}

const put = (aws: Aws, pk: string, active: string | null) =>
  aws.dynamodb.send(
    new PutItemCommand({
      TableName,
      Item: { pk: { S: pk }, n: { N: '1' }, ...(active === null ? {} : { active: { S: active } }) },
    }),
  )

const query = (aws: Aws, active: string, input: Partial<QueryCommandInput> = {}) =>
  aws.dynamodb.send(
    new QueryCommand({
      TableName,
      IndexName: 'active',
      KeyConditionExpression: '#active = :active',
      ExpressionAttributeNames: { '#active': 'active' },
      ExpressionAttributeValues: { ':active': { S: active } },
      ...input,
    }),
  )

/** The names of each page in turn, and the key that each page but the last ends with. */
async function pages(aws: Aws, active: string, Limit: number) {
  const found: unknown[] = []
  let start: QueryCommandInput['ExclusiveStartKey']
  do {
    const page = await query(aws, active, { Limit, ...(start && { ExclusiveStartKey: start }) })
    found.push((page.Items ?? []).map(({ pk }) => pk?.S).join(' '))
    start = page.LastEvaluatedKey
    if (start) found.push(start)
  } while (start && found.length < 9)
  return found
}

const items = (aws: Aws, active: string, input: Partial<QueryCommandInput> = {}) =>
  outcome(query(aws, active, input), ({ Items }) => Items)

export const indexRows: Row[] = [
  {
    name: 'an index has whole items, those with its attribute alone, by their keys',
    calls: async (aws) => {
      await fill(aws, 'whole', ['whole#b', 'whole#a'])
      await put(aws, 'whole#c', null)
      await put(aws, 'whole#d', 'another')
      return items(aws, 'whole')
    },
    expected: ['whole#a', 'whole#b'].map((pk) => ({
      pk: { S: pk },
      n: { N: '1' },
      active: { S: 'whole' },
    })),
  },
  {
    name: 'an item that is written without the attribute is in the index no more',
    calls: async (aws) => {
      await fill(aws, 'leaving', ['leaving#a'])
      await put(aws, 'leaving#a', null)
      return items(aws, 'leaving')
    },
    expected: [],
  },
  {
    name: 'pages of an index end with the keys of both, the table and the index',
    calls: async (aws) => {
      await fill(aws, 'paged', ['paged#1', 'paged#2', 'paged#3'])
      return pages(aws, 'paged', 2)
    },
    expected: ['paged#1 paged#2', { pk: { S: 'paged#2' }, active: { S: 'paged' } }, 'paged#3'],
  },
  {
    name: 'an index that is none, and one that is to be consistent',
    calls: async (aws) => [
      await items(aws, 'x', { IndexName: 'passive' }),
      await items(aws, 'x', { ConsistentRead: true }),
    ],
    expected: ['ValidationException', 'ValidationException'],
    moto: {
      answers: ['ResourceNotFoundException', 'ValidationException'],
      awsSays:
        'an index that the table lacks is a validation error; its table is what is not found',
    },
  },
  {
    name: 'a query of an index without its key',
    calls: (aws) => items(aws, 'x', { KeyConditionExpression: '#active > :active' }),
    expected: 'ValidationException',
  },
]
