import type { Actor, Turn } from './actor.ts'
import { isFromAbroad } from './far.ts'
import type { Random } from './ports.ts'
import type { Caller, Peer, Ref, Subscriber } from './protocol.ts'
import { type Refusal, refuse } from './refusal.ts'
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
  /** Set for what an actor tells itself: it is for this life alone. */
  life?: number
  /** A feed's value: the producer is told once this message was handled. */
  taken?: { peer: Peer; feed: number }
}

const CRASHES_MAX = 5
const CRASH_WINDOW_MS = 60_000
const REBUILD_AFTER_MS = 50

/** One running actor and everything its host must clean up for it. */
export class Instance {
  readonly definition: AnyActor
  readonly ref: Ref
  readonly address: string
  args: unknown
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
  readonly #crashedAtMs: number[] = []
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

  /** Why it does not take a message now; undefined if it does. */
  refuses(name: string, peer: Peer): Refusal | undefined {
    const { mailboxMax, remote, abroad } = this.definition
    if (this.waiting >= mailboxMax) return refuse('busy', `${this.address} has ${this.waiting} messages waiting`)
    if (typeof peer === 'string' && !(remote as readonly string[] | undefined)?.includes(name)) {
      return refuse('forbidden', `"${name}" of ${this.address} cannot be asked from another machine`)
    }
    if (isFromAbroad(peer) && !abroad) return refuse('forbidden', `"${name}" of ${this.address} cannot be asked from another datacenter`)
    return undefined
  }

  /** Ends everything that belongs to the present life. */
  clear(): void {
    for (const cancel of this.timers.values()) cancel()
    for (const cancel of this.wakes.values()) cancel()
    this.timers.clear()
    this.wakes.clear()
    this.life++
  }

  /** Whether it goes on when it is started with these arguments. Then they are what it is rebuilt from after a crash. */
  stays(args: unknown, turn: Turn<never>): boolean {
    const stays = !this.down && (this.definition.stays?.(this.state as never, args as never, turn) ?? false)
    if (stays) this.args = args
    return stays
  }

  /** Notes a crash. How long to wait before the rebuild: nothing after the first one, then longer and longer; or too often for that. */
  crashed(nowMs: number): { ms: number } | { tooOften: string } {
    this.restarts++
    const times = this.#crashedAtMs
    times.push(nowMs)
    while (nowMs - (times[0] as number) > CRASH_WINDOW_MS) times.shift()
    if (times.length > CRASHES_MAX) return { tooOften: `${times.length} times within ${CRASH_WINDOW_MS / 1_000} s` }
    return { ms: times.length === 1 ? 0 : REBUILD_AFTER_MS * 2 ** (times.length - 2) }
  }

  own(message: OwnMessage): Envelope {
    return { to: this, name: message.name, request: message.request, life: this.life }
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
