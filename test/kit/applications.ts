import { createServer, get, type Server } from 'node:http'
import type { ExecutionContext } from 'ava'

/** An ordinary HTTP service: `/health` is fine, `/stream` sends a line again and again without an end, all else answers `text`. */
export async function serveText(t: ExecutionContext, port: number, text: string): Promise<void> {
  const server = createServer((request, response) => {
    if (request.url !== '/stream') return void response.end(request.url === '/health' ? 'ok' : text)
    const ticking = setInterval(() => response.write('tick\n'), TICK_MS)
    response.on('close', () => clearInterval(ticking))
  })
  await serve(t, server, port)
}

/** An HTTP service that passes every request on to another port of this machine and says so in front of the answer. */
export async function serveFrom(t: ExecutionContext, port: number, upstreamPort: number): Promise<void> {
  const server = createServer((request, response) => {
    if (request.url === '/health') return void response.end('ok')
    const asked = get(`http://127.0.0.1:${upstreamPort}${request.url}`, { agent: false }, (answer) => {
      response.write('got: ')
      answer.pipe(response)
      answer.on('error', () => response.destroy())
    })
    asked.on('error', (error) => {
      if (response.headersSent) return void response.destroy()
      response.writeHead(502)
      response.end(`got nothing: ${error.message}`)
    })
    response.on('close', () => asked.destroy())
  })
  await serve(t, server, port)
}

const TICK_MS = 20

async function serve(t: ExecutionContext, server: Server, port: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', resolve)
  })
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
}

/** Opens an answer without an end and waits for its first lines. `closed` resolves, at the moment it ends, with `performance.now()`. */
export function openStream(url: string): Promise<{ closed: Promise<number>; isOpen(): boolean; nextTick(): Promise<void>; end(): void }> {
  return new Promise((resolve, reject) => {
    const asking = get(url, { agent: false }, (response) => {
      let open = true
      const closed = new Promise<number>((ended) => {
        const end = () => {
          open = false
          ended(performance.now())
        }
        response.once('close', end)
        response.once('error', end)
      })
      const nextTick = () =>
        new Promise<void>((ticked, failed) => {
          response.once('data', () => ticked())
          response.once('close', () => failed(new Error(`${url} was closed`)))
        })
      response.once('data', () => resolve({ closed, isOpen: () => open, nextTick, end: () => void asking.destroy() }))
    })
    asking.on('error', reject)
  })
}
