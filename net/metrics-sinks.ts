import { createSocket } from 'node:dgram'
import { connect, type Socket } from 'node:net'
import type { MetricsSink } from '../src/world.ts'

/** Lines are put together into packets of this size, so that none is cut on its way. */
const PACKET_BYTES_MAX = 1_400
const CONNECT_WITHIN_MS = 5_000
/** What a server does not take is dropped beyond this. */
const WAITING_BYTES_MAX = 4 * 1024 * 1024

/** A server at `host:port` that reads lines from packets (statsd, DogStatsD). One that is not there loses them. */
export function openUdpSink(address: string, failed: (why: string) => void): MetricsSink {
  const { host, port } = placeOf(address)
  const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4')
  socket.on('error', (error) => failed(error.message))
  socket.unref()
  return {
    send(lines) {
      for (const packet of packets(lines)) {
        socket.send(packet, port, host, (error) => {
          if (error) failed(error.message)
        })
      }
    },
    close: () => socket.close(),
  }
}

/** A server at `host:port` that reads lines from a connection (statsite), which is opened by the first lines after it was lost. */
export function openTcpSink(address: string, failed: (why: string) => void): MetricsSink {
  const { host, port } = placeOf(address)
  let socket: Socket | undefined
  function opened(): Socket {
    const opening = connect({ host, port })
    const lost = () => {
      if (socket === opening) socket = undefined
    }
    opening.unref()
    opening.setTimeout(CONNECT_WITHIN_MS, () => opening.destroy(new Error(`no connection within ${CONNECT_WITHIN_MS} ms`)))
    opening.once('connect', () => opening.setTimeout(0))
    opening.on('error', (error) => failed(error.message))
    opening.once('close', lost)
    // Nobody answers; whoever ends the connection is asked for another one.
    opening.resume().once('end', lost)
    return opening
  }
  return {
    send(lines) {
      if (lines.length === 0) return
      socket ??= opened()
      if (socket.writableLength > WAITING_BYTES_MAX) failed(`${socket.writableLength} bytes wait to be taken`)
      else socket.write(`${lines.join('\n')}\n`)
    },
    close: () => socket?.destroy(),
  }
}

function placeOf(address: string): { host: string; port: number } {
  const colon = address.lastIndexOf(':')
  const host = address.slice(0, colon).replace(/^\[|\]$/g, '')
  return { host: host === '' ? '127.0.0.1' : host, port: Number(address.slice(colon + 1)) }
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
