import type { IncomingMessage } from 'node:http'
import { tokenOf, tooLarge } from '../../src/http/request.ts'
import type { HttpReply, HttpRequest } from '../../src/http/route.ts'

const NO_BODY = Buffer.alloc(0)
const NO_QUERY = new URLSearchParams()
/** A refused body is still read up to this many bytes past its limit, so that the client gets to see the answer. */
const DRAIN_BYTES_MAX = 16 * 1024 * 1024

/** Reads a request within its limit, then calls `done` once: with it, or with what to answer instead. */
export function readRequest(
  message: IncomingMessage,
  path: string,
  rest: string,
  queryText: string,
  { bytesMax, option }: { bytesMax: number; option: string },
  done: (request: HttpRequest | (HttpReply & { status: number })) => void,
): void {
  const query = queryText === '' ? NO_QUERY : new URLSearchParams(queryText)
  const request: HttpRequest = {
    method: message.method ?? 'GET',
    path,
    rest,
    query,
    headers: message.headers,
    body: NO_BODY,
    token: tokenOf(query, message.headers),
    from: message.socket.remoteAddress ?? '',
  }
  if (request.method === 'GET') return done(request)
  const chunks: Buffer[] = []
  let bytes = 0
  let refused = Number(message.headers['content-length'] ?? 0) > bytesMax
  message.on('data', (chunk: Buffer) => {
    bytes += chunk.byteLength
    if (bytes > bytesMax) refused = true
    if (refused && bytes > bytesMax + DRAIN_BYTES_MAX) message.destroy()
    if (!refused) chunks.push(chunk)
  })
  message.on('end', () => {
    if (refused) return done(tooLarge(Math.max(bytes, Number(message.headers['content-length'] ?? 0)), bytesMax, option))
    request.body = chunks.length === 1 ? (chunks[0] ?? NO_BODY) : Buffer.concat(chunks)
    done(request)
  })
}
