import { connect, type Socket } from 'node:net'

const AT_ONCE = 50

/** Connections that have got an answer and stay open without a word. */
export type Held = { ask(position: number): Promise<void>; close(): void }

/** Opens so many connections to an HTTP service on this machine, each with one request to show that it gets through. */
export async function hold(port: number, count: number): Promise<Held> {
  const sockets: Socket[] = []
  while (sockets.length < count) {
    const more = Array.from({ length: Math.min(AT_ONCE, count - sockets.length) }, () => connect(port, '127.0.0.1').setNoDelay(true))
    sockets.push(...more)
    await Promise.all(more.map(answered))
  }
  return {
    async ask(position) {
      const socket = sockets[position]
      if (socket === undefined) throw new Error(`there is no connection ${position}`)
      await answered(socket)
    },
    close() {
      for (const socket of sockets) socket.destroy()
    },
  }
}

function answered(socket: Socket): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('error', reject)
    socket.once('close', () => reject(new Error('a connection was closed')))
    socket.once('data', () => {
      socket.removeAllListeners('error').removeAllListeners('close')
      resolve()
    })
    socket.write('GET / HTTP/1.1\r\nHost: bench\r\n\r\n')
  })
}
