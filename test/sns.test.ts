import { PublishCommand, SubscribeCommand } from '@aws-sdk/client-sns'
import { describe, expect, it } from 'vitest'
import type { Change } from '../twin/aws/service.ts'
import { createTwin, twinAlertsTopic } from '../twin/twin.ts'

const startAt = Date.parse('2026-01-06T15:00:00Z')

describe("the twin's SNS", () => {
  it('keeps what was published, and says that it was', async () => {
    const twin = createTwin({ seed: 1, startAt, makeTask: () => null })
    const changes: Change[] = []
    twin.onChange((change) => changes.push(change))
    const { deps, engine, sns } = twin
    const Message = 'Twelve wait.'
    await deps.sns.send(new PublishCommand({ TopicArn: deps.alertsTopic, Message, Subject: 'S' }))
    engine.runUntil(startAt + 60_000)
    await deps.sns.send(new PublishCommand({ TopicArn: deps.alertsTopic, Message }))
    expect(sns.published).toMatchObject([
      { at: startAt, topic: twinAlertsTopic, subject: 'S', message: Message },
      { at: startAt + 60_000, topic: twinAlertsTopic, subject: null, message: Message },
    ])
    const published = { kind: 'sns.published', topic: twinAlertsTopic }
    expect(changes).toEqual([published, published])
  })

  it('keeps nothing of what it refuses', async () => {
    const { deps, sns } = createTwin({ seed: 1, startAt, makeTask: () => null })
    const refused = new PublishCommand({ TopicArn: `${twinAlertsTopic}-not`, Message: 'text' })
    await expect(deps.sns.send(refused)).rejects.toMatchObject({ name: 'NotFoundException' })
    expect(sns.published).toEqual([])
  })

  it('says that it does not know another call', async () => {
    const { deps } = createTwin({ seed: 1, startAt, makeTask: () => null })
    const subscribe = new SubscribeCommand({ TopicArn: twinAlertsTopic, Protocol: 'email' })
    await expect(deps.sns.send(subscribe)).rejects.toThrow('does not know SubscribeCommand')
  })
})
