import {
  CreateDocumentCommand,
  type CreateDocumentCommandInput,
  SendCommandCommand,
  type SendCommandCommandInput,
} from '@aws-sdk/client-ssm'
import { type Aws, done, outcome, type Row } from './row.ts'

const content = (more: object = {}) =>
  JSON.stringify({
    schemaVersion: '2.2',
    description: 'Says hello',
    parameters: {
      name: { type: 'String', allowedPattern: '^[a-z]{1,8}$' },
      greeting: { type: 'String', default: 'hello', allowedValues: ['hello', 'good day'] },
    },
    mainSteps: [
      {
        action: 'aws:runShellScript',
        name: 'greet',
        inputs: { runCommand: ['echo "$GREETING $NAME"'] },
      },
    ],
    ...more,
  })

const create = (aws: Aws, Name: string, input: Partial<CreateDocumentCommandInput> = {}) =>
  outcome(
    aws.ssm.send(
      new CreateDocumentCommand({
        Name,
        Content: content(),
        DocumentType: 'Command',
        DocumentFormat: 'JSON',
        ...input,
      }),
    ),
    ({ DocumentDescription: made }) => [
      ...[made?.Name, made?.DocumentVersion, made?.SchemaVersion, made?.DocumentType],
      made?.Hash?.length,
    ],
  )

const send = (aws: Aws, DocumentName: string, input: Partial<SendCommandCommandInput> = {}) =>
  outcome(
    aws.ssm.send(
      new SendCommandCommand({
        DocumentName,
        InstanceIds: ['i-0'],
        Parameters: { name: ['ada'] },
        ...input,
      }),
    ),
    done,
  )

export const documentRows: Row[] = [
  {
    name: 'a document as it was made',
    calls: (aws) => create(aws, 'doc-made'),
    expected: ['doc-made', '1', '2.2', 'Command', 64],
  },
  {
    name: 'a document made twice',
    calls: async (aws) => {
      await create(aws, 'doc-twice')
      return create(aws, 'doc-twice')
    },
    expected: 'DocumentAlreadyExists',
  },
  {
    name: 'a document whose name AWS keeps for itself, or is too short',
    calls: async (aws) => [await create(aws, 'aws-mine'), await create(aws, 'ab')],
    expected: ['ValidationException', 'ValidationException'],
  },
  {
    name: 'a document that is no JSON',
    calls: (aws) => create(aws, 'doc-text', { Content: 'schemaVersion' }),
    expected: 'InvalidDocumentContent',
  },
  {
    name: 'a document without steps',
    calls: (aws) => create(aws, 'doc-empty', { Content: content({ mainSteps: [] }) }),
    expected: 'InvalidDocumentContent',
    moto: {
      answers: ['doc-empty', '1', '2.2', 'Command', 64],
      awsSays: 'the content must be valid by its schema',
    },
  },
  {
    name: 'a command as it was sent',
    calls: async (aws) => {
      await create(aws, 'doc-sent')
      const command = new SendCommandCommand({
        DocumentName: 'doc-sent',
        InstanceIds: ['i-0', 'i-1'],
        Parameters: { name: ['ada'] },
        TimeoutSeconds: 30,
        Comment: 'drain 1',
        MaxErrors: '100%',
        MaxConcurrency: '50',
      })
      const { Command = {} } = await aws.ssm.send(command)
      return [
        Command.DocumentName,
        // Where no targets are given, moto adds every instance of the account.
        ['i-0', 'i-1'].filter((id) => Command.InstanceIds?.includes(id)),
        Command.Parameters,
        Command.TimeoutSeconds,
        Command.Comment,
        Command.MaxErrors,
        Command.MaxConcurrency,
        Command.CommandId?.length,
      ]
    },
    expected: [...['doc-sent', ['i-0', 'i-1'], { name: ['ada'] }, 30, 'drain 1', '100%', '50', 36]],
  },
  {
    name: 'commands that are refused',
    calls: async (aws) => {
      await create(aws, 'doc-strict')
      const ids = (count: number) => Array.from({ length: count }, (_, index) => `i-${index}`)
      return [
        await send(aws, 'doc-missing'),
        await send(aws, 'doc-strict', { Parameters: {} }),
        await send(aws, 'doc-strict', { Parameters: { name: ['ada; reboot'] } }),
        await send(aws, 'doc-strict', { Parameters: { name: ['ada'], greeting: ['hi'] } }),
        await send(aws, 'doc-strict', { Parameters: { name: ['ada'], title: ['dr'] } }),
        await send(aws, 'doc-strict', { Parameters: { name: ['ada', 'bob'] } }),
        await send(aws, 'doc-strict', { InstanceIds: ['i-0', 'i-0'] }),
        await send(aws, 'doc-strict', { InstanceIds: ['i-0', 'i-unknown'] }),
        await send(aws, 'doc-strict', { InstanceIds: ids(51) }),
        await send(aws, 'doc-strict', { InstanceIds: [] }),
        await send(aws, 'doc-strict', { TimeoutSeconds: 29 }),
        await send(aws, 'doc-strict', { Comment: 'x'.repeat(101) }),
        await send(aws, 'doc-strict', { MaxErrors: 'all' }),
        await send(aws, 'doc-strict', { MaxConcurrency: '0' }),
        await send(aws, 'doc-strict', { DocumentVersion: '2' }),
      ]
    },
    expected: [
      'InvalidDocument',
      ...Array.from({ length: 5 }, () => 'InvalidParameters'),
      'DuplicateInstanceId',
      'InvalidInstanceId',
      ...Array.from({ length: 6 }, () => 'ValidationException'),
      'InvalidDocumentVersion',
    ],
    moto: {
      answers: Array.from({ length: 15 }, () => 'done'),
      awsSays: 'the SendCommand reference lists these errors and bounds; moto takes everything',
    },
  },
]
