import { defineFleet } from './shared/queue-config.ts'

// Queues that need nothing of their own.
const plain = `
  account-merge action-items activity-feed agenda-draft alert-digest analytics-rollup
  audio-extract audit-export avatar-resize billing-sync calendar-pull calendar-push call-score
  chat-ingest clip-render coaching-tips comment-notify contact-enrich crm-pull crm-push
  dashboard-refresh data-retention deal-insight diarize digest-daily document-index embedding
  entity-link export-csv export-pdf face-blur feature-backfill file-scan follow-up
  forecast-refresh highlight image-ocr import-csv integration-retry invoice keyword-spot
  language-detect lead-score license-sync mention-notify moderation note-sync password-mail
  phone-dial playlist push-notify redaction search-index sentiment slack-post snippet
  speaker-match summary tag-suggest thumbnail topic-model webhook-out zoom-fetch
`

/** A conversation-intelligence product's fleet: 70 queues, each with a group of its own. */
export default defineFleet({
  name: 'talk',
  defaults: {
    startWithin: '5m',
    taskTime: '20s',
    bootTime: '2m',
    scaling: { mode: 'direct', min: 1 },
  },
  queues: {
    // One recording at a time on a large instance, minutes each.
    video: { startWithin: '10m', taskTime: '4m', bootTime: '3m', concurrency: 1 },
    transcript: { taskTime: '90s', concurrency: 2 },
    // Short and many, on instances with several slots, sized by AWS's own policy.
    email: { taskTime: '2s', concurrency: 4, scaling: { mode: 'target-tracking' } },
    report: { startWithin: '15m', taskTime: '45s', concurrency: 4 },
    // A bot that joins late misses the meeting: shorter than a boot, so never from zero.
    'meeting-join': {
      startWithin: '180s',
      taskTime: '10s',
      concurrency: 4,
      scaling: { min: 2 },
      metrics: ['BacklogSeconds', 'WantedCapacity', 'Shortfall'],
    },
    // Nobody waits for these: no instance while there is nothing to do.
    'digest-weekly': { startWithin: '2h', scaling: { min: 0 } },
    'gdpr-erase': { startWithin: '1h', scaling: { min: 0 } },
  },
  defaultQueues: plain.trim().split(/\s+/),
})
