import type { CallOptions, Turn } from './actor.ts'
import type { DeviceName, LogLevel, Random } from './ports.ts'
import type { Caller, Ref, Subscriber } from './protocol.ts'
import type { ReadSet } from './recording-view.ts'
import { assert, type Result } from './refusal.ts'
import type { View } from './tables.ts'

/** A private message on its way to the actor it belongs to. */
export type OwnMessage = { name: string; request: unknown }

/** What a handler wished for, in order. Plain data but for the functions that make an outcome a message. */
export type Wish =
  | { did: 'cast'; to: Ref; name: string; request: unknown }
  | { did: 'call'; to: Ref; name: string; request: unknown; withinMs: number; then: (result: Result<unknown>) => OwnMessage }
  | { did: 'answer'; caller: Caller; result: Result<unknown> }
  | { did: 'subscribe'; name: string; to: Ref; feed: string; request: unknown; then: (value: unknown, index: number) => OwnMessage }
  | { did: 'unsubscribe'; name: string }
  | { did: 'emit'; subscriber: Subscriber; index: number; value: unknown }
  | { did: 'wake'; name: string; reads: ReadSet; message: OwnMessage }
  | { did: 'unwake'; name: string }
  | { did: 'start'; actor: string; key: string; args: unknown; lane?: number }
  | { did: 'stop'; actor: string; key: string }
  | { did: 'timer'; name: string; afterMs: number; message: OwnMessage }
  | { did: 'cancel'; name: string }
  | {
      did: 'act'
      device: DeviceName
      request: unknown
      then: ((outcome: Result<unknown>) => OwnMessage) | undefined
      on: ((event: unknown) => OwnMessage) | undefined
    }
  | { did: 'again'; message: OwnMessage }
  | { did: 'print'; level: LogLevel; line: string; facts: Record<string, unknown> | undefined }
  | { did: 'count'; metric: string; by: number }
  | { did: 'measure'; metric: string; value: number }

/** Surroundings of one turn. */
export type TurnContext = { nowMs: number; random: Random; self: Ref; node: string; view: View }

/** The turn that hosts and tests give to handlers: it only writes wishes down. One recorder serves many turns, one at a time. */
export class Recorder {
  wishes: Wish[] = []
  #context: TurnContext | undefined

  /** Opens a turn. */
  begin(context: TurnContext): Turn<never> {
    this.wishes = []
    this.#context = context
    return this as unknown as Turn<never>
  }

  /** Closes the turn and gives what was wished for. */
  end(): Wish[] {
    this.#context = undefined
    return this.wishes
  }

  get #open(): TurnContext {
    assert(this.#context, 'a turn is used only while its handler runs')
    return this.#context
  }
  get nowMs(): number {
    return this.#open.nowMs
  }
  get random(): Random {
    return this.#open.random
  }
  get self(): Ref {
    return this.#open.self
  }
  get node(): string {
    return this.#open.node
  }
  get view(): View {
    return this.#open.view
  }
  cast(to: Ref, name: string, request: unknown): void {
    this.wishes.push({ did: 'cast', to, name, request })
  }
  call(to: Ref, name: string, request: unknown, { withinMs, then }: CallOptions<unknown, unknown>): void {
    this.wishes.push({ did: 'call', to, name, request, withinMs, then: then as (result: Result<unknown>) => OwnMessage })
  }
  answer(caller: Caller, result: Result<unknown>): void {
    this.wishes.push({ did: 'answer', caller, result })
  }
  subscribe(name: string, to: Ref, feed: string, request: unknown, then: (value: unknown, index: number) => OwnMessage): void {
    this.wishes.push({ did: 'subscribe', name, to, feed, request, then })
  }
  unsubscribe(name: string): void {
    this.wishes.push({ did: 'unsubscribe', name })
  }
  emit(subscriber: Subscriber, index: number, value: unknown): void {
    this.wishes.push({ did: 'emit', subscriber, index, value })
  }
  wake(name: string, reads: ReadSet, message: OwnMessage): void {
    this.wishes.push({ did: 'wake', name, reads, message })
  }
  unwake(name: string): void {
    this.wishes.push({ did: 'unwake', name })
  }
  start(actor: string, key: string, args: unknown, lane?: number): void {
    this.wishes.push({ did: 'start', actor, key, args, ...(lane !== undefined && { lane }) })
  }
  stop(actor: string, key: string): void {
    this.wishes.push({ did: 'stop', actor, key })
  }
  timer(name: string, afterMs: number, message: OwnMessage): void {
    this.wishes.push({ did: 'timer', name, afterMs, message })
  }
  cancel(name: string): void {
    this.wishes.push({ did: 'cancel', name })
  }
  act(
    device: DeviceName,
    request: unknown,
    options: { then?: (outcome: Result<never>) => OwnMessage; on?: (event: never) => OwnMessage } = {},
  ): void {
    const { then, on } = options as { then?: (outcome: Result<unknown>) => OwnMessage; on?: (event: unknown) => OwnMessage }
    this.wishes.push({ did: 'act', device, request, then, on })
  }
  again(message: OwnMessage): void {
    this.wishes.push({ did: 'again', message })
  }
  print(level: LogLevel, line: string, facts?: Record<string, unknown>): void {
    this.wishes.push({ did: 'print', level, line, facts })
  }
  count(metric: string, by = 1): void {
    this.wishes.push({ did: 'count', metric, by })
  }
  measure(metric: string, value: number): void {
    this.wishes.push({ did: 'measure', metric, value })
  }
}
