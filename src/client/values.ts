/** The bytes of an entry's `Value` or an event's `Payload`. */
export function bytesOf(of: { Value: string | null } | { Payload: string | null }): Buffer {
  return Buffer.from(('Value' in of ? of.Value : of.Payload) ?? '', 'base64')
}

/** The same, as UTF-8. */
export function textOf(of: { Value: string | null } | { Payload: string | null }): string {
  return bytesOf(of).toString('utf8')
}

/** A value as operations of a transaction want it. */
export function base64(value: string | Uint8Array): string {
  return Buffer.from(value).toString('base64')
}
