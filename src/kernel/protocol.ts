import type { Result } from './refusal.ts'

/**
 * What actors may say to each other. A protocol is one exported `type` made of these three; `Own` types use `Cast` for an
 * actor's private messages (timers, outcomes). The types exist only at compile time.
 */
declare const kind: unique symbol

/** Answered exactly once, with an answer or a refusal, before the deadline that travels with it. */
export type Call<Request, Answer> = { readonly [kind]: 'call'; readonly request: Request; readonly answer: Answer }
/** Never answered. One that meets a full mailbox is dropped, counted and logged. */
export type Cast<Request> = { readonly [kind]: 'cast'; readonly request: Request }
/** Answered many times: newest whole value with its index. A slow reader misses values between, never the newest. */
export type Feed<Request, Value> = { readonly [kind]: 'feed'; readonly request: Request; readonly value: Value }

type AnyCall = { readonly [kind]: 'call'; readonly request: unknown; readonly answer: unknown }
type AnyCast = { readonly [kind]: 'cast'; readonly request: unknown }
type AnyFeed = { readonly [kind]: 'feed'; readonly request: unknown; readonly value: unknown }

export type CallsOf<P> = { [N in keyof P]: P[N] extends AnyCall ? N : never }[keyof P] & string
export type CastsOf<P> = { [N in keyof P]: P[N] extends AnyCast ? N : never }[keyof P] & string
export type FeedsOf<P> = { [N in keyof P]: P[N] extends AnyFeed ? N : never }[keyof P] & string
export type RequestOf<M> = M extends { readonly request: infer Request } ? Request : never
export type AnswerOf<M> = M extends { readonly answer: infer Answer } ? Answer : never
export type ValueOf<M> = M extends { readonly value: infer Value } ? Value : never

/** One of an actor's private messages, ready to be delivered to it. */
export type Message<Own> = { [N in keyof Own & string]: { name: N; request: RequestOf<Own[N]> } }[keyof Own & string]

declare const speaks: unique symbol

/** The address of an actor: which one (`key` is '' for the only one of its kind) and, if elsewhere, on which node, or in which other
 * datacenter: on whichever server of that is used. */
export type Ref<P = unknown> = {
  readonly actor: string
  readonly key: string
  readonly node?: string
  readonly datacenter?: string
  readonly [speaks]?: P | undefined
}

export function refOf<P>(actor: string, key = '', node?: string): Ref<P> {
  return node === undefined ? { actor, key } : { actor, key, node }
}

/** `kv`, or `proxy/web-proxy` for one of many. */
export function addressOf(ref: Pick<Ref, 'actor' | 'key'>): string {
  return ref.key === '' ? ref.actor : `${ref.actor}/${ref.key}`
}

/** Where an answer must go. Plain data: it may be kept in state and travel in messages. */
export type Caller<Answer = unknown> = { readonly peer: Peer; readonly call: number; readonly answers?: Answer }
/** Where a feed's values go. */
export type Subscriber<Value = unknown> = { readonly peer: Peer; readonly feed: number; readonly takes?: Value }

/** The other end of a link: a thread of this process by number, or another node by name. */
export type Peer = number | string

/** Returned by a handler that will answer its caller in a later turn. */
export const LATER = Symbol('answered in a later turn')
export type Later = typeof LATER

export type Answered<Answer> = Result<Answer> | Later
