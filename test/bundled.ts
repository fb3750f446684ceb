import { readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { type BuildOptions, build } from 'esbuild'

/** The functions as they are deployed: bundled with the options that serverless.yml uses. */

/** Every function by name, which is its folder's. */
export const functionNames = () => readdirSync('functions').sort()

/** What the framework takes for itself, esbuild does not know. */
type FrameworkOptions = { readonly outputFileExtension: string; readonly exclude: string[] }

const loadOptions: () => BuildOptions & FrameworkOptions = createRequire(import.meta.url)(
  '../serverless.esbuild.cjs',
)

/** Writes a function's bundle to the folder: the file, its size, and the bytes by source file. */
export async function bundle(name: string, folder: string) {
  const { file, bytes, sources } = await write(name, folder, {
    entryPoints: [`functions/${name}/handler.ts`],
  })
  const own = sources.filter((path) => !path.includes('node_modules/'))
  return { file, bytes, sources, own }
}

/** Writes what the function's AWS clients come to alone: the commands that it calls, no more. */
export async function bundleClients(name: string, own: readonly string[], folder: string) {
  const contents = [...namesCalled(own)]
    .map(([client, names]) => `export { ${[...names].join(', ')} } from '${client}'`)
    .join('\n')
  const stdin = { contents, resolveDir: '.' }
  return write(`${name}-clients`, folder, { stdin })
}

/** The clients of which a source file takes commands, each with what is taken of it. */
export function namesCalled(files: readonly string[]): ReadonlyMap<string, ReadonlySet<string>> {
  const taken = new Map<string, Set<string>>()
  for (const file of files) {
    const imports = readFileSync(file, 'utf8').matchAll(
      /import \{([^}]*)\} from '(@aws-sdk\/client-[\w-]+)'/g,
    )
    for (const [, list = '', client = ''] of imports) {
      // A type weighs nothing.
      const names = list.split(',').map((name) => name.trim())
      const values = names.filter((name) => /^\w+(Command|Client)$/.test(name))
      taken.set(client, new Set([...(taken.get(client) ?? []), ...values]))
    }
  }
  // aws.ts makes them all; a bundle has those that its function calls.
  const called = [...taken].filter(([, names]) => [...names].some((name) => /Command$/.test(name)))
  return new Map(called)
}

async function write(name: string, folder: string, entry: BuildOptions) {
  const { outputFileExtension, exclude, ...options } = loadOptions()
  const file = join(folder, name + outputFileExtension)
  const { metafile } = await build({
    ...options,
    ...entry,
    external: exclude,
    outfile: file,
    metafile: true,
  })
  const [output] = Object.values(metafile.outputs)
  if (!output) throw new Error(`The bundle of ${name} is empty`)
  const sources = Object.entries(output.inputs).flatMap(([path, { bytesInOutput }]) =>
    bytesInOutput > 0 ? path : [],
  )
  return { file, bytes: output.bytes, sources }
}
