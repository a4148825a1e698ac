import type { SimSocket } from './socket.ts'

/** Takes over the accepted end of a new connection. Nothing arrives at it until it has handlers and is resumed. */
export type Accept = (socket: SimSocket) => void

/** Where a dial goes: a path on the dialling machine itself if there is one, else host and port. */
export type SimTarget = { readonly host: string; readonly port: number; readonly socketPath?: string }

/** A machine on the simulated network. */
export type Machine = {
  readonly name: string
  readonly addresses: readonly string[]
  /** By port or path. */
  readonly listeners: Map<string, Listener[]>
  /** Ends of open connections. */
  readonly sockets: Set<SimSocket>
  nextPort: number
  /** `stopped`: what ran on it is gone and its system answers for it. `off`: nothing answers. */
  state: 'up' | 'stopped' | 'off'
  /** How often it has crashed. */
  crashes: number
  /** Machines of different groups do not reach each other. */
  group: number | undefined
}

export type Listener = { readonly address: string; readonly accept: Accept }

export function createMachine(name: string, addresses: readonly string[]): Machine {
  return {
    name,
    addresses,
    listeners: new Map(),
    sockets: new Set(),
    nextPort: EPHEMERAL_PORT,
    state: 'up',
    crashes: 0,
    group: undefined,
  }
}

export function isEverywhere(address: string): boolean {
  return EVERYWHERE.has(address)
}

export function isLoopback(address: string): boolean {
  return LOOPBACK.has(address)
}

/** The answer removes it. */
export function addListener(machine: Machine, key: string, listener: Listener): () => void {
  machine.listeners.set(key, [...(machine.listeners.get(key) ?? []), listener])
  return () => {
    const left = (machine.listeners.get(key) ?? []).filter((other) => other !== listener)
    if (left.length === 0) machine.listeners.delete(key)
    else machine.listeners.set(key, left)
  }
}

export function listenerAt(machine: Machine, to: SimTarget): Listener | undefined {
  const listeners = machine.listeners.get(to.socketPath || String(to.port))
  return listeners?.find(({ address }) => isEverywhere(address) || address === to.host || (isLoopback(address) && isLoopback(to.host)))
}

/** A port that nothing listens on. */
export function freePort(machine: Machine): number {
  let port = nextPort(machine)
  while (machine.listeners.has(String(port))) port = nextPort(machine)
  return port
}

/** The port of the next connection that is dialled. */
export function nextPort(machine: Machine): number {
  const port = machine.nextPort
  machine.nextPort = port >= PORT_MAX ? EPHEMERAL_PORT : port + 1
  return port
}

const EVERYWHERE: ReadonlySet<string> = new Set(['', '0.0.0.0', '::'])
const LOOPBACK: ReadonlySet<string> = new Set(['127.0.0.1', '::1', 'localhost'])
const EPHEMERAL_PORT = 32_768
const PORT_MAX = 60_999
