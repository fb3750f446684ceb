import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { DescribeTableCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { hasMoto, type Moto, startMoto } from './moto.ts'

const exec = promisify(execFile)

describe.skipIf(!hasMoto())('deployed to an AWS that nobody here wrote', () => {
  let moto: Moto
  beforeAll(async () => {
    moto = await startMoto()
  })
  afterAll(() => moto.stop())

  const clientOptions = () => ({ endpoint: moto.endpoint, region: 'us-east-1' })
  const serverless = (...args: string[]) =>
    exec(process.execPath, ['node_modules/serverless/bin/serverless.js', ...args], {
      env: {
        ...process.env,
        AWS_ENDPOINT_URL: moto.endpoint,
        SLS_TELEMETRY_DISABLED: '1',
        SLS_NOTIFICATIONS_MODE: 'off',
      },
      timeout: 120_000,
    })
  const outcome = (run: Promise<{ stdout: string; stderr: string }>) =>
    run.then(
      ({ stdout, stderr }) => ({ code: 0, output: stdout + stderr }),
      ({ code, stdout, stderr }) => ({ code: Number(code), output: `${stdout}${stderr}` }),
    )
  const tableStatus = () =>
    new DynamoDBClient(clientOptions())
      .send(new DescribeTableCommand({ TableName: 'talk-prod-state' }))
      .then(
        ({ Table }) => Table?.TableStatus,
        (error: Error) => error.name,
      )

  it('deploys, refuses what is no schedule, and is removed', {
    timeout: 300_000,
  }, async () => {
    expect((await outcome(serverless('deploy'))).output).toContain('deployed to stack')
    expect(await tableStatus()).toBe('ACTIVE')

    const event = 'events/unknown.json'
    const unknown = await outcome(serverless('invoke', 'local', '-f', 'backlog', '--path', event))
    expect(unknown.code).not.toBe(0)
    expect(unknown.output).toContain("This event is not a schedule's {shard, of}")

    expect(await outcome(serverless('remove'))).toMatchObject({ code: 0 })
    expect(await tableStatus()).toBe('ResourceNotFoundException')
  })
})
