import type { Problem } from '../queue-checks.ts'
import type { QueueConfig } from '../queue-config.ts'
import { type RuleName, ruleNames } from './rules.ts'
import { type RuleSettings, ruleTable } from './settings.ts'

/** What of a queue's alerts contradicts itself. */
export function checkAlerts(queue: QueueConfig, path: string): Problem[] {
  return ruleNames.flatMap((rule) => {
    const settings = queue.alerts[rule]
    if (!settings) return []
    return [
      ...checkRecovery(rule, settings, `${path}.alerts.${rule}`),
      ...checkLooks(settings, `${path}.alerts.${rule}`),
    ]
  })
}

function checkRecovery(rule: RuleName, settings: RuleSettings, path: string): Problem[] {
  const { threshold, recovery } = settings
  if (recovery === null) return []
  const problem = (remedy: string) => [{ path: `${path}.recovery`, value: recovery, remedy }]
  if (threshold === null) {
    return problem('write the threshold too; one that is derived may be on its other side')
  }
  const isBad = ruleTable[rule].bad === 'above' ? recovery > threshold : recovery < threshold
  if (!isBad) return []
  const side = ruleTable[rule].bad === 'above' ? 'or less' : 'or more'
  return problem(`it would be over while it still fires; write the threshold ${threshold} ${side}`)
}

function checkLooks({ breaching, looks }: RuleSettings, path: string): Problem[] {
  if (breaching <= looks) return []
  const remedy = `of ${looks} looks no more than ${looks} can breach; lower it, or raise looks`
  return [{ path: `${path}.breaching`, value: breaching, remedy }]
}

/** A warning, not an error: with acks_late a message is as old as its task has run. */
export function checkRunningTask(queue: QueueConfig, path: string): Problem[] {
  const threshold = queue.alerts['oldest-age']?.threshold ?? null
  if (threshold === null || threshold > queue.taskSeconds) return []
  return [
    {
      path: `${path}.alerts.oldest-age.threshold`,
      value: `${threshold}s`,
      remedy:
        `with acks_late a task of the usual length, ${queue.taskSeconds} s, keeps the age there; ` +
        'leave it out, or add how long tasks run',
    },
  ]
}
