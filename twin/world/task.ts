/** What the world knows of a task and AWS does not: how long it runs, and what became of it. */
export type Task = {
  readonly enqueuedAt: number
  readonly durationMs: number
  firstStartAt: number | null
  starts: number
  completedAt: number | null
  /** Each run takes its worker's child with it, and ends like that. */
  readonly crashes?: true
}
