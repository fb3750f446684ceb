import { PublishCommand, type PublishCommandInput } from '@aws-sdk/client-sns'
import { twinAlertsTopic } from '../../twin/twin.ts'
import { type Aws, done, outcome, type Row } from './row.ts'

/** On the twin the topic is there from the beginning; elsewhere it must be made. */
export const topicName = twinAlertsTopic.slice(twinAlertsTopic.lastIndexOf(':') + 1)

const publish = (aws: Aws, input: Partial<PublishCommandInput>) =>
  outcome(
    aws.sns.send(new PublishCommand({ TopicArn: twinAlertsTopic, Message: 'text', ...input })),
    done,
  )

// 256 KiB.
const bytesMax = 262_144

export const topicRows: Row[] = [
  {
    name: 'a message with a subject',
    calls: (aws) => publish(aws, { Subject: '[critical] video: 12 wait' }),
    expected: 'done',
  },
  { name: 'a message without one', calls: (aws) => publish(aws, {}), expected: 'done' },
  {
    name: 'a message with an attribute',
    calls: (aws) =>
      publish(aws, {
        MessageAttributes: { severity: { DataType: 'String', StringValue: 'critical' } },
      }),
    expected: 'done',
  },
  {
    name: 'an attribute without a value',
    calls: (aws) =>
      publish(aws, { MessageAttributes: { severity: { DataType: 'String', StringValue: '' } } }),
    expected: 'InvalidParameterValueException',
    moto: {
      answers: 'InvalidParameterException',
      awsSays: 'ParameterValueInvalid, the InvalidParameterValueException of the SDK',
    },
  },
  {
    name: 'a topic that does not exist',
    calls: (aws) => publish(aws, { TopicArn: `${twinAlertsTopic}-not` }),
    expected: 'NotFoundException',
  },
  {
    name: 'a message to nobody',
    calls: (aws) => publish(aws, { TopicArn: undefined }),
    expected: 'InvalidParameterException',
    moto: { answers: 'Error', awsSays: 'a topic, a target or a phone number is required' },
  },
  {
    name: 'a message of nothing',
    calls: (aws) => publish(aws, { Message: '' }),
    expected: 'InvalidParameterException',
    moto: { answers: 'done', awsSays: 'a message is required, and not empty' },
  },
  {
    name: 'a subject of 100 characters',
    calls: (aws) => publish(aws, { Subject: 's'.repeat(100) }),
    expected: 'done',
  },
  {
    name: 'a longer subject',
    calls: (aws) => publish(aws, { Subject: 's'.repeat(101) }),
    expected: 'InvalidParameterException',
  },
  {
    name: 'a subject of two lines',
    calls: (aws) => publish(aws, { Subject: 'one\ntwo' }),
    expected: 'InvalidParameterException',
    moto: { answers: 'done', awsSays: 'a subject has no line breaks or control characters' },
  },
  {
    name: 'a message of 256 KiB',
    calls: (aws) => publish(aws, { Message: 'm'.repeat(bytesMax) }),
    expected: 'done',
  },
  {
    name: 'a longer message',
    calls: (aws) => publish(aws, { Message: 'm'.repeat(bytesMax + 1) }),
    expected: 'InvalidParameterException',
  },
  {
    name: 'a message that is longer in bytes alone',
    calls: (aws) => publish(aws, { Message: 'ä'.repeat(bytesMax / 2 + 1) }),
    expected: 'InvalidParameterException',
    moto: { answers: 'done', awsSays: '262,144 bytes, not 262,144 characters' },
  },
]
