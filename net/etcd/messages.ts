import { bigintOf, bytesOf, fieldsOf, message, messagesOf, numberOf } from './protobuf.ts'

/** What is used of etcd's API, version 3: see `rpc.proto` and `kv.proto` of etcd 3.4 for the numbers of the fields. */
/** `version`: how often it was put since it was created. */
export type KeyValue = { key: string; value: Buffer; createRevision: number; modRevision: number; version: number }
export type RangeRequest = {
  key: string
  /** All keys from `key` on that are before this one; without it the key alone. */
  end?: string
  /** 0: no limit. */
  limit?: number
  keysOnly?: boolean
}
/** `revision` is that of the whole store when it was looked at, `term` the number of the election that etcd's leader won. */
export type RangeAnswer = { revision: number; term?: number; found: KeyValue[]; more: boolean }
/** A condition: what the key holds, or that it is absent. */
export type Condition = { key: string; value: string } | { key: string; absent: true }
export type Operation =
  | { do: 'put'; key: string; value: string | Uint8Array; lease?: bigint }
  | { do: 'delete'; key: string; end?: string }
  | ({ do: 'range' } & RangeRequest)
/** All conditions hold: `then` is carried out, else `otherwise`; either at one revision. */
export type TxnRequest = { when: Condition[]; then: Operation[]; otherwise?: Operation[] }
/** `found`: of each operation what it has found; nothing for one that writes. */
export type TxnAnswer = { succeeded: boolean; revision: number; term?: number; found: KeyValue[][] }
/** `from`: the first revision that is told. */
export type WatchRequest = { key: string; from: number }
export type WatchAnswer = {
  created: boolean
  canceled: boolean
  /** Where it may begin at the earliest; 0 unless it was cancelled because what it wants has been compacted. */
  compactRevision: number
  cancelReason: string
  /** What was put. Deletions are not told. */
  put: KeyValue[]
}
export type LeaseAnswer = { id: bigint; ttlS: number }

export function encodeRange({ key, end, limit, keysOnly }: RangeRequest): Buffer {
  return message([1, key], [2, end], [3, limit], [8, keysOnly])
}

export function decodeRange(bytes: Buffer): RangeAnswer {
  const fields = fieldsOf(bytes)
  return { ...headerOf(bytesOf(fields, 1)), found: messagesOf(fields, 2).map(decodeKeyValue), more: numberOf(fields, 3) !== 0 }
}

export function encodeTxn({ when, then, otherwise = [] }: TxnRequest): Buffer {
  return message([1, when.map(encodeCondition)], [2, then.map(encodeOperation)], [3, otherwise.map(encodeOperation)])
}

export function decodeTxn(bytes: Buffer): TxnAnswer {
  const fields = fieldsOf(bytes)
  const found = messagesOf(fields, 3).map((answer) => decodeRange(bytesOf(fieldsOf(answer), 1)).found)
  return { ...headerOf(bytesOf(fields, 1)), succeeded: numberOf(fields, 2) !== 0, found }
}

export function encodeCompact(revision: number): Buffer {
  return message([1, revision])
}

export function encodeWatch({ key, from }: WatchRequest): Buffer {
  const create = message([1, key], [3, from], [5, NO_DELETE], [8, IN_PIECES])
  return message([1, create])
}

export function decodeWatch(bytes: Buffer): WatchAnswer {
  const fields = fieldsOf(bytes)
  return {
    created: numberOf(fields, 3) !== 0,
    canceled: numberOf(fields, 4) !== 0,
    compactRevision: numberOf(fields, 5),
    cancelReason: bytesOf(fields, 6).toString(),
    put: messagesOf(fields, 11)
      .map(fieldsOf)
      .filter((event) => numberOf(event, 1) === PUT)
      .map((event) => decodeKeyValue(bytesOf(event, 2))),
  }
}

export function encodeGrant(ttlS: number): Buffer {
  return message([1, ttlS])
}

export function decodeGrant(bytes: Buffer): LeaseAnswer {
  const fields = fieldsOf(bytes)
  return { id: bigintOf(fields, 2), ttlS: numberOf(fields, 3) }
}

/** To keep a lease, and to give it back. */
export function encodeLease(id: bigint): Buffer {
  return message([1, id])
}

const EQUAL = 0
const CREATED = 1
const VALUE = 3
const PUT = 0
const NO_DELETE = 1
/** What is too much for one message comes as several. */
const IN_PIECES = true

function encodeCondition(condition: Condition): Buffer {
  if ('absent' in condition) return message([1, EQUAL], [2, CREATED], [3, condition.key])
  return message([1, EQUAL], [2, VALUE], [3, condition.key], [7, condition.value])
}

function encodeOperation(operation: Operation): Buffer {
  if (operation.do === 'range') return message([1, encodeRange(operation)])
  if (operation.do === 'delete') return message([3, message([1, operation.key], [2, operation.end])])
  return message([2, message([1, operation.key], [2, operation.value], [3, operation.lease])])
}

function decodeKeyValue(bytes: Buffer): KeyValue {
  const fields = fieldsOf(bytes)
  return {
    key: bytesOf(fields, 1).toString(),
    value: bytesOf(fields, 5),
    createRevision: numberOf(fields, 2),
    modRevision: numberOf(fields, 3),
    version: numberOf(fields, 4),
  }
}

function headerOf(header: Buffer): { revision: number; term: number } {
  const fields = fieldsOf(header)
  return { revision: numberOf(fields, 3), term: numberOf(fields, 4) }
}
