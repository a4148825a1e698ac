import type { Config } from '../src/config/config.ts'
import { type ApiAnswer, type ApiRequest, createApi } from '../src/http/api.ts'
import { createRouter } from '../src/http/router.ts'
import { routes } from '../src/http/routes/index.ts'
import type { Host } from '../src/kernel/host.ts'
import type { Layout } from '../src/placement.ts'
import type { SnapshotFiles } from './ports/snapshots.ts'

/** What a request has besides its method and path. */
export type SimRequest = {
  query?: Readonly<Record<string, string>>
  /** Text and bytes are sent as they are, anything else as JSON. */
  body?: string | Uint8Array | object
  /** Lower-case names. */
  headers?: Readonly<Record<string, string>>
  token?: string
}

/** The HTTP API of one life of an agent's edge thread, as its clients reach it in a simulation. */
export type SimApi = {
  /**
   * Sends a request, which arrives as soon as the thread does anything, and calls `done` once: with the reply, or with `lost`
   * if the connection ended before one came; whether the request was carried out is unknown then. The answer of this function
   * ends the connection from the client's side: `done` is not called any more. `path` has its escapes and no query. Endpoints
   * that need promises cannot be asked.
   */
  request(method: string, path: string, request: SimRequest, done: (reply: SimReply | 'lost') => void): () => void
  /** The thread has ended: connections are lost, present ones and those that are tried later. */
  end(): void
}
/** `files` is where bodies are kept that may be of any size, and where files wait that are sent. */
export type SimApiOptions = { host: Host; config: Config; layout: Layout; files: SnapshotFiles }

type Connection = { readonly done: (reply: SimReply | 'lost') => void; giveUp: () => void }

const NO_BODY = Buffer.alloc(0)
const NO_HEADERS = {}
const LOCALHOST = '127.0.0.1'
const find = createRouter(routes)

export function createSimApi({ host, config, layout, files }: SimApiOptions): SimApi {
  const api = createApi({ host, config, layout, routes })
  const open = new Set<Connection>()
  let hasEnded = false

  function answer(connection: Connection, answered: ApiAnswer): void {
    open.delete(connection)
    const file = answered.file === undefined ? undefined : files.take(answered.file)
    connection.done(new SimReply(file ? { ...answered, bytes: Buffer.from(file) } : answered))
  }

  function arrive(connection: Connection, request: ApiRequest): void {
    const kept = request.method === 'GET' ? api.kept(request.url, request.headers) : undefined
    if (kept) return answer(connection, kept)
    connection.giveUp = api.handle(request, (answered) => answer(connection, answered))
  }

  return {
    request(method, path, request, done) {
      if (needsPromises(method, path)) throw new Error(`broken promise: ${method} ${path} can be asked in a simulation`)
      const connection: Connection = { done, giveUp: nothing }
      if (hasEnded) {
        done('lost')
        return nothing
      }
      open.add(connection)
      const given = apiRequest(method, path, request, files)
      connection.giveUp = host.ports.clock.after(0, () => arrive(connection, given))
      return () => {
        if (open.delete(connection)) connection.giveUp()
      }
    },
    end() {
      hasEnded = true
      for (const connection of open) {
        open.delete(connection)
        connection.giveUp()
        connection.done('lost')
      }
    },
  }
}

/** What a simulated client gets. Its parts are read when asked for. */
export class SimReply {
  readonly status: number
  readonly #answer: ApiAnswer

  constructor(answer: ApiAnswer) {
    this.status = answer.status
    this.#answer = answer
  }

  /** X-Consul-Index, 0 if there is none. */
  get index(): number {
    return Number(this.header('X-Consul-Index') ?? 0)
  }

  get bytes(): Buffer {
    return this.#answer.bytes
  }

  get text(): string {
    return this.#answer.bytes.toString()
  }

  /** Throws, with what came instead, if the body is no JSON. */
  get json(): unknown {
    if (this.#answer.type !== 'application/json') throw new Error(`broken promise: the answer is JSON, not ${this.status} "${this.text}"`)
    return JSON.parse(this.text)
  }

  /** By its name as it is sent. */
  header(name: string): string | undefined {
    const { headers } = this.#answer
    for (let at = 0; at < headers.length; at += 2) if (headers[at] === name) return headers[at + 1]
    return undefined
  }
}

function needsPromises(method: string, path: string): boolean {
  const found = find(method, path)
  return found !== undefined && 'route' in found && 'run' in found.route
}

function apiRequest(
  method: string,
  path: string,
  { query, body, headers = NO_HEADERS, token }: SimRequest,
  files: SnapshotFiles,
): ApiRequest {
  const bytes = bytesOf(body)
  return {
    method,
    url: query === undefined ? path : `${path}?${new URLSearchParams(query)}`,
    headers: token === undefined ? headers : { ...headers, 'x-consul-token': token },
    from: LOCALHOST,
    readBody: (bytesMax, done) => done(bytes.byteLength > bytesMax ? bytes.byteLength : bytes),
    keepBody: (done) => done({ path: files.add(bytes) }),
  }
}

function bytesOf(body: SimRequest['body']): Buffer {
  if (body === undefined) return NO_BODY
  if (typeof body === 'string') return Buffer.from(body)
  return body instanceof Uint8Array ? Buffer.from(body) : Buffer.from(JSON.stringify(body))
}

function nothing(): void {
  // The connection is over.
}
