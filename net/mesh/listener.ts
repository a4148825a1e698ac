import { createServer, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer, type TLSSocket, type Server as TlsServer } from 'node:tls'
import type { MeshEvent, MeshPeer } from '../../src/kernel/ports.ts'
import { type Refusal, refuse } from '../../src/kernel/refusal.ts'
import { joinHostPort, KEEP_ALIVE_MS, TIMER_MS_MAX } from './dialer.ts'
import { type Failure, failureOf, handshakeReason, systemReason } from './reasons.ts'
import { type Leg, reset } from './splice.ts'
import { type Identity, peerCertificate } from './tls.ts'

export type ListenerOptions = {
  readonly listener: number
  readonly side: 'public' | 'upstream'
  readonly address: string
  readonly port: number
  readonly handshakeMs: number
  /** 0: as many as the system allows. */
  readonly connectionsMax: number
  readonly event: (event: MeshEvent) => void
  /** Takes a leg over: plain for `upstream`, after a verified handshake for `public`. */
  readonly arrived: (leg: Leg, from: string, peer?: MeshPeer) => void
}

type Handshake = { readonly tcp: Socket; readonly closed: () => void; readonly deadline: NodeJS.Timeout }

/** A listening socket and the handshakes in progress on it. Legs it has handed over are no longer its concern. */
export class Listener {
  readonly #options: ListenerOptions
  readonly #server: Server
  readonly #handshakes = new Map<string, Handshake>()
  #tls: TlsServer | undefined

  constructor(options: ListenerOptions) {
    this.#options = options
    this.#server = createServer({
      // A handshake is over when one end is. What has got through it may be half-open from then on.
      allowHalfOpen: options.side === 'upstream',
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: KEEP_ALIVE_MS,
      pauseOnConnect: options.side === 'upstream',
    })
    if (options.connectionsMax > 0) this.#server.maxConnections = options.connectionsMax
  }

  /** Binds. `done` is called once, with the port or with the refusal of the system. */
  open(done: (outcome: { port: number } | Refusal) => void): void {
    const { address, port } = this.#options
    const failed = (error: Error) => done(bindRefusal(address, port, failureOf(error)))
    this.#server.once('error', failed)
    this.#server.once('listening', () => {
      this.#server.off('error', failed)
      this.#server.on('error', (error) => this.#broken(failureOf(error)))
      this.#server.on('drop', (dropped) => {
        const from = joinHostPort(dropped?.remoteAddress ?? '', dropped?.remotePort ?? 0)
        this.#failed(from, `too many connections: ${this.#options.connectionsMax} are open, which is the limit`)
      })
      this.#server.on('connection', (socket) => this.#accept(socket))
      const bound = this.#server.address()
      done({ port: typeof bound === 'object' && bound !== null ? bound.port : port })
    })
    this.#server.listen({ host: address === '' ? '0.0.0.0' : address, port, backlog: BACKLOG })
  }

  /** In use for every handshake that begins from now on. */
  identify(identity: Identity): void {
    if (this.#options.side !== 'public') return
    if (this.#tls === undefined) this.#tls = this.#tlsServer(identity)
    else this.#tls.setSecureContext(identity.secure)
  }

  /** Stops listening at once. Handshakes in progress end and are reported with `why`. */
  close(why: string): void {
    this.#server.close()
    for (const from of [...this.#handshakes.keys()]) {
      const tcp = this.#settle(from)
      this.#failed(from, why)
      tcp?.destroy()
    }
  }

  #accept(tcp: Socket): void {
    const from = joinHostPort(tcp.remoteAddress ?? '', tcp.remotePort ?? 0)
    if (tcp.remoteAddress === undefined) {
      this.#failed('', 'the connection was closed at once')
      tcp.destroy()
      return
    }
    if (this.#options.side === 'upstream') {
      this.#options.arrived({ stream: tcp, tcp }, from)
      return
    }
    if (this.#tls === undefined) {
      this.#failed(from, 'this sidecar has no certificate yet')
      tcp.resetAndDestroy()
      return
    }
    const giveUp = (why: string) => {
      if (this.#settle(from) === undefined) return
      this.#failed(from, why)
      tcp.destroy()
    }
    const deadline = setTimeout(giveUp, Math.min(this.#options.handshakeMs, TIMER_MS_MAX), TOO_SLOW)
    const closed = () => giveUp(CLOSED_EARLY)
    this.#handshakes.set(from, { tcp, closed, deadline })
    tcp.once('close', closed)
    this.#tls.emit('connection', tcp)
  }

  /** A TLS server that is fed by ours. It lets every chain through its handshake, so that the certificate can be reported. */
  #tlsServer(identity: Identity): TlsServer {
    const server = createTlsServer({
      ...identity.secure,
      requestCert: true,
      rejectUnauthorized: false,
      handshakeTimeout: Math.min(this.#options.handshakeMs, TIMER_MS_MAX),
    })
    server.on('secureConnection', (stream) => this.#judge(stream))
    server.on('tlsClientError', (error, stream) => {
      const from = joinHostPort(stream.remoteAddress ?? '', stream.remotePort ?? 0)
      if (this.#settle(from) === undefined) return
      this.#failed(from, handshakeReason(failureOf(error)), peerCertificate(stream)?.serial)
      stream.destroy()
    })
    return server
  }

  #judge(stream: TLSSocket): void {
    const from = joinHostPort(stream.remoteAddress ?? '', stream.remotePort ?? 0)
    const tcp = this.#settle(from)
    if (tcp === undefined) {
      endReported(stream)
      stream.destroy()
      return
    }
    const peer = peerCertificate(stream)
    const why = unacceptable(stream, peer)
    if (peer !== undefined && why === undefined) {
      stream.allowHalfOpen = true
      this.#options.arrived({ stream, tcp }, from, { uri: peer.uri, serial: peer.serial })
      return
    }
    // The peer takes its handshake for done: a reset tells it that it was not heard.
    endReported(stream)
    reset({ stream, tcp })
    this.#failed(from, why ?? NO_CERTIFICATE, peer?.serial)
  }

  /** Takes a handshake off the list. Undefined if it was already reported. */
  #settle(from: string): Socket | undefined {
    const handshake = this.#handshakes.get(from)
    if (handshake === undefined) return undefined
    this.#handshakes.delete(from)
    handshake.tcp.off('close', handshake.closed)
    clearTimeout(handshake.deadline)
    return handshake.tcp
  }

  #failed(from: string, why: string, serial?: string): void {
    const { event, listener } = this.#options
    event({ did: 'handshake-failed', listener, from, why, ...(serial === undefined ? {} : { serial }) })
  }

  #broken(failure: Failure): void {
    const { event, listener } = this.#options
    if (this.#server.listening) this.#failed('', `accept: ${systemReason(failure)}`)
    else event({ did: 'listener-failed', listener, why: systemReason(failure) })
  }
}

const BACKLOG = 4_096
const NO_CERTIFICATE = 'no client certificate was shown'
const TOO_SLOW = 'the TLS handshake took too long'
const CLOSED_EARLY = 'the connection was closed during the TLS handshake'

/** What still happens to a stream whose failure has been reported is no news. */
function endReported(stream: TLSSocket): void {
  stream.on('error', () => undefined)
}

/** Why a finished handshake is not good enough, or undefined if it is. */
function unacceptable(stream: TLSSocket, peer: ReturnType<typeof peerCertificate>): string | undefined {
  if (peer === undefined) return NO_CERTIFICATE
  if (!stream.authorized) {
    const verdict: unknown = stream.authorizationError
    return handshakeReason({ code: verdict instanceof Error ? verdict.message : String(verdict), message: String(verdict) })
  }
  // A resumed session was verified when it began; the certificate may have ended since.
  if (stream.isSessionReused() && peer.expiresMs <= Date.now()) return 'the certificate has expired'
  return peer.fault
}

function bindRefusal(address: string, port: number, failure: Failure): Refusal {
  const why = `listen tcp ${joinHostPort(address, port)}: bind: ${systemReason(failure)}`
  if (failure.code === 'EADDRINUSE') return refuse('conflict', why)
  if (failure.code === 'EACCES' || failure.code === 'EPERM') return refuse('forbidden', why)
  return refuse(failure.code === 'EMFILE' || failure.code === 'ENFILE' ? 'busy' : 'invalid', why)
}
