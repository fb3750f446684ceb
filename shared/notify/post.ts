import type { AlertsDeps } from '../aws.ts'

/** One message by HTTP: whether it was taken, or a named reason why not. */

export const reasons = [
  /** No answer, or none in time. */
  'unreachable',
  /** The answer says that it is wrong, and would be so again. */
  'refused',
  /** Too many, or trouble on the other side, after every try. */
  'unavailable',
  /** The parameter is not there. */
  'secret-missing',
  /** It is there in clear: not a SecureString. */
  'secret-not-secure',
  /** Its value is no address that begins with https://. */
  'secret-no-address',
] as const
export type Reason = (typeof reasons)[number]

/** Null: it was taken. The detail has neither address nor key. */
export type Posted = { readonly reason: Reason; readonly detail: string } | null

// A healthy channel answers within a second; a run has its other channels to think of.
const answerMilliseconds = 3_000
// The next run is the real retry: these are for what is over in a moment.
const triesMost = 3
const pauseMilliseconds = 300
// Whoever asks for more patience than that gets it from the next run.
const patienceMilliseconds = 2_000

type Web = Pick<AlertsDeps, 'web' | 'signal'>

/** Posts JSON. Never throws; takes some ten seconds at most. */
export async function post(deps: Web, url: string, body: object): Promise<Posted> {
  let last: Posted = null
  for (let tried = 1; ; tried++) {
    const answer = await once(deps, url, body)
    if (answer.kind === 'taken') return null
    last = answer.posted
    const { waitMilliseconds = pauseMilliseconds * tried } = answer
    const isFutile = answer.kind === 'final' || waitMilliseconds > patienceMilliseconds
    if (isFutile || tried >= triesMost || deps.signal.aborted) return last
    await deps.web.wait(waitMilliseconds)
  }
}

type Answer =
  | { readonly kind: 'taken' }
  | {
      readonly kind: 'final' | 'transient'
      readonly posted: Posted
      readonly waitMilliseconds?: number
    }

async function once({ web, signal }: Web, url: string, body: object): Promise<Answer> {
  try {
    const response = await web.fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
      redirect: 'error',
      signal: AbortSignal.any([signal, AbortSignal.timeout(answerMilliseconds)]),
    })
    const text = await response.text()
    return answerOf(response, text)
  } catch (error) {
    // What fetch throws may have the address in it, of which a part is the secret.
    const detail = error instanceof Error ? error.name : 'no answer'
    return { kind: 'transient', posted: { reason: 'unreachable', detail } }
  }
}

// Enough to tell what is wrong, and no page of HTML.
const excerptMost = 120

function answerOf({ ok, status, headers }: Response, text: string): Answer {
  if (ok) return { kind: 'taken' }
  const excerpt = text.replace(/\s+/g, ' ').slice(0, excerptMost)
  const detail = `HTTP ${status}: ${excerpt}`
  if (status !== 429 && status < 500) {
    return { kind: 'final', posted: { reason: 'refused', detail } }
  }
  const posted = { reason: 'unavailable', detail } as const
  const seconds = Number(headers.get('retry-after') ?? Number.NaN)
  if (Number.isNaN(seconds)) return { kind: 'transient', posted }
  return { kind: 'transient', posted, waitMilliseconds: seconds * 1_000 }
}
