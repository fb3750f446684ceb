import { GetParametersCommand } from '@aws-sdk/client-ssm'
import type { AlertsDeps } from '../aws.ts'
import { chunks } from '../each.ts'
import type { Posted } from './post.ts'

/** Secrets, by the names of their parameters: never logged, and in no error. */

export type Secret = { readonly value: string } | { readonly problem: NonNullable<Posted> }

// The most names that one GetParameters call takes.
const namesPerCall = 10

/** One call for each ten names. Throws Systems Manager's own errors. */
export async function readSecrets(
  deps: Pick<AlertsDeps, 'ssm' | 'signal'>,
  names: readonly string[],
): Promise<ReadonlyMap<string, Secret>> {
  const found = new Map<string, Secret>()
  for (const Names of chunks([...new Set(names)], namesPerCall)) {
    const command = new GetParametersCommand({ Names, WithDecryption: true })
    const { Parameters = [] } = await deps.ssm.send(command, { abortSignal: deps.signal })
    for (const name of Names) {
      const parameter = Parameters.find(({ Name }) => Name === name)
      found.set(name, secretOf(name, parameter))
    }
  }
  return found
}

function secretOf(
  name: string,
  parameter: { Type?: string | undefined; Value?: string | undefined } | undefined,
): Secret {
  const problem = (reason: NonNullable<Posted>['reason'], detail: string) => ({
    problem: { reason, detail },
  })
  if (!parameter?.Value) return problem('secret-missing', `there is no parameter ${name}`)
  if (parameter.Type !== 'SecureString') {
    return problem('secret-not-secure', `${name} is a ${parameter.Type}; make it a SecureString`)
  }
  return { value: parameter.Value.trim() }
}
