import type { SQSRecord } from 'aws-lambda'
import { type Notice, parseMessage } from '../../shared/events.ts'
import type { Tick } from '../../shared/looks.ts'
import type { Wish } from '../../shared/wish.ts'

/** What a batch of messages says, by instance; and what it does not say. */
export type Mail = {
  readonly letters: ReadonlyMap<string, Letter>
  readonly wishes: readonly { readonly wish: Wish; readonly id: string }[]
  readonly sweeps: readonly { readonly tick: Tick; readonly id: string }[]
  readonly unknown: readonly string[]
  readonly refused: readonly { readonly id: string; readonly error: Error }[]
}

/** All that a batch says of one instance. */
export type Letter = {
  readonly notices: readonly Notice[]
  /** The messages concerned: they come back when the instance could not be dealt with. */
  readonly ids: readonly string[]
}

// What says how a drain fares says nothing before there is one.
const follows: readonly Notice['kind'][] = ['state', 'invocation', 'report']
const byUse = (a: Notice, b: Notice) =>
  Number(follows.includes(a.kind)) - Number(follows.includes(b.kind)) || a.at - b.at

/**
 * Sorts the messages by instance, and the notices of each: those that may begin a drain first,
 * then by time. Malformed ones are refused.
 */
export function sortMail(records: readonly Pick<SQSRecord, 'messageId' | 'body'>[]): Mail {
  const letters = new Map<string, { notices: Notice[]; ids: string[] }>()
  const wishes: { wish: Wish; id: string }[] = []
  const sweeps: { tick: Tick; id: string }[] = []
  const unknown: string[] = []
  const refused: { id: string; error: Error }[] = []
  const letterFor = (instance: string, id: string) => {
    const letter = letters.get(instance) ?? { notices: [], ids: [] }
    letters.set(instance, letter)
    letter.ids.push(id)
    return letter
  }
  for (const { messageId: id, body } of records) {
    const message = parse(body)
    if (message instanceof Error) refused.push({ id, error: message })
    else if (message.kind === 'unknown') unknown.push(message.what)
    else if (message.kind === 'sweep') sweeps.push({ tick: message.tick, id })
    else if (message.kind === 'fewer') wishes.push({ wish: message.wish, id })
    else if (message.kind === 'timer') {
      for (const instance of message.instances) letterFor(instance, id)
    } else {
      for (const notice of message.notices) letterFor(notice.instance, id).notices.push(notice)
    }
  }
  for (const { notices } of letters.values()) notices.sort(byUse)
  return { letters, wishes, sweeps, unknown, refused }
}

/** A message that cannot be understood is an error of its own, and of no other message. */
function parse(body: string) {
  try {
    return parseMessage(body)
  } catch (error) {
    if (error instanceof Error) return error
    throw error
  }
}
