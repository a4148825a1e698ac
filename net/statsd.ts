import { createSocket } from 'node:dgram'

/** Lines are put together into packets of this size, so that none is cut on its way. */
const PACKET_BYTES_MAX = 1_400

/** A sender to the statsd server at `host:port`. Nobody waits for its packets, and a server that is not there loses them. */
export function openStatsd(address: string, failed: (why: string) => void): { send(lines: readonly string[]): void; close(): void } {
  const colon = address.lastIndexOf(':')
  const host = address.slice(0, colon).replace(/^\[|\]$/g, '')
  const port = Number(address.slice(colon + 1))
  const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4')
  socket.on('error', (error) => failed(error.message))
  socket.unref()
  return {
    send(lines) {
      for (const packet of packets(lines)) {
        socket.send(packet, port, host === '' ? '127.0.0.1' : host, (error) => {
          if (error) failed(error.message)
        })
      }
    },
    close: () => socket.close(),
  }
}

function packets(lines: readonly string[]): string[] {
  const found: string[] = []
  let packet = ''
  for (const line of lines) {
    if (packet !== '' && Buffer.byteLength(packet) + Buffer.byteLength(line) >= PACKET_BYTES_MAX) {
      found.push(packet)
      packet = ''
    }
    packet += `${line}\n`
  }
  return packet === '' ? found : [...found, packet]
}
