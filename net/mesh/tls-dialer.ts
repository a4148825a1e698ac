import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import { addressOf, type Destination, discard, KEEP_ALIVE_MS, SOCKET_OPTIONS, targetOf } from './dialer.ts'
import { PROTOCOL } from './frames.ts'
import { identityMismatch } from './names.ts'
import { PooledReader, RECORD } from './reader.ts'
import { dialReason, failureOf } from './reasons.ts'
import { type Identity, type PeerCertificate, peerCertificate } from './tls.ts'

export type MeshDestination = Destination & { readonly identity: string }

/** A ticket for a shorter handshake, and who was verified in the full one. A resumed session shows no certificate again. */
type Session = { readonly ticket: Buffer; readonly peer: PeerCertificate }

/** Sessions by destination. Bounded: the oldest goes first. They belong to one identity. */
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

/** A verified connection. `tcp` is the socket under it; with `reader`, TLS has none of its own and bytes arrive there. */
export type Secured = { readonly stream: TLSSocket; readonly peer: PeerCertificate; readonly tcp?: Socket; readonly reader?: PooledReader }
/** `noProtocol`: the other side talks to nobody who proposes a protocol it does not know. */
export type Unsecured = { readonly why: string; readonly noProtocol: boolean }

/** `alone`: in TLS and no more. `learn`: proposes `tribune/1`. `share`: proposes it knowing that it is spoken. */
export type Manner = 'alone' | 'learn' | 'share'

/** Dials over mutual TLS. `settled` is called once, later; the answer gives up. It sets no deadline. */
export function dialTls(
  to: MeshDestination,
  manner: Manner,
  identity: Identity,
  sessions: SessionCache,
  settled: (outcome: Secured | Unsecured) => void,
): () => void {
  const target = targetOf(to)
  const key = `${to.host} ${to.port} ${to.identity}`
  const session = sessions.get(key)
  // With a socket of its own, TLS reads into recycled buffers; over one of ours, a connection can be reset from below.
  const reader = manner === 'share' ? new PooledReader(RECORD) : undefined
  const tcp = reader === undefined ? connectTcp({ ...addressOf(to), ...SOCKET_OPTIONS, allowHalfOpen: true }) : undefined
  let open = true
  let stream: TLSSocket | undefined
  const sockets = () => [stream, tcp].filter((socket) => socket !== undefined)
  const finish = (outcome: Secured | Unsecured) => {
    if (!open) return
    open = false
    for (const socket of sockets()) socket.off('error', failed)
    if ('why' in outcome) discard(...sockets())
    settled(outcome)
  }
  const failed = (error: unknown) => {
    const failure = failureOf(error)
    finish({ why: dialReason(target, failure), noProtocol: failure.code === 'ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL' })
  }
  const secure = () => {
    if (!open) return
    const secured = connectTls({
      ...(tcp === undefined ? { ...addressOf(to), ...(reader && { onread: reader.onread }) } : { socket: tcp }),
      secureContext: identity.client,
      // The name is judged below: services are told apart by SPIFFE id, never by host.
      checkServerIdentity: () => undefined,
      rejectUnauthorized: true,
      ...(manner === 'alone' ? {} : { ALPNProtocols: [PROTOCOL] }),
      ...(session === undefined ? {} : { session: session.ticket }),
    })
    stream = secured
    secured.on('error', failed)
    secured.once('close', () => finish({ why: `dial ${target}: the connection was closed during the TLS handshake`, noProtocol: false }))
    if (reader !== undefined) {
      reader.attach(secured)
      secured.setNoDelay(true).setKeepAlive(true, KEEP_ALIVE_MS)
    }
    secured.once('secureConnect', () => {
      const peer = secured.isSessionReused() ? session?.peer : peerCertificate(secured)
      const fault = peerFault(peer, to.identity, identity.trustDomains)
      if (peer === undefined || fault !== undefined) {
        sessions.remove(key)
        return finish({ why: `dial ${target}: ${fault}`, noProtocol: false })
      }
      secured.on('session', (ticket: Buffer) => sessions.put(key, { ticket, peer }))
      finish({ stream: secured, peer, ...(tcp && { tcp }), ...(reader && { reader }) })
    })
  }
  tcp?.on('error', failed)
  if (tcp === undefined) secure()
  else tcp.once('connect', secure)
  return () => {
    if (!open) return
    open = false
    discard(...sockets())
  }
}

function peerFault(peer: PeerCertificate | undefined, expected: string, trustDomains: ReadonlySet<string>): string | undefined {
  if (peer === undefined) return 'no server certificate was shown'
  const mismatch = peer.fault ?? identityMismatch(peer.uri, expected, trustDomains)
  if (mismatch !== undefined) return `${mismatch} (serial ${peer.serial})`
  return peer.expiresMs <= Date.now() ? `the certificate has expired (serial ${peer.serial})` : undefined
}
