import type { MeshEvent, MeshPeer, MeshRequest, MeshTraffic } from '../../src/kernel/ports.ts'
import { isRefused, type Result, refuse } from '../../src/kernel/refusal.ts'
import { chainFault, identityFault, proofFault, type SimHandshake, type SimIdentity } from './mesh-identity.ts'
import { type Hello, NO_CERTIFICATE } from './mesh-listener.ts'
import type { SimNetwork } from './network.ts'
import type { SimClosing, SimSocket } from './socket.ts'

/** An accepted connection as an invariant may look at it. `peer` and `dialledPeer` are the verified ends, if over mutual TLS. */
export type SimOpenConnection = {
  readonly connection: number
  readonly owner: string
  readonly listener: number
  readonly phase: 'waiting' | 'dialling' | 'spliced'
  /** Where the caller and this end of what was dialled are, as `address:port`. */
  readonly from: string
  readonly dialledFrom: string | undefined
  readonly peer: MeshPeer | undefined
  readonly dialledPeer: MeshPeer | undefined
}

export type SimArrival = {
  readonly owner: string
  readonly listener: number
  readonly socket: SimSocket
  readonly from: string
  /** '' for a path. */
  readonly to: string
  readonly peer: MeshPeer | undefined
  readonly handshakeMs?: number
  event(event: MeshEvent): void
  /** The caller's end is gone. */
  closed(): void
}

type Connection = SimArrival & {
  readonly number: number
  readonly openedMs: number
  phase: 'waiting' | 'dialling' | 'spliced'
  dialled: SimSocket | undefined
  dialledPeer: MeshPeer | undefined
  giveUp: (() => void) | undefined
  why: string | undefined
  legsOpen: number
  receivedBytes: number
  sentBytes: number
  /** What it had carried when somebody last asked. */
  askedBytes: number
}

type ConnectRequest = Extract<MeshRequest, { do: 'connect' }>
type Surroundings = { readonly network: SimNetwork; readonly node: string; wallMs(): number; judged(handshake: SimHandshake): void }
/** `identity` is what it has now. */
type Dialler = { readonly owner: string; identity(): SimIdentity | undefined }

/** All accepted connections of one simulated device, from `accepted` to `closed`. */
export class SimConnections {
  readonly #surroundings: Surroundings
  readonly #open = new Map<number, Connection>()
  #last = 0

  constructor(surroundings: Surroundings) {
    this.#surroundings = surroundings
  }

  get size(): number {
    return this.#open.size
  }

  open(): SimOpenConnection[] {
    return Array.from(this.#open.values(), ({ number, owner, listener, phase, from, dialled, peer, dialledPeer }) => {
      const dialledFrom = dialled && `${dialled.local.address}:${dialled.local.port}`
      return { connection: number, owner, listener, phase, from, dialledFrom, peer, dialledPeer }
    })
  }

  accept(arrival: SimArrival): void {
    const number = ++this.#last
    const connection: Connection = {
      ...arrival,
      number,
      openedMs: this.#surroundings.network.nowMs(),
      phase: 'waiting',
      dialled: undefined,
      dialledPeer: undefined,
      giveUp: undefined,
      why: undefined,
      legsOpen: 1,
      receivedBytes: 0,
      sentBytes: 0,
      askedBytes: 0,
    }
    this.#open.set(number, connection)
    arrival.socket.handlers = { closed: (how) => this.#legClosed(connection, how, CALLER) }
    const { listener, from, to, peer, handshakeMs } = arrival
    arrival.event({
      did: 'accepted',
      listener,
      connection: number,
      from,
      ...(to !== '' && { to }),
      ...(peer && { peer }),
      ...(handshakeMs !== undefined && { handshakeMs }),
    })
  }

  connect(number: number, to: ConnectRequest, identityOf: (owner: string) => SimIdentity | undefined): Result<object> {
    const connection = this.#open.get(number)
    if (connection === undefined || connection.why !== undefined) return this.#absent(number)
    if (connection.phase !== 'waiting') {
      return refuse('conflict', `connection ${number} is already ${connection.phase === 'spliced' ? 'connected' : 'being connected'}`)
    }
    connection.phase = 'dialling'
    const beganMs = this.#surroundings.network.nowMs()
    const { owner } = connection
    connection.giveUp = dial(this.#surroundings, to, { owner, identity: () => identityOf(owner) }, (outcome) => {
      connection.giveUp = undefined
      if ('why' in outcome) {
        connection.phase = 'waiting'
        connection.event({ did: 'dial-failed', connection: number, why: outcome.why })
        return
      }
      connection.phase = 'spliced'
      connection.dialled = outcome.socket
      connection.dialledPeer = outcome.peer
      connection.legsOpen += 1
      const tookMs = this.#surroundings.network.nowMs() - beganMs
      connection.event({ did: 'connected', connection: number, tookMs, ...(outcome.peer === undefined ? {} : { peer: outcome.peer }) })
      if (to.greeting) outcome.socket.write(to.greeting)
      this.#splice(connection, outcome.socket)
    })
    return {}
  }

  close(number: number, why: string): Result<object> {
    const connection = this.#open.get(number)
    if (connection === undefined) return this.#absent(number)
    end(connection, why)
    return {}
  }

  traffic(owner: string): MeshTraffic[] {
    return [...this.#open.values()].flatMap((connection) => {
      const { number, receivedBytes, sentBytes } = connection
      if (connection.owner !== owner || connection.askedBytes === receivedBytes + sentBytes) return []
      connection.askedBytes = receivedBytes + sentBytes
      return [{ connection: number, receivedBytes, sentBytes }]
    })
  }

  closeAllOf(owner: string, why: string): void {
    for (const connection of [...this.#open.values()]) if (connection.owner === owner) end(connection, why)
  }

  #splice(connection: Connection, dialled: SimSocket): void {
    const { socket } = connection
    socket.handlers = {
      data: (bytes) => {
        connection.receivedBytes += bytes.length
        dialled.write(bytes)
      },
      end: () => dialled.end(),
      closed: (how) => this.#legClosed(connection, how, CALLER),
    }
    dialled.handlers = {
      data: (bytes) => {
        connection.sentBytes += bytes.length
        socket.write(bytes)
      },
      end: () => socket.end(),
      closed: (how) => this.#legClosed(connection, how, 'the destination'),
    }
    if (connection.why !== undefined) return dialled.reset()
    socket.resume()
    dialled.resume()
  }

  #legClosed(connection: Connection, how: SimClosing, who: string): void {
    connection.legsOpen -= 1
    if (who === CALLER) connection.closed()
    if (how === 'reset') end(connection, `reset by ${who}`)
    else if (how === 'lost') end(connection, `${who}: connection timed out`)
    else if (connection.phase !== 'spliced') connection.why ??= `closed by ${who}`
    connection.giveUp?.()
    connection.giveUp = undefined
    if (connection.legsOpen > 0 || !this.#open.delete(connection.number)) return
    const { number, why = 'finished by both ends', receivedBytes, sentBytes, openedMs, event } = connection
    const openMs = Math.round(this.#surroundings.network.nowMs() - openedMs)
    event({ did: 'closed', connection: number, why, receivedBytes, sentBytes, openMs })
  }

  #absent(number: number): Result<object> {
    const known = Number.isInteger(number) && number > 0 && number <= this.#last
    return known ? refuse('gone', `connection ${number} has ended`) : refuse('missing', `there is no connection ${number}`)
  }
}

function end(connection: Connection, why: string): void {
  connection.why ??= why
  connection.giveUp?.()
  connection.giveUp = undefined
  connection.socket.reset()
  connection.dialled?.reset()
}

type Dialled = { socket: SimSocket; peer?: MeshPeer } | { why: string }

/**
 * Dials and, with an identity to expect, shakes hands. What failed is tried again if the dialler has other material by then. The answer
 * gives up; `settled` is not called then.
 */
function dial(surroundings: Surroundings, to: ConnectRequest, dialler: Dialler, settled: (outcome: Dialled) => void): () => void {
  const { network } = surroundings
  const untilMs = network.nowMs() + to.withinMs
  let giveUp: () => void = () => undefined
  const attempt = () => {
    const identity = dialler.identity()
    giveUp = dialOnce(surroundings, { ...to, withinMs: untilMs - network.nowMs() }, dialler, (outcome) => {
      const mayHelp = to.identity !== undefined && dialler.identity() !== identity && network.nowMs() < untilMs
      if ('why' in outcome && mayHelp) attempt()
      else settled(outcome)
    })
  }
  attempt()
  return () => giveUp()
}

function dialOnce(surroundings: Surroundings, to: ConnectRequest, dialler: Dialler, settled: (outcome: Dialled) => void): () => void {
  const { network, node, judged } = surroundings
  const { owner } = dialler
  const identity = dialler.identity()
  const target = to.socketPath ? `unix ${to.socketPath}` : `tcp ${to.host.includes(':') ? `[${to.host}]` : to.host}:${to.port}`
  let socket: SimSocket | undefined
  let wanted = true
  let stopDialling: () => void = () => undefined
  const finish = (outcome: Dialled) => {
    if (!wanted) return
    wanted = false
    stopDialling()
    if ('why' in outcome) {
      if (socket !== undefined) socket.handlers = {}
      socket?.reset()
    }
    settled(outcome)
  }
  const failed = (why: string) => finish({ why: `dial ${target}: ${why}` })
  network.after(to.withinMs, () => failed('i/o timeout'))
  if (to.identity !== undefined && identity === undefined) {
    judged({ owner, side: 'dialler', peer: target, peerNode: '', shown: [], keyId: '', own: identity, fault: NO_CERTIFICATE })
    network.after(0, () => failed(NO_CERTIFICATE))
    return () => {
      wanted = false
    }
  }
  stopDialling = network.dial(
    node,
    { host: to.host, port: to.port, ...(to.socketPath ? { socketPath: to.socketPath } : {}) },
    (outcome) => {
      if (isRefused(outcome)) return failed(`connect: ${outcome.why}`)
      socket = outcome
      if (to.identity === undefined || identity === undefined) return finish({ socket })
      shakeHands(surroundings, socket, to.identity, { dialler, identity }, (verdict) => {
        if ('why' in verdict) failed(verdict.why)
        else if (socket !== undefined) finish({ socket, peer: verdict })
      })
    },
  )
  return () => {
    if (!wanted) return
    wanted = false
    stopDialling()
    if (socket !== undefined) socket.handlers = {}
    socket?.reset()
  }
}

function shakeHands(
  { wallMs, judged: told }: Surroundings,
  socket: SimSocket,
  expected: string,
  { dialler, identity }: { dialler: Dialler; identity: SimIdentity },
  judged: (verdict: MeshPeer | { why: string }) => void,
): void {
  socket.handlers = {
    data: () => judged({ why: 'not a TLS handshake' }),
    end: () => judged({ why: CLOSED_EARLY }),
    closed: () => judged({ why: CLOSED_EARLY }),
    hello: (content) => {
      const hello = content as Hello
      if (hello.flight !== 'server') return judged({ why: 'not a proper TLS handshake' })
      const leaf = hello.chain[0]
      if (leaf === undefined) return judged({ why: 'no server certificate was shown' })
      const fault = chainFault(hello.chain, identity.roots, wallMs()) ?? proofFault(hello.chain, hello.keyId)
      const mismatch = identityFault(leaf, expected, identity.trustDomains)
      const { address, port, node: peerNode } = socket.remote
      const { chain: shown, keyId } = hello
      const { owner } = dialler
      const judgement = { owner, side: 'dialler', peer: `${address}:${port}`, peerNode, shown, keyId, own: identity } as const
      // With what it has by now it tries again.
      if (dialler.identity() === identity) told({ ...judgement, fault })
      if (fault !== undefined) return judged({ why: fault })
      if (mismatch !== undefined) return judged({ why: `${mismatch} (serial ${leaf.serial ?? ''})` })
      socket.pause()
      const answer: Hello = { flight: 'client-finished', chain: identity.chain, keyId: identity.keyId }
      socket.hello(answer)
      judged({ uri: leaf.uris?.[0] ?? '', serial: leaf.serial ?? '' })
    },
  }
  const first: Hello = { flight: 'client-hello' }
  socket.hello(first)
  socket.resume()
}

const CALLER = 'the caller'
const CLOSED_EARLY = 'the connection was closed during the TLS handshake'
