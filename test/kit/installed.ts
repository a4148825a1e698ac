import { existsSync } from 'node:fs'
import { join } from 'node:path'

/** Where Debian puts programs, whichever folders this process looks in. */
const FOLDERS = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin']

/** The path of a program that Debian installed; nothing if it is not there. */
export function installed(name: string): string | undefined {
  return FOLDERS.map((folder) => join(folder, name)).find((path) => existsSync(path))
}

/** Debian's own Python, which sees Debian's modules, if it has the module as well. */
export function pythonWith(module: string): string | undefined {
  const python = '/usr/bin/python3'
  return existsSync(python) && existsSync(join('/usr/lib/python3/dist-packages', module)) ? python : undefined
}
