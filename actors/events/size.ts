import { keyBytes } from '../../src/kernel/keys.ts'
import type { UserEvent } from './protocol.ts'

/** What Consul's agents put around an event when they gossip it. */
const NAME_PREFIX_BYTES = 'consul:event:'.length
const EVENT_BYTES_MAX = 512

/** Why an event is too long to travel, in Serf's words. It is packed as Consul packs it, so the limit is the same to a byte. */
export function sizeFault(event: UserEvent): string | undefined {
  const nameBytes = NAME_PREFIX_BYTES + keyBytes(event.name)
  const payloadBytes = packedBytes(event)
  if (nameBytes + payloadBytes > EVENT_BYTES_MAX) return `user event exceeds configured limit of ${EVENT_BYTES_MAX} bytes before encoding`
  if (ENVELOPE_BYTES + numberBytes(event.lamportTime) + rawBytes(nameBytes) + rawBytes(payloadBytes) > EVENT_BYTES_MAX) {
    return `encoded user event exceeds configured limit of ${EVENT_BYTES_MAX} bytes after encoding`
  }
  return undefined
}

/** The kind of message, its map and the keys `LTime`, `Name`, `Payload` and `CC` with a boolean. */
const ENVELOPE_BYTES = 1 + 1 + 6 + 5 + 8 + 3 + 1
const MAP_BYTES = 1

/** The event as a msgpack map with Consul's keys: `ID`, `n`, `p`, `nf`, `sf`, `tf`, `v`. What is empty is left out. */
function packedBytes({ id, name, payload, nodeFilter, serviceFilter, tagFilter, version }: UserEvent): number {
  let bytes = MAP_BYTES + 3 + rawBytes(id.length) + 2 + rawBytes(keyBytes(name)) + 2 + numberBytes(version)
  if (payload.byteLength > 0) bytes += 2 + rawBytes(payload.byteLength)
  for (const filter of [nodeFilter, serviceFilter, tagFilter]) if (filter !== '') bytes += 3 + rawBytes(keyBytes(filter))
  return bytes
}

/** A text or bytes in the first version of msgpack. */
function rawBytes(length: number): number {
  if (length < 32) return 1 + length
  return (length < 65_536 ? 3 : 5) + length
}

function numberBytes(value: number): number {
  if (value < 128) return 1
  if (value < 256) return 2
  return value < 65_536 ? 3 : value < 2 ** 32 ? 5 : 9
}
