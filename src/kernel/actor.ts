import type { DeviceEvent, DeviceName, DeviceOutcome, DeviceRequest, LogLevel, Random } from './ports.ts'
import type {
  Answered,
  AnswerOf,
  Call,
  Caller,
  CallsOf,
  Cast,
  CastsOf,
  Feed,
  FeedsOf,
  Message,
  Ref,
  RequestOf,
  Subscriber,
  ValueOf,
} from './protocol.ts'
import type { ReadSet } from './recording-view.ts'
import type { Result } from './refusal.ts'
import type { View } from './tables.ts'

/** How an actor behaves. Handlers run one at a time, never wait, and change nothing but `state` and their turn. */
export type Actor<P, Own, State, Args> = {
  readonly name: string
  /** Messages that may wait; one more is refused with `busy`. */
  readonly mailboxMax: number
  /** What another machine may ask and follow. All else is refused there with `forbidden`; a feed, without a word. */
  readonly remote?: readonly (keyof P & string)[]
  /** Servers of other datacenters may ask that, too. Default: only agents of this one. */
  readonly abroad?: true
  /** Builds the state, at the start and after a crash. */
  readonly init: (args: Args, turn: Turn<Own>) => State
  readonly on: Handlers<P, Own, State>
  /** Whether it stays when it is started with these arguments while it runs; it may take them over, and what it wishes for is
   * carried out then. Absent: it is replaced. */
  readonly stays?: (state: State, args: Args, turn: Turn<Own>) => boolean
  /** A subscriber of one of the feeds went away. */
  readonly left?: (state: State, subscriber: Subscriber, turn: Turn<Own>) => void
}

export type Handlers<P, Own, State> = {
  [N in keyof P]: P[N] extends Call<infer Request, infer Answer>
    ? (state: State, request: Request, turn: Turn<Own>, caller: Caller<Answer>) => Answered<Answer>
    : P[N] extends Feed<infer Request, infer Value>
      ? (state: State, request: Request, turn: Turn<Own>, subscriber: Subscriber<Value>) => void
      : P[N] extends Cast<infer Request>
        ? (state: State, request: Request, turn: Turn<Own>) => void
        : never
} & { [N in keyof Own]: Own[N] extends Cast<infer Request> ? (state: State, request: Request, turn: Turn<Own>) => void : never }

export function defineActor<P, Own, State, Args = void>(actor: Actor<P, Own, State, Args>): Actor<P, Own, State, Args> {
  return actor
}

export type CallOptions<Own, Answer> = {
  /** The deadline. When it passes, `then` gets the refusal `late`. */
  withinMs: number
  then: (result: Result<Answer>) => Message<Own>
}

/** What a handler knows and may wish for during one message. Wishes are carried out after the handler returns; if it throws,
 * none is. */
export interface Turn<Own> {
  /** Wall-clock milliseconds since 1970. */
  readonly nowMs: number
  readonly random: Random
  readonly self: Ref
  /** The node this actor runs on. */
  readonly node: string
  /** The newest durable state of all tables. Valid during this turn only. */
  readonly view: View

  cast<P, N extends CastsOf<P>>(to: Ref<P>, name: N, request: RequestOf<P[N]>): void
  call<P, N extends CallsOf<P>>(to: Ref<P>, name: N, request: RequestOf<P[N]>, options: CallOptions<Own, AnswerOf<P[N]>>): void
  /** Answers a caller that got LATER. A second answer is a broken promise. */
  answer<Answer>(caller: Caller<Answer>, result: Result<Answer>): void
  /** Takes a feed under a name of my own; the same name again replaces it. Survives crashes and restarts of the other side. */
  subscribe<P, N extends FeedsOf<P>>(
    name: string,
    to: Ref<P>,
    feed: N,
    request: RequestOf<P[N]>,
    then: (value: ValueOf<P[N]>, index: number) => Message<Own>,
  ): void
  unsubscribe(name: string): void
  emit<Value>(subscriber: Subscriber<Value>, index: number, value: Value): void
  /** Sends me `message` once when anything of `reads` changes. The same name again replaces it. */
  wake(name: string, reads: ReadSet, message: Message<Own>): void
  unwake(name: string): void
  /** Starts an actor by name and key where the placement table puts it; it is started anew if its thread is. With a `lane`, the
   * one of its threads that this number falls on, so that many of a kind spread evenly; then only its starter can address it.
   * One that runs already keeps its thread, and is replaced unless it `stays`. */
  start(actor: string, key: string, args: unknown, lane?: number): void
  stop(actor: string, key: string): void
  /** Sends me `message` after at least `afterMs`. The same name again replaces it. */
  timer(name: string, afterMs: number, message: Message<Own>): void
  cancel(name: string): void
  /** Asks a device. `then` gets the outcome, `on` what happens to it later; neither is required. */
  act<D extends DeviceName>(
    device: D,
    request: DeviceRequest<D>,
    options?: { then?: (outcome: Result<DeviceOutcome<D>>) => Message<Own>; on?: (event: DeviceEvent<D>) => Message<Own> },
  ): void
  /** Sends myself a message after those already waiting. */
  again(message: Message<Own>): void
  print(level: LogLevel, line: string, facts?: Record<string, unknown>): void
  /** Adds to a counter of the metrics page. */
  count(metric: string, by?: number): void
  /** Adds to a sample of the metrics page, in the unit that its name stands for. */
  measure(metric: string, value: number): void
}
