import { readdirSync } from 'node:fs'
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
  const { outputFileExtension, exclude, ...options } = loadOptions()
  const file = join(folder, name + outputFileExtension)
  const { metafile } = await build({
    ...options,
    external: exclude,
    entryPoints: [`functions/${name}/handler.ts`],
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
