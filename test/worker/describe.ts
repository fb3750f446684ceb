import { afterAll, describe } from 'vitest'
import { describeWithMoto, type Moto } from '../moto.ts'
import { type Python, pythons, systemPython, tidyUp } from './celery.ts'

// A row takes 10 to 30 s on a quiet machine; beside all the others on a busy one, 90 were seen.
const rowMilliseconds = 240_000

/**
 * A `describe` for each Celery on this machine, its tests side by side: they mostly wait. Without
 * one they are skipped, loudly; with CELERIAC_REQUIRE_CELERY=1, which is for CI, they fail instead.
 */
export function describeWithCelery(
  name: string,
  tests: (context: { moto: Moto; python: Python }) => void,
  choose: (all: Python[]) => Python[] = (all) => all,
): void {
  const found = choose(pythons())
  const required = process.env['CELERIAC_REQUIRE_CELERY'] === '1'
  if (found.length === 0 && required) throw new Error(`No Celery with SQS for ${systemPython}`)
  if (found.length === 0) {
    console.warn(`\n*** SKIPPED, no Celery here (apt install python3-celery): ${name} ***\n`)
    return
  }
  describeWithMoto(name, (moto) => {
    afterAll(tidyUp)
    const options = { concurrent: true, timeout: rowMilliseconds }
    describe.each(found)('$versions', options, (python) => tests({ moto, python }))
  })
}
