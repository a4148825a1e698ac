import type { MeshEvent, MeshPeer, MeshTraffic } from '../../src/kernel/ports.ts'
import { type Result, refuse } from '../../src/kernel/refusal.ts'
import type { Carriers } from './carriers.ts'
import { type Destination, dial } from './dialer.ts'
import { failureOf } from './reasons.ts'
import { type Leg, splice, type Traffic } from './splice.ts'

export type Arrival = {
  readonly owner: string
  readonly listener: number
  readonly leg: Leg
  readonly from: string
  readonly to?: string
  readonly peer?: MeshPeer
  readonly handshakeMs?: number
  readonly event: (event: MeshEvent) => void
  /** Called once the leg is gone. */
  readonly closed?: () => void
}

type Connection = Traffic & {
  readonly number: number
  readonly owner: string
  readonly accepted: Leg
  readonly event: (event: MeshEvent) => void
  readonly openedMs: number
  phase: 'waiting' | 'dialling' | 'spliced'
  dialled: Leg | undefined
  giveUp: (() => void) | undefined
  /** Why it ended or is ending; the first reason counts. */
  why: string | undefined
  legsOpen: number
  /** What it had carried when somebody last asked. */
  askedBytes: number
}

/** All accepted connections of one device, from `accepted` to `closed`. */
export class Connections {
  readonly #open = new Map<number, Connection>()
  readonly #monotonicMs: () => number
  #last = 0
  #idle: (() => void)[] = []

  constructor(monotonicMs: () => number) {
    this.#monotonicMs = monotonicMs
  }

  /** Resolves as soon as no connection is open. */
  drained(): Promise<void> {
    if (this.#open.size === 0) return Promise.resolve()
    return new Promise((resolve) => this.#idle.push(resolve))
  }

  /** Takes over an accepted leg that nobody has read from, and reports it. */
  accept(arrival: Arrival): void {
    const { owner, leg, event, listener, from, to, peer, handshakeMs, closed } = arrival
    const number = ++this.#last
    const connection: Connection = {
      number,
      owner,
      accepted: leg,
      event,
      openedMs: this.#monotonicMs(),
      phase: 'waiting',
      dialled: undefined,
      giveUp: undefined,
      why: undefined,
      legsOpen: 0,
      receivedBytes: 0,
      sentBytes: 0,
      askedBytes: 0,
    }
    this.#open.set(number, connection)
    this.#watch(connection, leg, 'the caller', closed)
    event({
      did: 'accepted',
      listener,
      connection: number,
      from,
      ...(to && { to }),
      ...(peer && { peer }),
      ...(handshakeMs !== undefined && { handshakeMs }),
    })
  }

  /** Begins to dial for a connection that waits. */
  connect(
    number: number,
    to: Destination & { greeting?: Uint8Array },
    carriersOf: (owner: string) => Carriers | undefined,
  ): Result<object> {
    const connection = this.#open.get(number)
    if (connection === undefined || connection.why !== undefined) return this.#absent(number)
    if (connection.phase !== 'waiting') {
      return refuse('conflict', `connection ${number} is already ${connection.phase === 'spliced' ? 'connected' : 'being connected'}`)
    }
    connection.phase = 'dialling'
    const beganMs = this.#monotonicMs()
    const carriersNow = () => carriersOf(connection.owner)
    connection.giveUp = dial(to, carriersNow, (outcome) => {
      connection.giveUp = undefined
      if ('why' in outcome) {
        connection.phase = 'waiting'
        connection.event({ did: 'dial-failed', connection: number, why: outcome.why })
        return
      }
      connection.phase = 'spliced'
      connection.dialled = outcome.leg
      this.#watch(connection, outcome.leg, 'the destination')
      const tookMs = this.#monotonicMs() - beganMs
      connection.event({ did: 'connected', connection: number, tookMs, ...(outcome.peer === undefined ? {} : { peer: outcome.peer }) })
      if (connection.why !== undefined) return
      if (to.greeting) outcome.leg.write({ bytes: Buffer.from(to.greeting) })
      splice(connection.accepted, outcome.leg, connection)
    })
    return {}
  }

  close(number: number, why: string): Result<object> {
    const connection = this.#open.get(number)
    if (connection === undefined) return this.#absent(number)
    end(connection, why)
    return {}
  }

  /** Of the owner's connections that carried something since this was asked last. */
  traffic(owner: string): MeshTraffic[] {
    return [...this.#open.values()].flatMap((connection) => {
      const { number, receivedBytes, sentBytes } = connection
      if (connection.owner !== owner || connection.askedBytes === receivedBytes + sentBytes) return []
      connection.askedBytes = receivedBytes + sentBytes
      return [{ connection: number, receivedBytes, sentBytes }]
    })
  }

  closeAllOf(owner: string, why: string): void {
    for (const connection of this.#open.values()) if (connection.owner === owner) end(connection, why)
  }

  #absent(number: number): Result<object> {
    const known = Number.isInteger(number) && number > 0 && number <= this.#last
    return known ? refuse('gone', `connection ${number} has ended`) : refuse('missing', `there is no connection ${number}`)
  }

  #watch(connection: Connection, leg: Leg, who: string, closed?: () => void): void {
    connection.legsOpen += 1
    leg.watch(
      (error) => {
        const { code, message } = failureOf(error)
        end(connection, code === 'ECONNRESET' || code === 'EPIPE' ? `reset by ${who}` : `${who}: ${message}`)
      },
      () => {
        closed?.()
        connection.legsOpen -= 1
        if (connection.phase !== 'spliced') connection.why ??= `closed by ${who}`
        connection.giveUp?.()
        if (connection.legsOpen === 0) this.#finish(connection)
      },
    )
  }

  #finish(connection: Connection): void {
    const { number, why, receivedBytes, sentBytes, openedMs, event } = connection
    if (!this.#open.delete(number)) return
    event({
      did: 'closed',
      connection: number,
      why: why ?? 'finished by both ends',
      receivedBytes,
      sentBytes,
      openMs: Math.round(this.#monotonicMs() - openedMs),
    })
    if (this.#open.size === 0) for (const resolve of this.#idle.splice(0)) resolve()
  }
}

/** Resets what is open. `closed` follows once both legs are gone. */
function end(connection: Connection, why: string): void {
  connection.why ??= why
  connection.giveUp?.()
  connection.giveUp = undefined
  connection.accepted.reset()
  connection.dialled?.reset()
}
