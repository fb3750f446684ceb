export const missingModes = ['missing', 'ignore', 'breaching', 'notBreaching', 'idle'] as const
export type Missing = (typeof missingModes)[number]
export type Condition = {
  readonly bad: 'above' | 'below'
  readonly threshold: number
  readonly recovery: number
  readonly breaching: number
  readonly looks: number
  readonly forSeconds: number
  readonly recoverSeconds: number
  readonly missing: Missing
}
export type Sample = { readonly at: number; readonly value: number | null; readonly idle?: true }
