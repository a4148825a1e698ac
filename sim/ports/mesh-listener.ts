import { peerNamesFault } from '../../actors/spiffe.ts'
import type { MeshEvent, MeshPeer } from '../../src/kernel/ports.ts'
import type { Result } from '../../src/kernel/refusal.ts'
import { isRefused } from '../../src/kernel/refusal.ts'
import { type CertificateFacts, chainFault, type SimIdentity } from './mesh-identity.ts'
import type { SimNetwork } from './network.ts'
import type { SimClosing, SimSocket } from './socket.ts'

/** The flights of the simulated handshake, in their order: who is there; the server's chain; the client's chain. */
export type Hello =
  | { readonly flight: 'client-hello' }
  | { readonly flight: 'server'; readonly chain: readonly CertificateFacts[] }
  | { readonly flight: 'client-finished'; readonly chain: readonly CertificateFacts[] }

export type SimListenerOptions = {
  readonly network: SimNetwork
  readonly listener: number
  readonly side: 'public' | 'upstream'
  readonly address: string
  readonly port: number
  readonly handshakeMs: number
  readonly connectionsMax: number
  identity(): SimIdentity | undefined
  wallMs(): number
  event(event: MeshEvent): void
  arrived(socket: SimSocket, from: string, peer: MeshPeer | undefined): void
}

/** A simulated listening socket and the handshakes in progress on it. */
export class SimListener {
  readonly #options: SimListenerOptions
  /** What each handshake in progress is told when the listener closes. */
  readonly #handshakes = new Map<SimSocket, (why: string) => void>()
  readonly #sockets = new Set<SimSocket>()
  #unbind: () => void = () => undefined

  constructor(options: SimListenerOptions) {
    this.#options = options
  }

  open(node: string): Result<{ port: number }> {
    const { network, address, port } = this.#options
    const bound = network.listen(node, address, port, (socket) => this.#accept(socket))
    if (isRefused(bound)) return bound
    this.#unbind = bound.close
    return { port: bound.port }
  }

  close(why: string): void {
    this.#unbind()
    for (const fail of [...this.#handshakes.values()]) fail(why)
  }

  #accept(socket: SimSocket): void {
    const { connectionsMax, side, arrived } = this.#options
    const from = `${socket.remote.address}:${socket.remote.port}`
    for (const known of this.#sockets) if (!known.isOpen) this.#sockets.delete(known)
    if (connectionsMax > 0 && this.#sockets.size >= connectionsMax) {
      socket.reset()
      this.#failed(from, `too many connections: ${connectionsMax} are open, which is the limit`)
      return
    }
    this.#sockets.add(socket)
    if (side === 'upstream') arrived(socket, from, undefined)
    else this.#shakeHands(socket, from)
  }

  #shakeHands(socket: SimSocket, from: string): void {
    const { network, handshakeMs, wallMs, arrived } = this.#options
    const identity = this.#options.identity()
    if (identity === undefined) {
      socket.reset()
      this.#failed(from, 'this sidecar has no certificate yet')
      return
    }
    const fail = (why: string, serial?: string) => {
      if (!this.#handshakes.delete(socket)) return
      socket.reset()
      this.#failed(from, why, serial)
    }
    this.#handshakes.set(socket, fail)
    network.after(handshakeMs, () => fail('the TLS handshake took too long'))
    socket.handlers = {
      data: () => fail('not a TLS handshake'),
      end: () => fail(CLOSED_EARLY),
      closed: (how: SimClosing) => fail(how === 'lost' ? 'the TLS handshake took too long' : CLOSED_EARLY),
      hello: (content) => {
        const hello = content as Hello
        if (hello.flight === 'client-hello') {
          const answer: Hello = { flight: 'server', chain: identity.chain }
          socket.hello(answer)
          return
        }
        if (hello.flight !== 'client-finished') return fail('not a proper TLS handshake')
        const leaf = hello.chain[0]
        const fault = chainFault(hello.chain, identity.roots, wallMs()) ?? peerNamesFault(leaf?.uris ?? [])
        if (fault !== undefined) return fail(fault, leaf?.serial)
        if (!this.#handshakes.delete(socket)) return
        socket.pause()
        socket.handlers = {}
        arrived(socket, from, { uri: leaf?.uris?.[0] ?? '', serial: leaf?.serial ?? '' })
      },
    }
    socket.resume()
  }

  #failed(from: string, why: string, serial?: string): void {
    const { event, listener, network } = this.#options
    network.after(0, () => event({ did: 'handshake-failed', listener, from, why, ...(serial === undefined ? {} : { serial }) }))
  }
}

const CLOSED_EARLY = 'the connection was closed during the TLS handshake'
