import type { Socket } from 'node:net'

const TOO_MANY =
  'HTTP/1.1 429 Too Many Requests\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n' +
  'Your IP is issuing too many concurrent connections, please rate limit your calls\n'

/** Takes each new connection of a thread and refuses those of an address that has as many open as `limit` says; 0 is no limit. */
export function createClientLimit(limit: () => number): (socket: Socket) => void {
  const connections = new Map<string, number>()
  return (socket) => {
    const from = socket.remoteAddress ?? ''
    if (from === '') return
    const open = (connections.get(from) ?? 0) + 1
    const connectionsMax = limit()
    if (connectionsMax > 0 && open > connectionsMax) {
      socket.end(TOO_MANY)
      return
    }
    connections.set(from, open)
    socket.once('close', () => {
      const left = (connections.get(from) ?? 1) - 1
      if (left === 0) connections.delete(from)
      else connections.set(from, left)
    })
  }
}
