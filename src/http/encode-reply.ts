import { encodeJson } from './json.ts'
import type { HttpReply } from './route.ts'

/** An answer as it is sent. It may be shared: nobody changes it. */
export type ApiAnswer = {
  readonly status: number
  /** Names and values in turn, in the order in which they are sent; all but Content-Type and what a connection adds. */
  readonly headers: readonly string[]
  /** Content-Type. */
  readonly type: string | undefined
  readonly bytes: Buffer
  /** The path of a file that is sent in place of `bytes`, and removed. */
  readonly file?: string
  /** What is sent in place of `bytes`, as it comes. */
  readonly stream?: AsyncIterable<string>
}

/** Encodes a reply; its own headers stand behind `before`. */
export function encodeReply(reply: HttpReply, pretty: boolean, before: readonly string[]): ApiAnswer {
  const { status = 200 } = reply
  const headers = reply.headers ? [...before, ...Object.entries(reply.headers).flatMap(headersOf)] : before
  if (reply.json !== undefined) return { status, headers, type: 'application/json', bytes: Buffer.from(encodeJson(reply.json, pretty)) }
  if (reply.text !== undefined) return { status, headers, type: reply.type ?? 'text/plain; charset=utf-8', bytes: Buffer.from(reply.text) }
  if (reply.stream !== undefined) return { status, headers, type: reply.type, bytes: NO_BYTES, stream: reply.stream }
  if (reply.file !== undefined) return { status, headers, type: reply.type, bytes: NO_BYTES, file: reply.file }
  if (reply.bytes !== undefined)
    return { status, headers, type: reply.type, bytes: Buffer.from(reply.bytes.buffer, reply.bytes.byteOffset, reply.bytes.byteLength) }
  return { status, headers, type: undefined, bytes: NO_BYTES }
}

function headersOf([name, value]: [name: string, value: string | readonly string[]]): string[] {
  return typeof value === 'string' ? [name, sendable(value)] : value.flatMap((one) => [name, sendable(one)])
}

/** Headers hold bytes. As Go writes them: texts in UTF-8, without what would end a line. */
function sendable(text: string): string {
  return PLAIN.test(text) ? text : Buffer.from(text).toString('latin1').replace(CONTROLS, ' ')
}

const PLAIN = /^[\x20-\x7e]*$/
const CONTROLS = /[^\t\x20-\x7e\x80-\xff]/g

const NO_BYTES = Buffer.alloc(0)
