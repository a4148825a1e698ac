import { join } from 'node:path'
import { applyGroup } from '../actors/commands.ts'
import { applyMirrored } from '../actors/mirror/rows.ts'
import type { Config } from '../src/config/config.ts'
import type { Devices, Ports } from '../src/kernel/ports.ts'
import type { ChangeNotice, View } from '../src/kernel/tables.ts'
import { localLog } from '../src/local-log.ts'
import type { Layout } from '../src/placement.ts'
import { createAuthorities } from './authorities/index.ts'
import { realClock, realRandom } from './clock.ts'
import { createDaemons } from './daemons.ts'
import { createEtcdChild } from './etcd/child.ts'
import { contactOf } from './etcd/contact.ts'
import { onlySaving, openEtcdLog } from './etcd/index.ts'
import type { Links } from './gossip/links.ts'
import { openPool } from './gossip/pool.ts'
import { createMesh } from './mesh/index.ts'
import { createProbes } from './probes/index.ts'
import { createPrograms } from './programs.ts'
import { createSigner } from './signer.ts'
import { createSnapshots } from './snapshots.ts'
import { memoryStore, openStore } from './store.ts'
import type { OpenTables } from './tables.ts'

export type RealPortsOptions = {
  config: Config
  layout: Layout
  thread: number
  tables: OpenTables
  print: Ports['print']
  /** A commit of this thread is durable. */
  onCommitted(notice: ChangeNotice): void
  process: Devices['process']
  api: Devices['api']
  /** This thread cannot go on. */
  fatal(why: string): void
}

/** `wan`: on servers that are in the pool of all datacenters. */
export type PoolLinks = { lan: Links; wan: Links | undefined }

/** Everything outside, for a thread with these roles. */
export function realPorts({ config, layout, thread, tables, print, onCommitted, process, api, fatal }: RealPortsOptions): {
  ports: Ports
  /** On the thread that gossips, for each pool. */
  links: PoolLinks | undefined
  close(): Promise<void>
} {
  const roles = layout[thread] ?? []
  let links: PoolLinks | undefined
  const devices: Partial<Devices> = {}
  const contact = config.etcd && contactOf(tables.directory)
  const closers: (() => unknown)[] = []
  if (roles.includes('state')) {
    const store = config.devMode ? memoryStore() : openStore(config.dataDir)
    if (!config.etcd) devices.log = localLog({ tables, apply: config.server ? applyGroup : applyMirrored, onCommitted })
    devices.store = store
    devices.signer = createSigner()
    devices.authority = createAuthorities(devices.signer)
    closers.push(() => store.close())
  }
  if (roles.includes('state') || roles.includes('edge')) {
    const snapshots = createSnapshots({ tables, clock: realClock })
    devices.snapshots = config.etcd ? onlySaving(snapshots) : snapshots
    closers.push(() => snapshots.close())
    if (config.etcd && contact && roles.includes('state')) {
      const shared = { tables, snapshots, apply: applyGroup, onCommitted, clock: realClock }
      const log = openEtcdLog({ ...shared, config, etcd: config.etcd, contact, print, fatal })
      devices.log = log
      closers.unshift(() => log.close())
    }
  }
  if (roles.includes('main') || roles.includes('edge')) devices.probes = createProbes()
  if (roles.includes('main')) {
    devices.process = process
    devices.programs = createPrograms()
    const daemons = createDaemons(config.devMode ? '' : config.dataDir)
    devices.daemons = daemons
    closers.push(() => daemons.close())
    if (config.etcd?.own) {
      const child = createEtcdChild({ own: config.etcd.own, dataDirectory: config.dataDir, clock: realClock, print })
      devices.etcd = child
      closers.push(() => child.close())
    }
  }
  if (roles.includes('edge')) devices.api = api
  if (roles.includes('gossip')) {
    const lan = openPool({ config, layout, wan: false })
    const wan = config.gossip?.wan && openPool({ config, layout, wan: true })
    devices.gossip = lan.gossip
    devices.links = lan.links
    links = { lan: lan.links, wan: wan?.links }
    if (wan) {
      devices['gossip-wan'] = wan.gossip
      devices['links-wan'] = wan.links
      closers.push(() => wan.close())
    }
    if (config.gossip && devices.store === undefined) {
      const store = config.devMode ? memoryStore() : openStore(join(config.dataDir, 'gossip'))
      devices.store = store
      closers.push(() => store.close())
    }
    closers.push(() => lan.close())
  }
  if (roles.includes('mesh')) {
    const mesh = createMesh()
    devices.mesh = mesh
    closers.push(() => mesh.close())
  }
  const view: Pick<OpenTables, 'view'> & { view(): View } = tables
  return {
    ports: { clock: realClock, random: () => realRandom, tables: view, devices, print, ...(contact && { contact: contact.read }) },
    links,
    async close() {
      for (const close of closers) await close()
    },
  }
}
