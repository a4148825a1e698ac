import { resolve } from 'node:path'
import type { ConfigHost } from '../../src/config/index.ts'
import { isRefused, type Result, refuse } from '../../src/kernel/refusal.ts'

/** Where the configuration of one agent is: a folder, and its name. */
export type AgentFolder = { name: string; path: string }

/**
 * The agents of a folder: one for each folder in it that has configuration files, or a single one if the files are in it
 * themselves. In the order of their names.
 */
export function agentFolders(dir: string, disk: ConfigHost): Result<AgentFolder[]> {
  const names = disk.readFolder(dir)
  if (names === undefined) return refuse('invalid', `${dir} is a file: a folder is needed`)
  if (isRefused(names)) return names
  const sorted = names.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
  const own = configFiles(dir, sorted, disk)
  const inner: AgentFolder[] = []
  for (const name of sorted) {
    const path = inside(dir, name)
    const files = disk.readFolder(path)
    if (files === undefined) continue
    if (isRefused(files)) return files
    if (configFiles(path, files, disk).length > 0) inner.push({ name, path })
  }
  if (own.length > 0 && inner.length > 0) {
    return refuse(
      'invalid',
      `${dir} has configuration files of its own (${own[0]}) and folders with such files (${inner[0]?.name}): put the files of each agent into a folder of its own`,
    )
  }
  if (own.length > 0) return [{ name: lastName(dir), path: dir }]
  if (inner.length > 0) return inner
  return refuse('invalid', `${dir} has no configuration: neither .hcl or .json files nor folders with such files`)
}

function configFiles(dir: string, names: readonly string[], disk: ConfigHost): string[] {
  return names.filter((name) => /\.(hcl|json)$/.test(name) && disk.readFolder(inside(dir, name)) === undefined)
}

function inside(dir: string, name: string): string {
  return dir.endsWith('/') ? dir + name : `${dir}/${name}`
}

/** What the folder is called, also when it is given as `.`. */
function lastName(dir: string): string {
  return resolve(dir).split('/').at(-1) || 'agent'
}
