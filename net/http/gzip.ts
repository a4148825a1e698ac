import type { IncomingMessage } from 'node:http'
import { gzipSync } from 'node:zlib'

/** Smaller bodies are sent as they are even to clients that accept gzip. */
const GZIP_BYTES_MIN = 1_400
/** A weight of zero is a refusal. */
const GZIP_ACCEPTED = /\bgzip\b(?!\s*;\s*q=0(\.0*)?\s*(,|$))/i

/** Bodies that were sent compressed before: an answer that many wait for is compressed once. */
const compressed = new WeakMap<Buffer, Buffer>()

/** The body as gzip if it is worth it and the client takes it; undefined otherwise. Nobody may change the body later. */
export function gzipFor({ headers }: IncomingMessage, bytes: Buffer): Buffer | undefined {
  if (bytes.byteLength < GZIP_BYTES_MIN || !GZIP_ACCEPTED.test(String(headers['accept-encoding'] ?? ''))) return undefined
  const known = compressed.get(bytes)
  if (known) return known
  const made = gzipSync(bytes)
  compressed.set(bytes, made)
  return made
}
