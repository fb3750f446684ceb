/**
 * How a function becomes one file. The framework, the bundles' test and their measurement read it,
 * so that what is tested is what is deployed. Start-up is nearly all parsing, about a tenth of a
 * millisecond for each kilobyte: size is what counts.
 */

// Lambda hands a function its credentials in the environment. The chain that the AWS SDK has behind
// that (files, SSO, STS, metadata endpoints) would be a quarter of the bundle.
const environmentCredentials = {
  name: 'environment-credentials',
  setup: (build) =>
    build.onLoad({ filter: /@aws-sdk[\\/]credential-provider-node[\\/].*\.js$/ }, () => ({
      contents: "export { fromEnv as defaultProvider } from '@aws-sdk/credential-provider-env'",
    })),
}

module.exports = () => ({
  bundle: true,
  minify: true,
  // No source map: it is five times the bundle, and an error names its queue and its step.
  sourcemap: false,
  platform: 'node',
  target: 'node24',
  // In an ES module package the pair with which package, deploy and invoke local all work.
  format: 'cjs',
  outputFileExtension: '.cjs',
  // ES modules first: only of them can esbuild drop what is not used. It saves 40 % of the bytes.
  mainFields: ['module', 'main'],
  // Nothing is external, the AWS SDK included: the runtime's own is another version, loads slower
  // and changes unasked.
  exclude: [],
  plugins: [environmentCredentials],
})
