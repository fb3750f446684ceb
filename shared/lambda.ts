import { Logger } from '@aws-lambda-powertools/logger'
import middy from '@middy/core'
import type { Context } from 'aws-lambda'
import { type Log, newRunId } from './aws.ts'

// What a run needs after its calls are aborted to say what failed, with room for a slow write.
const reserveMilliseconds = 3_000

/**
 * The wrapper of every function: parses the event before anything else, gives the work a signal
 * that fires before Lambda would kill it, and logs an error with its causes before Lambda sees it.
 * An error is rethrown always, so that Lambda's own error metric and failure destination have it.
 */
export const lambda = <E, R>(
  name: string,
  parse: (event: unknown) => E,
  work: (event: E, run: { log: Log; runId: string; signal: AbortSignal }) => Promise<R>,
) => {
  const logger = new Logger({ serviceName: name })
  const log = logTo(logger)
  return middy<unknown, R>()
    .before(({ context }) => logger.addContext(context))
    .onError(({ error }) => {
      logger.error('failed', { error: error ?? new Error('unknown error') })
    })
    .handler(async (event: unknown, context: Context) => {
      const left = Math.max(0, context.getRemainingTimeInMillis() - reserveMilliseconds)
      return work(parse(event), { log, runId: newRunId(), signal: AbortSignal.timeout(left) })
    })
}

const logTo = (logger: Logger): Log => ({
  info: (message, fields) => logger.info(message, fields),
  warn: (message, fields) => logger.warn(message, fields),
  error: (message, fields) => logger.error(message, fields),
})
