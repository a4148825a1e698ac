import type { ServerResponse } from 'node:http'
import { Readable } from 'node:stream'

/** Sends texts as they come, no faster than the client takes them, until they or the connection end. */
export function sendStream(
  response: ServerResponse,
  status: number,
  headers: string[],
  stream: AsyncIterable<string>,
  failed: (error: Error) => void,
): void {
  if (response.destroyed) return
  response.writeHead(status, headers)
  response.flushHeaders()
  // One text at a time: what waits behind a slow client is for the source to keep or to drop.
  const source = Readable.from(stream, { highWaterMark: 1 })
  source.on('error', (error) => {
    failed(error)
    response.destroy()
  })
  response.on('close', () => source.destroy())
  source.pipe(response)
}
