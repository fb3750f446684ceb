import { PublishCommand, type PublishCommandInput } from '@aws-sdk/client-sns'
import { type Applied, answer, awsError, notInTwin, type Service } from './service.ts'

/** A message that a topic was given. */
export type Published = {
  /** Epoch milliseconds. */
  readonly at: number
  readonly topic: string
  readonly subject: string | null
  readonly message: string
  readonly attributes: Readonly<Record<string, string>>
}

export type Sns = Service & {
  /** Everything that was published, the newest last. */
  readonly published: readonly Published[]
}

const subjectMost = 100
const bytesMost = 262_144

/** SNS topics that exist from the beginning; whoever subscribes is somewhere else. */
export function createSns(topics: readonly string[]): Sns {
  const published: Published[] = []
  return {
    published,
    apply(now, command) {
      if (command instanceof PublishCommand) return publish(topics, published, now, command.input)
      throw notInTwin('SNS', command)
    },
  }
}

function publish(
  topics: readonly string[],
  published: Published[],
  at: number,
  { TopicArn, Subject, Message, MessageAttributes = {} }: PublishCommandInput,
): Applied {
  if (!TopicArn) throw awsError('InvalidParameterException', 'TopicArn is required.')
  if (!topics.includes(TopicArn)) throw awsError('NotFoundException', 'Topic does not exist.')
  if (!Message) throw awsError('InvalidParameterException', 'Message is required.')
  if (Buffer.byteLength(Message) > bytesMost) {
    throw awsError('InvalidParameterException', 'Message is too long.')
  }
  // ASCII that begins with a letter, a digit or punctuation, on one line.
  if (Subject !== undefined && !/^[\x21-\x7e][\x20-\x7e]*$/.test(Subject)) {
    throw awsError('InvalidParameterException', 'Subject is not one line of ASCII.')
  }
  if ((Subject ?? '').length > subjectMost) {
    throw awsError('InvalidParameterException', `Subject is longer than ${subjectMost}.`)
  }
  const attributes = Object.fromEntries(
    Object.entries(MessageAttributes).map(([name, { DataType, StringValue }]) => {
      if (DataType !== 'String' || !StringValue) {
        throw awsError('InvalidParameterValueException', `The attribute ${name} is not valid.`)
      }
      return [name, StringValue]
    }),
  )
  published.push({
    ...{ at, topic: TopicArn, subject: Subject ?? null, message: Message, attributes },
  })
  const change = { kind: 'sns.published', topic: TopicArn } as const
  return answer({ MessageId: `message-${published.length}` }, [change])
}
