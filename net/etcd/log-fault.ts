import { readFileSync } from 'node:fs'
import { lastIndex } from '../../actors/command.ts'
import { foundingOf } from '../../actors/servers/commands.ts'
import type { Config, EtcdConfig } from '../../src/config/config.ts'
import { isRefused, type Refusal, type Result, refuse } from '../../src/kernel/refusal.ts'
import type { View } from '../../src/kernel/tables.ts'
import { originOf } from '../../src/replica.ts'
import type { EtcdFiles } from './client.ts'

/** Why these tables cannot be used with the log that is configured, if they cannot. */
export function logFault({ etcd }: Pick<Config, 'etcd'>, view: View): Refusal | undefined {
  const origin = originOf(view)
  if (etcd === undefined) {
    if (origin === undefined) return undefined
    return refuse('conflict', 'the data directory is a copy of a log in etcd: start with log = "etcd", or with an empty data directory')
  }
  const files = tlsFiles(etcd)
  if (isRefused(files)) return files
  if (origin !== undefined || lastIndex(view) === 0 || foundingOf(view) !== undefined) return undefined
  return refuse(
    'conflict',
    'the data directory holds the state of a server that had a log of its own: servers that share theirs begin with an empty one, unless "tribune operator log migrate" has prepared it',
  )
}

/** What TLS with etcd needs. Refused if a file cannot be read, with its key of the configuration. */
export function tlsFiles({ caFile, certFile, keyFile }: EtcdConfig): Result<EtcdFiles> {
  const files: EtcdFiles = {}
  for (const [name, path] of [
    ['ca', caFile],
    ['cert', certFile],
    ['key', keyFile],
  ] as const) {
    if (path === '') continue
    try {
      files[name] = readFileSync(path)
    } catch (error) {
      return refuse('invalid', `etcd.${name}_file: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
  return files
}
