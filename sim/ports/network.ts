import type { Random } from '../../src/kernel/ports.ts'
import { assert, type Refusal, type Result, refuse } from '../../src/kernel/refusal.ts'
import { type Lane, SimSocket } from './socket.ts'

export type SimNetworkOptions = {
  /** Milliseconds of simulated time; never goes back. */
  nowMs(): number
  /** Calls `work` once, `ms` from now in simulated time. */
  after(ms: number, work: () => void): unknown
  /** The stream of chance for one direction between two nodes. */
  random(stream: string): Random
  /** How long a packet takes from one node to another, in ms. Default: 0 on the same node, else 0 to 2. */
  drawDelayMs?(from: string, to: string, random: Random): number
  /** How long a connection waits for a packet that does not get through before it breaks. Default: 30 s. */
  giveUpMs?: number
}

/** Takes over the accepted end of a new connection. Nothing arrives at it until it has handlers and is resumed. */
export type Accept = (socket: SimSocket) => void

/**
 * TCP between nodes in simulated time: ordered, lossless, with half-close and reset. A cut direction holds packets back until
 * it is healed or the connection gives up. '127.0.0.1', '::1' and 'localhost' are the dialling node itself.
 */
export class SimNetwork {
  readonly #options: SimNetworkOptions
  readonly #nodes = new Map<string, Node>()
  readonly #cuts = new Set<string>()
  /** Directions that hold packets back, by cut. */
  readonly #held = new Map<string, Set<Lane>>()

  constructor(options: SimNetworkOptions) {
    this.#options = options
  }

  /** Milliseconds of simulated time; never goes back. */
  nowMs(): number {
    return this.#options.nowMs()
  }

  after(ms: number, work: () => void): void {
    this.#options.after(ms, work)
  }

  /** Adds a machine with the addresses that others reach it by. */
  addNode(name: string, ...addresses: string[]): void {
    assert(!this.#nodes.has(name), 'every simulated node has a name of its own')
    this.#nodes.set(name, { name, addresses, listeners: new Map(), sockets: new Set(), nextPort: EPHEMERAL_PORT })
  }

  /** Listens on a node. '' and '0.0.0.0' are all its addresses; port 0 chooses one. Refuses like the system would. */
  listen(nodeName: string, address: string, port: number, accept: Accept): Result<{ port: number; close(): void }> {
    const node = this.#node(nodeName)
    const everywhere = EVERYWHERE.has(address)
    if (!everywhere && !LOOPBACK.has(address) && !node.addresses.includes(address)) return unavailable(address, port)
    const chosen = port === 0 ? this.#freePort(node) : port
    const known = node.listeners.get(String(chosen)) ?? []
    if (known.some((other) => everywhere || EVERYWHERE.has(other.address) || other.address === address)) {
      return refuse('conflict', `listen tcp ${address}:${chosen}: bind: address already in use`)
    }
    return { port: chosen, close: addListener(node, String(chosen), { address, accept }) }
  }

  /** Listens on a path on a node. The answer stops it. */
  listenOnPath(nodeName: string, path: string, accept: Accept): () => void {
    return addListener(this.#node(nodeName), path, { address: '', accept })
  }

  /** Dials from a node. `done` is called once, later, unless the answer was called before: it gives up. Without a way there
   * nothing happens until there is one. */
  dial(
    fromName: string,
    to: { host: string; port: number; socketPath?: string },
    done: (outcome: SimSocket | Refusal) => void,
  ): () => void {
    const from = this.#node(fromName)
    const target = to.socketPath ? from : this.#resolve(from, to.host)
    let wanted = true
    const attempt = () => {
      if (!wanted) return
      if (target === undefined || this.isCut(fromName, target.name) || this.isCut(target.name, fromName)) {
        this.after(RETRY_MS, attempt)
        return
      }
      this.after(this.delayMs(fromName, target.name), () => {
        const listener = listenerOn(target, to)
        const pair = listener === undefined ? undefined : this.#connect(from, target, to)
        if (pair !== undefined) listener?.accept(pair.accepted)
        this.after(this.delayMs(target.name, fromName), () => {
          if (wanted) done(pair?.dialled ?? refuse('gone', to.socketPath ? 'no such file or directory' : 'connection refused'))
          else pair?.dialled.reset()
          wanted = false
        })
      })
    }
    attempt()
    return () => {
      wanted = false
    }
  }

  /** Holds back all packets from one node to another, one way. */
  cut(from: string, to: string): void {
    this.#cuts.add(wayOf(from, to))
  }

  /** Lets packets through again; those held back arrive in their order. */
  heal(from: string, to: string): void {
    const way = wayOf(from, to)
    this.#cuts.delete(way)
    const lanes = [...(this.#held.get(way) ?? [])]
    this.#held.delete(way)
    for (const lane of lanes) lane.flush()
  }

  isCut(from: string, to: string): boolean {
    return from !== to && this.#cuts.has(wayOf(from, to))
  }

  /** Ends a node's sockets and listeners without a word to what runs on it. Its peers see resets. */
  crash(nodeName: string): void {
    const node = this.#node(nodeName)
    node.listeners.clear()
    for (const socket of [...node.sockets]) socket.vanish()
  }

  /** Keeps a lane that met a cut until `heal`; breaks its connection if that takes too long. */
  hold(lane: Lane, from: string, to: string): void {
    const way = wayOf(from, to)
    const lanes = this.#held.get(way) ?? new Set()
    this.#held.set(way, lanes.add(lane))
    this.after(this.#options.giveUpMs ?? GIVE_UP_MS, () => {
      if (lanes.has(lane) && this.#held.get(way) === lanes) lane.giveUp()
    })
  }

  delayMs(from: string, to: string): number {
    const random = this.#options.random(`network/${from}>${to}`)
    if (this.#options.drawDelayMs !== undefined) return this.#options.drawDelayMs(from, to, random)
    return from === to ? 0 : random.next() * DELAY_MS_MAX
  }

  #connect(from: Node, target: Node, to: { host: string; port: number; socketPath?: string }) {
    const near = {
      node: from.name,
      address: from === target ? '127.0.0.1' : (from.addresses[0] ?? '127.0.0.1'),
      port: this.#ephemeral(from),
    }
    const far = { node: target.name, address: to.host, port: to.port }
    const dialled = new SimSocket(this, near, far, () => from.sockets.delete(dialled))
    const accepted = new SimSocket(this, far, near, () => target.sockets.delete(accepted))
    dialled.join(accepted)
    from.sockets.add(dialled)
    target.sockets.add(accepted)
    return { dialled, accepted }
  }

  #resolve(from: Node, host: string): Node | undefined {
    if (LOOPBACK.has(host) || EVERYWHERE.has(host)) return from
    for (const node of this.#nodes.values()) if (node.addresses.includes(host)) return node
    return undefined
  }

  #node(name: string): Node {
    const node = this.#nodes.get(name)
    assert(node !== undefined, `the simulated network has a node "${name}"`)
    return node
  }

  #freePort(node: Node): number {
    let port = this.#ephemeral(node)
    while (node.listeners.has(String(port))) port = this.#ephemeral(node)
    return port
  }

  #ephemeral(node: Node): number {
    const port = node.nextPort
    node.nextPort = port >= PORT_MAX ? EPHEMERAL_PORT : port + 1
    return port
  }
}

type Node = {
  readonly name: string
  readonly addresses: readonly string[]
  /** By port or path. */
  readonly listeners: Map<string, { address: string; accept: Accept }[]>
  readonly sockets: Set<SimSocket>
  nextPort: number
}

const EVERYWHERE: ReadonlySet<string> = new Set(['', '0.0.0.0', '::'])
const LOOPBACK: ReadonlySet<string> = new Set(['127.0.0.1', '::1', 'localhost'])
const EPHEMERAL_PORT = 32_768
const PORT_MAX = 60_999
/** Until an unanswered dial is tried again. */
const RETRY_MS = 1_000
const DELAY_MS_MAX = 2
const GIVE_UP_MS = 30_000

function addListener(node: Node, key: string, listener: { address: string; accept: Accept }): () => void {
  node.listeners.set(key, [...(node.listeners.get(key) ?? []), listener])
  return () => {
    const left = (node.listeners.get(key) ?? []).filter((other) => other !== listener)
    if (left.length === 0) node.listeners.delete(key)
    else node.listeners.set(key, left)
  }
}

function listenerOn(node: Node, to: { host: string; port: number; socketPath?: string }) {
  const listeners = node.listeners.get(to.socketPath || String(to.port)) ?? []
  return listeners.find(({ address }) => EVERYWHERE.has(address) || address === to.host || (LOOPBACK.has(address) && LOOPBACK.has(to.host)))
}

function unavailable(address: string, port: number): Refusal {
  return refuse('invalid', `listen tcp ${address}:${port}: bind: cannot assign requested address`)
}

function wayOf(from: string, to: string): string {
  return `${from}>${to}`
}
