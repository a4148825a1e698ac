import type { Command } from '../../actors/commands.ts'
import type { Config, EtcdConfig } from '../../src/config/config.ts'
import type { Devices, Ports } from '../../src/kernel/ports.ts'
import { isRefused } from '../../src/kernel/refusal.ts'
import { snapshotDirectory, snapshotPath } from '../snapshots.ts'
import type { OpenTables } from '../tables.ts'
import { childFiles } from './child-files.ts'
import { connectEtcd } from './client.ts'
import type { SharedContact } from './contact.ts'
import { etcdKeys } from './keys.ts'
import { type EtcdLog, type EtcdLogOptions, etcdLog } from './log.ts'
import { tlsFiles } from './log-fault.ts'

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
