import type { Stream } from '@libp2p/interface'
import { Packr, Unpackr } from 'msgpackr'
import { type Result, refuse } from '../../src/kernel/refusal.ts'

export const MESSAGE_BYTES_MAX = 65_536
/** What waits for one slow peer at the most. */
export const QUEUE_BYTES_MAX = 1_048_576

const HEAD_BYTES = 4
/** What one peer may send in a second, and at once after a pause. More of it waits at that peer. */
const RECEIVED_BYTES_PER_SECOND_MAX = 4_194_304

const packr = new Packr({ useRecords: false, moreTypes: false })
const unpackr = new Unpackr({ useRecords: false, mapsAsObjects: true })

/** A message as bytes; `invalid` if it is too large. */
export function packMessage(message: unknown): Result<Buffer> {
  const packed = packr.pack(message)
  if (packed.length <= MESSAGE_BYTES_MAX) return packed
  return refuse('invalid', `a message has ${packed.length} bytes, ${MESSAGE_BYTES_MAX} are allowed`)
}

/** `invalid` if the bytes are no msgpack or hold no plain object. */
export function unpackMessage(bytes: Uint8Array): Result<object> {
  try {
    const message: unknown = unpackr.unpack(bytes)
    if (typeof message === 'object' && message !== null) return message
    return refuse('invalid', 'a message that is no object')
  } catch (error) {
    return refuse('invalid', `a message that is no msgpack: ${error instanceof Error ? error.message : String(error)}`)
  }
}

/** Sends packed messages over a stream: `busy` when the peer is too slow to take more, `gone` when the stream is not open. */
export function sendMessage(stream: Stream, packed: Buffer): Result<null> {
  if (stream.writeStatus !== 'writable') return refuse('gone', 'the connection ended')
  if (stream.writeBufferLength + packed.length > QUEUE_BYTES_MAX) {
    return refuse('busy', `${stream.writeBufferLength} bytes wait for this peer already`)
  }
  const frame = Buffer.allocUnsafe(HEAD_BYTES + packed.length)
  frame.writeUInt32BE(packed.length)
  packed.copy(frame, HEAD_BYTES)
  try {
    stream.send(frame)
    return null
  } catch (error) {
    return refuse('gone', error instanceof Error ? error.message : String(error))
  }
}

export type MessageReader = {
  message(bytes: Uint8Array): void
  /** Something that is no message; nothing more is read. */
  fault(why: string): void
}

/** Reads messages as they come. Whoever sends faster than allowed is held up. Nothing larger than one message is ever kept. */
export function readMessages(stream: Stream, reader: MessageReader): void {
  let held: Buffer = Buffer.alloc(0)
  let allowance = RECEIVED_BYTES_PER_SECOND_MAX
  let atMs = performance.now()
  let resuming: NodeJS.Timeout | undefined

  const take = ({ data }: { data: Uint8Array | { subarray(): Uint8Array } }) => {
    const bytes = data.subarray()
    pace(bytes.length)
    held = held.length === 0 ? Buffer.from(bytes) : Buffer.concat([held, bytes])
    let at = 0
    while (held.length - at >= HEAD_BYTES) {
      const length = held.readUInt32BE(at)
      if (length > MESSAGE_BYTES_MAX) {
        stream.removeEventListener('message', take)
        held = Buffer.alloc(0)
        return reader.fault(`a message of ${length} bytes, ${MESSAGE_BYTES_MAX} are allowed`)
      }
      if (held.length - at < HEAD_BYTES + length) break
      reader.message(held.subarray(at + HEAD_BYTES, at + HEAD_BYTES + length))
      at += HEAD_BYTES + length
    }
    held = held.subarray(at)
  }

  function pace(bytes: number): void {
    const nowMs = performance.now()
    allowance = Math.min(RECEIVED_BYTES_PER_SECOND_MAX, allowance + ((nowMs - atMs) / 1_000) * RECEIVED_BYTES_PER_SECOND_MAX) - bytes
    atMs = nowMs
    if (allowance >= 0 || resuming !== undefined) return
    stream.pause()
    const waitMs = (-allowance / RECEIVED_BYTES_PER_SECOND_MAX) * 1_000
    resuming = setTimeout(() => {
      resuming = undefined
      stream.resume()
    }, waitMs)
  }

  stream.addEventListener('message', take)
  stream.addEventListener('close', () => clearTimeout(resuming))
}
