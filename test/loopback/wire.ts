import type { IncomingHttpHeaders } from 'node:http'
import { gunzipSync } from 'node:zlib'

/** One request as understood: who is asked for what. */
export type Call = {
  readonly service: Service
  readonly action: string
  readonly input: Readonly<Record<string, unknown>>
  /** AWS JSON with the old Query error codes beside it, as SQS and CloudWatch answer if asked. */
  readonly queryMode: boolean
}

export type Answer = {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** An AWS error: its code, its HTTP status, and its code in the Query protocol where it differs. */
export class Refusal extends Error {
  readonly code: string
  readonly status: number
  readonly queryCode: string
  /** What the error holds beside its message. */
  readonly members: object
  constructor(code: string, message: string, status = 400, queryCode = code, members = {}) {
    super(message)
    this.code = code
    this.status = status
    this.queryCode = queryCode
    this.members = members
  }
}

// Codes of the Query protocol that are not the error's own name; Auto Scaling's are without Fault.
const queryCodes: Readonly<Record<string, string>> = {
  QueueDoesNotExist: 'AWS.SimpleQueueService.NonExistentQueue',
}

/** An error of the twin's services as its client must get it; any other error is returned. */
export function refusalOf(error: unknown): unknown {
  if (!(error instanceof Error) || !('$fault' in error)) return error
  const { name, message, ...rest } = error
  const { $fault: _fault, $metadata, ...members } = { $metadata: {}, ...rest }
  const { httpStatusCode = 400 }: { httpStatusCode?: number } = $metadata
  const queryCode = queryCodes[name] ?? name.replace(/Fault$/, '')
  return new Refusal(name, message, httpStatusCode, queryCode, members)
}

/** Each service by the name it is signed for, with what names it on the wire. */
const services = {
  sqs: { target: 'AmazonSQS', namespace: 'com.amazonaws.sqs', json: '1.0' },
  dynamodb: {
    target: 'DynamoDB_20120810',
    namespace: 'com.amazonaws.dynamodb.v20120810',
    json: '1.0',
  },
  monitoring: {
    target: 'GraniteServiceVersion20100801',
    namespace: 'com.amazonaws.cloudwatch.v2010_08_01',
    json: '1.0',
  },
  ssm: { target: 'AmazonSSM', namespace: 'com.amazonaws.ssm', json: '1.1' },
  autoscaling: {
    target: null,
    namespace: 'http://autoscaling.amazonaws.com/doc/2011-01-01/',
    json: null,
  },
  sns: { target: null, namespace: 'http://sns.amazonaws.com/doc/2010-03-31/', json: null },
} as const
export type Service = keyof typeof services

const isService = (name: string): name is Service => Object.hasOwn(services, name)

// Every answer carries one; nobody reads it.
const requestId = '00000000-0000-0000-0000-000000000000'

/** Reads a request by the protocol of the service it is signed for; anything else is refused. */
export function decode(headers: IncomingHttpHeaders, bytes: Buffer): Call {
  const signedFor = /\/([a-z]+)\/aws4_request/.exec(headers.authorization ?? '')?.[1] ?? ''
  if (!isService(signedFor)) throw new Refusal('MissingAuthenticationToken', 'Not signed', 403)
  const plain = headers['content-encoding'] === 'gzip' ? gunzipSync(bytes) : bytes
  const text = plain.toString('utf8')
  const queryMode = headers['x-amzn-query-mode'] === 'true'
  if (services[signedFor].target === null) {
    const { Action = '', Version, ...input } = unflatten(text)
    const isRight = services[signedFor].namespace.includes(`/${Version}/`)
    if (!isRight) throw new Refusal('NoSuchVersion', `No version ${Version}`)
    return { service: signedFor, action: String(Action), input, queryMode }
  }
  const [target, action = ''] = String(headers['x-amz-target']).split('.')
  const type = `application/x-amz-json-${services[signedFor].json}`
  if (headers['content-type'] !== type) {
    throw new Refusal('SerializationException', `Not ${type}: ${headers['content-type']}`)
  }
  if (target !== services[signedFor].target) {
    throw new Refusal('UnknownOperationException', `${target} is not ${signedFor}`)
  }
  return { service: signedFor, action, input: JSON.parse(text), queryMode }
}

export function encode({ service, action }: Call, answer: object): Answer {
  const { $metadata: _, ...output } = { $metadata: null, ...answer }
  if (services[service].target !== null) return json(200, output)
  const xmlns = services[service].namespace
  const metadata = `<ResponseMetadata><RequestId>${requestId}</RequestId></ResponseMetadata>`
  const result = `<${action}Result>${toXml(output)}</${action}Result>`
  return xml(200, `<${action}Response xmlns="${xmlns}">${result}${metadata}</${action}Response>`)
}

/** Without a call: the request was not even understood. */
export function encodeRefusal(call: Call | null, refusal: Refusal): Answer {
  const { code, message, status, queryCode, members } = refusal
  const fault = status < 500 ? 'Sender' : 'Receiver'
  const namespace = call ? services[call.service].namespace : 'com.amazon.coral.service'
  if (call && services[call.service].target === null) {
    const error = toXml({ Error: { Type: fault, Code: queryCode, Message: message } })
    const id = `<RequestId>${requestId}</RequestId>`
    return xml(status, `<ErrorResponse xmlns="${namespace}">${error}${id}</ErrorResponse>`)
  }
  const answer = json(status, { __type: `${namespace}#${code}`, message, ...members })
  if (!call?.queryMode) return answer
  return {
    ...answer,
    headers: { ...answer.headers, 'x-amzn-query-error': `${queryCode};${fault}` },
  }
}

const json = (status: number, body: object): Answer => ({
  status,
  headers: { 'content-type': 'application/x-amz-json-1.0', 'x-amzn-requestid': requestId },
  body: JSON.stringify(onWire(body)),
})

/** AWS JSON has times as epoch seconds, and bytes as base64. */
function onWire(value: unknown): unknown {
  if (value instanceof Date) return value.getTime() / 1_000
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64')
  if (Array.isArray(value)) return value.map(onWire)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, child]) => [key, onWire(child)]))
}

const xml = (status: number, body: string): Answer => ({
  status,
  headers: { 'content-type': 'text/xml', 'x-amzn-requestid': requestId },
  body,
})

type Tree = { [key: string]: Tree | string }

/** `Filters.member.1.Name=x` and the like as the object they stand for, lists as arrays. */
function unflatten(text: string): Record<string, unknown> {
  const root: Tree = {}
  for (const [path, value] of new URLSearchParams(text)) {
    const keys = path.split('.')
    const last = keys.pop() ?? ''
    let node = root
    for (const key of keys) {
      const next = node[key] ?? {}
      if (typeof next === 'string') throw new Refusal('MalformedQueryString', path)
      node[key] = next
      node = next
    }
    node[last] = value
  }
  return Object.fromEntries(Object.entries(root).map(([key, node]) => [key, withLists(node)]))
}

function withLists(node: Tree | string): unknown {
  if (typeof node === 'string') return node
  // Lists have members, and maps entries.
  const parts = node['member'] ?? node['entry']
  if (typeof parts === 'object') {
    const numbers = Object.keys(parts).sort((a, b) => Number(a) - Number(b))
    return numbers.map((number) => withLists(parts[number] ?? ''))
  }
  return Object.fromEntries(Object.entries(node).map(([key, child]) => [key, withLists(child)]))
}

const escapes: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;' }

function toXml(value: unknown): string {
  if (Array.isArray(value)) return value.map((one) => `<member>${toXml(one)}</member>`).join('')
  if (value instanceof Date) return value.toISOString()
  if (typeof value !== 'object' || value === null) {
    return String(value).replace(/[&<>]/g, (character) => escapes[character] ?? '')
  }
  return Object.entries(value)
    .filter(([, child]) => child !== undefined)
    .map(([key, child]) => `<${key}>${toXml(child)}</${key}>`)
    .join('')
}
