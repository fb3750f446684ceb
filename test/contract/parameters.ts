import { GetParametersCommand, PutParameterCommand } from '@aws-sdk/client-ssm'
import { type Aws, done, outcome, type Row } from './row.ts'

const put = (aws: Aws, Name: string, Type: 'String' | 'SecureString', Overwrite?: true) =>
  outcome(
    aws.ssm.send(new PutParameterCommand({ Name, Type, Value: `of ${Name}`, Overwrite })),
    done,
  )

const get = (aws: Aws, Names: string[], WithDecryption = true) =>
  outcome(
    aws.ssm.send(new GetParametersCommand({ Names, WithDecryption })),
    ({ Parameters = [], InvalidParameters = [] }) => ({
      found: Parameters.map(({ Name, Type, Value }) => [Name, Type, Value]).sort(),
      missing: [...InvalidParameters].sort(),
    }),
  )

export const parameterRows: Row[] = [
  {
    name: 'parameters that are there, and those that are not',
    calls: async (aws) => {
      await put(aws, '/row-a/clear', 'String')
      await put(aws, '/row-a/secret', 'SecureString')
      return get(aws, ['/row-a/none', '/row-a/secret', '/row-a/clear'])
    },
    expected: {
      found: [
        ['/row-a/clear', 'String', 'of /row-a/clear'],
        ['/row-a/secret', 'SecureString', 'of /row-a/secret'],
      ],
      missing: ['/row-a/none'],
    },
  },
  {
    name: 'a parameter is not overwritten unless that is asked for',
    calls: async (aws) => [
      await put(aws, '/row-b', 'SecureString'),
      await put(aws, '/row-b', 'SecureString'),
      await put(aws, '/row-b', 'SecureString', true),
      await get(aws, ['/row-b']),
    ],
    expected: [
      ...['done', 'ParameterAlreadyExists', 'done'],
      { found: [['/row-b', 'SecureString', 'of /row-b']], missing: [] },
    ],
  },
  {
    name: 'eleven names are one too many',
    calls: (aws) =>
      get(
        aws,
        Array.from({ length: 11 }, (_, index) => `/row-c/${index}`),
      ),
    expected: 'ValidationException',
  },
]
