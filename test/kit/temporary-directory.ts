import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'

/** A folder of its own, gone when the test ends; without a test, when the process does. */
export function temporaryDirectory(t?: Pick<ExecutionContext, 'teardown'>): string {
  const directory = mkdtempSync(join(tmpdir(), 'tribune-test-'))
  if (t) t.teardown(() => remove(directory))
  else kept.push(directory)
  return directory
}

const kept: string[] = []
process.once('exit', () => {
  for (const directory of kept) remove(directory)
})

function remove(directory: string): void {
  rmSync(directory, { recursive: true, force: true })
}
