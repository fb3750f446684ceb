import { awsDynamicTarget, awsStep, awsTargetTracking } from './aws.ts'
import { buildkite } from './buildkite.ts'
import { judoscale } from './judoscale.ts'
import { keda } from './keda.ts'
import type { Params, Peer, Setting } from './peer.ts'
import { awsPredictive, fixed, scheduled } from './planned.ts'
import { celeryRatio, panic } from './ratio.ts'

/** What a user can compare: our own functions, the peers, and the bound that nobody beats. */
export const peers: readonly Peer[] = [
  awsTargetTracking,
  awsDynamicTarget,
  awsStep,
  awsPredictive,
  scheduled,
  keda,
  buildkite,
  judoscale,
  celeryRatio,
  fixed,
  panic,
]

/** Without parameters: `celeriac` tunes itself, and `bound` is arithmetic. */
const bare = ['celeriac', 'bound'] as const
export type Choice =
  | { readonly policy: (typeof bare)[number]; readonly peer: null; readonly given: Params }
  | { readonly policy: string; readonly peer: Peer; readonly given: Params }

export const policyNames = [bare[0], ...peers.map(({ name }) => name), bare[1]]

/**
 * `NAME[:key=value][:key=value][,NAME...]`, or `all`. Throws for what is not there, and lists what
 * is.
 */
export function parsePolicies(text: string): Choice[] {
  const all = text === 'all' ? policyNames.join(',') : text
  return all.split(',').map((one) => {
    const [name = '', ...pairs] = one.trim().split(':')
    const peer = peers.find((known) => known.name === name)
    const given = () => Object.fromEntries(pairs.map((pair) => parsePair(name, pair, peer)))
    if (peer) return { policy: name, peer, given: given() }
    const policy = bare.find((known) => known === name)
    if (policy) return { policy, peer: null, given: given() }
    throw new Error(`There is no policy '${name}'; there are ${policyNames.join(', ')}`)
  })
}

function parsePair(policy: string, pair: string, peer: Peer | undefined): [string, number] {
  const [key = '', value = ''] = pair.split('=')
  const known = Object.entries(peer?.params ?? {})
  if (!known.some(([name]) => name === key)) {
    const has = known.map(([name, { about }]) => `  ${name}: ${about}`).join('\n')
    const list = known.length === 0 ? 'it has none' : `it has\n${has}`
    throw new Error(`The policy ${policy} has no parameter '${key}'; ${list}`)
  }
  const number = Number(value || Number.NaN)
  if (number >= 0 && Number.isFinite(number)) return [key, number]
  throw new Error(`${policy}:${key}='${value}' does not fit; write a number, 0 or more`)
}

/** All parameters of a peer: those given, and for the others what is usual. */
export const paramsOf = (peer: Peer, given: Params, setting: Setting): Params =>
  Object.fromEntries(
    Object.entries(peer.params).map(([name, { usual }]) => [name, given[name] ?? usual(setting)]),
  )
