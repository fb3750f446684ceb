/**
 * The bridge from fleet.config.ts to serverless.yml: whatever is deployed and depends on the fleet.
 * Loading it checks the configuration, so that a mistake ends a deployment before it has begun.
 */
const { lanesOf } = require('./shared/lanes.ts')
const { describeProblem } = require('./shared/queue-config.ts')
const { againPattern, drainRules } = require('./shared/rules.ts')

const fleet = loadFleet()
const { name, queueNamePrefix, tags, shards } = fleet

function loadFleet() {
  try {
    return require('./fleet.config.ts').default
  } catch (error) {
    // The framework prints a stack, whose thirty lines would push the list off the screen.
    if (error.message.startsWith("The fleet's configuration has")) error.stack = error.message
    throw error
  }
}

// A policy condition on a tag of the resource. Null 'false' asks that it be there, with any value.
const resourceTag = (key) => `autoscaling:ResourceTag/${key}`
const taggedGroups = {
  Null: { [resourceTag(tags.queue)]: 'false' },
  ...(tags.fleet && { StringEquals: { [resourceTag(tags.fleet)]: name } }),
}

// Instances carry the group's tags when those propagate at launch.
const instanceTag = (key) => `ssm:resourceTag/${key}`
const taggedInstances = {
  StringLike: {
    [instanceTag(tags.queue)]: '*',
    ...(tags.fleet && { [instanceTag(tags.fleet)]: name }),
  },
}

const everyMinute = Array.from({ length: shards }, (_, shard) => ({
  eventBridge: {
    schedule: 'rate(1 minute)',
    input: { shard, of: shards },
    // A minute, the shortest there is: what is late is worth nothing, the next tick is under way.
    retryPolicy: { maximumRetryAttempts: 0, maximumEventAge: 60 },
    deadLetterQueueArn: { 'Fn::GetAtt': ['UndeliveredQueue', 'Arn'] },
  },
}))

// Lambda polls a queue whether or not there are messages, and a fleet without a fast lane has none.
const fastLane = {
  sqs: {
    arn: { 'Fn::GetAtt': ['FastQueue', 'Arn'] },
    // Each look is a run of its own.
    batchSize: 1,
    maximumConcurrency: 10,
  },
}
const startsOfBacklog = lanesOf(fleet).includes('fast') ? [...everyMinute, fastLane] : everyMinute
// A report that is late says nothing of now.
const startsOfAlerts = [
  ...everyMinute,
  {
    eventBridge: {
      pattern: againPattern,
      retryPolicy: { maximumRetryAttempts: 2, maximumEventAge: 300 },
      deadLetterQueueArn: { 'Fn::GetAtt': ['UndeliveredQueue', 'Arn'] },
    },
  },
]
// A run that failed is tried again: what it has written it finds fresh, and does only the rest.
const everyHour = everyMinute.map(({ eventBridge: { input, deadLetterQueueArn } }) => ({
  eventBridge: {
    schedule: 'rate(1 hour)',
    input,
    retryPolicy: { maximumRetryAttempts: 2, maximumEventAge: 1800 },
    deadLetterQueueArn,
  },
}))

// The same for drain, by way of its queue: what EventBridge could not deliver is kept as well.
const toDrain = { Arn: { 'Fn::GetAtt': ['DrainQueue', 'Arn'] }, Id: 'drain' }
const kept = { DeadLetterConfig: { Arn: { 'Fn::GetAtt': ['UndeliveredQueue', 'Arn'] } } }

/** A rule that hands matching events, or each minute's input, to drain's queue. */
const ruleOf = (when, target, MaximumEventAgeInSeconds) => ({
  Type: 'AWS::Events::Rule',
  Properties: {
    ...when,
    Targets: [{ ...toDrain, ...kept, ...target, RetryPolicy: { MaximumEventAgeInSeconds } }],
  },
})

/** The resources of every rule that feeds drain, for a deployment of that name. */
const drainRuleResources = (deployment) => ({
  ...Object.fromEntries(
    drainRules(`${deployment}-drain`).map(({ name, pattern, ageSeconds }) => [
      `Drain${name}Rule`,
      ruleOf({ EventPattern: pattern }, {}, ageSeconds),
    ]),
  ),
  ...Object.fromEntries(
    everyMinute.map(({ eventBridge: { input } }) => [
      `DrainSweep${input.shard}Rule`,
      ruleOf({ ScheduleExpression: 'rate(1 minute)' }, { Input: JSON.stringify(input) }, 60),
    ]),
  ),
})

/**
 * The ARNs of those rules, for the policies of the queues that they write to. By reference: their
 * names are CloudFormation's, which shortens the stack's part of a long one, so that no pattern
 * with the whole of it would match, and no event would arrive.
 */
const drainRuleArns = (rules) => Object.keys(rules).map((id) => ({ 'Fn::GetAtt': [id, 'Arn'] }))

// The role tells groups by their tag alone, so one that is only named would stay as it is.
const untagged = fleet.queues
  .filter(({ group, mode }) => group !== null && mode === 'direct')
  .map((queue) => ({
    path: `queues.${queue.name}.group`,
    value: queue.group,
    remedy: `the role may resize tagged groups only; give it the tag ${tags.queue}=${queue.name}`,
  }))

// Parameters are named with or without their first slash; their ARNs have one anyhow.
const secretArns = fleet.notify.channels.map(({ secret }) => ({
  'Fn::Sub': `arn:\${AWS::Partition}:ssm:\${AWS::Region}:\${AWS::AccountId}:parameter/${secret.replace(/^\//, '')}`,
}))
// A statement must have a resource: without channels one that nobody has.
const noSecret = {
  'Fn::Sub': `arn:\${AWS::Partition}:ssm:\${AWS::Region}:\${AWS::AccountId}:parameter/${name}/none`,
}
const secrets = secretArns.length > 0 ? secretArns : [noSecret]

for (const problem of [...fleet.warnings, ...untagged]) {
  console.error(`Warning: ${describeProblem(problem)}`)
}

/** Called by the framework, which knows the stage. */
module.exports = async ({ resolveVariable }) => {
  const drainRules = drainRuleResources(`${name}-${await resolveVariable('sls:stage')}`)
  return {
    name,
    queueNamePrefix,
    taggedGroups,
    taggedInstances,
    shards,
    secrets,
    startsOfBacklog,
    everyMinute,
    startsOfAlerts,
    everyHour,
    drainRules,
    drainRuleArns: drainRuleArns(drainRules),
  }
}
