import type { Machine, SimTarget } from './machine.ts'
import type { Lane, SimSocket } from './socket.ts'

/** Which of a node's connections a fault concerns: those that fit everything given, so all if nothing is. */
export type SimMatch = {
  /** The node at the other end. */
  readonly peer?: string
  /** What was dialled. */
  readonly address?: string
  readonly port?: number
  readonly path?: string
}

type Fault = { readonly node: string; readonly match: SimMatch }
type Hold = Fault & { readonly sockets: Set<SimSocket> }
type Stall = Fault & { readonly lanes: Set<Lane> }

/** What is done to the connections of single nodes. The answer of whatever begins something ends it. */
export class ConnectionFaults {
  readonly #refusals = new Set<Fault>()
  readonly #holds = new Set<Hold>()
  readonly #stalls = new Set<Stall>()

  refuse(machine: Machine, match: SimMatch): () => void {
    const refusal = { node: machine.name, match }
    this.#refusals.add(refusal)
    return () => this.#refusals.delete(refusal)
  }

  /** Whether a node's system refuses a dial. */
  refuses(machine: Machine, from: Machine, to: SimTarget): boolean {
    for (const { node, match } of this.#refusals) if (node === machine.name && fits(match, from.name, to)) return true
    return false
  }

  /** Answers how many connections there were. */
  reset(machine: Machine, match: SimMatch): number {
    const sockets = socketsOf(machine, match)
    for (const socket of sockets) socket.breakOff()
    return sockets.length
  }

  hold(machine: Machine, match: SimMatch): () => void {
    const hold: Hold = { node: machine.name, match, sockets: new Set(socketsOf(machine, match)) }
    this.#holds.add(hold)
    for (const socket of hold.sockets) socket.freeze()
    return () => this.#release(hold)
  }

  stall(machine: Machine, match: SimMatch): () => void {
    const stall: Stall = { node: machine.name, match, lanes: new Set() }
    this.#stalls.add(stall)
    return () => this.#proceed(stall)
  }

  /** Freezes one end of a new connection if it is to be held. */
  applyToNew(socket: SimSocket): void {
    for (const hold of this.#holds) {
      if (!concerns(hold, socket)) continue
      for (const known of hold.sockets) if (!known.isOpen) hold.sockets.delete(known)
      hold.sockets.add(socket)
      socket.freeze()
    }
  }

  /** Stalls what one end sends if its handshake is to stay unfinished. */
  applyToHandshake(socket: SimSocket, lane: Lane): void {
    for (const stall of this.#stalls) {
      if (!concerns(stall, socket)) continue
      stall.lanes.add(lane)
      lane.stall()
    }
  }

  endAll(): void {
    this.#refusals.clear()
    for (const hold of [...this.#holds]) this.#release(hold)
    for (const stall of [...this.#stalls]) this.#proceed(stall)
  }

  #release(hold: Hold): void {
    if (!this.#holds.delete(hold)) return
    for (const socket of hold.sockets) socket.thaw()
  }

  #proceed(stall: Stall): void {
    if (!this.#stalls.delete(stall)) return
    for (const lane of stall.lanes) {
      const isStillStalled = [...this.#stalls].some(({ lanes }) => lanes.has(lane))
      if (!isStillStalled) lane.proceed()
    }
  }
}

function socketsOf({ name, sockets }: Machine, match: SimMatch): SimSocket[] {
  return [...sockets].filter((socket) => concerns({ node: name, match }, socket))
}

function concerns({ node, match }: Fault, socket: SimSocket): boolean {
  return socket.local.node === node && fits(match, socket.remote.node, socket.target)
}

function fits({ peer, address, port, path }: SimMatch, otherEnd: string, { host, port: dialledPort, socketPath }: SimTarget): boolean {
  if (peer !== undefined && peer !== otherEnd) return false
  if (path !== undefined) return path === socketPath
  if (socketPath && (address !== undefined || port !== undefined)) return false
  return (address === undefined || address === host) && (port === undefined || port === dialledPort)
}
