import { GetQueueAttributesCommand } from '@aws-sdk/client-sqs'
import { decide } from '../../functions/alerts/decide.ts'
import type { Watched } from '../../functions/alerts/facts.ts'
import { gather } from '../../functions/alerts/gather.ts'
import type { RuleName } from '../../shared/alerts/rules.ts'
import { arnOf } from '../aws/sqs-counts.ts'
import type { TwinDeps } from '../twin.ts'
import type { World } from '../world/world.ts'
import type { Possible } from './judge.ts'

/** Rules that are judged by what CloudWatch publishes; the others by the counts of each look. */
export const byPublished: readonly RuleName[] = [
  ...(['oldest-age', 'stalled', 'redelivery', 'producer-silent', 'blind'] as const),
]

/**
 * The same rules by a reader who knows the true counts and asks for every metric at every look:
 * when each of these rules could have fired at the earliest.
 */
export function createIdeal(world: World, isJudged: (rule: RuleName) => boolean) {
  const { twin, scenario } = world
  const deps = { ...twin.deps, sqs: exactSqs(world) }
  let remembered: Readonly<Record<string, Watched>> = {}
  return {
    /** The rules that have begun to fire since the last look. */
    async look(): Promise<Possible[]> {
      const now = Math.floor(twin.engine.now / 1_000)
      const tick = { shard: 0, of: 1 }
      const { gathered } = await gather(deps, scenario.fleet, {
        ...{ tick, remembered, now },
        asks: () => ({ ages: true, rates: true, sent: true }),
      })
      const decisions = gathered.map(({ facts, before }) => decide(facts, before, now))
      remembered = Object.fromEntries(decisions.map(({ queue, watched }) => [queue, watched]))
      return decisions.flatMap(({ queue, changes }) =>
        changes.flatMap(({ rule, to }) =>
          to === 'firing' && isJudged(rule) ? { queue, rule, at: now } : [],
        ),
      )
    },
  }
}

/** Answers with what is, and draws nothing: whoever else asks gets what they would have got. */
function exactSqs({ twin }: World): TwinDeps['sqs'] {
  const send = async (command: object) => {
    if (!(command instanceof GetQueueAttributesCommand)) throw new Error('Only counts are exact')
    const name = command.input.QueueUrl?.split('/').at(-1) ?? ''
    const queue = twin.sqs.tasks.get(name)
    if (!queue) throw new Error(`There is no queue ${name}`)
    const { visible, inFlight, delayed, visibilityMs, redrive } = queue
    const policy = { deadLetterTargetArn: redrive && arnOf(redrive.target) }
    return {
      Attributes: {
        ApproximateNumberOfMessages: String(visible),
        ApproximateNumberOfMessagesNotVisible: String(inFlight),
        ApproximateNumberOfMessagesDelayed: String(delayed),
        VisibilityTimeout: String(visibilityMs / 1_000),
        ...(redrive ? { RedrivePolicy: JSON.stringify(policy) } : {}),
      },
    }
  }
  // As the twin's own clients: one `send` for every command.
  return { send } as unknown as TwinDeps['sqs']
}
