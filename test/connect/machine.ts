import { createServer, connect as dialTcp, type Server, type Socket } from 'node:net'
import { caRef } from '../../actors/ca/protocol.ts'
import type { CaArgs } from '../../actors/ca/state.ts'
import type { CatalogRegister } from '../../actors/catalog/commands.ts'
import { applyGroup } from '../../actors/commands.ts'
import type { ManagedProxyConfig, ProxyDefinition, ServiceDefinition } from '../../actors/definitions.ts'
import { feedsRef } from '../../actors/feeds/protocol.ts'
import { actors } from '../../actors/index.ts'
import { leafRef } from '../../actors/leaf/protocol.ts'
import { commit } from '../../actors/ledger.ts'
import { emptyProxy } from '../../actors/local/expand.ts'
import { type LocalProtocol, managedProxyId } from '../../actors/local/protocol.ts'
import type { ProxiesArgs } from '../../actors/proxies/index.ts'
import { type ManagedProxy, proxiesRef } from '../../actors/proxies/protocol.ts'
import { createAuthorities } from '../../net/authorities/index.ts'
import { realClock, realRandom } from '../../net/clock.ts'
import { createMesh } from '../../net/mesh/index.ts'
import { createSigner } from '../../net/signer.ts'
import { memoryStore } from '../../net/store.ts'
import { openTemporaryTables } from '../../net/tables.ts'
import { defineActor } from '../../src/kernel/actor.ts'
import { Host } from '../../src/kernel/host.ts'
import type { AnyActor } from '../../src/kernel/instance.ts'
import type { Random } from '../../src/kernel/ports.ts'
import type { Call, Cast, Subscriber } from '../../src/kernel/protocol.ts'
import { isRefused } from '../../src/kernel/refusal.ts'
import { localLog } from '../../src/local-log.ts'
import { CA_SETTINGS } from '../kit/ca.ts'

export const CA_ARGS: CaArgs = {
  enabled: true,
  datacenter: 'dc1',
  settings: { ...CA_SETTINGS, leafCertTtlMs: 72 * 3_600_000, shown: { LeafCertTTL: '72h' } },
  config: { LeafCertTTL: '72h' },
}

/** Stands for the registrations of the agent: says what it is told to, and puts proxies into the catalog. */
type StandInProtocol = Pick<LocalProtocol, 'services' | 'proxyListening'> & { set: Call<ServiceDefinition[], null> }
type StandInState = { services: ServiceDefinition[]; index: number; subscribers: Subscriber<readonly ServiceDefinition[]>[] }
const standIn = defineActor<StandInProtocol, { done: Cast<null> }, StandInState>({
  name: 'local',
  mailboxMax: 100,
  init: () => ({ services: [], index: 0, subscribers: [] }),
  on: {
    set(state, services, turn) {
      state.services = services
      state.index++
      for (const subscriber of state.subscribers) turn.emit(subscriber, state.index, services)
      return null
    },
    services(state, _request, turn, subscriber) {
      state.subscribers.push(subscriber)
      turn.emit(subscriber, ++state.index, state.services)
    },
    proxyListening(state, { serviceId, port }, turn) {
      const name = state.services.find(({ id }) => id === serviceId)?.name ?? ''
      const own = { ...registration(serviceId, name, port), service: serviceFields(serviceId, name, port) }
      commit(turn, 'catalog.register', own, () => ({ name: 'done', request: null }))
      commit(turn, 'catalog.register', registration(serviceId, name, port, true), () => ({ name: 'done', request: null }))
      return null
    },
    done: () => undefined,
  },
})

export type MachineOptions = {
  /** Given to sidecars. */
  ports: { from: number; to: number }
  defaultAllow?: boolean
  /** What the agent keeps. */
  store?: ReturnType<typeof memoryStore>
  random?: Random
}

/** Everything of Connect on one thread with real sockets, real certificates and the tables of a temporary directory. */
export function startMachine({ ports, defaultAllow = true, store = memoryStore(), random = realRandom }: MachineOptions) {
  const tables = openTemporaryTables()
  const mesh = createMesh()
  const signer = createSigner()
  const lines: { level: string; from: string; line: string; facts: Record<string, unknown> }[] = []
  const watchers = new Set<() => void>()
  let closed = false
  const host: Host = new Host({
    node: 'n1',
    thread: 0,
    actors: [...actors.filter(({ name }) => name !== 'local'), standIn as unknown as AnyActor],
    place: () => 0,
    soon: setImmediate,
    fatal: (why) => {
      throw new Error(why)
    },
    ports: {
      clock: realClock,
      random: () => random,
      tables,
      devices: {
        log: localLog({ tables, apply: applyGroup, onCommitted: (notice) => host.notify(notice) }),
        store,
        signer,
        authority: createAuthorities(signer),
        mesh,
      },
      print: (level, from, line, facts = {}) => {
        lines.push({ level, from, line, facts })
        for (const look of watchers) look()
      },
    },
  })
  const proxiesArgs: ProxiesArgs = {
    enabled: true,
    settings: {
      datacenter: 'dc1',
      bindAddress: '127.0.0.1',
      portMin: ports.from,
      portMax: ports.to,
      defaults: { upstreams: [], opaque: {} },
      command: [],
      centralConfig: true,
    },
    feeds: feedsRef,
    leaf: leafRef,
  }
  const start = (actor: string, args: unknown) => host.start(actor, '', args)
  start('ledger', null)
  start('ca', CA_ARGS)
  start('feeds', { defaultAllow, datacenter: 'dc1' })
  start('leaf', { enabled: true, datacenter: 'dc1', ca: caRef, feeds: feedsRef })
  start('intentions', { defaultAllow })
  start('local', null)
  start('proxies', proxiesArgs)

  return {
    host,
    tables,
    signer,
    lines,
    start,
    proxiesArgs,
    register(services: ServiceDefinition[]) {
      return asked(host, 'local', 'set', services)
    },
    /** Waits until the list of proxies is as wanted. */
    proxies(wanted: (list: readonly ManagedProxy[]) => boolean): Promise<readonly ManagedProxy[]> {
      return new Promise((resolve) => {
        const unfollow = host.follow(proxiesRef, 'proxies', null, (value) => {
          const list = value as readonly ManagedProxy[]
          if (!wanted(list)) return
          unfollow()
          resolve(list)
        })
      })
    },
    /** Waits for a log line. */
    line(wanted: (line: string, facts: Record<string, unknown>) => boolean): Promise<Record<string, unknown>> {
      return new Promise((resolve) => {
        const look = () => {
          const found = lines.find(({ line, facts }) => wanted(line, facts))
          if (!found) return
          watchers.delete(look)
          resolve(found.facts)
        }
        watchers.add(look)
        look()
      })
    },
    async close() {
      if (closed) return
      closed = true
      host.close()
      await mesh.close()
      tables.close()
    },
  }
}

export function serviceDefinition(name: string, port: number, config: Partial<ManagedProxyConfig> = {}): ServiceDefinition {
  return {
    id: name,
    name,
    kind: '',
    tags: [],
    address: '',
    taggedAddresses: {},
    meta: {},
    port,
    socketPath: '',
    enableTagOverride: false,
    weights: { passing: 1, warning: 1 },
    token: '',
    checks: [],
    connect: { native: false, proxy: { execMode: 'daemon', command: [], config: { upstreams: [], opaque: {}, ...config } } },
  }
}

export function upstream(destinationName: string, localBindPort: number): ManagedProxyConfig['upstreams'][number] {
  return {
    destinationType: 'service',
    destinationName,
    destinationNamespace: '',
    datacenter: '',
    localBindAddress: '',
    localBindPort,
    localBindSocketPath: '',
    localBindSocketMode: '',
    config: {},
    meshGateway: { mode: '' },
  }
}

/** A server that sends back what it gets. */
export function startEcho(at = 0): Promise<{ port: number; close(): void }> {
  return new Promise((resolve) => {
    const open = new Set<Socket>()
    const server: Server = createServer((socket) => {
      open.add(socket)
      socket.on('error', () => socket.destroy())
      socket.on('close', () => open.delete(socket))
      socket.pipe(socket)
    })
    server.listen(at, '127.0.0.1', () => {
      const address = server.address()
      resolve({
        port: typeof address === 'object' && address ? address.port : 0,
        close() {
          server.close()
          for (const socket of open) socket.destroy()
        },
      })
    })
  })
}

/** A connection of an application to its sidecar. `answer` waits for so many bytes, or for the end. */
export function dial(port: number) {
  const socket = dialTcp(port, '127.0.0.1')
  let text = ''
  let ended = false
  let look: () => void = () => undefined
  socket.on('data', (chunk) => {
    text += chunk.toString()
    look()
  })
  const closed = new Promise<void>((resolve) => {
    socket.on('error', () => socket.destroy())
    socket.on('close', () => {
      ended = true
      look()
      resolve()
    })
  })
  return {
    socket,
    closed,
    answer(sent: string): Promise<string> {
      text = ''
      socket.write(sent)
      return new Promise((resolve) => {
        look = () => {
          if (text.length >= sent.length || ended) resolve(text)
        }
        look()
      })
    },
  }
}

export async function asked(host: Host, actor: string, name: string, request: unknown): Promise<unknown> {
  const answer = await host.asked({ actor, key: '' } as never, name as never, request as never, 10_000)
  if (isRefused(answer)) throw new Error(answer.why)
  return answer
}

/** Puts a healthy instance of a service, reached by Connect at that port, into the catalog. */
export async function registerInstance(host: Host, id: string, service: string, port: number): Promise<void> {
  await asked(host, 'ledger', 'commit', { kind: 'catalog.register', atMs: 0, request: registration(id, service, port) })
}

function registration(serviceId: string, destination: string, port: number, reports = false): CatalogRegister {
  return {
    node: 'n1',
    id: '',
    address: '127.0.0.1',
    taggedAddresses: null,
    meta: null,
    skipNodeUpdate: false,
    checks: [],
    service: {
      ...serviceFields(managedProxyId(serviceId), `${destination}-proxy`, port),
      kind: 'connect-proxy',
      proxy: { ...proxyDefinition(destination, serviceId), ...(reports && { reports }) },
    },
  }
}

function serviceFields(id: string, name: string, port: number): NonNullable<CatalogRegister['service']> {
  return {
    id,
    name,
    kind: '',
    tags: [],
    address: '',
    taggedAddresses: {},
    meta: {},
    port,
    socketPath: '',
    enableTagOverride: false,
    weights: { passing: 1, warning: 1 },
    native: false,
  }
}

function proxyDefinition(destinationServiceName: string, destinationServiceId: string): ProxyDefinition {
  return { ...emptyProxy, destinationServiceName, destinationServiceId }
}
