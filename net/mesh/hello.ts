import type { Socket } from 'node:net'

/**
 * Looks whether a client's first TLS message proposes `protocol` by ALPN, and leaves all bytes in the socket. `found` is called
 * once, unless the socket ends before. Whatever is not the beginning of TLS proposes nothing. The protocol's name somewhere
 * else in the message counts too: then the handshake itself finds out that it was not proposed.
 */
export function proposes(tcp: Socket, protocol: string, found: (isProposed: boolean) => void): void {
  const wanted = Buffer.concat([Buffer.from([protocol.length]), Buffer.from(protocol, 'latin1')])
  let seen: Buffer = Buffer.alloc(0)
  const look = () => {
    const bytes: unknown = tcp.read()
    if (!(bytes instanceof Buffer)) return
    seen = seen.length === 0 ? bytes : Buffer.concat([seen, bytes])
    if (isUnfinished(seen)) return
    tcp.off('readable', look)
    tcp.unshift(seen)
    found(seen[0] === HANDSHAKE && seen.includes(wanted))
  }
  tcp.on('readable', look)
}

const HANDSHAKE = 22
const RECORD_HEADER_BYTES = 5
const RECORD_BYTES_MAX = 16_384

function isUnfinished(seen: Buffer): boolean {
  if (seen[0] !== HANDSHAKE) return false
  if (seen.length < RECORD_HEADER_BYTES) return true
  const recordBytes = seen.readUInt16BE(3)
  return recordBytes <= RECORD_BYTES_MAX && seen.length < RECORD_HEADER_BYTES + recordBytes
}
