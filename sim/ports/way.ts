import type { Random } from '../../src/kernel/ports.ts'
import type { Machine } from './machine.ts'
import type { Lane } from './socket.ts'

/** Until a packet that was not acknowledged is sent again; doubled each time. */
export const RETRANSMIT_MS = 200

/** What is wrong with one direction between two machines. */
export type Way = {
  /** The part of packets that gets lost, from 0 to 1. */
  readonly lost: number
  /** The part of datagrams that arrives twice, from 0 to 1. */
  readonly duplicated: number
  /** The part of datagrams that later ones overtake, from 0 to 1. */
  readonly reordered: number
  /** How long a packet takes, drawn evenly from `from` to `to`. */
  readonly delayMs: { readonly from: number; readonly to: number }
}

/** What is wrong with a description of a way, with the field's name, or undefined if nothing is. */
export function wayFault(way: unknown): string | undefined {
  if (typeof way !== 'object' || way === null || Array.isArray(way)) return 'way: must be an object'
  for (const [field, value] of Object.entries(way)) {
    if (field === 'delayMs') {
      const fault = delayFault(value)
      if (fault !== undefined) return fault
    } else if (!PARTS.has(field)) return `${field}: unknown field`
    else if (!isFrom0(value) || value > 1) return `${field}: must be a number from 0 to 1, got ${JSON.stringify(value)}`
  }
  return undefined
}

export type WaySurroundings = {
  nowMs(): number
  after(ms: number, work: () => void): unknown
  /** A stream of chance of its own for each name. */
  random(stream: string): Random
  /** How long a packet takes while nothing is wrong, in ms. */
  drawDelayMs?(from: string, to: string, random: Random): number
  /** How long a connection waits for a packet that does not get through before it breaks. */
  readonly giveUpMs: number
}

/** One direction between two machines, or within one: that is never disturbed. */
export class SimWay {
  readonly from: Machine
  readonly to: Machine
  isCut = false
  readonly #surroundings: WaySurroundings
  readonly #name: string
  readonly #held = new Set<Lane>()
  #disturbance: Partial<Way> | undefined
  #isBlocked = false
  #blocks = 0
  #delays: Random | undefined
  #losses: Random | undefined
  #datagrams: Random | undefined

  constructor(surroundings: WaySurroundings, from: Machine, to: Machine) {
    this.#surroundings = surroundings
    this.from = from
    this.to = to
    this.#name = `network/${from.name}>${to.name}`
    this.refresh()
  }

  /** Nothing gets through: it is cut or between two groups, or the machine at its end is off. */
  get isBlocked(): boolean {
    return this.#isBlocked
  }

  disturb(way: Partial<Way>): void {
    if (this.from !== this.to) this.#disturbance = { ...this.#disturbance, ...way }
  }

  restore(): void {
    this.#disturbance = undefined
  }

  /** Looks anew whether anything gets through. A way that is blocked for too long loses its connections. */
  refresh(): void {
    const isBlocked = this.from !== this.to && (this.isCut || areApart(this.from, this.to) || this.to.state === 'off')
    if (isBlocked === this.#isBlocked) return
    this.#isBlocked = isBlocked
    if (!isBlocked) {
      const lanes = [...this.#held]
      this.#held.clear()
      for (const lane of lanes) lane.flush()
      return
    }
    const block = ++this.#blocks
    this.#surroundings.after(this.#surroundings.giveUpMs, () => {
      if (this.#isBlocked && this.#blocks === block) this.#loseConnections()
    })
  }

  /** Keeps a lane whose packet did not get through until packets do. */
  hold(lane: Lane): void {
    this.#held.add(lane)
  }

  /** Whether one packet gets lost. */
  drops(): boolean {
    const lost = this.#disturbance?.lost ?? 0
    return lost > 0 && this.#lossStream().next() < lost
  }

  /** How long one packet is under way, in ms. */
  transitMs(): number {
    const delayMs = this.#disturbance?.delayMs
    const { drawDelayMs } = this.#surroundings
    if (delayMs === undefined && drawDelayMs !== undefined) return drawDelayMs(this.from.name, this.to.name, this.#delayStream())
    if (this.from === this.to) return 0
    const part = this.#delayStream().next()
    return delayMs === undefined ? part * DELAY_MS_MAX : delayMs.from + part * (delayMs.to - delayMs.from)
  }

  /** Draws what it takes to send a packet again until one gets through, in ms; `giveUpMs` if none does. RFC 6298, section 5. */
  retransmitMs(): number {
    if (this.#disturbance?.lost === undefined) return 0
    const { giveUpMs } = this.#surroundings
    let waitMs = 0
    for (let timeoutMs = RETRANSMIT_MS; waitMs < giveUpMs && this.drops(); timeoutMs *= 2) waitMs += timeoutMs
    return Math.min(waitMs, giveUpMs)
  }

  /** One datagram: `deliver` is called never, once or twice. */
  datagram(deliver: () => void): void {
    if (this.#isBlocked || this.drops()) return
    const { duplicated = 0, reordered = 0 } = this.#disturbance ?? {}
    this.#fly(deliver, reordered)
    if (duplicated > 0 && this.#datagramStream().next() < duplicated) this.#fly(deliver, reordered)
  }

  #fly(deliver: () => void, reordered: number): void {
    let takesMs = this.transitMs()
    if (reordered > 0 && this.#datagramStream().next() < reordered) takesMs += this.#datagramStream().next() * OVERTAKEN_MS_MAX
    this.#surroundings.after(takesMs, () => {
      if (this.to.state === 'up') deliver()
    })
  }

  /** Retransmission gives up at one end, keep-alive probes at the other. */
  #loseConnections(): void {
    for (const socket of [...this.from.sockets]) if (socket.remote.node === this.to.name) socket.giveUp()
  }

  #delayStream(): Random {
    return (this.#delays ??= this.#surroundings.random(this.#name))
  }

  #lossStream(): Random {
    return (this.#losses ??= this.#surroundings.random(`${this.#name}/lost`))
  }

  #datagramStream(): Random {
    return (this.#datagrams ??= this.#surroundings.random(`${this.#name}/datagrams`))
  }
}

/** How long a packet that has been sent again and again for `heldMs` still waits until it is sent the next time. */
export function nextRetransmitMs(heldMs: number): number {
  let atMs = 0
  for (let timeoutMs = RETRANSMIT_MS; atMs < heldMs; timeoutMs *= 2) atMs += timeoutMs
  return atMs - heldMs
}

/** Whether two machines are in different groups. Who is in none reaches everybody. */
export function areApart(from: Machine, to: Machine): boolean {
  return from.group !== to.group && from.group !== undefined && to.group !== undefined
}

const DELAY_MS_MAX = 2
/** How much later a datagram arrives that others overtake. */
const OVERTAKEN_MS_MAX = 50
const PARTS: ReadonlySet<string> = new Set(['lost', 'duplicated', 'reordered'] satisfies (keyof Way)[])

function delayFault(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null) return `delayMs: must have from and to, got ${JSON.stringify(value)}`
  const { from, to, ...rest } = value as Record<string, unknown>
  const unknownField = Object.keys(rest)[0]
  if (unknownField !== undefined) return `delayMs.${unknownField}: unknown field`
  if (!isFrom0(from)) return `delayMs.from: must be a number from 0, got ${JSON.stringify(from)}`
  if (!isFrom0(to) || to < from) return `delayMs.to: must be a number from delayMs.from (${from}), got ${JSON.stringify(to)}`
  return undefined
}

function isFrom0(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0
}
