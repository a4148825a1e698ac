import type { Socket } from 'node:net'
import type { Responder } from './responder.ts'

/** A connection ends when this long nothing whole was received and nothing was answered. */
const IDLE_MS = 10_000
/** Queries of one connection that wait for recursors; more are not read until one is answered. */
const WAITING_MAX = 64
const LENGTH_BYTES = 2

/** Answers queries that come over one connection, each with its length before it (RFC 1035 §4.2.2), until the client ends it.
 * The socket must allow half-open connections: who has asked all may end its side before the answers came. */
export function serveTcp(socket: Socket, responder: Responder, idleMs = IDLE_MS): void {
  let received: Buffer = Buffer.alloc(0)
  let waiting = 0
  let hasRoom = true
  let isEnded = false
  const idle = setTimeout(() => socket.destroy(), idleMs)
  socket.setNoDelay(true)
  socket.on('close', () => clearTimeout(idle))
  // A reset by the client needs no more than the end of the connection, which follows.
  socket.on('error', () => socket.destroy())
  socket.on('drain', () => {
    hasRoom = true
    readOn()
  })
  socket.on('end', () => {
    isEnded = true
    if (waiting === 0) socket.end()
  })
  socket.on('data', (chunk: Buffer) => {
    received = received.length === 0 ? chunk : Buffer.concat([received, chunk])
    answerAll()
  })

  function answerAll(): void {
    while (isReading() && received.length >= LENGTH_BYTES) {
      const end = LENGTH_BYTES + received.readUInt16BE(0)
      if (received.length < end) break
      const packet = received.subarray(LENGTH_BYTES, end)
      received = received.subarray(end)
      idle.refresh()
      answer(packet)
    }
    if (!isReading()) socket.pause()
  }

  function answer(packet: Buffer): void {
    let isLate = false
    isLate = responder(packet, 'tcp', socket.remoteAddress ?? '', (bytes) => {
      idle.refresh()
      if (isLate) waiting -= 1
      if (socket.writable) {
        const length = Buffer.allocUnsafe(LENGTH_BYTES)
        length.writeUInt16BE(bytes.length, 0)
        hasRoom = socket.write(Buffer.concat([length, bytes]))
      }
      if (isLate) readOn()
    })
    if (isLate) waiting += 1
  }

  function readOn(): void {
    answerAll()
    if (isReading()) socket.resume()
    if (isEnded && waiting === 0) socket.end()
  }

  function isReading(): boolean {
    return hasRoom && waiting < WAITING_MAX && !socket.destroyed
  }
}
