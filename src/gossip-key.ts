const BYTES: readonly number[] = [16, 24, 32]

/** The bytes of a key of the agents' private network, written in Base64; a text says what is wrong with it. Source: config §3, `encrypt`. */
export function readGossipKey(text: string): Uint8Array | string {
  const bytes = Buffer.from(text, 'base64')
  if (bytes.toString('base64') !== text) return 'it is not written in Base64'
  return BYTES.includes(bytes.length) ? bytes : `key size must be 16, 24 or 32 bytes, not ${bytes.length}`
}
