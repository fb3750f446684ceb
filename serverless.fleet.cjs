// What serverless.yml takes from fleet.config.ts, the only file a user edits. An invalid file throws
// all of its problems here, while the variables are resolved and before anything is deployed.
const { default: fleet } = require('./fleet.config.ts')
const { describeProblem } = require('./shared/queue-config.ts')

for (const warning of fleet.warnings) console.error(`warning: ${describeProblem(warning)}`)

// Scheduled runs are not retried (the next minute is the retry) and stale ones are dropped.
const retryPolicy = { maximumRetryAttempts: 0, maximumEventAge: 60 }

module.exports = {
  name: fleet.name,
  queueTag: fleet.tags.queue,
  queueNamePrefix: fleet.queueNamePrefix,
  schedule: Array.from({ length: fleet.shards }, (_, shard) => ({
    eventBridge: {
      schedule: 'rate(1 minute)',
      input: { shard, of: fleet.shards },
      retryPolicy,
    },
  })),
}
