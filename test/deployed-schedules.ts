/** What a deployment runs by the clock, as AWS lists it. */

type Tick = { readonly shard: number; readonly of: number }
const everyMinute = (input: Tick) => ({
  ...{ every: 'rate(1 minute)', pattern: null, state: 'ENABLED', input },
  undelivered: 'talk-prod-undelivered',
})
/** What a shard's minute starts: a sweep of the backlog, alerts, and a look at all drains. */
const ticks = (input: Tick) => [
  {
    ...everyMinute(input),
    target: 'lambda:us-east-1:123456789012:function:talk-prod-backlog',
    retryPolicy: { MaximumRetryAttempts: 0, MaximumEventAgeInSeconds: 60 },
  },
  {
    ...everyMinute(input),
    target: 'lambda:us-east-1:123456789012:function:talk-prod-alerts',
    retryPolicy: { MaximumRetryAttempts: 0, MaximumEventAgeInSeconds: 60 },
  },
  {
    ...everyMinute(input),
    target: 'sqs:us-east-1:123456789012:talk-prod-drain',
    retryPolicy: { MaximumEventAgeInSeconds: 60 },
  },
]
/** And a shard's hour. */
const hourly = (input: Tick) => ({
  ...everyMinute(input),
  every: 'rate(1 hour)',
  target: 'lambda:us-east-1:123456789012:function:talk-prod-forecast',
  retryPolicy: { MaximumRetryAttempts: 2, MaximumEventAgeInSeconds: 1_800 },
})

/** All of them: alerts, sweeps of the backlog, forecasts, looks at drains. */
export const scheduled = (...inputs: Tick[]) => [
  ...inputs.map((input) => ticks(input)[1]),
  ...inputs.map((input) => ticks(input)[0]),
  ...inputs.map(hourly),
  ...inputs.map((input) => ticks(input)[2]),
]
