import type { Config } from '../src/config/config.ts'
import { definitionsFor } from '../src/definitions.ts'
import { createFarThread, type FarThread, type FromLinks, type ToLinks } from '../src/far-threads.ts'
import { isFromAbroad } from '../src/kernel/far.ts'
import type { Host } from '../src/kernel/host.ts'
import type { Devices, Ports } from '../src/kernel/ports.ts'
import { isRefused, type Refusal, type Result } from '../src/kernel/refusal.ts'
import { createThread, startActors } from '../src/node.ts'
import type { Layout } from '../src/placement.ts'
import { timedLog } from '../src/telemetry/timed-log.ts'
import type { Listening } from '../src/world.ts'
import type { Edge } from './edge.ts'
import { watchGarbage } from './garbage.ts'
import type { Links } from './gossip/links.ts'
import { keepSmallAtRest } from './idle-memory.ts'
import { realPorts } from './ports.ts'
import { snapshotDirectory } from './snapshots.ts'
import { durabilityOf, openTables } from './tables.ts'

export type ThreadSetup = {
  config: Config
  layout: Layout
  thread: number
  /** Where the tables are; another thread of the process has opened it. */
  directory: string
  /** Where all edge threads count the connections of each client. */
  clients: SharedArrayBuffer
  /** Where all threads see how the log is, if it is shared with other servers. */
  contact: SharedArrayBuffer
  print: Ports['print']
  process: Devices['process']
  /** This thread cannot go on. */
  fatal(why: string): void
  /** Another thread is needed, which may not run yet. */
  begin(thread: number): void
}

/** A batch between two threads, or what concerns links to other agents, in the pool of the datacenter or of the servers of all. */
export type ThreadMessage = Uint8Array<ArrayBuffer> | ToLinks | FromLinks | { wan: ToLinks | FromLinks }

export type Thread = {
  host: Host
  /** Another thread of this process is there, and takes what is sent to it. */
  link(thread: number, send: (message: ThreadMessage) => void): void
  unlink(thread: number, why: string): void
  /** What another thread has sent. */
  receive(thread: number, message: ThreadMessage): void
  /** Starts what lives here, once the links are there. Refused if a port is taken. */
  begin(): Promise<Listening | Refusal>
  reconfigure(config: Config): void
  close(): Promise<void>
}

/** One thread of the agent with everything that its roles need, and nothing else in memory; in a worker or on the main thread. */
export async function openThread({
  config,
  layout,
  thread,
  directory,
  clients,
  contact,
  print,
  process,
  fatal,
  begin,
}: ThreadSetup): Promise<Thread> {
  const roles = layout[thread] ?? []
  const tables = openTables(directory, { durable: durabilityOf(config), readOnly: !roles.includes('state') })
  const definitions = await definitionsFor(roles)
  const edges = roles.includes('edge') ? await import('./edge.ts') : undefined
  const far = createFarThread(() => host)
  const farWan = createFarThread(() => host)
  const linksThread = layout.findIndex((others) => others.includes('gossip'))
  const { ports, links, close } = await realPorts({
    config,
    layout,
    thread,
    tables,
    contact,
    print,
    onCommitted: (notice) => host.notify(notice),
    process,
    api: edges?.edgeApi(() => host, { config, layout }),
    fatal,
  })
  if (ports.devices.log) ports.devices.log = timedLog(ports.devices.log, () => host)
  const reach: FarThread['reach'] = (peer) => (isFromAbroad(peer) ? farWan : far).reach(peer)
  const garbage = watchGarbage()
  const host: Host = createThread({ config, layout, thread, definitions, ports, soon: setImmediate, fatal, begin, reach, garbage })
  // In a turn of its own, as between threads.
  for (const [pool, here] of [
    [links?.lan, far],
    [links?.wan, farWan],
  ] as const) {
    pool?.attach(thread, (message) => setImmediate(here.take, message))
    if (pool) here.attach((message) => setImmediate(pool.take, thread, message))
  }
  let edge: Result<Edge> | undefined
  const letGrow = keepSmallAtRest()
  return {
    host,
    link(peer, send) {
      host.connect(peer, send)
      links?.lan.attach(peer, send)
      links?.wan?.attach(peer, (message) => send({ wan: message }))
      if (peer !== linksThread) return
      far.attach(send)
      if (config.gossip?.wan) farWan.attach((message) => send({ wan: message }))
    },
    unlink(peer, why) {
      host.disconnect(peer, why)
      links?.lan.detach(peer, why)
      links?.wan?.detach(peer, why)
      if (peer !== linksThread) return
      far.detach(why)
      farWan.detach(why)
    },
    receive(peer, message) {
      if (message instanceof Uint8Array) host.receive(peer, message)
      else if ('wan' in message) passOn(links?.wan, farWan, peer, message.wan)
      else passOn(links?.lan, far, peer, message)
    },
    async begin() {
      startActors(host, config, layout)
      if (!edges) return { http: [], dns: [] }
      edge = await edges.startEdge({ host, config, layout, filesDirectory: snapshotDirectory(directory), clients })
      return isRefused(edge) ? edge : edge.listening
    },
    reconfigure(next) {
      if (edge && !isRefused(edge)) edge.reconfigure(next)
    },
    async close() {
      letGrow()
      if (edge && !isRefused(edge)) await edge.close()
      host.close()
      await close()
      tables.close()
    },
  }
}

/** What another thread says is for the links where these are, and for this thread's end of them elsewhere. */
function passOn(links: Links | undefined, far: FarThread, peer: number, message: ToLinks | FromLinks): void {
  if (links) links.take(peer, message as ToLinks)
  else far.take(message as FromLinks)
}
