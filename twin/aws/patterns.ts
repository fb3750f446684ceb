export const matches = (_p: unknown, _e: unknown) => true
