import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import type { MeshPeer } from '../../src/kernel/ports.ts'
import { identityMismatch } from './names.ts'
import { PooledReader } from './reader.ts'
import { dialReason, failureOf } from './reasons.ts'
import type { Leg } from './splice.ts'
import { type Identity, type PeerCertificate, peerCertificate } from './tls.ts'

/** What to reach. With `identity`, over mutual TLS and only if the peer is that; without, in plain. `withinMs` covers everything. */
export type Destination = { host: string; port: number; socketPath?: string; identity?: string; withinMs: number }

export type Dialled = { leg: Leg; peer?: MeshPeer } | { why: string }

/** A ticket for a shorter handshake, and who was verified in the full one. A resumed session shows no certificate again. */
type Session = { readonly ticket: Buffer; readonly peer: PeerCertificate }

/** Sessions by destination. Bounded: the oldest goes first. */
export class SessionCache {
  readonly #sessions = new Map<string, Session>()

  get(key: string): Session | undefined {
    return this.#sessions.get(key)
  }

  put(key: string, session: Session): void {
    this.#sessions.delete(key)
    this.#sessions.set(key, session)
    if (this.#sessions.size <= SESSIONS_MAX) return
    const oldest = this.#sessions.keys().next()
    if (!oldest.done) this.#sessions.delete(oldest.value)
  }

  remove(key: string): void {
    this.#sessions.delete(key)
  }
}

const SESSIONS_MAX = 1_024

/** What a dial over mutual TLS proves itself with. Both belong together: new material means a new cache. */
export type Credentials = { readonly identity: Identity; readonly sessions: SessionCache }

/** Longer timers would fire at once. */
export const TIMER_MS_MAX = 2_147_483_647

/** Idle time after which the system asks whether the other end still lives. */
export const KEEP_ALIVE_MS = 15_000

/**
 * Dials. `settled` is called once, later, with a connected leg nobody has read from or with the reason in plain words. The
 * answer gives up: what was begun is closed and `settled` is never called.
 */
export function dial(to: Destination, credentials: Credentials | undefined, settled: (outcome: Dialled) => void): () => void {
  const target = to.socketPath ? `unix ${to.socketPath}` : `tcp ${joinHostPort(to.host, to.port)}`
  if (to.identity !== undefined && credentials === undefined) {
    const soon = setImmediate(settled, { why: `dial ${target}: this sidecar has no certificate yet` })
    return () => clearImmediate(soon)
  }
  const reader = to.identity === undefined ? new PooledReader() : undefined
  const tcp = connectTcp({
    ...(to.socketPath ? { path: to.socketPath } : { host: to.host, port: to.port }),
    ...(reader === undefined ? {} : { onread: reader.onread }),
    allowHalfOpen: true,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: KEEP_ALIVE_MS,
  })
  reader?.attach(tcp)
  const isPath = Boolean(to.socketPath)
  let stream: Socket = tcp
  let open = true
  const finish = (outcome: Dialled) => {
    if (!open) return
    open = false
    clearTimeout(deadline)
    tcp.off('error', failed)
    stream.off('error', failed)
    if ('why' in outcome) discard(stream, tcp)
    settled(outcome)
  }
  const failed = (error: unknown) => finish({ why: dialReason(target, failureOf(error)) })
  const deadline = setTimeout(() => finish({ why: `dial ${target}: i/o timeout` }), Math.min(to.withinMs, TIMER_MS_MAX))
  tcp.on('error', failed)
  tcp.once('connect', () => {
    if (!open) return
    if (to.identity === undefined || credentials === undefined) {
      return finish({ leg: { stream, tcp, isPath, ...(reader === undefined ? {} : { reader }) } })
    }
    stream = secure(tcp, to, to.identity, credentials, (verdict) => {
      finish('why' in verdict ? { why: `dial ${target}: ${verdict.why}` } : { leg: { stream, tcp, isPath }, peer: verdict })
    })
    stream.on('error', failed)
    stream.once('close', () => finish({ why: `dial ${target}: the connection was closed during the TLS handshake` }))
  })
  return () => {
    if (!open) return
    open = false
    clearTimeout(deadline)
    discard(stream, tcp)
  }
}

function secure(
  tcp: Socket,
  to: Destination,
  expected: string,
  { identity, sessions }: Credentials,
  judged: (verdict: MeshPeer | { why: string }) => void,
): TLSSocket {
  const key = `${to.host} ${to.port} ${expected}`
  const session = sessions.get(key)
  const stream = connectTls({
    socket: tcp,
    secureContext: identity.client,
    // The name is judged below: services are told apart by SPIFFE id, never by host.
    checkServerIdentity: () => undefined,
    rejectUnauthorized: true,
    ...(session === undefined ? {} : { session: session.ticket }),
  })
  stream.once('secureConnect', () => {
    const peer = stream.isSessionReused() ? session?.peer : peerCertificate(stream)
    if (peer === undefined) return judged({ why: 'no server certificate was shown' })
    const mismatch = peer.fault ?? identityMismatch(peer.uri, expected, identity.trustDomains)
    if (mismatch !== undefined) return judged({ why: `${mismatch} (serial ${peer.serial})` })
    if (peer.expiresMs <= Date.now()) {
      sessions.remove(key)
      return judged({ why: `the certificate has expired (serial ${peer.serial})` })
    }
    stream.on('session', (ticket: Buffer) => sessions.put(key, { ticket, peer }))
    judged({ uri: peer.uri, serial: peer.serial })
  })
  return stream
}

/** Destroys a half-made connection. Errors that are still on their way have nothing to tell any more. */
function discard(stream: Socket, tcp: Socket): void {
  for (const socket of [stream, tcp]) {
    socket.on('error', ignore)
    socket.destroy()
  }
}

function ignore(): void {
  return
}

/** 'h', 80 → 'h:80'; IPv6 addresses get brackets. */
export function joinHostPort(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}
