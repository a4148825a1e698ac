import type { Random } from '../../src/kernel/ports.ts'
import { assert, type Refusal, type Result, refuse } from '../../src/kernel/refusal.ts'
import { ConnectionFaults, type SimMatch } from './connection-faults.ts'
import {
  type Accept,
  addListener,
  createMachine,
  freePort,
  isEverywhere,
  isLoopback,
  listenerAt,
  type Machine,
  nextPort,
  type SimTarget,
} from './machine.ts'
import { type Lane, SimSocket } from './socket.ts'
import type { SimWay, Way } from './way.ts'
import { SimWays } from './ways.ts'

export type SimNetworkOptions = {
  /** Milliseconds of simulated time; never goes back. */
  nowMs(): number
  /** Calls `work` once, `ms` from now in simulated time. */
  after(ms: number, work: () => void): unknown
  /** A stream of chance of its own for each name. */
  random(stream: string): Random
  /** How long a packet takes from one node to another while nothing is wrong, in ms. Default: 0 on the same node, else 0 to 2. */
  drawDelayMs?(from: string, to: string, random: Random): number
  /** How long a connection waits for a packet that does not get through before it breaks. Default: 30 s. */
  giveUpMs?: number
  /** How long an idle connection may take to notice that the other end knows nothing of it. Default: 25 s. */
  keepAliveMs?: number
}

/**
 * TCP and datagrams between nodes in simulated time. TCP is ordered and lossless, with half-close and reset: what does not get
 * through is sent again (after 200 ms, doubled each time) until the connection gives up. '127.0.0.1', '::1' and 'localhost' are
 * the dialling node itself, which nothing disturbs.
 */
export class SimNetwork {
  readonly giveUpMs: number
  readonly #options: SimNetworkOptions
  readonly #machines = new Map<string, Machine>()
  readonly #addresses = new Map<string, Machine>()
  readonly #ways: SimWays
  readonly #faults = new ConnectionFaults()

  constructor(options: SimNetworkOptions) {
    this.#options = options
    this.giveUpMs = options.giveUpMs ?? GIVE_UP_MS
    this.#ways = new SimWays({ ...options, giveUpMs: this.giveUpMs })
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
    assert(!this.#machines.has(name), 'every simulated node has a name of its own')
    const machine = createMachine(name, addresses)
    this.#machines.set(name, machine)
    for (const address of addresses) {
      const other = this.#addresses.get(address)
      assert(other === undefined, `an address belongs to one node; ${name} and ${other?.name} have ${address}`)
      assert(!isLoopback(address) && !isEverywhere(address), `an address of a node tells it from others; ${name} has "${address}"`)
      this.#addresses.set(address, machine)
    }
  }

  /** Listens on a node. '' and '0.0.0.0' are all its addresses; port 0 chooses one. Refuses like the system would. */
  listen(nodeName: string, address: string, port: number, accept: Accept): Result<{ port: number; close(): void }> {
    const machine = this.#machine(nodeName)
    const everywhere = isEverywhere(address)
    if (!everywhere && !isLoopback(address) && !machine.addresses.includes(address)) return unavailable(address, port)
    const chosen = port === 0 ? freePort(machine) : port
    const known = machine.listeners.get(String(chosen)) ?? []
    if (known.some((other) => everywhere || isEverywhere(other.address) || other.address === address)) {
      return refuse('conflict', `listen tcp ${address}:${chosen}: bind: address already in use`)
    }
    this.start(nodeName)
    return { port: chosen, close: addListener(machine, String(chosen), { address, accept }) }
  }

  /** Listens on a path on a node. The answer stops it. */
  listenOnPath(nodeName: string, path: string, accept: Accept): () => void {
    this.start(nodeName)
    return addListener(this.#machine(nodeName), path, { address: '', accept })
  }

  isListening(nodeName: string, path: string): boolean {
    return (this.#machine(nodeName).listeners.get(path) ?? []).length > 0
  }

  /** Dials from a node. `done` is called once, later, unless the answer was called or the node crashed before: that gives up.
   * Without a way there it is tried again after 1 s, doubled each time, and given up after 127 s. */
  dial(fromName: string, to: SimTarget, done: (outcome: SimSocket | Refusal) => void): () => void {
    const from = this.#machine(fromName)
    const { crashes } = from
    let gaveUp = from.state === 'off'
    const settle = (outcome: SimSocket | Refusal) => {
      if (gaveUp || from.crashes !== crashes) return
      gaveUp = true
      done(outcome)
    }
    const attempt = (retries: number): void => {
      const again = () => {
        this.after(DIAL_MS * 2 ** retries, () => {
          if (retries === DIAL_RETRIES) settle(refuse('gone', 'connection timed out'))
          else attempt(retries + 1)
        })
      }
      if (gaveUp || from.crashes !== crashes) return
      const machine = to.socketPath ? from : this.#resolve(from, to.host)
      const there = machine && this.#ways.between(from, machine)
      if (machine === undefined || there === undefined || there.isBlocked || there.drops()) return again()
      this.after(there.transitMs(), () => {
        if (gaveUp || from.crashes !== crashes) return
        const back = this.#ways.between(machine, from)
        if (there.isBlocked || back.isBlocked || back.drops()) return again()
        const answerMs = back.transitMs()
        const refusal = this.#faults.refuses(machine, from, to) ? refuse('gone', 'connection refused') : nobodyAt(machine, to)
        const pair = refusal ? undefined : this.#connect(from, machine, to, there, back, answerMs)
        this.after(answerMs, () => {
          if (gaveUp) pair?.dialled.reset()
          else settle(refusal ?? (pair?.dialled.isOpen ? pair.dialled : refuse('gone', 'connection reset by peer')))
        })
        if (pair !== undefined) listenerAt(machine, to)?.accept(pair.accepted)
      })
    }
    attempt(0)
    return () => {
      gaveUp = true
    }
  }

  /** Sends one datagram. `deliver` is called later: never if it gets lost or the node there is down, twice if it is duplicated. */
  datagram(from: string, to: string, deliver: () => void): void {
    const sender = this.#machine(from)
    if (sender.state === 'up') this.#ways.between(sender, this.#machine(to)).datagram(deliver)
  }

  /** Draws how long a message takes over TCP, in ms, with what is lost and sent again while the way is as it is now; `giveUpMs`
   * or more if it does not get through. Cuts do not count. */
  delayMs(from: string, to: string): number {
    const way = this.#way(from, to)
    return way.transitMs() + way.retransmitMs()
  }

  /** Disturbs one direction between two nodes. What is not given stays as it is. */
  disturb(from: string, to: string, way: Partial<Way>): void {
    this.#ways.disturb(this.#machine(from), this.#machine(to), way)
  }

  /** Ends what `disturb` began. */
  restore(from: string, to: string): void {
    this.#way(from, to).restore()
  }

  /** Holds back all packets from one node to another, one way. A connection that waits for too long breaks. */
  cut(from: string, to: string): void {
    this.#ways.setCut(this.#machine(from), this.#machine(to), true)
  }

  /** Lets packets through again; those held back arrive in their order once they are sent again. */
  heal(from: string, to: string): void {
    this.#ways.setCut(this.#machine(from), this.#machine(to), false)
  }

  /** Divides the nodes: those of different groups do not reach each other. Who is in no group reaches everybody. There is one
   * division at a time; no groups end it. */
  partition(groups: readonly (readonly string[])[]): void {
    for (const machine of this.#machines.values()) machine.group = undefined
    for (const [group, names] of groups.entries()) {
      for (const name of names) {
        const machine = this.#machine(name)
        assert(machine.group === undefined || machine.group === group, `a node is in one group of a partition; ${name} is in two`)
        machine.group = group
      }
    }
    this.#ways.refresh()
  }

  /** Ends all cuts, disturbances, the partition and what was done to connections. Crashed nodes stay as they are. */
  healAll(): void {
    for (const machine of this.#machines.values()) machine.group = undefined
    this.#ways.healAll()
    this.#faults.endAll()
  }

  /** Whether a cut or a partition stops packets. */
  isCut(from: string, to: string): boolean {
    return this.#ways.isCut(this.#machine(from), this.#machine(to))
  }

  /** Ends a node's sockets and listeners without a word to what runs on it. Its peers see resets; `silently`, as when the plug
   * is pulled, they see nothing until they give up or, once it is started again, are told that it knows of no connection. */
  crash(nodeName: string, how: 'aloud' | 'silently' = 'aloud'): void {
    const machine = this.#machine(nodeName)
    machine.crashes += 1
    machine.listeners.clear()
    for (const socket of [...machine.sockets]) {
      if (how === 'aloud') socket.vanish()
      else socket.unplug()
    }
    machine.state = how === 'silently' || machine.state === 'off' ? 'off' : 'stopped'
    this.#ways.refresh(machine)
  }

  /** A crashed node is back. Listening on it has the same effect. */
  start(nodeName: string): void {
    const machine = this.#machine(nodeName)
    const wasOff = machine.state === 'off'
    machine.state = 'up'
    if (!wasOff) return
    this.#ways.refresh(machine)
    const random = this.#options.random(`network/${nodeName}/keep-alive`)
    for (const { sockets } of this.#machines.values()) {
      for (const socket of sockets) {
        if (socket.remote.node !== nodeName || !socket.isHalfOpen) continue
        this.after(random.next() * (this.#options.keepAliveMs ?? KEEP_ALIVE_MS), () => socket.close('reset'))
      }
    }
  }

  /** A node's system refuses matching dials to it. The answer ends that. */
  refuseDials(nodeName: string, match: SimMatch = {}): () => void {
    return this.#faults.refuse(this.#machine(nodeName), match)
  }

  /** Both ends of a node's matching connections hear of a reset at once. Answers how many there were. */
  resetConnections(nodeName: string, match: SimMatch = {}): number {
    return this.#faults.reset(this.#machine(nodeName), match)
  }

  /** Nothing arrives at a node's ends of matching connections, of those that come meanwhile too. The answer ends that. */
  holdConnections(nodeName: string, match: SimMatch = {}): () => void {
    return this.#faults.hold(this.#machine(nodeName), match)
  }

  /** A node begins handshakes on matching connections and does not finish them: of what it owes, only a greeting is sent. Dials
   * and accepted connections are concerned alike. The answer ends that, and what was not sent is. */
  stallHandshakes(nodeName: string, match: SimMatch = {}): () => void {
    return this.#faults.stall(this.#machine(nodeName), match)
  }

  /** Stalls a lane if the handshake that goes on there is to stay unfinished. */
  stallHandshake(socket: SimSocket, lane: Lane): void {
    this.#faults.applyToHandshake(socket, lane)
  }

  #connect(from: Machine, target: Machine, to: SimTarget, there: SimWay, back: SimWay, answerMs: number) {
    const near = {
      node: from.name,
      address: from === target ? '127.0.0.1' : (from.addresses[0] ?? '127.0.0.1'),
      port: nextPort(from),
    }
    const far = { node: target.name, address: to.host, port: to.port }
    const dialled = new SimSocket(this, { side: 'dialled', local: near, remote: far, target: to }, () => from.sockets.delete(dialled))
    const accepted = new SimSocket(this, { side: 'accepted', local: far, remote: near, target: to }, () => target.sockets.delete(accepted))
    dialled.join(accepted, there, back, this.nowMs() + answerMs)
    from.sockets.add(dialled)
    target.sockets.add(accepted)
    this.#faults.applyToNew(dialled)
    this.#faults.applyToNew(accepted)
    return { dialled, accepted }
  }

  #resolve(from: Machine, host: string): Machine | undefined {
    return isLoopback(host) || isEverywhere(host) ? from : this.#addresses.get(host)
  }

  #way(from: string, to: string): SimWay {
    return this.#ways.between(this.#machine(from), this.#machine(to))
  }

  #machine(name: string): Machine {
    const machine = this.#machines.get(name)
    assert(machine !== undefined, `the simulated network has a node "${name}"`)
    return machine
  }
}

/** Until an unanswered dial is tried again; doubled each time. RFC 6298, section 2.1, and Linux's number of retries. */
const DIAL_MS = 1_000
const DIAL_RETRIES = 6
const GIVE_UP_MS = 30_000
/** The data plane asks after 15 s without a word, and then ten times, once a second. */
const KEEP_ALIVE_MS = 25_000

function nobodyAt(machine: Machine, to: SimTarget): Refusal | undefined {
  if (listenerAt(machine, to) !== undefined) return undefined
  return refuse('gone', to.socketPath ? 'no such file or directory' : 'connection refused')
}

function unavailable(address: string, port: number): Refusal {
  return refuse('invalid', `listen tcp ${address}:${port}: bind: cannot assign requested address`)
}
