import { connect, type Socket } from 'node:net'
import type { Agent } from './agent.ts'

/** When an answer came, and its beginning. */
export type Heard = { atMs: number; text: string }
/** A connection that sends bare bytes and takes the first that come back for the answer, so that the client costs next to nothing. */
export type Reader = { ask(request: string): Promise<Heard>; close(): void }

export async function openReader({ httpPort }: Pick<Agent, 'httpPort'>): Promise<Reader> {
  const socket: Socket = connect(httpPort, '127.0.0.1').setNoDelay(true)
  await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject))
  return {
    ask(request) {
      const answer = new Promise<Heard>((resolve) =>
        socket.once('data', (bytes: Buffer) => resolve({ atMs: performance.now(), text: bytes.toString('latin1') })),
      )
      socket.write(request)
      return answer
    },
    close: () => socket.destroy(),
  }
}

export function put(path: string, body: string): string {
  return `PUT ${path} HTTP/1.1\r\nHost: bench\r\nContent-Length: ${body.length}\r\n\r\n${body}`
}

/** Waits for something newer than `index`. */
export function blockedGet(path: string, index: number): string {
  return `GET ${path}${path.includes('?') ? '&' : '?'}index=${index}&wait=120s HTTP/1.1\r\nHost: bench\r\n\r\n`
}

export function indexIn({ text }: Heard): number {
  return Number(/x-consul-index: (\d+)/i.exec(text)?.[1])
}
