import { defineActor } from '../../src/kernel/actor.ts'
import { type Call, type Caller, type Cast, LATER, refOf } from '../../src/kernel/protocol.ts'
import { type Refusal, type Result, refuse } from '../../src/kernel/refusal.ts'
import type { View } from '../../src/kernel/tables.ts'
import { authorize, type Token } from '../authorize.ts'
import { commit } from '../ledger.ts'
import type { KvText } from './changes.ts'
import { kvGet } from './queries.ts'

/** What anyone may ask of the key/value store. Reading needs no actor where the tables are: see queries.ts. */
export type KvProtocol = {
  /** The value of a key as this server has it; null if there is none. */
  get: Call<{ key: string; token: Token }, { value: Uint8Array | null }>
  /** Writes if `cas` is absent or equals the entry's modifyIndex (0: must not exist). */
  put: Call<{ key: string; value: Uint8Array; flags: bigint; cas?: number; token: Token }, { applied: boolean }>
  /** Takes (`lock`) or gives back (`unlock`) the lock of a key for a session, and writes if that succeeds. A session that is not
   * there is refused with `conflict` and Consul's text. */
  lock: Call<KvLocking, { applied: boolean }>
  unlock: Call<KvLocking, { applied: boolean }>
  /** Deletes one entry (if `cas` fits), or with `recurse` everything that begins with `key`. */
  delete: Call<{ key: string; recurse: boolean; cas?: number; token: Token }, { applied: boolean }>
}
type KvLocking = KvText & { session: string; token: Token }
type KvOwn = { settled: Cast<{ caller: Caller<{ applied: boolean }>; result: Result<{ applied: boolean }> }> }
type KvState = { valueBytesMax: number }

/** What LMDB can hold as a key, less the table's number. */
export const KEY_BYTES_MAX = 1_900

export const kvRef = refOf<KvProtocol>('kv')

export const kv = defineActor<KvProtocol, KvOwn, KvState, { valueBytesMax: number }>({
  name: 'kv',
  mailboxMax: 16_384,
  remote: ['get', 'put', 'lock', 'unlock', 'delete'],
  init: ({ valueBytesMax }) => ({ valueBytesMax }),
  on: {
    get(_state, { key, token }, turn) {
      const denied = authorize(turn.view, token, { resource: 'key', name: key, access: 'read' })
      return denied ?? { value: kvGet(turn.view, key).entry?.value ?? null }
    },

    put({ valueBytesMax }, { token, ...entry }, turn, caller) {
      const denied = mayNotWrite(turn.view, token, entry, valueBytesMax)
      if (denied) return denied
      commit(turn, 'kv.put', entry, (result) => ({ name: 'settled', request: { caller, result } }))
      return LATER
    },

    lock({ valueBytesMax }, { token, ...entry }, turn, caller) {
      const denied = mayNotWrite(turn.view, token, entry, valueBytesMax)
      if (denied) return denied
      commit(turn, 'kv.lock', entry, (result) => ({ name: 'settled', request: { caller, result } }))
      return LATER
    },

    unlock({ valueBytesMax }, { token, ...entry }, turn, caller) {
      const denied = mayNotWrite(turn.view, token, entry, valueBytesMax)
      if (denied) return denied
      commit(turn, 'kv.unlock', entry, (result) => ({ name: 'settled', request: { caller, result } }))
      return LATER
    },

    delete(_state, { token, key, recurse, cas }, turn, caller) {
      const denied = authorize(turn.view, token, { resource: recurse ? 'key_prefix' : 'key', name: key, access: 'write' })
      if (denied) return denied
      if (recurse) commit(turn, 'kv.delete-tree', { prefix: key }, (result) => ({ name: 'settled', request: { caller, result } }))
      else
        commit(turn, 'kv.delete', cas === undefined ? { key } : { key, cas }, (result) => ({
          name: 'settled',
          request: { caller, result },
        }))
      return LATER
    },

    settled(_state, { caller, result }, turn) {
      turn.answer(caller, result)
    },
  },
})

function mayNotWrite(view: View, token: Token, { key, value }: KvText, valueBytesMax: number): Refusal | undefined {
  const denied = authorize(view, token, { resource: 'key', name: key, access: 'write' })
  if (denied) return denied
  if (key.length * 3 > KEY_BYTES_MAX && utf8Length(key) > KEY_BYTES_MAX) {
    return refuse('invalid', `Key is too long (${utf8Length(key)} > ${KEY_BYTES_MAX} bytes)`)
  }
  if (value.byteLength > valueBytesMax) {
    return refuse('invalid', `Value for key "${key}" is too large (${value.byteLength} > ${valueBytesMax} bytes)`)
  }
  return undefined
}

/** Bytes of a text in UTF-8. */
export function utf8Length(text: string): number {
  let bytes = 0
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0
    bytes += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4
  }
  return bytes
}
