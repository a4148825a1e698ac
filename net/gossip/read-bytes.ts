import type { MessageStream } from '@libp2p/interface'

/** The next `count` bytes of a stream; what comes after them stays in it. Rejected when the stream ends before or `signal` says so. */
export function readBytes(stream: MessageStream, count: number, signal: AbortSignal): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    let held = Buffer.alloc(0)
    const take = ({ data }: { data: Uint8Array | { subarray(): Uint8Array } }) => {
      held = Buffer.concat([held, data.subarray()])
      if (held.length < count) return
      end()
      if (held.length > count) stream.unshift(held.subarray(count))
      resolve(held.subarray(0, count))
    }
    const ended = () => fail(new Error('the connection ended'))
    const expired = () => fail(new Error('it said nothing in time'))
    const end = () => {
      stream.removeEventListener('message', take)
      stream.removeEventListener('close', ended)
      stream.removeEventListener('remoteCloseWrite', ended)
      signal.removeEventListener('abort', expired)
    }
    const fail = (error: Error) => {
      end()
      reject(error)
    }
    if (signal.aborted) return expired()
    stream.addEventListener('close', ended)
    stream.addEventListener('remoteCloseWrite', ended)
    signal.addEventListener('abort', expired)
    stream.addEventListener('message', take)
  })
}
