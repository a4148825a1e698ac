import { request as httpRequest } from 'node:http'
import { type Result, refuse } from '../../src/kernel/refusal.ts'
import { dialErrorText, dialProblem } from './dial-errors.ts'
import { Tail } from './tail.ts'

/** Where Docker's engine listens. `name` is what its URLs are shown with, `basePath` stands in front of its paths. */
export type Engine = { at: { socketPath: string } | { host: string; port: number }; name: string; basePath: string }

/** The end of the body. `broken`: Go's words for why there is no answer, or not the whole of it; without an answer `status` is 0. */
export type EngineReply = { status: number; body: Tail; broken?: string | undefined }

/** The engine of `unix:///path` or `tcp://host:port[/path]`; `invalid` for anything else. */
export function engineOf(dockerHost: string): Result<Engine> {
  const [, protocol, address = ''] = /^(unix|tcp|http):\/\/(.+)$/s.exec(dockerHost) ?? []
  if (protocol === 'unix') return { at: { socketPath: address }, name: encodeURIComponent(address), basePath: '' }
  if (protocol === undefined || !URL.canParse(`http://${address}`))
    return refuse('invalid', `unable to parse docker host \`${dockerHost}\``)
  const { hostname, port, host, pathname } = new URL(`http://${address}`)
  const at = { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port || HTTP_PORT) }
  return { at, name: host, basePath: pathname.replace(/\/$/, '') }
}

type EngineCall = { method: 'GET' | 'POST'; path: string; body?: object; bytesMax: number; signal: AbortSignal }

/** One request on a connection of its own, which `signal` ends. It is always answered. */
export function callEngine(engine: Engine, { method, path, body, bytesMax, signal }: EngineCall): Promise<EngineReply> {
  return new Promise((resolve) => {
    const tail = new Tail(bytesMax)
    let status = 0
    const content = body === undefined ? undefined : JSON.stringify(body)
    const headers = {
      Host: 'socketPath' in engine.at ? 'docker' : engine.name,
      ...(content !== undefined && { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(content) }),
    }
    const target = engine.basePath + path
    const fail = (error: Error) => resolve({ status, body: tail, broken: brokenText(error, engine, method, target) })
    const asking = httpRequest({ ...engine.at, method, path: target, headers, agent: false, signal }, (response) => {
      status = response.statusCode ?? 0
      response.on('data', (chunk: Buffer) => tail.add(chunk))
      response.on('end', () => resolve({ status, body: tail }))
      response.on('error', fail)
    })
    asking.on('error', fail)
    asking.end(content)
  })
}

const HTTP_PORT = 80

function brokenText(error: NodeJS.ErrnoException, { at, name }: Engine, method: 'GET' | 'POST', path: string): string {
  const verb = method === 'GET' ? 'Get' : 'Post'
  return `${verb} ${JSON.stringify(`http://${name}${path}`)}: ${whyOf(error, at)}`
}

function whyOf(error: NodeJS.ErrnoException, at: Engine['at']): string {
  if (error.syscall !== 'connect' && error.syscall !== 'getaddrinfo') return error.code === 'ECONNRESET' ? 'EOF' : error.message
  return 'socketPath' in at ? `dial unix ${at.socketPath}: ${dialProblem(error)}` : dialErrorText(error, `${at.host}:${at.port}`)
}
