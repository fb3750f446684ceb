import { AutoScalingClient, CreateLaunchConfigurationCommand } from '@aws-sdk/client-auto-scaling'
import { CloudWatchClient } from '@aws-sdk/client-cloudwatch'
import { CreateTableCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { CreateTopicCommand, SNSClient } from '@aws-sdk/client-sns'
import { SQSClient } from '@aws-sdk/client-sqs'
import { SSMClient } from '@aws-sdk/client-ssm'
import { beforeAll, expect, it } from 'vitest'
import { createTwin } from '../twin/twin.ts'
import { messageRows } from './contract/batches.ts'
import { documentRows } from './contract/documents.ts'
import { groupRows, launchConfiguration } from './contract/groups.ts'
import { indexedTable, indexRows } from './contract/indexes.ts'
import { instanceRows } from './contract/instances.ts'
import { itemRows, plainTable } from './contract/items.ts'
import { metricRows } from './contract/metrics.ts'
import { parameterRows } from './contract/parameters.ts'
import type { Aws } from './contract/row.ts'
import { sqsRows } from './contract/sqs.ts'
import { sortedTable, tableRows } from './contract/tables.ts'
import { topicName, topicRows } from './contract/topics.ts'
import { describeWithMoto } from './moto.ts'

/**
 * The same calls against the twin and against moto, an AWS that nobody here wrote: answers and
 * error names must agree. Where moto differs from AWS's documents the row says so, and the twin
 * follows AWS.
 */

const startAt = Date.parse('2026-01-06T15:00:00Z')

describeWithMoto('the twin and an AWS that nobody here wrote agree on', (moto) => {
  let real: Aws
  const moreTables = [
    { name: plainTable.TableName },
    { name: sortedTable.TableName, sortKey: 'sk' as const },
  ]
  const inProcess = createTwin({ seed: 1, startAt, makeTask: () => null, moreTables })
  // In moto what is launched is in service at once.
  inProcess.onChange((change) => {
    if (change.kind !== 'autoscaling.launched') return
    inProcess.autoscaling.enterService(startAt, change.group, change.instance)
  })
  for (const id of ['i-0', 'i-1']) inProcess.ssm.register(id)
  const twin: Aws = inProcess.deps
  beforeAll(async () => {
    const autoscaling = new AutoScalingClient(moto.client)
    const dynamodb = new DynamoDBClient(moto.client)
    const sqs = new SQSClient({ ...moto.client, useQueueUrlAsEndpoint: false })
    const compression = { disableRequestCompression: true }
    const cloudwatch = new CloudWatchClient({ ...moto.client, ...compression })
    const ssm = new SSMClient(moto.client)
    const sns = new SNSClient(moto.client)
    real = { sqs, autoscaling, cloudwatch, dynamodb, sns, ssm }
    await sns.send(new CreateTopicCommand({ Name: topicName }))
    await autoscaling.send(
      new CreateLaunchConfigurationCommand({
        LaunchConfigurationName: launchConfiguration,
        ImageId: 'ami-12345678',
        InstanceType: 't3.micro',
      }),
    )
    await dynamodb.send(new CreateTableCommand(plainTable))
    await dynamodb.send(new CreateTableCommand(sortedTable))
    await dynamodb.send(new CreateTableCommand(indexedTable))
  })

  const rows = [
    sqsRows,
    messageRows,
    groupRows,
    instanceRows,
    metricRows,
    itemRows,
    tableRows,
    indexRows,
    documentRows,
    topicRows,
    parameterRows,
  ]
  it.each(rows.flat())('$name', async (row) => {
    expect(await row.calls(twin), 'the twin').toEqual(row.expected)
    expect(await row.calls(real), 'moto').toEqual(row.moto ? row.moto.answers : row.expected)
  })
})
