import type { RequestListener } from 'node:http'
import { createServer as createHttps, type Server as HttpsServer } from 'node:https'
import { createServer as createTls, type TLSSocket, type TlsOptions, type Server as TlsServer } from 'node:tls'
import { TLS_RULES } from '../../tls-rules.ts'
import type { ServiceRegistration } from '../shapes.ts'
import type { Transport } from '../transport.ts'
import { type Guards, guard } from './guard.ts'
import type { Peer } from './peer.ts'
import { keepRegistered } from './registration.ts'
import type { Reported, Reporter } from './report.ts'

export type ListenOptions = {
  /** Default: one that is free. */
  port?: number
  /** Address to listen on. Default: all of this machine. */
  host?: string
  /** Registers the service with the agent as one that speaks Connect by itself; with fields of its own, such as `ID`, `Tags`, `Check`. */
  register?: boolean | (Partial<ServiceRegistration> & { Name?: never; Port?: never })
  /** ID of the service with the agent where somebody else registers it: what is in force here is told for that one. Default: that of
   * `register`, or the service's name. */
  serviceId?: string
  /** How long a handshake may take. Default: 10 s. */
  handshakeMs?: number
  /** Default: no limit. */
  connectionsMax?: number
  /** Chosen from by whoever dials, such as `h2`. Default: none is chosen, whatever is proposed. */
  alpnProtocols?: readonly string[]
}

export type ConnectServer<Server = TlsServer> = {
  /** Of Node. It hears only of connections that were let in. */
  readonly server: Server
  readonly port: number
  /** How many connections are open. */
  readonly open: number
  /** Takes no more connections and ends the open ones, after they had `drainMs` to end by themselves (0 if not given). */
  close(options?: { drainMs?: number }): Promise<void>
}

export type SocketHandler = (socket: TLSSocket, peer: Peer) => void

export function listenTls(around: Around, handler: SocketHandler, options: ListenOptions = {}): Promise<ConnectServer> {
  const server = createTls(serverOptions(around, options), (socket) => {
    const peer = around.peers.get(socket)
    if (peer !== undefined) handler(socket, peer)
  })
  return listen(around, server, options)
}

export function listenHttp(around: Around, handler: RequestListener, options: ListenOptions = {}): Promise<ConnectServer<HttpsServer>> {
  const server = createHttps(serverOptions(around, options), handler)
  return listen(around, server, options)
}

/** What a server of a service needs. */
export type Around = Omit<Guards, 'id'> & { service: string; transport: Transport; signal: AbortSignal; reporter: Reporter }

const HANDSHAKE_MS = 10_000

/** Lets every chain through its handshake, so that whoever is refused can be named. */
function serverOptions({ identity }: Around, { handshakeMs = HANDSHAKE_MS, alpnProtocols = [] }: ListenOptions): TlsOptions {
  const { cert, key, ca } = identity.material()
  return {
    cert,
    key,
    ca: [...ca],
    ...TLS_RULES,
    requestCert: true,
    rejectUnauthorized: false,
    handshakeTimeout: handshakeMs,
    ALPNProtocols: [...alpnProtocols],
  }
}

async function listen<Server extends TlsServer>(around: Around, server: Server, options: ListenOptions): Promise<ConnectServer<Server>> {
  const { service, transport, signal, log, reporter } = around
  const fields = options.register === true ? {} : options.register || undefined
  const id = options.serviceId ?? fields?.ID ?? service
  const guarded = guard(server, { ...around, id })
  if (options.connectionsMax !== undefined) server.maxConnections = options.connectionsMax
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen({ port: options.port ?? 0, ...(options.host !== undefined && { host: options.host }) }, () => {
      server.off('error', reject)
      resolve()
    })
  }).catch((error: unknown) => {
    guarded.end()
    throw error
  })
  server.on('error', (error) => log({ did: 'listener-failed', error }))
  const bound = server.address()
  const port = typeof bound === 'object' && bound !== null ? bound.port : 0
  const registered = fields ? keepRegistered(transport, { ...fields, Name: service, Port: port }, signal, log) : undefined
  let reported: Reported | undefined
  const end = async ({ drainMs = 0 }: { drainMs?: number }) => {
    await registered?.end()
    const closed = new Promise<void>((resolve) => server.close(() => resolve()))
    if (drainMs > 0) await within(drainMs, guarded.drained())
    guarded.end()
    await closed
    await reported?.end()
  }
  let ending: Promise<void> | undefined
  const close = (how: { drainMs?: number } = {}): Promise<void> => (ending ??= end(how))
  try {
    await registered?.ready
    reported = await reporter.begin(id, () => guarded.open)
  } catch (error) {
    await close()
    throw error
  }
  return {
    server,
    port,
    close,
    get open() {
      return guarded.open
    },
  }
}

/** Waits no longer than that. */
function within(ms: number, promise: Promise<void>): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms)
    void promise.then(() => {
      clearTimeout(timer)
      resolve()
    })
  })
}
