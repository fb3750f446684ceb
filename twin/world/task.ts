/** What the world knows of a task and AWS does not: how long it runs, and what became of it. */
export type Task = {
  readonly enqueuedAt: number
  readonly durationMs: number
  firstStartAt: number | null
  starts: number
  completedAt: number | null
}
