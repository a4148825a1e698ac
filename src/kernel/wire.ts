import { Packr, Unpackr } from 'msgpackr'
import type { Refusal } from './refusal.ts'

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

export function unpackItems(bytes: Uint8Array): Item[] {
  return unpackr.unpack(bytes) as Item[]
}

/** A value as it looks after a journey over a link. */
export function travelled<T>(value: T): T {
  return unpackr.unpack(packr.pack(value)) as T
}

/** A refusal for a caller whose callee will never answer. */
export function gone(why: string): Refusal {
  return { refused: 'gone', why }
}
