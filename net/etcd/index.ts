import { readFileSync } from 'node:fs'
import { lastIndex } from '../../actors/command.ts'
import type { Command } from '../../actors/commands.ts'
import { foundingOf } from '../../actors/servers/commands.ts'
import type { Config, EtcdConfig } from '../../src/config/config.ts'
import type { Devices, Ports } from '../../src/kernel/ports.ts'
import { isRefused, type Refusal, type Result, refuse } from '../../src/kernel/refusal.ts'
import type { View } from '../../src/kernel/tables.ts'
import { originOf } from '../../src/replica.ts'
import { snapshotDirectory, snapshotPath } from '../snapshots.ts'
import type { OpenTables } from '../tables.ts'
import { childFiles } from './child-files.ts'
import { connectEtcd, type EtcdFiles } from './client.ts'
import type { SharedContact } from './contact.ts'
import { etcdKeys } from './keys.ts'
import { type EtcdLog, type EtcdLogOptions, etcdLog } from './log.ts'

export type OpenEtcdLogOptions = Pick<EtcdLogOptions, 'apply' | 'onCommitted' | 'clock'> & {
  tables: OpenTables
  snapshots: Devices['snapshots']
  config: Config
  etcd: EtcdConfig
  contact: SharedContact
  print: Ports['print']
  /** The log cannot be followed any further. */
  fatal(why: string): void
}

/** The log that this server shares with all that use the same etcd and datacenter. Throws if a file of TLS cannot be read. */
export function openEtcdLog({ config, etcd, contact, snapshots, print, fatal, ...options }: OpenEtcdLogOptions): EtcdLog {
  const files = tlsFiles(etcd)
  if (isRefused(files)) throw new Error(files.why)
  return etcdLog({
    ...options,
    print,
    etcd: connectEtcd({ endpoints: etcd.own ? [{ socket: childFiles(config.dataDir).socket }] : etcd.endpoints, files, contact }),
    keys: etcdKeys(config.datacenter),
    id: config.node.id,
    holdMs: etcd.holdMs,
    files: { snapshots, newPath: () => snapshotPath(snapshotDirectory(options.tables.directory)) },
    leads: () => [{ kind: 'servers.lead', atMs: options.clock.wallMs(), request: { id: config.node.id } } satisfies Command],
    failed: (error) => fatal(error instanceof Error ? (error.stack ?? error.message) : String(error)),
  })
}

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

/** Restoring a snapshot fills tables beside the log, which the other servers would know nothing of. */
export function onlySaving(snapshots: Devices['snapshots']): Devices['snapshots'] {
  return {
    perform(request, done, event) {
      if (request.do !== 'load') return snapshots.perform(request, done, event)
      snapshots.perform({ do: 'remove', path: request.path }, (removed) => done(isRefused(removed) ? removed : NO_RESTORE), event)
    },
  }
}

const NO_RESTORE = refuse(
  'conflict',
  'a snapshot cannot be restored while servers share their log: restore it to a server with log = "local"',
)

function tlsFiles({ caFile, certFile, keyFile }: EtcdConfig): Result<EtcdFiles> {
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
