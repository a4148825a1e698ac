import type { AgentOptions, Agent as HttpAgent, RequestListener } from 'node:http'
import type { Server as HttpsServer } from 'node:https'
import type { PeerCertificate, TLSSocket, Server as TlsServer } from 'node:tls'
import { ClientError, ResponseError } from '../errors.ts'
import type { Transport } from '../transport.ts'
import { createDialer, type DialOptions } from './dial.ts'
import type { Log } from './events.ts'
import { type Guarded, type Guards, guard } from './guard.ts'
import { ConnectAgent, type Connector, connectorOf } from './http-agent.ts'
import { followIdentity, TLS_MIN } from './identity.ts'
import { type Around, type ConnectServer, type ListenOptions, listenHttp, listenTls, type SocketHandler } from './listen.ts'
import { calledFault, type Peer, serverNameOf } from './peer.ts'
import { createReporter } from './report.ts'
import { followRules } from './rules.ts'
import { type Target, targetOfHost } from './target.ts'
import { Telling } from './telling.ts'

export type ServiceOptions = {
  /** What happens to it. Default: nobody is told. */
  log?: Log
  /** The agents' DNS domain, for hosts' names. Default: `consul`. */
  domain?: string
  /** How long the first certificate may take; failures that pass are waited out until then. Default: 30 s. */
  withinMs?: number
  /** Gives up on the first certificate with the signal's reason. */
  signal?: AbortSignal
}

/** A service of the mesh in this process: its identity, whom it believes and who may connect to it, all of it always the newest. */
export type ConnectService = {
  readonly name: string
  /** SPIFFE id. */
  readonly uri: string
  /** Of the certificate in use. */
  readonly serial: string
  readonly validUntil: Date
  /** Serves connections of services that may connect to this one. */
  listen(handler: SocketHandler, options?: ListenOptions): Promise<ConnectServer>
  /** The same for HTTP. `peer` says who asks. */
  listenHttp(handler: RequestListener, options?: ListenOptions): Promise<ConnectServer<HttpsServer>>
  /** A TLS socket to a healthy instance, sidecar or application. Whether it lets us in shows only when it answers or closes. */
  dial(target: Target, options?: DialOptions): Promise<TLSSocket>
  /** For `http.request` and `https.request`; hosts' names are `db` or `db.service.consul`. */
  agent(options?: AgentOptions): HttpAgent
  /** For undici, and so for `fetch`: `new Agent({ connect: service.connector() })`. */
  connector(): Connector
  /**
   * TLS options as node:tls has them, the newest each time they are read. For a server: whoever dials must be of this mesh. For a
   * client: `target` is whom it expects; without one it believes nobody.
   */
  tlsOptions(target?: { service: string; datacenter?: string }): ConnectTlsOptions
  /** Makes a server of one's own, made with `tlsOptions()`, follow certificates and intentions. After all its listeners are there.
   * `serviceId`: with the agent; what is in force here is told for that one. Default: the service's name. */
  guard(server: TlsServer, options?: { serviceId?: string }): Promise<Guarded>
  /** Who is at the other end of a connection that was let in or dialled here. */
  peer(socket: object): Peer | undefined
  /** Ends its servers with their connections, its agents, and all that it follows. What was dialled stays. */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

export type ConnectTlsOptions = {
  readonly cert: string
  readonly key: string
  readonly ca: string[]
  readonly minVersion: typeof TLS_MIN
  readonly requestCert: true
  readonly rejectUnauthorized: true
  readonly servername?: string
  checkServerIdentity(host: string, certificate: PeerCertificate): Error | undefined
}

const WITHIN_MS = 30_000
const TELL_MS = 5_000

/** Takes the transport over. Rejects with what the agent answered last, if it gives no certificate in time. */
export async function openService(transport: Transport, name: string, options: ServiceOptions = {}): Promise<ConnectService> {
  const { domain = 'consul', withinMs = WITHIN_MS, signal } = options
  const ending = new AbortController()
  let failure: unknown = new ClientError(`${name} got no certificate within ${withinMs} ms`)
  const log: Log = (event) => {
    if (event.did === 'failed') failure = event.error
    options.log?.(event)
  }
  const stop = () => ending.abort(signal?.reason)
  const timer = setTimeout(() => ending.abort(failure), withinMs)
  if (signal?.aborted) stop()
  signal?.addEventListener('abort', stop)
  const identity = followIdentity(transport, name, ending.signal, log)
  const follow = () => {
    const rules = followRules(transport, name, ending.signal, log)
    const reporter = createReporter(transport, { identity, rules, signal: ending.signal, log })
    return { rules, reporter, telling: tellingOf(transport, ending.signal, log) }
  }
  /** Who only dials judges nobody, and has nothing to tell. */
  let following: ReturnType<typeof follow> | undefined
  const peers = new WeakMap<object, Peer>()
  const dialer = createDialer(transport, identity.material)
  const agents = new Set<HttpAgent>()
  const servers = new Set<{ close(): Promise<void> }>()
  let closing: Promise<void> | undefined

  const closed = () => new ClientError(`the service ${name} was closed`)
  const dial = async (target: Target, how?: DialOptions): Promise<TLSSocket> => {
    if (closing) throw closed()
    const { socket, peer } = await dialer(target, how)
    if (closing) {
      socket.destroy()
      throw closed()
    }
    peers.set(socket, peer)
    return socket
  }
  const dialHost = async (host: string) => dial(targetOfHost(host, domain))
  /** Nobody is let in before the intentions are known. */
  const around = async (): Promise<Around> => {
    if (closing) throw closed()
    following ??= follow()
    await following.rules.ready
    const { rules, reporter, telling } = following
    const nobody = { source: '', uri: '', serial: '' }
    const record: Guards['record'] = (refused) => telling.tell({ side: 'inbound', destination: name, ...nobody, ...refused })
    return { service: name, transport, signal: ending.signal, identity, rules, reporter, record, log, peers }
  }
  /** One that came to be while the service was closed goes with it. */
  const kept = async <Server extends { close(): Promise<void> }>(server: Server): Promise<Server> => {
    servers.add(server)
    if (!closing) return server
    await server.close()
    throw closed()
  }
  const end = async () => {
    await Promise.all([...servers].map((server) => server.close()))
    ending.abort(closed())
    for (const agent of agents) agent.destroy()
    await Promise.all([identity.ended, following?.rules.ended, following?.telling.end()])
    transport.close()
  }
  const close = () => (closing ??= end())

  try {
    await identity.ready
  } catch (error) {
    await close()
    throw error
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', stop)
  }
  return {
    name,
    get uri() {
      return identity.material().uri
    },
    get serial() {
      return identity.material().serial
    },
    get validUntil() {
      return identity.material().validUntil
    },
    listen: async (handler, how) => kept(await listenTls(await around(), handler, how)),
    listenHttp: async (handler, how) => kept(await listenHttp(await around(), handler, how)),
    dial,
    agent(how = {}) {
      const agent = new ConnectAgent(dialHost, how)
      agents.add(agent)
      return agent
    },
    connector: () => connectorOf(dialHost),
    tlsOptions: (target) => tlsOptions(identity.material, target),
    async guard(server, { serviceId = name } = {}) {
      const { reporter, ...parts } = await around()
      const guarded = guard(server, { ...parts, id: serviceId })
      const reported = reporter.begin(serviceId, () => guarded.open)
      const end = async () => {
        guarded.end()
        await (await reported).end()
      }
      await kept({ close: end })
      await reported
      return {
        get open() {
          return guarded.open
        },
        drained: guarded.drained,
        end: () => void end(),
      }
    },
    peer: (socket) => peers.get(socket),
    close,
    [Symbol.asyncDispose]: close,
  }
}

function tellingOf(transport: Transport, signal: AbortSignal, log: Log): Telling {
  return new Telling({
    signal,
    async put(decisions, stop) {
      try {
        await transport.request('PUT', '/v1/tribune/decisions', { body: decisions, signal: stop, timeoutMs: TELL_MS })
      } catch (error) {
        // Agents of Consul keep no record; whoever does not answer may do so later.
        if (!(error instanceof ResponseError)) return error instanceof Error ? error.message : String(error)
      }
      return undefined
    },
    failed: (why) => log({ did: 'failed', what: 'report', error: new ClientError(`refused connections are not recorded: ${why}`) }),
  })
}

function tlsOptions(
  material: () => { cert: string; key: string; ca: readonly string[]; trustDomain: string; datacenter: string },
  target?: { service: string; datacenter?: string },
): ConnectTlsOptions {
  const expected = () => {
    const { trustDomain, datacenter } = material()
    return target && { trustDomain, service: target.service, datacenter: target.datacenter ?? datacenter }
  }
  const servername = expected() && serverNameOf({ ...material(), ...target, service: target?.service ?? '' })
  return {
    get cert() {
      return material().cert
    },
    get key() {
      return material().key
    },
    get ca() {
      return [...material().ca]
    },
    minVersion: TLS_MIN,
    requestCert: true,
    rejectUnauthorized: true,
    // Sessions are kept by this name too, so that none of one service is taken for another's.
    ...(servername !== undefined && { servername }),
    checkServerIdentity(_host, certificate) {
      const whom = expected()
      const fault = whom ? calledFault(certificate, whom) : 'tlsOptions() does not say which service is expected'
      return fault === undefined ? undefined : new Error(fault)
    },
  }
}
