import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isAlive, thisProcess } from './processes.ts'

/**
 * Makes a directory under the system's directory for temporary files. It is removed by `remove` and when this process exits
 * (in a worker: when the worker does). Directories that killed processes left behind are swept first.
 */
export function makeTemporaryDirectory(): { directory: string; remove(): void } {
  sweep()
  const { pid, started, where } = thisProcess()
  const directory = mkdtempSync(join(tmpdir(), `tribune-${pid}-${started}-${where.replaceAll('/', '_')}-`))
  const remove = () => {
    process.off('exit', remove)
    rmSync(directory, { recursive: true, force: true })
  }
  process.on('exit', remove)
  return { directory, remove }
}

/** The process in the name tells whether a directory is still wanted. */
const NAME = /^tribune-(\d+)-(\d*)-([\da-f_-]*)-\w{6}$/

/** Removes what killed processes of this user left. Others' are theirs to sweep, and those that nobody can judge stay. */
function sweep(): void {
  for (const name of readdirSync(tmpdir())) {
    const [, pid, started, where] = NAME.exec(name) ?? []
    if (pid === undefined || started === undefined || where === undefined) continue
    if (isAlive({ pid: Number(pid), started, where: where.replaceAll('_', '/') }) !== 'no') continue
    const directory = join(tmpdir(), name)
    const owner = statSync(directory, { throwIfNoEntry: false })?.uid
    if (owner === process.getuid?.()) rmSync(directory, { recursive: true, force: true })
  }
}
