import { createHash } from 'node:crypto'
import type { CreateDocumentCommandInput } from '@aws-sdk/client-ssm'
import * as z from 'zod/mini'
import { awsError } from './service.ts'

const value = z.union([z.string(), z.array(z.string()), z.boolean(), z.number()])

const parameterSchema = z.looseObject({
  type: z.enum(['String', 'StringList', 'Boolean', 'Integer', 'MapList', 'StringMap']),
  default: z.optional(value),
  allowedPattern: z.optional(z.string()),
  allowedValues: z.optional(z.array(z.string())),
  minChars: z.optional(z.number()),
  maxChars: z.optional(z.number()),
})

const contentSchema = z.looseObject({
  schemaVersion: z.literal('2.2'),
  parameters: z.optional(z.record(z.string(), parameterSchema)),
  mainSteps: z
    .array(
      z.looseObject({
        action: z.string(),
        name: z.string(),
        inputs: z.optional(z.looseObject({ timeoutSeconds: z.optional(value) })),
      }),
    )
    .check(z.minLength(1)),
})

export type Parameters = Readonly<Record<string, readonly string[]>>

/** A Command document of schema 2.2, in its only version. */
export type SsmDocument = {
  readonly name: string
  readonly hash: string
  readonly content: z.infer<typeof contentSchema>
}

// A step that sets no timeoutSeconds has an hour.
const stepSecondsDefault = 3_600

/** The document that CreateDocument is given. Throws AWS's errors for its name and its content. */
export function parseDocument(input: CreateDocumentCommandInput): SsmDocument {
  const { Name: name = '', Content: text = '', DocumentType, DocumentFormat } = input
  if (!/^[\w.-]{3,128}$/.test(name)) {
    throw awsError(
      'ValidationException',
      `1 validation error detected: the name ${name} is invalid`,
    )
  }
  if (/^(aws|amazon|amzn)/i.test(name)) {
    throw awsError('ValidationException', `Document names may not begin as ${name} does`)
  }
  if ((DocumentType ?? 'Command') !== 'Command' || (DocumentFormat ?? 'JSON') !== 'JSON') {
    throw new Error("The twin's SSM knows Command documents in JSON")
  }
  const parsed = contentSchema.safeParse(parseJson(text))
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    const message = `${issue?.path.join('.') || 'Content'}: ${issue?.message}`
    throw awsError('InvalidDocumentContent', message)
  }
  const hash = createHash('sha256').update(text).digest('hex')
  return { name, hash, content: parsed.data }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    if (error instanceof SyntaxError) throw awsError('InvalidDocumentContent', error.message)
    throw error
  }
}

/** The values a command runs with, defaults included. Throws InvalidParameters for any other. */
export function resolveParameters(
  { name, content }: SsmDocument,
  given: Readonly<Record<string, string[]>>,
): Parameters {
  const declared = content.parameters ?? {}
  const unknown = Object.keys(given).find((key) => !(key in declared))
  if (unknown !== undefined) throw invalid(`${unknown} is no parameter of the document ${name}`)
  const resolved = Object.entries(declared).map(([key, parameter]) => {
    const values = given[key] ?? defaultOf(parameter)
    if (!values) throw invalid(`The document ${name} needs a value for ${key}`)
    if (parameter.type !== 'StringList' && values.length !== 1) {
      throw invalid(`${key} takes one value`)
    }
    const wrong = values.find((one) => !allows(parameter, one))
    if (wrong !== undefined)
      throw invalid(`The document ${name} does not allow this ${key}: ${wrong}`)
    return [key, [...values]] as const
  })
  return Object.fromEntries(resolved)
}

type Parameter = z.infer<typeof parameterSchema>

function defaultOf({ default: given }: Parameter): string[] | undefined {
  if (given === undefined) return undefined
  return Array.isArray(given) ? given : [String(given)]
}

/**
 * A pattern is searched for, as the agent's regular expressions do it, though SSM itself may want
 * it to fit the whole value: here one without anchors lets through all that it may let through.
 */
function allows({ allowedValues, allowedPattern, minChars, maxChars }: Parameter, text: string) {
  if (allowedValues && !allowedValues.includes(text)) return false
  if (allowedPattern !== undefined && !new RegExp(allowedPattern).test(text)) return false
  return text.length >= (minChars ?? 0) && text.length <= (maxChars ?? Number.POSITIVE_INFINITY)
}

/** How long all steps may take together, seconds. */
export function executionSeconds({ content }: SsmDocument, parameters: Parameters): number {
  const seconds = content.mainSteps.map(({ inputs }) => {
    const text = String(inputs?.timeoutSeconds ?? stepSecondsDefault)
    const [, name] = /^\{\{\s*(\w+)\s*\}\}$/.exec(text) ?? []
    return Number(name === undefined ? text : parameters[name]?.[0])
  })
  return seconds.reduce((sum, one) => sum + one, 0)
}

const invalid = (message: string) => awsError('InvalidParameters', message)
