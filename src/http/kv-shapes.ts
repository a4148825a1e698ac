import type { KvEntry } from '../../actors/kv/tables.ts'

/** An entry of the key/value store as Consul shows it; an empty value is null. Source: http-api §5. */
export function kvShape(key: string, { lockIndex, flags, value, session, createIndex, modifyIndex }: KvEntry): object {
  return {
    LockIndex: lockIndex,
    Key: key,
    Flags: flags <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(flags) : flags,
    Value: value.byteLength === 0 ? null : Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64'),
    ...(session !== '' && { Session: session }),
    CreateIndex: createIndex,
    ModifyIndex: modifyIndex,
  }
}
