import { chmodSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer, type TLSSocket, type Server as TlsServer } from 'node:tls'
import { Admission } from '../../src/admission.ts'
import type { MeshEvent, MeshLimits, MeshSocket } from '../../src/kernel/ports.ts'
import { type Refusal, refuse } from '../../src/kernel/refusal.ts'
import { dropStaleSocket } from '../stale-socket.ts'
import { Carrier } from './carrier.ts'
import type { Arrival } from './connections.ts'
import { joinHostPort, KEEP_ALIVE_MS, TIMER_MS_MAX } from './dialer.ts'
import { PROTOCOL, REFUSED } from './frames.ts'
import { proposes } from './hello.ts'
import { type Failure, failureOf, handshakeReason, systemReason } from './reasons.ts'
import { resetSocket, SocketLeg } from './socket-leg.ts'
import type { Leg } from './splice.ts'
import { type Identity, type PeerCertificate, peerCertificate } from './tls.ts'

export type ListenerOptions = MeshLimits &
  MeshSocket & {
    readonly listener: number
    readonly side: 'public' | 'upstream'
    readonly address: string
    readonly port: number
    /** How long a TLS connection that is shared stays without a connection on it. */
    readonly idleMs: number
    readonly event: (event: MeshEvent) => void
    /** Any start. */
    readonly monotonicMs: () => number
    /** Takes a leg over: plain for `upstream`, after a verified handshake for `public`. `closed` is to be called once it is gone. */
    readonly arrived: (arrived: Arrived) => void
  }

export type Arrived = Pick<Arrival, 'leg' | 'from' | 'to' | 'peer' | 'handshakeMs' | 'closed'>

type Handshake = { readonly tcp: Socket; readonly closed: () => void; readonly deadline: NodeJS.Timeout; readonly beganMs: number }
/** Where a connection came from and where it came in; how long its handshake took. */
type Ends = { readonly from: string; readonly to: string; handshakeMs?: number }

/** A listening socket and the handshakes in progress on it. Legs it has handed over are no longer its concern. */
export class Listener {
  readonly #options: ListenerOptions
  readonly #server: Server
  readonly #handshakes = new Map<string, Handshake>()
  /** One that proposes nothing, and one for those who propose `tribune/1`: Node refuses whoever proposes only other protocols. */
  #tls: { readonly alone: TlsServer; readonly shared: TlsServer } | undefined
  readonly #carriers = new Set<Carrier>()
  readonly #admission: Admission
  #isClosed = false

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
    this.#admission = new Admission(options, options.monotonicMs)
  }

  /** In force for whoever comes from now on. */
  limit(limits: MeshLimits): void {
    this.#admission.limits = limits
  }

  /** Binds. `done` is called once, with the port or with the refusal of the system. */
  open(done: (outcome: { port: number } | Refusal) => void): void {
    const { address, port, socketPath } = this.#options
    const place = socketPath ? `unix ${socketPath}` : `tcp ${joinHostPort(address, port)}`
    const failed = (error: unknown) => done(bindRefusal(place, failureOf(error)))
    this.#server.once('error', failed)
    this.#server.once('listening', () => {
      this.#server.off('error', failed)
      const fault = this.#setMode()
      if (fault !== undefined) {
        this.#server.close()
        return failed(fault)
      }
      this.#server.on('error', (error) => this.#broken(failureOf(error)))
      this.#server.on('connection', (socket) => this.#accept(socket))
      const bound = this.#server.address()
      done({ port: typeof bound === 'object' && bound !== null ? bound.port : port })
    })
    if (!socketPath) return void this.#server.listen({ host: address === '' ? '0.0.0.0' : address, port, backlog: BACKLOG })
    void dropStaleSocket(socketPath).then(() => {
      if (this.#isClosed) done(refuse('gone', `listen ${place}: it was closed before`))
      else this.#server.listen({ path: socketPath, backlog: BACKLOG })
    })
  }

  /** In use for every handshake that begins from now on. New connections need one. */
  identify(identity: Identity): void {
    if (this.#options.side !== 'public') return
    if (this.#tls === undefined) this.#tls = { alone: this.#tlsServer(identity, []), shared: this.#tlsServer(identity, [PROTOCOL]) }
    else for (const server of Object.values(this.#tls)) server.setSecureContext(identity.secure)
    this.#retireCarriers()
  }

  /** Stops listening at once. Handshakes in progress end and are reported with `why`. */
  close(why: string): void {
    this.#isClosed = true
    this.#server.close()
    this.#retireCarriers()
    for (const from of [...this.#handshakes.keys()]) {
      const tcp = this.#settle(from)
      this.#failed(from, why)
      tcp?.destroy()
    }
  }

  /** Answers what went wrong. */
  #setMode(): unknown {
    const { socketPath, socketMode } = this.#options
    if (!socketPath || socketMode === undefined) return undefined
    try {
      chmodSync(socketPath, socketMode)
      return undefined
    } catch (error) {
      return error
    }
  }

  #accept(tcp: Socket): void {
    const isPath = Boolean(this.#options.socketPath)
    const from = isPath ? '' : joinHostPort(tcp.remoteAddress ?? '', tcp.remotePort ?? 0)
    if (!isPath && tcp.remoteAddress === undefined) {
      this.#failed('', 'the connection was closed at once')
      tcp.destroy()
      return
    }
    if (this.#options.side === 'upstream') {
      if (!this.#mayCome(from)) tcp.destroy()
      else this.#arrived(new SocketLeg({ stream: tcp, tcp, isPath }), { from, to: isPath ? '' : localEnd(tcp) })
      return
    }
    if (this.#tls === undefined) {
      this.#failed(from, 'this sidecar has no certificate yet')
      tcp.resetAndDestroy()
      return
    }
    if (!this.#mayCome(from)) {
      tcp.destroy()
      return
    }
    const giveUp = (why: string) => {
      if (this.#settle(from) === undefined) return
      this.#failed(from, why)
      tcp.destroy()
    }
    this.#makeRoom()
    const deadline = setTimeout(giveUp, Math.min(this.#admission.limits.handshakeMs, TIMER_MS_MAX), TOO_SLOW)
    const closed = () => giveUp(CLOSED_EARLY)
    this.#handshakes.set(from, { tcp, closed, deadline, beganMs: this.#options.monotonicMs() })
    tcp.once('close', closed)
    // What fails is closed too, which is what counts.
    tcp.on('error', () => undefined)
    proposes(tcp, PROTOCOL, (isProposed) => {
      if (this.#handshakes.has(from)) this.#tls?.[isProposed ? 'shared' : 'alone'].emit('connection', tcp)
    })
  }

  /** A TLS server that is fed by ours. It lets every chain through its handshake, so that the certificate can be reported. */
  #tlsServer(identity: Identity, protocols: string[]): TlsServer {
    const server = createTlsServer({
      ...identity.secure,
      ...(protocols.length > 0 && { ALPNProtocols: protocols }),
      requestCert: true,
      rejectUnauthorized: false,
      // Each handshake has a deadline of its own.
      handshakeTimeout: TIMER_MS_MAX,
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
    const beganMs = this.#handshakes.get(from)?.beganMs
    const tcp = this.#settle(from)
    if (tcp === undefined || beganMs === undefined) {
      endReported(stream)
      stream.destroy()
      return
    }
    const ends = { from, to: localEnd(tcp), handshakeMs: this.#options.monotonicMs() - beganMs }
    const peer = peerCertificate(stream)
    const why = unacceptable(stream, peer)
    if (peer !== undefined && why === undefined) {
      if (stream.alpnProtocol === PROTOCOL) return this.#share(stream, tcp, ends, peer)
      stream.allowHalfOpen = true
      return this.#arrived(new SocketLeg({ stream, tcp }), ends, peer)
    }
    // The peer takes its handshake for done: a reset tells it that it was not heard.
    endReported(stream)
    resetSocket(stream, tcp)
    this.#failed(from, why ?? NO_CERTIFICATE, peer?.serial)
  }

  #share(stream: TLSSocket, tcp: Socket, { handshakeMs, ...ends }: Ends, peer: PeerCertificate): void {
    this.#admission.giveBack()
    let first: Ends | undefined = { ...ends, ...(handshakeMs !== undefined && { handshakeMs }) }
    const carrier = new Carrier({
      stream,
      tcp,
      peer,
      idleMs: this.#options.idleMs,
      host: {
        refusal: () => (this.#mayCome(ends.from) ? undefined : REFUSED.limit),
        arrived: (leg) => {
          this.#arrived(leg, first ?? ends, peer)
          first = undefined
        },
      },
      ended: () => this.#carriers.delete(carrier),
    })
    this.#carriers.add(carrier)
    if (this.#carriers.size > CARRIERS_MAX) this.#longestUnused(carrier)?.retire()
    if (!this.#server.listening) carrier.retire()
  }

  #arrived(leg: Leg, ends: Ends, peer?: PeerCertificate): void {
    this.#admission.opened()
    const closed = () => this.#admission.closed()
    this.#options.arrived({ leg, closed, ...ends, ...(peer && { peer: { uri: peer.uri, serial: peer.serial } }) })
  }

  #mayCome(from: string): boolean {
    const why = this.#admission.refuses()
    if (why !== undefined) this.#failed(from, why)
    return why === undefined
  }

  /** So that whoever begins handshakes and does not go on with them keeps nobody out: the oldest one ends. */
  #makeRoom(): void {
    if (this.#handshakes.size < HANDSHAKES_MAX) return
    const [oldest] = this.#handshakes.keys()
    const tcp = oldest === undefined ? undefined : this.#settle(oldest)
    if (oldest === undefined || tcp === undefined) return
    this.#failed(oldest, TOO_MANY_HANDSHAKES)
    tcp.destroy()
  }

  #longestUnused(besides: Carrier): Carrier | undefined {
    for (const carrier of this.#carriers) if (carrier !== besides && carrier.size === 0) return carrier
    return undefined
  }

  #retireCarriers(): void {
    for (const carrier of [...this.#carriers]) carrier.retire()
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
/** Handshakes in progress on one listener; each holds some ten kilobytes. */
const HANDSHAKES_MAX = 4_096
/** TLS connections on one listener above which those without a stream have to go. */
const CARRIERS_MAX = 1_024
const TOO_MANY_HANDSHAKES = `the TLS handshake took too long: ${HANDSHAKES_MAX} others began since`
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

function localEnd(tcp: Socket): string {
  return joinHostPort(tcp.localAddress ?? '', tcp.localPort ?? 0)
}

function bindRefusal(place: string, failure: Failure): Refusal {
  const why = `listen ${place}: bind: ${systemReason(failure)}`
  if (failure.code === 'EADDRINUSE') return refuse('conflict', why)
  if (failure.code === 'EACCES' || failure.code === 'EPERM') return refuse('forbidden', why)
  return refuse(failure.code === 'EMFILE' || failure.code === 'ENFILE' ? 'busy' : 'invalid', why)
}
