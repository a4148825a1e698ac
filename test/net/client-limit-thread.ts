import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { parentPort, workerData } from 'node:worker_threads'
import { createClientLimit } from '../../net/http/client-limit.ts'

/** Listens on a port that other threads listen on too, and tells each client that is let in which thread has it. */
const { table, thread, port, limit } = workerData as { table: SharedArrayBuffer; thread: number; port: number; limit: number }

const take = createClientLimit({ table, thread, limit: () => limit })
const server = createServer((socket) => {
  socket.on('error', () => socket.destroy())
  take(socket)
  if (socket.writable) socket.write(`thread ${thread}\n`)
})
server.listen({ host: '127.0.0.1', port, reusePort: true })
await once(server, 'listening')
parentPort?.postMessage((server.address() as AddressInfo).port)
