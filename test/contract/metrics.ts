import { GetMetricDataCommand, PutMetricDataCommand } from '@aws-sdk/client-cloudwatch'
import { type Aws, done, outcome, type Row } from './row.ts'

const at = new Date('2026-01-06T15:00:00Z')

const put = (aws: Aws, Namespace: string, name: string, values: number[]) =>
  outcome(
    aws.cloudwatch.send(
      new PutMetricDataCommand({
        Namespace,
        MetricData: values.map((Value) => ({ MetricName: name, Value, Timestamp: at })),
      }),
    ),
    done,
  )

const get = (aws: Aws, name: string, stats: string[], Period = 60) =>
  outcome(
    aws.cloudwatch.send(
      new GetMetricDataCommand({
        StartTime: new Date(at.getTime() - 600_000),
        EndTime: new Date(at.getTime() + 600_000),
        MetricDataQueries: stats.map((Stat) => ({
          Id: Stat.toLowerCase(),
          MetricStat: { Metric: { Namespace: 'Contract', MetricName: name }, Period, Stat },
        })),
      }),
    ),
    ({ MetricDataResults }) => MetricDataResults?.map(({ Id, Values }) => `${Id} ${Values}`),
  )

const queryOf = (Id: string) => ({
  Id,
  MetricStat: { Metric: { Namespace: 'Contract', MetricName: 'any' }, Period: 60, Stat: 'Sum' },
})

const statistics = ['Average', 'Sum', 'Minimum', 'Maximum', 'SampleCount']

export const metricRows: Row[] = [
  {
    name: 'a minute of values, by each statistic',
    calls: async (aws) => {
      await put(aws, 'Contract', 'minute', [1, 2, 6])
      return get(aws, 'minute', statistics)
    },
    expected: ['average 3', 'sum 9', 'minimum 1', 'maximum 6', 'samplecount 3'],
  },
  {
    name: 'a metric that nobody published',
    calls: (aws) => get(aws, 'never', ['Average']),
    expected: ['average '],
  },
  {
    name: 'more than a thousand values',
    calls: (aws) =>
      put(
        aws,
        'Contract',
        'many',
        Array.from({ length: 1_001 }, () => 1),
      ),
    expected: 'InvalidParameterValueException',
    moto: {
      answers: 'done',
      awsSays: '1,000 values in a call at most',
    },
  },
  {
    name: 'a namespace of AWS',
    calls: (aws) => put(aws, 'AWS/SQS', 'mine', [1]),
    expected: 'InvalidParameterValueException',
    moto: {
      answers: 'done',
      awsSays: 'namespaces that begin with AWS/ are reserved',
    },
  },
  {
    name: 'values that end before they begin',
    calls: (aws) =>
      outcome(
        aws.cloudwatch.send(
          new GetMetricDataCommand({
            ...{ StartTime: at, EndTime: new Date(at.getTime() - 60_000) },
            MetricDataQueries: [queryOf('a')],
          }),
        ),
        done,
      ),
    expected: 'ValidationError',
    moto: {
      answers: 'ValidationException',
      awsSays: 'ValidationError, the common error of the Query API; no exception of its own',
    },
  },
  {
    name: 'two queries of one id',
    calls: (aws) =>
      outcome(
        aws.cloudwatch.send(
          new GetMetricDataCommand({
            ...{ StartTime: at, EndTime: new Date(at.getTime() + 60_000) },
            MetricDataQueries: [queryOf('a'), queryOf('a')],
          }),
        ),
        done,
      ),
    expected: 'ValidationError',
    moto: {
      answers: 'done',
      awsSays: 'the ids of a call are unique',
    },
  },
]
