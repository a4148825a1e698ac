import { closeSync, createReadStream, fstatSync, openSync, rmSync } from 'node:fs'
import type { ServerResponse } from 'node:http'

/** Sends a file and removes it, whether or not anybody is still there to take it. A failure on the way ends the connection. */
export function sendFile(response: ServerResponse, status: number, headers: string[], path: string): void {
  const file = openSync(path, 'r')
  // What is open can be read to its end although it has no name any more, and a killed process leaves nothing behind.
  rmSync(path)
  if (response.destroyed) return closeSync(file)
  response.writeHead(status, [...headers, 'Content-Length', String(fstatSync(file).size)])
  const source = createReadStream('', { fd: file })
  source.on('error', (error) => response.destroy(error))
  response.on('close', () => source.destroy())
  source.pipe(response)
}
