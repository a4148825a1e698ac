import { connect as connectTcp, type Socket } from 'node:net'
import type { MeshPeer } from '../../src/kernel/ports.ts'
import type { Carriers } from './carriers.ts'
import { PooledReader } from './reader.ts'
import { dialReason, failureOf } from './reasons.ts'
import { SocketLeg } from './socket-leg.ts'
import type { Leg } from './splice.ts'

/** What to reach. With `identity`, over mutual TLS and only if the peer is that; without, in plain. `withinMs` covers everything. */
export type Destination = { host: string; port: number; socketPath?: string; identity?: string; withinMs: number }

export type Dialled = { leg: Leg; peer?: MeshPeer } | { why: string }

/** Longer timers would fire at once. */
export const TIMER_MS_MAX = 2_147_483_647

/** Idle time after which the system asks whether the other end still lives. */
export const KEEP_ALIVE_MS = 15_000

/**
 * Dials. `settled` is called once, later, with a connected leg nobody has read from or with the reason in plain words. The
 * answer gives up: what was begun is closed and `settled` is never called. `carriersNow` gives those of the newest material: what failed
 * with older is tried again, for the peer may show by now what only the newer lets believe.
 */
export function dial(to: Destination, carriersNow: () => Carriers | undefined, settled: (outcome: Dialled) => void): () => void {
  const target = targetOf(to)
  const { identity } = to
  if (identity === undefined) return dialPlain(to, settled)
  if (carriersNow() === undefined) {
    const soon = setImmediate(settled, { why: `dial ${target}: this sidecar has no certificate yet` })
    return () => clearImmediate(soon)
  }
  let open = true
  const finish = (outcome: Dialled) => {
    if (!open) return
    open = false
    clearTimeout(deadline)
    settled(outcome)
  }
  let giveUp: () => void = () => undefined
  const attempt = () => {
    const carriers = carriersNow()
    if (carriers === undefined) return finish({ why: `dial ${target}: the sidecar was removed` })
    giveUp = carriers.dial({ ...to, identity }, (outcome) => {
      if (open && 'why' in outcome && carriersNow() !== carriers) attempt()
      else finish(outcome)
    })
  }
  attempt()
  const deadline = setTimeout(() => {
    giveUp()
    finish({ why: `dial ${target}: i/o timeout` })
  }, deadlineMs(to))
  return () => {
    if (!open) return
    open = false
    clearTimeout(deadline)
    giveUp()
  }
}

function dialPlain(to: Destination, settled: (outcome: Dialled) => void): () => void {
  const target = targetOf(to)
  const reader = new PooledReader()
  const tcp = connectTcp({ ...addressOf(to), ...SOCKET_OPTIONS, onread: reader.onread, allowHalfOpen: true })
  reader.attach(tcp)
  let open = true
  const finish = (outcome: Dialled) => {
    if (!open) return
    open = false
    clearTimeout(deadline)
    tcp.off('error', failed)
    if ('why' in outcome) discard(tcp)
    settled(outcome)
  }
  const failed = (error: unknown) => finish({ why: dialReason(target, failureOf(error)) })
  const deadline = setTimeout(() => finish({ why: `dial ${target}: i/o timeout` }), deadlineMs(to))
  tcp.on('error', failed)
  tcp.once('connect', () => finish({ leg: new SocketLeg({ stream: tcp, tcp, reader, isPath: Boolean(to.socketPath) }) }))
  return () => {
    if (!open) return
    open = false
    clearTimeout(deadline)
    discard(tcp)
  }
}

export const SOCKET_OPTIONS = { noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS } as const

export function addressOf({ host, port, socketPath }: Destination): { path: string } | { host: string; port: number } {
  return socketPath ? { path: socketPath } : { host, port }
}

/** How a destination is called in what is said about it. */
export function targetOf({ host, port, socketPath }: Destination): string {
  return socketPath ? `unix ${socketPath}` : `tcp ${joinHostPort(host, port)}`
}

function deadlineMs({ withinMs }: Destination): number {
  return Math.min(withinMs, TIMER_MS_MAX)
}

/** Destroys a half-made connection. Errors that are still on their way have nothing to tell any more. */
export function discard(...sockets: readonly Socket[]): void {
  for (const socket of sockets) {
    socket.on('error', () => undefined)
    socket.destroy()
  }
}

/** 'h', 80 → 'h:80'; IPv6 addresses get brackets. */
export function joinHostPort(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}
