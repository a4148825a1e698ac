import type { Actor } from './actor.ts'
import type { Random } from './ports.ts'
import type { Caller, Peer, Ref, Subscriber } from './protocol.ts'
import type { OwnMessage } from './wishes.ts'

/** An actor definition as a host handles it, its types already checked where it was defined. */
export type AnyActor = Actor<never, never, never, never>
export type AnyHandler = (state: unknown, request: unknown, turn: unknown, from?: Caller | Subscriber) => unknown

/** One message in a mailbox. */
export type Envelope = {
  to: Instance
  name: string
  request: unknown
  /** Set for calls. */
  caller?: Caller
  /** Set for subscriptions. */
  subscriber?: Subscriber
  /** Monotonic ms after which a call is refused with `late`. */
  deadlineAt?: number
  /** A feed's value: the producer is told once this message was handled. */
  taken?: { peer: Peer; feed: number }
}

/** One running actor and everything its host must clean up for it. */
export class Instance {
  readonly definition: AnyActor
  readonly ref: Ref
  readonly address: string
  readonly args: unknown
  readonly random: Random
  state: unknown
  /** Counts rebuilds: outcomes of an earlier life are dropped. */
  life = 0
  /** Between a crash and the rebuild messages are held. */
  down = false
  ended = false
  waiting = 0
  held: Envelope[] = []
  readonly timers = new Map<string, () => void>()
  readonly wakes = new Map<string, () => void>()
  /** Feeds taken, by the actor's own name for them. */
  readonly subscriptions = new Map<string, number>()
  /** Calls answered LATER that still wait. */
  readonly owed = new Map<string, Caller>()
  readonly crashedAtMs: number[] = []
  readonly startedAtMs: number
  messages = 0
  busyMs = 0
  restarts = 0
  dropped = 0

  constructor(definition: AnyActor, ref: Ref, address: string, args: unknown, random: Random, startedAtMs: number) {
    this.definition = definition
    this.ref = ref
    this.address = address
    this.args = args
    this.random = random
    this.startedAtMs = startedAtMs
  }

  handler(name: string): AnyHandler | undefined {
    const handlers = this.definition.on as Record<string, AnyHandler>
    return Object.hasOwn(handlers, name) ? handlers[name] : undefined
  }

  /** Ends everything that belongs to the present life. */
  clear(): void {
    for (const cancel of this.timers.values()) cancel()
    for (const cancel of this.wakes.values()) cancel()
    this.timers.clear()
    this.wakes.clear()
    this.life++
  }

  own(message: OwnMessage): Envelope {
    return { to: this, name: message.name, request: message.request }
  }
}

/** One row of `tribune actors`. */
export type ActorStats = {
  thread: number
  actor: string
  key: string
  mailbox: number
  mailboxMax: number
  messages: number
  busyMs: number
  restarts: number
  dropped: number
  ageMs: number
}

export function statsOf(instance: Instance, thread: number, nowMs: number): ActorStats {
  const { definition, ref, waiting, messages, busyMs, restarts, dropped, startedAtMs } = instance
  return {
    thread,
    actor: ref.actor,
    key: ref.key,
    mailbox: waiting,
    mailboxMax: definition.mailboxMax,
    messages,
    busyMs,
    restarts,
    dropped,
    ageMs: nowMs - startedAtMs,
  }
}

/** Under which an actor owes a caller its answer. */
export function owedKey(caller: Caller): string {
  return `${caller.peer}:${caller.call}`
}
