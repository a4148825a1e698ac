import { createSocket, type RemoteInfo, type Socket as UdpSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer, isIP, type Server, type Socket } from 'node:net'
import type { LogLevel } from '../../src/kernel/ports.ts'
import { isRefused, type Refusal, type Result, refuse } from '../../src/kernel/refusal.ts'
import type { Answers } from './far.ts'
import { createRecursorClient } from './recursor.ts'
import { createResponder, type DnsQueryKind, type Responder } from './responder.ts'
import type { DnsSettings } from './settings.ts'
import { serveTcp } from './tcp.ts'

export type DnsOptions = {
  /** IP addresses, each for UDP and TCP. */
  addresses: readonly string[]
  /** 0 lets the system choose one port for all of them. */
  port: number
  /** Several threads may listen on the same port and share its queries. */
  reusePort: boolean
  answers: Answers
  /** Asked for each query. */
  settings: () => DnsSettings
  /** Counts packets that were answered. */
  report: (kind: DnsQueryKind, ms: number) => void
  print: (level: LogLevel, line: string, facts?: Record<string, unknown>) => void
  chance?: () => number
  nowMs?: () => number
}

/** `close` ends every connection; it may be called again. */
export type DnsServer = { port: number; close(): Promise<void> }

const RECURSOR_QUERIES_MAX = 1_024
const CONNECTIONS_MAX = 1_000
/** Ports that the system chose for TCP may be taken for UDP. */
const CHOSEN_PORT_TRIES = 20
const UDP_RECEIVE_BYTES = 1_048_576

/** Answers DNS over UDP and TCP. A port that cannot be had is refused with `conflict` or `forbidden`, naming its option. */
export async function startDns(options: DnsOptions): Promise<Result<DnsServer>> {
  const { answers, settings, report, print } = options
  const recursors = createRecursorClient({
    inFlightMax: RECURSOR_QUERIES_MAX,
    failed: (recursor, why) => print('warn', 'a recursor gave no usable answer', { recursor, why }),
  })
  const responder = createResponder({
    answers,
    settings,
    recursors,
    report,
    failed: (question, error) => print('error', 'a DNS query could not be answered', { question, error }),
    chance: options.chance ?? Math.random,
    nowMs: options.nowMs ?? Date.now,
  })
  const listeners = await listenOnAll(options, responder)
  if (isRefused(listeners)) return listeners
  let closed: Promise<void> | undefined
  return {
    port: listeners.port,
    close() {
      closed ??= closeAll(listeners.opened)
      recursors.close()
      return closed
    },
  }
}

type Listener = { close(): Promise<void> }
type Listeners = { port: number; opened: Listener[] }

async function listenOnAll(options: DnsOptions, responder: Responder): Promise<Result<Listeners>> {
  const tries = options.port === 0 ? CHOSEN_PORT_TRIES : 1
  let refusal: Refusal = refuse('invalid', 'addresses.dns: there must be at least one address')
  for (let attempt = 0; attempt < tries; attempt++) {
    const result = await tryAll(options, responder)
    if (!isRefused(result)) return result
    refusal = result
    if (refusal.refused !== 'conflict') break
  }
  return refusal
}

/** All addresses with both protocols on one port, or nothing. */
async function tryAll(options: DnsOptions, responder: Responder): Promise<Result<Listeners>> {
  const opened: Listener[] = []
  let { port } = options
  for (const address of options.addresses) {
    const tcp = await listenTcp(options, responder, address, port)
    if (isRefused(tcp)) return await undo(tcp)
    opened.push(tcp)
    port = tcp.port
    const udp = await listenUdp(options, responder, address, port)
    if (isRefused(udp)) return await undo(udp)
    opened.push(udp)
  }
  return opened.length === 0 ? refuse('invalid', 'addresses.dns: there must be at least one address') : { port, opened }

  async function undo(refusal: Refusal): Promise<Refusal> {
    await closeAll(opened)
    return refusal
  }
}

async function closeAll(listeners: readonly Listener[]): Promise<void> {
  await Promise.all(listeners.map((listener) => listener.close()))
}

async function listenTcp(
  options: DnsOptions,
  responder: Responder,
  host: string,
  port: number,
): Promise<Result<Listener & { port: number }>> {
  const server: Server = createServer({ allowHalfOpen: true })
  const connections = new Set<Socket>()
  server.maxConnections = CONNECTIONS_MAX
  server.on('connection', (socket) => {
    connections.add(socket)
    socket.on('close', () => connections.delete(socket))
    serveTcp(socket, responder)
  })
  try {
    const listening = once(server, 'listening')
    server.listen({ host, port, reusePort: options.reusePort })
    await listening
  } catch (error) {
    return listenRefusal(error, 'tcp', host, port)
  }
  server.on('error', (error) => options.print('error', 'the DNS listener for TCP failed', { address: host, error: error.message }))
  const bound = server.address()
  return {
    port: typeof bound === 'object' && bound !== null ? bound.port : port,
    async close() {
      for (const socket of connections) socket.destroy()
      const closed = once(server, 'close')
      server.close()
      await closed
    },
  }
}

async function listenUdp(options: DnsOptions, responder: Responder, host: string, port: number): Promise<Result<Listener>> {
  const family = isIP(host) === 6 ? 6 : 4
  const socket: UdpSocket = createSocket({
    type: family === 6 ? 'udp6' : 'udp4',
    reusePort: options.reusePort,
    recvBufferSize: UDP_RECEIVE_BYTES,
    // Answers go to addresses, not to names: nothing is looked up.
    lookup: (address, _options, found) => found(null, address, family),
  })
  try {
    const listening = once(socket, 'listening')
    socket.bind({ port, address: host })
    await listening
  } catch (error) {
    socket.close()
    return listenRefusal(error, 'udp', host, port)
  }
  const sent = (error: Error | null) => {
    if (error !== null) options.print('debug', 'a DNS answer could not be sent', { error: error.message })
  }
  let isOpen = true
  socket.on('error', (error) => options.print('error', 'the DNS socket for UDP failed', { address: host, error: error.message }))
  socket.on('message', (packet: Buffer, from: RemoteInfo) => {
    // Nothing can be sent to port 0.
    if (from.port === 0) return
    responder(packet, 'udp', from.address, (bytes) => {
      if (isOpen) socket.send(bytes, 0, bytes.length, from.port, from.address, sent)
    })
  })
  return {
    async close() {
      isOpen = false
      const closed = once(socket, 'close')
      socket.close()
      await closed
    },
  }
}

function listenRefusal(error: unknown, protocol: 'tcp' | 'udp', host: string, port: number): Refusal {
  const code = error instanceof Error && 'code' in error ? String(error.code) : String(error)
  const where = `dns: cannot listen on ${protocol} ${isIP(host) === 6 ? `[${host}]` : host}:${port}`
  const option = 'choose another with ports.dns or -dns-port'
  if (code === 'EADDRINUSE') return refuse('conflict', `${where}: the port is already in use; ${option}`)
  if (code === 'EACCES') return refuse('forbidden', `${where}: not allowed to use this port; ${option}`)
  if (code === 'EADDRNOTAVAIL')
    return refuse('invalid', `${where}: this machine does not have the address; change addresses.dns or client_addr`)
  return refuse('invalid', `${where}: ${error instanceof Error ? error.message : code}`)
}
