import type { Server, TLSSocket } from 'node:tls'
import type { Told } from '../../../actors/decisions/protocol.ts'
import { TLS_RULES } from '../../tls-rules.ts'
import type { Log } from './events.ts'
import type { Identity, Material } from './identity.ts'
import { handshakeFault, judgeCaller, type Peer } from './peer.ts'
import { type Rules, recordedAs, type Verdict } from './rules.ts'

export type Guarded = {
  /** How many connections are open that were let in. */
  readonly open: number
  /** Resolves when all of them have ended. */
  drained(): Promise<void>
  /** Ends what is open, handshakes too, and takes no notice of changes any more. The server stays as it is. */
  end(): void
}

export type Guards = {
  /** Of the service's instance that it serves as, with the agent. */
  id: string
  identity: Identity
  rules: Rules
  log: Log
  /** Lets the agent know who was refused. */
  record: RecordRefused
  /** Sockets are added with whoever is at their other end. */
  peers: WeakMap<object, Peer>
}

export type RecordRefused = (refused: Pick<Told, 'kind' | 'cause' | 'from'> & Partial<Pick<Told, 'source' | 'uri' | 'serial'>>) => void

/** One that was let in. */
type Entry = { readonly socket: TLSSocket; readonly peer: Peer; readonly from: string }

/**
 * Stands between a TLS server and whoever serves its connections: each is judged first, all again when intentions change. Those who
 * listen for `secureConnection` now hear only of what is let in, later. Also keeps the server's TLS material up to date.
 */
export function guard(server: Server, { id, identity, rules, log, record, peers }: Guards): Guarded {
  const entries = new Set<Entry>()
  const sockets = new Set<{ destroy(): void }>()
  const waiting: (() => void)[] = []
  const serve = server.listeners('secureConnection')

  const refuse = (socket: TLSSocket, from: string, why: string, known: { source?: string; serial?: string }) => {
    log({ did: 'refused', from, why, ...known })
    socket.on('error', ignore)
    socket.destroy()
  }
  const admit = (entry: Entry) => {
    const { socket, peer } = entry
    entries.add(entry)
    peers.set(socket, peer)
    socket.once('close', () => {
      entries.delete(entry)
      if (entries.size === 0) for (const resolve of waiting.splice(0)) resolve()
    })
    for (const served of serve) served.call(server, socket)
  }
  const settle = (entry: Entry, { allowed, reason, wasAsked }: Verdict) => {
    const { socket, peer, from } = entry
    socket.off('error', ignore)
    if (socket.destroyed) return
    if (allowed) return admit(entry)
    refuse(socket, from, reason, { source: peer.uri, serial: peer.serial })
    if (!wasAsked) recordPeer(entry, reason)
  }
  const recordPeer = ({ peer: { service, uri, serial }, from }: Entry, reason: string) => {
    record({ source: service, uri, serial, from, ...recordedAs(reason) })
  }
  const secured = (socket: TLSSocket) => {
    const from = addressOf(socket)
    const judged = judgeCaller(socket, identity.material().trustDomain)
    if ('why' in judged) {
      const { kind, why, uri: source, serial } = judged
      record({ kind, cause: why, from, ...(source !== undefined && { uri: source }), ...(serial !== undefined && { serial }) })
      return refuse(socket, from, why, { ...(source !== undefined && { source }), ...(serial !== undefined && { serial }) })
    }
    const entry = { socket, peer: judged.peer, from }
    const verdict = rules.judge(entry.peer)
    if (!(verdict instanceof Promise)) return settle(entry, verdict)
    // Nobody reads meanwhile, so what it sends waits.
    socket.on('error', ignore)
    void settleAsked(entry, verdict)
  }
  /** Intentions that came while the agent answered decide: they may be said to be in force by then. */
  const settleAsked = async (entry: Entry, asked: Promise<Verdict>) => {
    for (let verdict: Verdict | Promise<Verdict> = asked; ; verdict = rules.judge(entry.peer)) {
      const { changes } = rules
      const answer = await verdict
      if (changes === rules.changes) return settle(entry, answer)
    }
  }
  /** Whether it was closed. */
  const judgeAgain = async (entry: Entry): Promise<boolean> => {
    const { allowed, reason, wasAsked } = await rules.judge(entry.peer)
    if (allowed || !entries.has(entry)) return false
    if (!wasAsked) recordPeer(entry, reason)
    log({ did: 'closed', from: entry.from, why: reason, source: entry.peer.uri, serial: entry.peer.serial })
    // Not among those that a later change closes.
    entries.delete(entry)
    entry.socket.destroy()
    return true
  }
  const failed = (error: Error, socket: TLSSocket) => {
    // Whoever only looks whether somebody listens says nothing and goes.
    const hasOnlyLooked = socket.bytesRead === 0 && 'code' in error && error.code === 'ECONNRESET'
    if (!hasOnlyLooked) {
      const [from, why] = [addressOf(socket), handshakeFault(error)]
      log({ did: 'refused', from, why })
      record({ kind: 'handshake', cause: why, from })
    }
    socket.destroy()
  }
  const connected = (socket: { destroy(): void; once(event: 'close', closed: () => void): unknown }) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  }
  const renew = ({ cert, key, ca }: Material) => server.setSecureContext({ cert, key, ca: [...ca], ...TLS_RULES })

  server.removeAllListeners('secureConnection')
  server.on('secureConnection', secured)
  server.on('tlsClientError', failed)
  server.on('connection', connected)
  renew(identity.material())
  const endings = [
    identity.onRenewed(renew),
    rules.onChange(id, async () => {
      const closed = await Promise.all([...entries].map(judgeAgain))
      return closed.filter(Boolean).length
    }),
  ]
  return {
    get open() {
      return entries.size
    },
    drained: () => (entries.size === 0 ? Promise.resolve() : new Promise((resolve) => waiting.push(resolve))),
    end() {
      for (const end of endings.splice(0)) end()
      for (const socket of sockets) socket.destroy()
    },
  }
}

function addressOf({ remoteAddress = '', remotePort = 0 }: TLSSocket): string {
  return remoteAddress.includes(':') ? `[${remoteAddress}]:${remotePort}` : `${remoteAddress}:${remotePort}`
}

function ignore(): void {
  return
}
