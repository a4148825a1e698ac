import { mkdirSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'

/**
 * Makes a directory with the parents that are missing. The answer is the topmost one that was made, or undefined if it was there
 * before. Throws the system's error. (node's own `recursive` never returns where a folder that is there takes no new ones, as in /proc.)
 */
export function makeDirectory(path: string, mode = 0o777): string | undefined {
  const missing: string[] = []
  for (let at = resolve(path); ; at = dirname(at)) {
    if (statSync(at, { throwIfNoEntry: false })?.isDirectory()) break
    missing.push(at)
    if (dirname(at) === at) break
  }
  for (const directory of missing.toReversed()) makeOne(directory, mode)
  return missing.at(-1)
}

/** Somebody else may make the same one at the same time. */
function makeOne(directory: string, mode: number): void {
  try {
    mkdirSync(directory, mode)
  } catch (error) {
    const isThere = statSync(directory, { throwIfNoEntry: false })?.isDirectory()
    if (!isThere) throw error
  }
}
