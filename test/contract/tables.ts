import {
  BatchGetItemCommand,
  type CreateTableCommandInput,
  DeleteItemCommand,
  type DeleteItemCommandInput,
  GetItemCommand,
  PutItemCommand,
  type PutItemCommandInput,
  QueryCommand,
  type QueryCommandInput,
} from '@aws-sdk/client-dynamodb'
import { type Aws, done, outcome, type Row } from './row.ts'

/** A table with a sort key, as moto is told to make it. */
export const sortedTable = {
  TableName: 'sorted',
  AttributeDefinitions: [
    { AttributeName: 'pk', AttributeType: 'S' },
    { AttributeName: 'sk', AttributeType: 'S' },
  ],
  KeySchema: [
    { AttributeName: 'pk', KeyType: 'HASH' },
    { AttributeName: 'sk', KeyType: 'RANGE' },
  ],
  BillingMode: 'PAY_PER_REQUEST',
} satisfies CreateTableCommandInput

const { TableName } = sortedTable
const key = (pk: string, sk: string) => ({ pk: { S: pk }, sk: { S: sk } })

const put = (aws: Aws, at: [string, string], input: Partial<PutItemCommandInput> = {}) =>
  outcome(
    aws.dynamodb.send(
      new PutItemCommand({ TableName, Item: { ...key(...at), n: { N: '1' } }, ...input }),
    ),
    ({ Attributes }) => Attributes ?? 'done',
  )

const remove = (aws: Aws, at: [string, string], input: Partial<DeleteItemCommandInput> = {}) =>
  outcome(
    aws.dynamodb.send(new DeleteItemCommand({ TableName, Key: key(...at), ...input })),
    ({ Attributes }) => Attributes ?? 'done',
  )

const get = (aws: Aws, Key: Record<string, { S: string } | { N: string }>) =>
  outcome(
    aws.dynamodb.send(new GetItemCommand({ TableName, Key, ConsistentRead: true })),
    ({ Item }) => Item ?? 'none',
  )

const query = (aws: Aws, pk: string, input: Partial<QueryCommandInput> = {}) =>
  aws.dynamodb.send(
    new QueryCommand({
      TableName,
      KeyConditionExpression: 'pk = :pk',
      ...input,
      ExpressionAttributeValues: { ':pk': { S: pk }, ...input.ExpressionAttributeValues },
    }),
  )

const sortKeys = (aws: Aws, pk: string, input: Partial<QueryCommandInput> = {}) =>
  outcome(query(aws, pk, input), ({ Items }) => Items?.map(({ sk }) => sk?.S).join(' '))

/** The sort keys of each page in turn, to the last. */
async function pages(aws: Aws, pk: string, input: Partial<QueryCommandInput>) {
  const found: string[] = []
  let start: QueryCommandInput['ExclusiveStartKey']
  do {
    const page = await query(aws, pk, { ...input, ...(start && { ExclusiveStartKey: start }) })
    found.push((page.Items ?? []).map(({ sk }) => sk?.S).join(' '))
    start = page.LastEvaluatedKey
  } while (start && found.length < 9)
  return found
}

async function fill(aws: Aws, pk: string, names: readonly string[]) {
  for (const sk of names) await put(aws, [pk, sk])
}

const batchGet = (aws: Aws, keys: readonly [string, string][]) =>
  outcome(
    aws.dynamodb.send(
      new BatchGetItemCommand({
        RequestItems: { [TableName]: { Keys: keys.map((at) => key(...at)), ConsistentRead: true } },
      }),
    ),
    ({ Responses, UnprocessedKeys }) => ({
      found: Responses?.[TableName]?.map(({ sk }) => sk?.S).sort(),
      left: Object.values(UnprocessedKeys ?? {}).flatMap(({ Keys }) => Keys).length,
    }),
  )

/** The attributes that are asked for, of two items of which one has none of them. */
const project = async (aws: Aws) => {
  await put(aws, ['part', 'a'], { Item: { ...key('part', 'a'), n: { N: '1' }, m: { N: '2' } } })
  await put(aws, ['part', 'b'], { Item: key('part', 'b') })
  const Keys = [key('part', 'a'), key('part', 'b'), key('part', 'c')]
  const RequestItems = { [TableName]: { Keys, ProjectionExpression: 'n' } }
  const { Responses } = await aws.dynamodb.send(new BatchGetItemCommand({ RequestItems }))
  return Responses?.[TableName]?.map((item) => JSON.stringify(item)).sort()
}

const conditionRows: Row[] = [
  {
    name: 'a batch of which only some attributes are asked for',
    calls: project,
    expected: ['{"n":{"N":"1"}}', '{}'],
  },
  {
    name: 'an item is its partition key and its sort key',
    calls: async (aws) => {
      await put(aws, ['pair', 'a'])
      await put(aws, ['pair', 'b'], { Item: { ...key('pair', 'b'), n: { N: '2' } } })
      return [await get(aws, key('pair', 'a')), await get(aws, key('pair', 'c'))]
    },
    expected: [{ ...key('pair', 'a'), n: { N: '1' } }, 'none'],
  },
  {
    name: 'a key without its sort key, with one attribute more, empty, and too long',
    calls: async (aws) => [
      await get(aws, { pk: { S: 'a' } }),
      await get(aws, { ...key('a', 'b'), n: { N: '1' } }),
      await put(aws, ['a', ''], { Item: { pk: { S: 'a' } } }),
      await put(aws, ['a', '']),
      await put(aws, ['a', 'b'.repeat(1_025)]),
    ],
    expected: Array.from({ length: 5 }, () => 'ValidationException'),
  },
  {
    name: 'a key of another type',
    calls: (aws) => get(aws, { pk: { S: 'a' }, sk: { N: '1' } }),
    expected: 'ValidationException',
    moto: { answers: 'none', awsSays: 'a key that does not fit the schema is a validation error' },
  },
  {
    name: 'a condition that fails shows the item that failed it, if asked',
    calls: async (aws) => {
      const failed = (input: Partial<PutItemCommandInput>) =>
        aws.dynamodb
          .send(
            new PutItemCommand({
              TableName,
              Item: key('shown', 'a'),
              ConditionExpression: 'attribute_not_exists(pk)',
              ...input,
            }),
          )
          .then(done, (error: Error) => [error.name, 'Item' in error ? error.Item : 'no item'])
      await put(aws, ['shown', 'a'])
      return [await failed({ ReturnValuesOnConditionCheckFailure: 'ALL_OLD' }), await failed({})]
    },
    expected: [
      ['ConditionalCheckFailedException', { ...key('shown', 'a'), n: { N: '1' } }],
      ['ConditionalCheckFailedException', 'no item'],
    ],
    moto: {
      answers: [
        ['ConditionalCheckFailedException', { ...key('shown', 'a'), n: { N: '1' } }],
        ['ConditionalCheckFailedException', undefined],
      ],
      awsSays: 'the error has an item only where it was asked for; the client sets none here',
    },
  },
  {
    name: 'a put and a delete answer the old item, if asked',
    calls: async (aws) => [
      await put(aws, ['old', 'a'], { ReturnValues: 'ALL_OLD' }),
      await put(aws, ['old', 'a'], { ReturnValues: 'ALL_OLD' }),
      await remove(aws, ['old', 'a'], { ReturnValues: 'ALL_OLD' }),
      await remove(aws, ['old', 'a'], { ReturnValues: 'ALL_OLD' }),
    ],
    expected: [
      'done',
      { ...key('old', 'a'), n: { N: '1' } },
      { ...key('old', 'a'), n: { N: '1' } },
      'done',
    ],
  },
  {
    name: 'a delete on a condition, and of nothing',
    calls: async (aws) => {
      await put(aws, ['gone', 'a'])
      const on = (n: string) => ({
        ConditionExpression: '#n = :n',
        ExpressionAttributeNames: { '#n': 'n' },
        ExpressionAttributeValues: { ':n': { N: n } },
      })
      const answers = [await remove(aws, ['gone', 'a'], on('2'))]
      answers.push(await remove(aws, ['gone', 'a'], on('1')), await remove(aws, ['gone', 'a']))
      answers.push(await remove(aws, ['gone', 'a'], on('1')))
      return [...answers, await get(aws, key('gone', 'a'))]
    },
    expected: [
      'ConditionalCheckFailedException',
      'done',
      'done',
      'ConditionalCheckFailedException',
      'none',
    ],
  },
  {
    name: 'a name or a value that no expression uses',
    calls: async (aws) => [
      await put(aws, ['unused', 'a'], {
        ConditionExpression: 'attribute_not_exists(pk)',
        ExpressionAttributeNames: { '#n': 'n' },
      }),
      await put(aws, ['unused', 'a'], {
        ConditionExpression: 'attribute_not_exists(pk)',
        ExpressionAttributeValues: { ':n': { N: '1' } },
      }),
      await put(aws, ['unused', 'a'], { ExpressionAttributeValues: { ':n': { N: '1' } } }),
      await get(aws, key('unused', 'a')),
    ],
    expected: ['ValidationException', 'ValidationException', 'ValidationException', 'none'],
    moto: {
      answers: ['ValidationException', 'done', 'done', { ...key('unused', 'a'), n: { N: '1' } }],
      awsSays: 'whatever the request defines must be used by one of its expressions',
    },
  },
]

const queryRows: Row[] = [
  {
    name: 'a partition in the order of its sort keys, forwards and backwards',
    calls: async (aws) => {
      await fill(aws, 'order', ['b', 'a#2', 'a#10', 'a', 'B', 'é', '\u{1F600}', '\uFF5E'])
      return [
        await sortKeys(aws, 'order'),
        await sortKeys(aws, 'order', { ScanIndexForward: false, ConsistentRead: true }),
        await sortKeys(aws, 'empty'),
      ]
    },
    expected: ['B a a#10 a#2 b é \uFF5E \u{1F600}', '\u{1F600} \uFF5E é b a#2 a#10 a B', ''],
  },
  {
    name: 'the sort keys that begin with something, and those on one side of it',
    calls: async (aws) => {
      await fill(aws, 'range', ['a', 'b#1', 'b#2', 'c'])
      const on = (condition: string, start: string) =>
        sortKeys(aws, 'range', {
          KeyConditionExpression: `#pk = :pk AND ${condition}`,
          ExpressionAttributeNames: { '#pk': 'pk' },
          ExpressionAttributeValues: { ':start': { S: start } },
        })
      return [
        await on('begins_with(sk, :start)', 'b#'),
        await on('begins_with(sk, :start)', 'd'),
        await on('sk = :start', 'a'),
        await on('sk > :start', 'b#1'),
        await on('sk <= :start', 'b#1'),
      ]
    },
    expected: ['b#1 b#2', '', 'a', 'b#2 c', 'a b#1'],
  },
  {
    name: 'pages by limit: a full last page is followed by an empty one',
    calls: async (aws) => {
      await fill(aws, 'paged', ['1', '2', '3', '4'])
      return [
        await pages(aws, 'paged', { Limit: 3 }),
        await pages(aws, 'paged', { Limit: 2 }),
        await pages(aws, 'paged', { Limit: 3, ScanIndexForward: false }),
      ]
    },
    expected: [
      ['1 2 3', '4'],
      ['1 2', '3 4', ''],
      ['4 3 2', '1'],
    ],
    moto: {
      answers: [
        ['1 2 3', '4'],
        ['1 2', '3 4'],
        ['4 3 2', '1'],
      ],
      awsSays:
        'LastEvaluatedKey is no promise that more follows: a page that its limit ends has it',
    },
  },
  {
    name: 'pages of one megabyte',
    calls: async (aws) => {
      const large = { S: 'x'.repeat(300 * 1_024) }
      for (const sk of ['1', '2', '3', '4']) {
        await put(aws, ['large', sk], { Item: { ...key('large', sk), large } })
      }
      return pages(aws, 'large', {})
    },
    expected: ['1 2 3', '4'],
  },
  {
    name: 'queries that are none',
    calls: async (aws) => [
      await sortKeys(aws, 'x', { KeyConditionExpression: 'begins_with(sk, :pk)' }),
      await sortKeys(aws, 'x', { KeyConditionExpression: 'pk > :pk' }),
      await sortKeys(aws, 'x', { KeyConditionExpression: 'pk = :pk AND n = :pk' }),
      await sortKeys(aws, 'x', { ExpressionAttributeNames: { '#n': 'n' } }),
      await sortKeys(aws, 'x', { TableName: 'nowhere' }),
    ],
    expected: [
      ...Array.from({ length: 4 }, () => 'ValidationException'),
      'ResourceNotFoundException',
    ],
  },
  {
    name: 'a page of none',
    calls: (aws) => sortKeys(aws, 'x', { Limit: 0 }),
    expected: 'ValidationException',
    moto: { answers: '', awsSays: 'the limit is at least 1' },
  },
]

const batchRows: Row[] = [
  {
    name: 'a batch of keys, of which some exist',
    calls: async (aws) => {
      await fill(aws, 'batch', ['a', 'b'])
      return batchGet(aws, [
        ['batch', 'a'],
        ['batch', 'b'],
        ['batch', 'c'],
      ])
    },
    expected: { found: ['a', 'b'], left: 0 },
  },
  {
    name: 'a batch of a key twice, and of more than a hundred',
    calls: async (aws) => [
      await batchGet(aws, [
        ['batch', 'a'],
        ['batch', 'a'],
      ]),
      await batchGet(
        aws,
        Array.from({ length: 101 }, (_, index) => ['batch', `${index}`]),
      ),
    ],
    expected: ['ValidationException', 'ValidationException'],
  },
  {
    name: 'a batch of no key',
    calls: (aws) => batchGet(aws, []),
    expected: 'ValidationException',
    moto: { answers: { found: [], left: 0 }, awsSays: 'a batch has from 1 to 100 keys' },
  },
  {
    name: 'a batch of more than 16 MB comes in parts',
    calls: async (aws) => {
      const large = { S: 'x'.repeat(390 * 1_024) }
      const keys = Array.from({ length: 43 }, (_, index): [string, string] => ['huge', `${index}`])
      for (const [pk, sk] of keys) await put(aws, [pk, sk], { Item: { ...key(pk, sk), large } })
      const answer = await batchGet(aws, keys)
      return typeof answer === 'string' ? answer : [answer.found?.length, answer.left]
    },
    expected: [42, 1],
  },
]

export const tableRows: Row[] = [...conditionRows, ...queryRows, ...batchRows]
