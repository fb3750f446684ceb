import type { Reporter, TestModule } from 'vitest/node'

/** Ends the output with one line that a machine can read: how many passed, failed, were skipped. */
export default class ClosingLine implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly unknown[]): void {
    const counts = { passed: 0, failed: errors.length, skipped: 0 }
    for (const module of modules) {
      const states = [...module.children.allTests()].map((test) => test.result().state)
      for (const state of states) if (state !== 'pending') counts[state]++
      // What fails outside of every test (loading a file, a beforeAll) fails the run all the same.
      if (module.state() === 'failed' && !states.includes('failed')) counts.failed++
    }
    const skipped = counts.skipped > 0 ? `, ${counts.skipped} skipped` : ''
    console.log(`${counts.passed} passed, ${counts.failed} failed${skipped}`)
  }
}
