import {
  EventBridgeClient,
  PutEventsCommand,
  PutRuleCommand,
  PutTargetsCommand,
} from '@aws-sdk/client-eventbridge'
import { CreateQueueCommand, ReceiveMessageCommand, SQSClient } from '@aws-sdk/client-sqs'
import { describe, expect, it } from 'vitest'
import { matches } from '../twin/aws/patterns.ts'
import { describeWithMoto } from './moto.ts'

const detail = {
  'instance-id': 'i-0',
  state: 'shutting-down',
  attempt: 3,
  forced: false,
  reason: null,
  tags: ['spot', 'video'],
  nothing: [],
  worker: { name: 'w-1' },
  entities: [{ id: 'i-1', kind: 'ec2' }, { id: 'i-2' }],
}
const event = { source: 'celeriac.worker', 'detail-type': 'Drain', detail }

const of = (field: string, ...filters: unknown[]) => ({ detail: { [field]: filters } })

const rows: [string, object, boolean][] = [
  ['a field of that value', { source: ['celeriac.worker'] }, true],
  ['a field of another value', { source: ['celeriac.workers'] }, false],
  ['one of several values', of('state', 'stopped', 'shutting-down'), true],
  ['none of several values', of('state', 'stopped', 'terminated'), false],
  ['all of several fields', { ...of('state', 'shutting-down'), source: ['celeriac.worker'] }, true],
  ['not all of several fields', { ...of('state', 'shutting-down'), source: ['aws.ec2'] }, false],
  ['a field that is not there', of('absent', 'shutting-down'), false],
  ['a field within another', { detail: { worker: { name: ['w-1'] } } }, true],
  ['a field within one that is a text', { detail: { state: { name: ['w-1'] } } }, false],
  ['a number', of('attempt', 3), true],
  ['a number, as a text', of('attempt', '3'), false],
  ['a truth', of('forced', false), true],
  ['a null', of('reason', null), true],
  ['a value of an array', of('tags', 'batch', 'video'), true],
  ['no value of an array', of('tags', 'batch'), false],
  ['a prefix', of('instance-id', { prefix: 'i-' }), true],
  ['another prefix', of('instance-id', { prefix: 'mi-' }), false],
  ['a prefix of a number', of('attempt', { prefix: '3' }), false],
  ['a prefix of a value of an array', of('tags', { prefix: 'vid' }), true],
  ['a field that exists', of('state', { exists: true }), true],
  ['a field that exists, as a null', of('reason', { exists: true }), true],
  ['a field that must not exist', of('state', { exists: false }), false],
  ['a field that does not exist', of('absent', { exists: false }), true],
  ['a field that should exist', of('absent', { exists: true }), false],
  ['anything but another value', of('state', { 'anything-but': 'running' }), true],
  ['anything but the value', of('state', { 'anything-but': 'shutting-down' }), false],
  ['anything but some values', of('state', { 'anything-but': ['running', 'pending'] }), true],
  ['anything but some, with it', of('state', { 'anything-but': ['shutting-down', 'x'] }), false],
  ['anything but a number', of('attempt', { 'anything-but': [1, 2] }), true],
  ['anything but another prefix', of('state', { 'anything-but': { prefix: 'run' } }), true],
  ['anything but its prefix', of('state', { 'anything-but': { prefix: 'shut' } }), false],
  ['anything but, of what is not there', of('absent', { 'anything-but': 'x' }), false],
  ['a value or a prefix', of('state', 'stopped', { prefix: 'shut' }), true],
  ['a field of none of several objects', { detail: { entities: { id: ['i-3'] } } }, false],
  [
    'fields that no one object has together',
    { detail: { entities: { id: ['i-2'], kind: ['ec2'] } } },
    false,
  ],
  ['an object, which is no leaf that exists', of('worker', { exists: true }), false],
]

/** What EventBridge documents and moto does otherwise. */
const documented: [string, object, boolean][] = [
  ['a field of one of several objects', { detail: { entities: { id: ['i-2'] } } }, true],
  ['an empty array, which holds no leaf', of('nothing', { exists: false }), true],
]

describe('a pattern', () => {
  it.each([...rows, ...documented])('by %s', (_, pattern, expected) => {
    expect(matches(pattern, event)).toBe(expected)
  })

  const malformed: [string, unknown, string][] = [
    ['no object', ['celeriac.worker'], 'the pattern must be an object'],
    ['no field', {}, 'the pattern must be an object with at least one field'],
    [
      'a bare value',
      { detail: { state: 'stopped' } },
      'detail.state must be an object or an array',
    ],
    ['no value', { detail: { state: [] } }, 'detail.state must not be an empty array'],
    ['no nested field', { detail: {} }, 'detail must not be empty'],
    ['a value in an array', { source: [['x']] }, 'source must hold values, not arrays'],
    [
      'an unknown operator',
      of('state', { like: 'x' }),
      'detail.state has an unknown operator: like',
    ],
    ['two operators', of('state', { prefix: 'x', exists: true }), 'detail.state must have one'],
    ['a prefix of a number', of('state', { prefix: 1 }), 'detail.state must have a text'],
    ['a maybe', of('state', { exists: 'yes' }), 'detail.state must have true or false'],
    ['anything but nothing', of('state', { 'anything-but': [] }), 'detail.state must have texts'],
    [
      'anything but an object',
      of('state', { 'anything-but': {} }),
      'detail.state must have values',
    ],
  ]
  it.each(malformed)('of %s is refused by its field', (_, pattern, reason) => {
    expect(() => matches(pattern, {})).toThrow(
      expect.objectContaining({
        name: 'InvalidEventPatternException',
        message: expect.stringContaining(reason),
      }),
    )
  })

  it.each([
    ['a number’s bounds', of('attempt', { numeric: ['>', 1] }), 'numeric'],
    ['a suffix to leave out', of('state', { 'anything-but': { suffix: 'x' } }), 'suffix'],
    ['alternatives', { $or: [{ source: ['x'] }] }, '$or'],
  ])('by %s is not for the twin, which says so', (_, pattern, operator) => {
    expect(() => matches(pattern, event)).toThrow("The twin's EventBridge does not know")
    expect(() => matches(pattern, event)).toThrow(operator)
  })
})

describeWithMoto('a pattern, as an EventBridge that nobody here wrote delivers by it', (moto) => {
  it.each(rows.map((row, index) => [...row, `rule-${index}`] as const))(
    'by %s',
    async (_, pattern, expected, Rule) => {
      const events = new EventBridgeClient(moto.client)
      const sqs = new SQSClient({ ...moto.client, useQueueUrlAsEndpoint: false })
      const { QueueUrl } = await sqs.send(new CreateQueueCommand({ QueueName: Rule }))
      const only = { ...pattern, 'detail-type': [Rule] }
      await events.send(new PutRuleCommand({ Name: Rule, EventPattern: JSON.stringify(only) }))
      const Arn = `arn:aws:sqs:us-east-1:123456789012:${Rule}`
      await events.send(new PutTargetsCommand({ Rule, Targets: [{ Id: 'queue', Arn }] }))
      const Detail = JSON.stringify(detail)
      const Entries = [{ Source: event.source, DetailType: Rule, Detail }]
      await events.send(new PutEventsCommand({ Entries }))
      const { Messages = [] } = await sqs.send(new ReceiveMessageCommand({ QueueUrl }))
      expect(Messages.length > 0).toBe(expected)
    },
  )
})
