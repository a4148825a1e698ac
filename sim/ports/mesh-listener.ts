import { peerNamesFault } from '../../actors/spiffe.ts'
import { Admission } from '../../src/admission.ts'
import type { MeshEvent, MeshLimits, MeshSocket } from '../../src/kernel/ports.ts'
import type { Result } from '../../src/kernel/refusal.ts'
import { isRefused, refuse } from '../../src/kernel/refusal.ts'
import type { SimArrival } from './mesh-connections.ts'
import { type CertificateFacts, chainFault, proofFault, type SimHandshake, type SimIdentity } from './mesh-identity.ts'
import type { SimNetwork } from './network.ts'
import type { SimClosing, SimSocket } from './socket.ts'

/**
 * The flights of the simulated handshake, in their order: who is there; the server's chain; the client's chain. `keyId` is of the key
 * that each of these is signed with.
 */
export type Hello =
  | { readonly flight: 'client-hello' }
  | { readonly flight: 'server'; readonly chain: readonly CertificateFacts[]; readonly keyId: string }
  | { readonly flight: 'client-finished'; readonly chain: readonly CertificateFacts[]; readonly keyId: string }

export type SimListenerOptions = MeshLimits &
  MeshSocket & {
    readonly network: SimNetwork
    readonly listener: number
    readonly side: 'public' | 'upstream'
    readonly address: string
    readonly port: number
    identity(): SimIdentity | undefined
    wallMs(): number
    event(event: MeshEvent): void
    arrived(arrived: Pick<SimArrival, 'socket' | 'from' | 'to' | 'peer' | 'handshakeMs' | 'closed'>): void
    judged(handshake: Omit<SimHandshake, 'owner'>): void
  }

/** A simulated listening socket and the handshakes in progress on it. */
export class SimListener {
  readonly #options: SimListenerOptions
  /** What each handshake in progress is told when the listener closes. */
  readonly #handshakes = new Map<SimSocket, (why: string) => void>()
  readonly #admission: Admission
  #unbind: () => void = () => undefined

  constructor(options: SimListenerOptions) {
    this.#options = options
    this.#admission = new Admission(options, () => options.network.nowMs())
  }

  limit(limits: MeshLimits): void {
    this.#admission.limits = limits
  }

  open(node: string): Result<{ port: number }> {
    const { network, address, port, socketPath } = this.#options
    if (socketPath) {
      if (network.isListening(node, socketPath)) {
        return refuse('conflict', `listen unix ${socketPath}: bind: address already in use`)
      }
      this.#unbind = network.listenOnPath(node, socketPath, (socket) => this.#accept(socket))
      return { port }
    }
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
    const { side, socketPath } = this.#options
    const { remote, local } = socket
    const ends = socketPath ? { from: '', to: '' } : { from: `${remote.address}:${remote.port}`, to: `${local.address}:${local.port}` }
    const why = this.#admission.refuses()
    if (why !== undefined) {
      socket.reset()
      this.#failed(ends.from, why)
    } else if (side === 'upstream') this.#arrived(socket, ends)
    else this.#shakeHands(socket, ends)
  }

  #arrived(socket: SimSocket, more: Pick<SimArrival, 'from' | 'to'> & Partial<SimArrival>): void {
    this.#admission.opened()
    this.#options.arrived({ socket, peer: undefined, closed: () => this.#admission.closed(), ...more })
  }

  #shakeHands(socket: SimSocket, ends: { from: string; to: string }): void {
    const { network, wallMs } = this.#options
    const { handshakeMs } = this.#admission.limits
    const { from } = ends
    const beganMs = network.nowMs()
    const identity = this.#options.identity()
    const { node: peerNode } = socket.remote
    const judged = (shown: readonly CertificateFacts[], keyId: string, fault: string | undefined) =>
      this.#options.judged({ side: 'listener', peer: from, peerNode, shown, keyId, own: identity, fault })
    if (identity === undefined) {
      judged([], '', NO_CERTIFICATE)
      socket.reset()
      this.#failed(from, NO_CERTIFICATE)
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
          const answer: Hello = { flight: 'server', chain: identity.chain, keyId: identity.keyId }
          socket.hello(answer)
          return
        }
        if (hello.flight !== 'client-finished') return fail('not a proper TLS handshake')
        const leaf = hello.chain[0]
        const fault =
          chainFault(hello.chain, identity.roots, wallMs()) ?? proofFault(hello.chain, hello.keyId) ?? peerNamesFault(leaf?.uris ?? [])
        judged(hello.chain, hello.keyId, fault)
        if (fault !== undefined) return fail(fault, leaf?.serial)
        if (!this.#handshakes.delete(socket)) return
        socket.pause()
        socket.handlers = {}
        const peer = { uri: leaf?.uris?.[0] ?? '', serial: leaf?.serial ?? '' }
        this.#arrived(socket, { ...ends, peer, handshakeMs: network.nowMs() - beganMs })
      },
    }
    socket.resume()
  }

  #failed(from: string, why: string, serial?: string): void {
    const { event, listener, network } = this.#options
    network.after(0, () => event({ did: 'handshake-failed', listener, from, why, ...(serial === undefined ? {} : { serial }) }))
  }
}

/** Nobody can shake hands with a sidecar before it has one. */
export const NO_CERTIFICATE = 'this sidecar has no certificate yet'
const CLOSED_EARLY = 'the connection was closed during the TLS handshake'
