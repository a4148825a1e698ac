import { Packr, Unpackr } from 'msgpackr'
import type { Peer } from './protocol.ts'
import { type Refusal, type Result, refuse } from './refusal.ts'

/** What travels over a link, as arrays whose first item says which. A flush is one packed array of them. */
export const CALL = 0
export const CAST = 1
export const ANSWER = 2
export const SUBSCRIBE = 3
export const UNSUBSCRIBE = 4
export const EMIT = 5
export const TAKEN = 6
export const START = 7
export const STOP = 8
export const NOTICE = 9
export const CREDIT = 10

export type Item =
  | [typeof CALL, address: string, name: string, request: unknown, call: number, withinMs: number]
  | [typeof CAST, address: string, name: string, request: unknown]
  | [typeof ANSWER, call: number, result: unknown]
  | [typeof SUBSCRIBE, address: string, name: string, request: unknown, feed: number]
  | [typeof UNSUBSCRIBE, feed: number]
  | [typeof EMIT, feed: number, index: number, value: unknown]
  | [typeof TAKEN, feed: number]
  | [typeof START, actor: string, key: string, args: unknown]
  | [typeof STOP, actor: string, key: string]
  | [typeof NOTICE, index: number, touched: [number, string][]]
  | [typeof CREDIT, items: number]

const packr = new Packr({ useRecords: false, moreTypes: false })
const unpackr = new Unpackr({ useRecords: false, mapsAsObjects: true })

/** Packs a flush into a buffer of exactly its size: packing gives a view of a pool, and posting a view copies the whole pool. */
export function packItems(items: readonly Item[]): Uint8Array<ArrayBuffer> {
  const packed = packr.pack(items)
  const exact = new Uint8Array(packed.byteLength)
  exact.set(packed)
  return exact
}

/** Throws if the bytes are no msgpack; their items may still be anything. */
export function unpackItems(bytes: Uint8Array): Item[] {
  return unpackr.unpack(bytes) as Item[]
}

/** The items of a batch, all of them in their form and allowed to their sender, or none. Another machine may neither start nor stop actors nor tell of commits. */
export function readBatch(bytes: Uint8Array, from: Peer): Result<Item[]> {
  let items: unknown
  try {
    items = unpackItems(bytes)
  } catch (error) {
    return refuse('invalid', `not msgpack: ${error instanceof Error ? error.message : String(error)}`)
  }
  if (!Array.isArray(items)) return refuse('invalid', 'not a list of items')
  const isThread = typeof from === 'number'
  for (let at = 0; at < items.length; at++) {
    if (!isItem(items[at], isThread)) return refuse('invalid', `item ${at} of ${items.length} is malformed or not for its sender to send`)
  }
  return items
}

function isItem(item: unknown, isThread: boolean): boolean {
  if (!Array.isArray(item)) return false
  const first: unknown = item[1]
  const second: unknown = item[2]
  switch (item[0]) {
    case CALL:
      return isText(first) && isText(second) && isNumber(item[4]) && isWait(item[5])
    case CAST:
      return isText(first) && isText(second)
    case SUBSCRIBE:
      return isText(first) && isText(second) && isNumber(item[4])
    case EMIT:
      return isNumber(first) && isNumber(second)
    case ANSWER:
    case UNSUBSCRIBE:
    case TAKEN:
    case CREDIT:
      return isNumber(first)
    case START:
    case STOP:
      return isThread && isText(first) && isText(second)
    case NOTICE:
      return isThread && isNumber(first) && Array.isArray(second) && second.every(isTouched)
    default:
      return false
  }
}

function isText(value: unknown): value is string {
  return typeof value === 'string'
}

function isNumber(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

function isWait(value: unknown): boolean {
  return typeof value === 'number' && value >= 0
}

function isTouched(pair: unknown): boolean {
  return Array.isArray(pair) && isNumber(pair[0]) && isText(pair[1])
}

const RESERVED = '__proto__'

/**
 * The path to a field named `__proto__`, if there is one: the codec gives it another name, so that no message can change what
 * objects are. All else comes back as it was, but for a negative zero, which comes back as zero.
 */
export function reservedField(value: unknown): string | undefined {
  const found: [value: unknown, path: string][] = [[value, '']]
  for (let next = found.pop(); next; next = found.pop()) {
    const [at, path] = next
    if (typeof at !== 'object' || at === null || ArrayBuffer.isView(at)) continue
    if (Object.hasOwn(at, RESERVED)) return path + RESERVED
    for (const [name, inner] of Object.entries(at)) if (typeof inner === 'object' && inner !== null) found.push([inner, `${path}${name}.`])
  }
  return undefined
}

/** A value as it looks after a journey over a link. */
export function travelled<T>(value: T): T {
  return unpackr.unpack(packr.pack(value)) as T
}

/** A refusal for a caller whose callee will never answer. */
export function gone(why: string): Refusal {
  return { refused: 'gone', why }
}
