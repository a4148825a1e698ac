import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Config } from '../../src/config/config.ts'
import { type ApiAnswer, createApi } from '../../src/http/api.ts'
import type { Route } from '../../src/http/route.ts'
import type { Host } from '../../src/kernel/host.ts'
import { isRefused, type Result } from '../../src/kernel/refusal.ts'
import type { Layout } from '../../src/placement.ts'
import { snapshotPath } from '../snapshots.ts'
import { Active } from './active.ts'
import { createClientLimit } from './client-limit.ts'
import { gzipFor } from './gzip.ts'
import { listenOn } from './listen.ts'
import { createProfiles } from './profiles.ts'
import { SocketRequest } from './request.ts'
import { sendFile } from './send-file.ts'
import { sendStream } from './send-stream.ts'

/** What a client may say before its body, unless it is configured. */
const HEADER_BYTES_MAX = 1024 * 1024
/** How long answers that are under way may take once the agent stops. */
const DRAIN_MS = 500

export type HttpServer = { addresses: string[]; reconfigure(config: Config): void; close(): Promise<void> }
export type HttpServerOptions = {
  host: Host
  config: Config
  layout: Layout
  routes: readonly Route[]
  /** The directory for bodies that are kept in files. */
  filesDirectory: string
  /** Where all edge threads count the connections of each client: of `createClientTable`. */
  clients: SharedArrayBuffer
}

/** Serves the API on one thread. With more threads than one they share the port. Refused if a port is taken. */
export async function startHttp({ host, config, layout, routes, filesDirectory, clients }: HttpServerOptions): Promise<Result<HttpServer>> {
  const api = createApi({ host, config, layout, routes })
  const active = new Active()
  let { httpMaxConnsPerClient } = config.limits
  const limitClient = createClientLimit({ table: clients, thread: host.thread, limit: () => httpMaxConnsPerClient })
  const failed = (error: Error) => host.ports.print('error', 'http', 'an answer ended before its time', { error: error.message })
  const profiles = createProfiles({ enabled: config.enableDebug, failed })
  const take = (message: IncomingMessage, response: ServerResponse) => {
    const kept = message.method === 'GET' ? api.kept(message.url ?? '/', message.headers) : undefined
    if (kept) return send(message, response, kept, failed)
    if (profiles.take(message, response)) return
    const request = new SocketRequest(message, () => snapshotPath(filesDirectory))
    const giveUp = api.handle(request, (answer) => {
      try {
        send(message, response, answer, failed)
      } catch (error) {
        // Such as a header with a character that cannot be in one.
        send(message, response, api.failure(request, error), failed)
      }
    })
    active.begin(response, giveUp)
  }
  const reusePort = layout.length > 1
  const servers: Server[] = []
  const addresses: string[] = []
  for (const address of addressesOf(config, layout, host.thread)) {
    const server = createServer({ keepAliveTimeout: 0, maxHeaderSize: config.http.maxHeaderBytes || HEADER_BYTES_MAX }, take)
    server.on('clientError', refuseGarbage)
    server.on('connection', limitClient)
    servers.push(server)
    const listening = await listenOn(server, address, config.ports.http, reusePort, 'ports.http (-http-port)', config.unixSockets)
    if (isRefused(listening)) {
      for (const opened of servers) opened.close()
      return listening
    }
    addresses.push(listening)
  }
  return {
    addresses,
    reconfigure({ limits }) {
      httpMaxConnsPerClient = limits.httpMaxConnsPerClient
    },
    async close() {
      const closed = servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve())))
      for (const server of servers) server.closeIdleConnections()
      await active.idle(DRAIN_MS)
      for (const server of servers) server.closeAllConnections()
      await Promise.all(closed)
    },
  }
}

/** A port can be shared by all edge threads, a socket's path is for the first of them. */
function addressesOf({ ports, addresses }: Config, layout: Layout, thread: number): readonly string[] {
  if (ports.http <= 0) return []
  const first = layout.findIndex((roles) => roles.includes('edge'))
  return addresses.http.filter((address) => thread === first || !address.startsWith('unix://'))
}

function send(message: IncomingMessage, response: ServerResponse, answer: ApiAnswer, failed: (error: Error) => void): void {
  const headers = [...answer.headers]
  if (answer.type !== undefined) headers.push('Content-Type', answer.type)
  if (answer.stream !== undefined) return sendStream(response, answer.status, headers, answer.stream, failed)
  if (answer.file !== undefined) return sendFile(response, answer.status, headers, answer.file)
  if (response.destroyed) return
  const gzip = gzipFor(message, answer.bytes)
  if (gzip) headers.push('Content-Encoding', 'gzip')
  const bytes = gzip ?? answer.bytes
  headers.push('Content-Length', String(bytes.byteLength))
  response.writeHead(answer.status, headers)
  response.end(bytes)
}

function refuseGarbage(error: NodeJS.ErrnoException, socket: Socket): void {
  if (!socket.writable || error.code === 'ECONNRESET') return void socket.destroy()
  const tooLarge = error.code === 'HPE_HEADER_OVERFLOW'
  const status = tooLarge ? '431 Request Header Fields Too Large' : '400 Bad Request'
  socket.end(`HTTP/1.1 ${status}\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n${status}`)
}
