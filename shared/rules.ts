import { againSource, againType } from './again.ts'
import { handledEvents } from './events.ts'

/** What an EventBridge rule matches: for each field, the values that it may have. */
export type Pattern = { readonly [field: string]: readonly string[] | Pattern }

/** The states of an instance that end a drain; a rule that passed on all would cost for nothing. */
const ending = ['shutting-down', 'terminated', 'stopping', 'stopped']

/** The statuses of a command that say what came of it; that it has begun changes nothing. */
const answered = ['Success', 'Failed', 'TimedOut', 'Cancelled', 'Cancelling']

/** Details that a rule matches beside its source and type, so that it passes on what is used. */
const details = (drainName: string): Readonly<Record<string, Pattern>> => ({
  'EC2 Instance-terminate Lifecycle Action': { LifecycleHookName: [drainName] },
  'EC2 Instance State-change Notification': { state: ending },
  'AWS Health Event': { service: ['EC2'], eventTypeCategory: ['scheduledChange'] },
  'EC2 Command Invocation Status-change Notification': {
    'document-name': [drainName],
    status: answered,
  },
})

// How late an event may be and still be of use: Spot leaves two minutes, and what is later than an
// hour the sweep has long found. EventBridge takes no less than a minute.
const spotAgeSeconds = 120
const otherAgeSeconds = 3_600

export type Rule = { readonly name: string; readonly pattern: Pattern; readonly ageSeconds: number }

/** What workers report to alerts. */
export const againPattern: Pattern = { source: [againSource], 'detail-type': [againType] }

/** One rule for each kind of event that drain handles: it matches what is handled, and no more. */
export const drainRules = (drainName: string): Rule[] =>
  handledEvents.map((event) => {
    const [source = '', type = ''] = event.split('/')
    const detail = details(drainName)[type]
    return {
      name: type.replace(/[^A-Za-z0-9]/g, ''),
      pattern: { source: [source], 'detail-type': [type], ...(detail ? { detail } : {}) },
      ageSeconds: type.includes('Interruption') ? spotAgeSeconds : otherAgeSeconds,
    }
  })
