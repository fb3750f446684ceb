import {
  GetParametersCommand,
  type GetParametersCommandInput,
  PutParameterCommand,
  type PutParameterCommandInput,
} from '@aws-sdk/client-ssm'
import { type Applied, answer, awsError } from './service.ts'

/** Parameters of SSM, of one version each. */

type Parameter = { readonly Type: string; readonly Value: string }
export type Parameters = Map<string, Parameter>

// The most names that one call takes.
const namesMost = 10

/** Null: the command is none of these. */
export function applyParameters(parameters: Parameters, command: object): Applied | null {
  if (command instanceof PutParameterCommand) return put(parameters, command.input)
  if (command instanceof GetParametersCommand) return get(parameters, command.input)
  return null
}

function put(parameters: Parameters, input: PutParameterCommandInput): Applied {
  const { Name = '', Value = '', Type = 'String', Overwrite = false } = input
  if (parameters.has(Name) && !Overwrite) {
    throw awsError('ParameterAlreadyExists', 'The parameter already exists.')
  }
  parameters.set(Name, { Type, Value })
  return answer({ Version: 1, Tier: 'Standard' })
}

/** What is not there is named beside what is. Without decryption a secret stays one. */
function get(parameters: Parameters, input: GetParametersCommandInput): Applied {
  const { Names = [], WithDecryption = false } = input
  if (Names.length < 1 || Names.length > namesMost) {
    throw awsError('ValidationException', `${Names.length} names, from 1 to ${namesMost} are taken`)
  }
  const shown = ({ Type, Value }: Parameter) =>
    Type === 'SecureString' && !WithDecryption ? Buffer.from(Value).toString('base64') : Value
  return answer({
    Parameters: Names.flatMap((Name) => {
      const found = parameters.get(Name)
      return found ? [{ Name, Type: found.Type, Value: shown(found), Version: 1 }] : []
    }),
    InvalidParameters: Names.filter((name) => !parameters.has(name)),
  })
}
