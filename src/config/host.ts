import { readdirSync, readFileSync, statSync } from 'node:fs'
import { hostname, networkInterfaces } from 'node:os'
import { type Result, refuse } from '../kernel/refusal.ts'

/** What a configuration needs to know of the machine. A simulator gives it from memory. */
export type ConfigHost = {
  /** Text of a file. Refused as `open <path>: no such file or directory`. */
  readFile(path: string): Result<string>
  /** Names in a folder, in any order; undefined for what is not a folder. Refused as `readFile`. */
  readFolder(path: string): Result<string[]> | undefined
  hostname(): string
  interfaces(): InterfaceAddress[]
}

export type InterfaceAddress = { name: string; address: string; family: 4 | 6; internal: boolean }

/** The machine itself. */
export const machine: ConfigHost = {
  readFile: (path) => attempt(path, () => readFileSync(path, 'utf8')),
  readFolder: (path) => {
    const folder = attempt(path, () => statSync(path).isDirectory())
    return folder === false ? undefined : folder === true ? attempt(path, () => readdirSync(path)) : folder
  },
  hostname,
  interfaces: () =>
    Object.entries(networkInterfaces()).flatMap(([name, addresses]) =>
      (addresses ?? []).map(({ address, family, internal }) => ({ name, address, family: family === 'IPv4' ? 4 : 6, internal })),
    ),
}

/** A host that has nothing but the given files, one network interface and a name. Paths of folders end in `/`. */
export function hostInMemory(files: Readonly<Record<string, string>>, name = 'node', address = '127.0.0.1'): ConfigHost {
  const missing = (path: string) => refuse('missing', `open ${path}: no such file or directory`)
  return {
    readFile: (path) => files[path] ?? missing(path),
    readFolder: (path) => {
      if (files[path] !== undefined) return undefined
      const prefix = path.endsWith('/') ? path : `${path}/`
      const names = Object.keys(files).flatMap((one) => (one.startsWith(prefix) ? [one.slice(prefix.length)] : []))
      return names.length === 0 ? missing(path) : names.filter((one) => !one.includes('/'))
    },
    hostname: () => name,
    interfaces: () => [{ name: 'eth0', address, family: address.includes(':') ? 6 : 4, internal: address.startsWith('127.') }],
  }
}

/** A failure of the file system in the words of Go. */
function attempt<Value>(path: string, work: () => Value): Result<Value> {
  try {
    return work()
  } catch (thrown) {
    const code = typeof thrown === 'object' && thrown !== null && 'code' in thrown ? String(thrown.code) : ''
    return refuse(code === 'ENOENT' ? 'missing' : 'invalid', `open ${path}: ${REASONS[code] ?? String(thrown)}`)
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'no such file or directory',
  EACCES: 'permission denied',
  ENOTDIR: 'not a directory',
  EISDIR: 'is a directory',
}
