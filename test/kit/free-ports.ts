import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer, type Server } from 'node:net'

/** Ports of 127.0.0.1 that belong to one test. */
export type FreePorts = {
  /** One that was not given before. */
  next(): number
  /** So many in a row. */
  range(count: number): { from: number; to: number }
}

/** Below those that the system gives to outgoing connections (Linux: 32768 and up), which nobody can keep free. */
const PORT_MIN = 10_048
const PORT_MAX = 32_000
const BLOCK_PORTS = 64
/** Defaults of the program, on which somebody may try it while tests run. */
const AVOIDED = { from: 20_000, to: 21_800 }

/**
 * A block of ports on which nothing listens, TCP or UDP. Nobody who asks here gets the same one, in whichever process, until
 * this process ends: the block is claimed by listening on its last port.
 */
export async function freePorts(): Promise<FreePorts> {
  const blocks = Math.floor((PORT_MAX - PORT_MIN) / BLOCK_PORTS)
  // Processes begin to look at different places.
  for (let tries = 0, block = process.pid % blocks; tries < blocks; tries++, block = (block + 1) % blocks) {
    const first = PORT_MIN + block * BLOCK_PORTS
    const last = first + BLOCK_PORTS - 1
    if (first <= AVOIDED.to && last >= AVOIDED.from) continue
    const claim = await listening(last)
    if (claim === undefined) continue
    claim.unref()
    if (await allFree(first, last - 1)) return portsOf(first, last - 1)
    claim.close()
  }
  throw new Error(`no ${BLOCK_PORTS} free ports in a row from ${PORT_MIN} to ${PORT_MAX}`)
}

function portsOf(first: number, last: number): FreePorts {
  let free = first
  const range = (count: number) => {
    const from = free
    free += count
    if (free > last + 1) throw new Error(`a test has ${BLOCK_PORTS - 1} ports, not more`)
    return { from, to: free - 1 }
  }
  return { range, next: () => range(1).from }
}

async function allFree(first: number, last: number): Promise<boolean> {
  for (let port = first; port <= last; port++) {
    const server = await listening(port)
    if (server === undefined) return false
    server.close()
    await once(server, 'close')
    if (!(await isFreeForUdp(port))) return false
  }
  return true
}

/** Nothing if the port is taken. */
function listening(port: number): Promise<Server | undefined> {
  const server = createServer()
  return new Promise((resolve) => {
    server.once('error', () => resolve(undefined))
    server.listen(port, '127.0.0.1', () => resolve(server))
  })
}

function isFreeForUdp(port: number): Promise<boolean> {
  const socket = createSocket('udp4')
  return new Promise((resolve) => {
    socket.once('error', () => resolve(false))
    socket.bind(port, '127.0.0.1', () => socket.close(() => resolve(true)))
  })
}
