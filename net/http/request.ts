import { createWriteStream, rmSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { pipeline } from 'node:stream/promises'
import type { ApiRequest } from '../../src/http/api.ts'
import { type Result, refuse } from '../../src/kernel/refusal.ts'

/** A refused body is still read up to this many bytes past its limit, so that the client gets to see the answer. */
const DRAIN_BYTES_MAX = 16 * 1024 * 1024
const NO_BODY = Buffer.alloc(0)

/** A request that comes over a connection. */
export class SocketRequest implements ApiRequest {
  readonly #message: IncomingMessage
  readonly #newPath: () => string

  /** `newPath`: where the next body that is kept in a file goes. */
  constructor(message: IncomingMessage, newPath: () => string) {
    this.#message = message
    this.#newPath = newPath
  }

  get method(): string {
    return this.#message.method ?? 'GET'
  }
  get url(): string {
    return this.#message.url ?? '/'
  }
  get headers(): IncomingMessage['headers'] {
    return this.#message.headers
  }
  get from(): string {
    return this.#message.socket.remoteAddress ?? ''
  }

  readonly keepBody = (done: (file: Result<{ path: string }>) => void): void => {
    const path = this.#newPath()
    pipeline(this.#message, createWriteStream(path, { flags: 'wx', mode: 0o600 })).then(
      () => done({ path }),
      (error: Error) => {
        rmSync(path, { force: true })
        done(refuse('busy', `the body cannot be kept: ${error.message}`))
      },
    )
  }

  readBody(bytesMax: number, done: (body: Buffer | number) => void): void {
    const message = this.#message
    const announced = Number(message.headers['content-length'] ?? 0)
    const chunks: Buffer[] = []
    let bytes = 0
    let refused = announced > bytesMax
    message.on('data', (chunk: Buffer) => {
      bytes += chunk.byteLength
      if (bytes > bytesMax) refused = true
      if (refused && bytes > bytesMax + DRAIN_BYTES_MAX) message.destroy()
      if (!refused) chunks.push(chunk)
    })
    message.on('end', () => {
      if (refused) done(Math.max(bytes, announced))
      else done(chunks.length === 1 ? (chunks[0] ?? NO_BODY) : Buffer.concat(chunks))
    })
  }
}
