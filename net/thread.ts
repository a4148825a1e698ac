import type { Config } from '../src/config/config.ts'
import { routes } from '../src/http/routes/index.ts'
import type { Host } from '../src/kernel/host.ts'
import type { Devices, Ports } from '../src/kernel/ports.ts'
import { isRefused, type Refusal } from '../src/kernel/refusal.ts'
import { createThread, startActors } from '../src/node.ts'
import { ownApi } from '../src/own-api.ts'
import type { Layout } from '../src/placement.ts'
import { timedLog } from '../src/telemetry/timed-log.ts'
import type { Listening } from '../src/world.ts'
import { answerFar } from './dns/far.ts'
import { startEdge } from './edge.ts'
import { createFarThread, type FromLinks, type ToLinks } from './far-threads.ts'
import { watchGarbage } from './garbage.ts'
import { realPorts } from './ports.ts'
import { snapshotDirectory } from './snapshots.ts'
import { openTables } from './tables.ts'
import { takeFile } from './take-file.ts'

export type ThreadSetup = {
  config: Config
  layout: Layout
  thread: number
  /** Where the tables are; another thread of the process has opened it. */
  directory: string
  /** Where all edge threads count the connections of each client. */
  clients: SharedArrayBuffer
  print: Ports['print']
  process: Devices['process']
  /** This thread cannot go on. */
  fatal(why: string): void
}

/** A batch between two threads, or what concerns links to other agents. */
export type ThreadMessage = Uint8Array<ArrayBuffer> | ToLinks | FromLinks

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

/** One thread of the agent with everything that its roles need, in a worker or on the main thread. */
export function openThread({ config, layout, thread, directory, clients, print, process, fatal }: ThreadSetup): Thread {
  const roles = layout[thread] ?? []
  const tables = openTables(directory, { durable: !config.devMode, readOnly: !roles.includes('state') })
  const api = ownApi({ options: () => ({ host, config, layout, routes }), answerDns: answerFar(() => host.ports.tables.view()), takeFile })
  const far = createFarThread(() => host)
  const linksThread = layout.findIndex((others) => others.includes('gossip'))
  const { ports, links, close } = realPorts({
    config,
    layout,
    thread,
    tables,
    print,
    onCommitted: (notice) => host.notify(notice),
    process,
    api,
    fatal,
  })
  if (ports.devices.log) ports.devices.log = timedLog(ports.devices.log, () => host)
  const host: Host = createThread({ config, layout, thread, ports, soon: setImmediate, fatal, reach: far.reach, garbage: watchGarbage() })
  if (links) {
    // In a turn of its own, as between threads.
    links.attach(thread, (message) => setImmediate(far.take, message))
    far.attach((message) => setImmediate(links.take, thread, message))
  }
  let edge: Awaited<ReturnType<typeof startEdge>> | undefined
  return {
    host,
    link(peer, send) {
      host.connect(peer, send)
      links?.attach(peer, send)
      if (peer === linksThread) far.attach(send)
    },
    unlink(peer, why) {
      host.disconnect(peer, why)
      links?.detach(peer, why)
      if (peer === linksThread) far.detach(why)
    },
    receive(peer, message) {
      if (message instanceof Uint8Array) host.receive(peer, message)
      else if (links) links.take(peer, message as ToLinks)
      else far.take(message as FromLinks)
    },
    async begin() {
      startActors(host, config, layout)
      if (!roles.includes('edge')) return { http: [], dns: [] }
      edge = await startEdge({ host, config, layout, filesDirectory: snapshotDirectory(directory), clients })
      return isRefused(edge) ? edge : edge.listening
    },
    reconfigure(next) {
      if (edge && !isRefused(edge)) edge.reconfigure(next)
    },
    async close() {
      if (edge && !isRefused(edge)) await edge.close()
      host.close()
      await close()
      tables.close()
    },
  }
}
