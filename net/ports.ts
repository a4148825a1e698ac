import { join } from 'node:path'
import type { Config } from '../src/config/config.ts'
import type { Devices, Ports } from '../src/kernel/ports.ts'
import type { ChangeNotice, View } from '../src/kernel/tables.ts'
import { type LocalLogOptions, localLog } from '../src/local-log.ts'
import type { Layout } from '../src/placement.ts'
import { realClock, realRandom } from './clock.ts'
import { createContact } from './etcd/contact.ts'
import type { Links } from './gossip/links.ts'
import { memoryStore, openStore } from './store.ts'
import type { OpenTables } from './tables.ts'

export type RealPortsOptions = {
  config: Config
  layout: Layout
  thread: number
  tables: OpenTables
  /** See `contactMemory`. */
  contact: SharedArrayBuffer
  print: Ports['print']
  /** A commit of this thread is durable. */
  onCommitted(notice: ChangeNotice): void
  process: Devices['process']
  /** On threads that serve it. */
  api: Devices['api'] | undefined
  /** This thread cannot go on. */
  fatal(why: string): void
}

/** `wan`: on servers that are in the pool of all datacenters. */
export type PoolLinks = { lan: Links; wan: Links | undefined }

export type RealPorts = {
  ports: Ports
  /** On the thread that gossips, for each pool. */
  links: PoolLinks | undefined
  close(): Promise<void>
}

/** Everything outside, for a thread with these roles. What they do not need is not loaded either. */
export async function realPorts({
  config,
  layout,
  thread,
  tables,
  contact: memory,
  print,
  onCommitted,
  process,
  api,
  fatal,
}: RealPortsOptions): Promise<RealPorts> {
  const roles = layout[thread] ?? []
  let links: PoolLinks | undefined
  const devices: Partial<Devices> = {}
  const contact = config.etcd && createContact(memory)
  const closers: (() => unknown)[] = []
  if (roles.includes('state')) {
    const store = config.devMode ? memoryStore() : openStore(config.dataDir)
    if (!config.etcd) devices.log = localLog({ tables, apply: await applyOf(config), onCommitted })
    devices.store = store
    devices.signer = (await import('./signer.ts')).createSigner()
    if (config.server) devices.authority = (await import('./authorities/index.ts')).createAuthorities(devices.signer)
    closers.push(() => store.close())
  }
  if (roles.includes('state') || roles.includes('edge')) {
    const { createSnapshots } = await import('./snapshots.ts')
    const snapshots = createSnapshots({ tables, clock: realClock, keepsLoaded: config.etcd !== undefined })
    devices.snapshots = snapshots
    closers.push(() => snapshots.close())
    if (config.etcd && contact && roles.includes('state')) {
      const { openEtcdLog } = await import('./etcd/index.ts')
      const shared = { tables, snapshots, apply: await applyOf(config), onCommitted, clock: realClock }
      const log = openEtcdLog({ ...shared, config, etcd: config.etcd, contact, print, fatal })
      devices.log = log
      devices.snapshots = log.snapshots ?? snapshots
      closers.unshift(() => log.close())
    }
  }
  if (roles.includes('main') || roles.includes('edge')) devices.probes = (await import('./probes/index.ts')).createProbes()
  if (roles.includes('main')) {
    devices.process = process
    devices.programs = (await import('./programs.ts')).createPrograms()
    const { createDaemons } = await import('./daemons.ts')
    const daemons = createDaemons(config.devMode ? '' : config.dataDir)
    devices.daemons = daemons
    closers.push(() => daemons.close())
    if (config.etcd?.own) {
      const { createEtcdChild } = await import('./etcd/child.ts')
      const child = createEtcdChild({ own: config.etcd.own, dataDirectory: config.dataDir, clock: realClock, print })
      devices.etcd = child
      closers.push(() => child.close())
    }
  }
  if (api) devices.api = api
  if (roles.includes('gossip')) {
    const { openPool } = await import('./gossip/pool.ts')
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
    const mesh = (await import('./mesh/index.ts')).createMesh()
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

/** How commands change the tables: on a client, those of the servers are only a copy. */
async function applyOf({ server }: Config): Promise<LocalLogOptions['apply']> {
  return server ? (await import('../actors/commands.ts')).applyGroup : (await import('../actors/mirror/rows.ts')).applyMirrored
}
