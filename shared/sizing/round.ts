/**
 * How exactly numbers are remembered: hundredths are finer than any count is true, and a third of
 * the digits.
 */
export const hundredth = (value: number) => Math.round(value * 100) / 100
